//! Our cell under remote control: `tests/reference/cell_node.py` is the same program on the reference's side, and its
//! documentation describes the protocol of both.

mod commands;
mod inspect;
mod payload;
mod state;

use std::process::ExitCode;
use std::sync::Arc;

use crate::remote::{lines, obey, put, run_node};
use anyhow::{Context as _, Result};
pub(crate) use commands::Node;
use fedcell_cell::proto::adhoc::AdhocPolicy;
use fedcell_cell::security::{Credentials, SecurityMode};
use fedcell_cell::{Cell, CellBuilder, CellEvent, ConnectorUse, Events};
pub(crate) use payload::to_fobs;
use serde_json::{Value, json};
pub(crate) use state::State;

/// How a node says that its configuration makes no cell.
pub(crate) const NO_CELL: &str = "cannot build the cell";

/// Runs the node until its input ends or it is told to stop.
pub(crate) fn main() -> ExitCode {
    run_node(run())
}

async fn run() -> Result<()> {
    let mut lines = lines();
    let config = lines.recv().await.context("no configuration")?;
    let state = Arc::new(State::default());
    let cell = builder(&config)?.build().context(NO_CELL)?;
    let events = cell.events();
    let cell = cell.start().await.context(NO_CELL)?;
    let node = Node::new(cell.clone(), Arc::clone(&state));
    tokio::spawn(watch(events, state));
    tokio::spawn(announce(cell.clone()));
    obey(&cell, lines, |command| {
        let node = node.clone();
        async move { node.serve(command).await }
    })
    .await;
    Ok(())
}

/// What a configuration makes of a cell.
pub(crate) fn builder(config: &Value) -> Result<CellBuilder> {
    let mut builder = Cell::builder(config["fqcn"].as_str().context("no fqcn")?);
    let roots = match &config["root"] {
        Value::Array(urls) => urls.iter().filter_map(Value::as_str).collect(),
        url => url.as_str().into_iter().collect::<Vec<_>>(),
    };
    for url in roots {
        builder = builder.root_url(url);
    }
    if config["adhoc"] == true {
        builder = builder.adhoc(AdhocPolicy::On);
    }
    if let Some(url) = config["parent"].as_str() {
        builder = builder.parent_url_with(url, mode(&config["parent_security"])?);
    }
    if let Some(listen) = config.get("listen").filter(|listen| !listen.is_null()) {
        let mode = mode(&listen["security"])?;
        let scheme = listen["scheme"].as_str().unwrap_or(if mode == SecurityMode::Clear { "tcp" } else { "stcp" });
        let url = format!("{scheme}://localhost:{}", listen["port"].as_u64().unwrap_or(0));
        builder = builder.listen_internal_with(url, mode);
    }
    builder = builder.security(mode(&config["security"])?);
    if let Some(folder) = config["credentials"].as_str() {
        builder = builder.credentials(Credentials::from_kit(folder).context(NO_CELL)?);
    }
    for (address, name) in config["identities"].as_object().into_iter().flatten() {
        builder = builder.identity(address, name.as_str().unwrap_or_default());
    }
    Ok(builder)
}

fn mode(value: &Value) -> Result<SecurityMode> {
    Ok(value.as_str().unwrap_or("clear").parse()?)
}

/// Says where the cell listens, and when its backbone stands.
pub(crate) async fn announce(cell: Cell) {
    let urls = |purpose: &ConnectorUse| -> Vec<String> {
        let all = cell.connectors().into_iter();
        all.filter(|connector| connector.purpose == *purpose).map(|connector| connector.url).collect()
    };
    let mut event = json!({
        "event": "started",
        "fqcn": cell.address().as_str(),
        "pid": std::process::id(),
        "root": urls(&ConnectorUse::ExternalListener),
        "internal": urls(&ConnectorUse::InternalListener).first(),
    });
    put(&event);
    cell.ready().await;
    event["event"] = json!("ready");
    put(&event);
}

/// Writes down what happens to the cell's connections.
pub(crate) async fn watch(mut events: Events, state: Arc<State>) {
    while let Some(event) = events.next().await {
        state.change(|facts| match event {
            CellEvent::PeerUp { peer, .. } => facts.seen.push(peer.as_str().to_owned()),
            CellEvent::DialFailed { reason, .. } | CellEvent::ConnectionRefused { reason, .. } => {
                facts.attempts += 1;
                facts.last_failure = reason;
            }
            // An attempt that seemed to succeed: the reference answers a handshake before it looks at the name.
            CellEvent::PeerDown { .. } => facts.attempts += 1,
            _ => {}
        });
    }
}
