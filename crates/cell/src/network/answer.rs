//! Answers to the commands.

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{
    NetChannel, NetConnectorKey, NetConnectorType, NetKey, NetTopic, NetUrlUse, ReturnCode, StatsPool,
};

use super::about::{pool, pools, process, settings, variables};
use super::values::{of_headers, of_table, reply, text};
use super::{measure, spread};
use crate::backbone::{ConnectorInfo, ConnectorUse};
use crate::cell::Cell;
use crate::handler::{Answer, HandlerError, Request};

/// One command.
pub(super) async fn command(request: Request) -> Result<Answer, HandlerError> {
    let cell = request.cell().clone();
    let answer = match NetTopic::new(request.topic()) {
        NetTopic::PEERS => reply(&names(&cell.peers()))?.into(),
        NetTopic::CELLS => cells(&cell).await?.into(),
        NetTopic::ROUTE => reply(&of_headers(request.headers()))?.into(),
        NetTopic::START_ROUTE => start_route(&cell, &request).await?.into(),
        NetTopic::CONNS => reply(&connectors(&cell))?.into(),
        NetTopic::URL_USE => url_use(&cell, &request).await?.into(),
        NetTopic::SPEED => measure::speed(&request).await?.into(),
        NetTopic::STRESS => measure::stress(&request).await?.into(),
        NetTopic::ECHO => measure::echo(&request).into(),
        NetTopic::BULK_TEST => measure::bulk(&cell, &request)?.into(),
        NetTopic::BULK_ITEM => {
            tracing::info!(me = %cell.address(), origin = %request.origin(), "got a number of a bulk test");
            Answer::Nothing
        }
        NetTopic::MSG_STATS => pool(&cell, StatsPool::REQUEST_RESPONSE.as_str(), &request)?.into(),
        NetTopic::LIST_POOLS => reply(&of_table(pools(&cell)))?.into(),
        NetTopic::SHOW_POOL => {
            let wanted = request.value()?;
            pool(&cell, text(&wanted, NetKey::POOL).unwrap_or_default(), &request)?.into()
        }
        NetTopic::COMM_CONFIG => reply(&settings(&cell))?.into(),
        NetTopic::CONFIG_VARS => reply(&variables(&cell))?.into(),
        NetTopic::PROCESS_INFO => reply(&of_table(process()))?.into(),
        NetTopic::CHANGE_ROOT => {
            let url = request.value()?;
            let url = url.as_str().ok_or_else(|| HandlerError::invalid_request("expected a URL"))?;
            spread::tell(&cell, NetTopic::CHANGE_ROOT, request.body()).await;
            cell.change_root(url).await?;
            Answer::Nothing
        }
        NetTopic::STOP => {
            stop(&cell).await;
            Answer::Nothing
        }
        NetTopic::STOP_CELL => {
            stop(&cell).await;
            Reply::ok(Body::none()).into()
        }
        NetTopic::HEARTBEAT => {
            cell.endpoint().subnets().note_heartbeat(request.origin(), &request.value()?);
            Answer::Nothing
        }
        _ => Reply::no_handler().into(),
    };
    Ok(answer)
}

fn names(names: &[FqcnBuf]) -> Value {
    Value::List(names.iter().map(|name| Value::from(name.as_str())).collect())
}

/// This cell and all below.
async fn cells(cell: &Cell) -> Result<Reply, HandlerError> {
    let mut found = vec![Value::from(cell.address().as_str())];
    for (name, outcome) in spread::ask(cell, NetTopic::CELLS, Body::none()).await {
        match spread::success(outcome) {
            Ok(response) => match response.value()? {
                Value::List(names) => found.extend(names),
                other => found.push(Value::from(format!("bad reply from {name}: {}", other.kind()))),
            },
            Err(code) => found.push(Value::from(format!("no reply from {name}: {code}"))),
        }
    }
    Ok(reply(&Value::List(found))?)
}

/// The headers of a request to another cell, as it saw them, and of its reply.
async fn start_route(cell: &Cell, request: &Request) -> Result<Reply, HandlerError> {
    let target = request.value()?;
    let target = target.as_str().unwrap_or_default();
    let target = match FqcnBuf::parse(target) {
        Ok(target) => target,
        Err(bad) => {
            return Ok(Reply::failed(ReturnCode::PROCESS_EXCEPTION, format!("bad target fqcn {bad}")));
        }
    };
    let report = super::Network::of(cell).route_to(&target).await;
    let (there, back) = match report {
        Ok((there, back)) => (there, back),
        Err(error) => {
            let text = format!("Reply ReturnCode: {}", error.return_code().as_str());
            (Value::Map(Map::from([(NetKey::ERROR.as_str(), Value::from(text))])), Value::Map(Map::new()))
        }
    };
    Ok(reply(&Value::Map(Map::from([(NetKey::REQUEST.as_str(), there), (NetKey::REPLY.as_str(), back)])))?)
}

fn connectors(cell: &Cell) -> Value {
    let mut told = Map::new();
    let mut external = Vec::new();
    let mut adhoc = Map::new();
    for info in cell.connectors() {
        let kind = match info.purpose {
            ConnectorUse::ExternalListener | ConnectorUse::InternalListener => NetConnectorType::LISTENER,
            _ => NetConnectorType::CONNECTOR,
        };
        let params: Map = info.params().into_iter().collect();
        let value = Value::Map(Map::from([
            (NetConnectorKey::URL.as_str(), Value::from(info.url.as_str())),
            (NetConnectorKey::HANDLE.as_str(), Value::from(info.handle.as_str())),
            (NetConnectorKey::TYPE.as_str(), Value::from(kind.as_str())),
            (NetConnectorKey::PARAMS.as_str(), Value::Map(params)),
        ]));
        match info.purpose {
            ConnectorUse::ExternalListener => external.push(value),
            ConnectorUse::InternalListener => drop(told.insert(NetConnectorKey::INT_LISTENER.as_str(), value)),
            ConnectorUse::RootConnector => drop(told.insert(NetConnectorKey::BB_EXT_CONNECTOR.as_str(), value)),
            ConnectorUse::ParentConnector => drop(told.insert(NetConnectorKey::BB_INT_CONNECTOR.as_str(), value)),
            ConnectorUse::AdhocConnector(peer) => drop(adhoc.insert(peer.as_str(), value)),
        }
    }
    if !external.is_empty() {
        told.insert(NetConnectorKey::EXT_LISTENERS.as_str(), Value::List(external));
    }
    if !adhoc.is_empty() {
        told.insert(NetConnectorKey::ADHOC_CONNECTORS.as_str(), Value::Map(adhoc));
    }
    Value::Map(told)
}

/// What each cell uses a URL for.
async fn url_use(cell: &Cell, request: &Request) -> Result<Reply, HandlerError> {
    let url = request.value()?;
    let url = url.as_str().unwrap_or_default();
    let is_it = |info: &ConnectorInfo| info.url == url;
    let mine = cell.connectors().iter().find(|info| is_it(info)).map_or(NetUrlUse::NONE, |info| match info.purpose {
        ConnectorUse::InternalListener => NetUrlUse::INT_LISTEN,
        ConnectorUse::ExternalListener => NetUrlUse::EXT_LISTEN,
        ConnectorUse::RootConnector => NetUrlUse::BB_EXT_CONNECT,
        ConnectorUse::ParentConnector => NetUrlUse::INT_CONNECT,
        ConnectorUse::AdhocConnector(_) => NetUrlUse::ADHOC_CONNECT,
    });
    let mut told = Map::from([(cell.address().as_str(), mine.as_str())]);
    for (name, outcome) in spread::ask(cell, NetTopic::URL_USE, request.body()).await {
        match spread::success(outcome) {
            Ok(response) => match response.value()? {
                Value::Map(theirs) => {
                    for (name, theirs) in theirs.iter() {
                        told.insert(name.clone(), theirs.clone());
                    }
                }
                other => drop(told.insert(name.as_str(), format!("bad reply type {}", other.kind()))),
            },
            Err(code) => drop(told.insert(name.as_str(), format!("error {code}"))),
        }
    }
    Ok(reply(&Value::Map(told))?)
}

/// Stops the cells below, and this one as soon as the command is answered.
async fn stop(cell: &Cell) {
    tracing::info!(me = %cell.address(), channel = NetChannel::NET_MANAGER.as_str(), "told to stop");
    spread::tell(cell, NetTopic::STOP, Body::none()).await;
    let ending = cell.clone();
    tokio::spawn(async move { ending.shutdown().await });
}
