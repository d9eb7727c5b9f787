//! Asking: the commands as functions.

use core::time::Duration;

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::stats::Table;
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{NetChannel, NetKey, NetTopic};

use super::spread;
use super::values::{of_headers, texts, to_table};
use crate::cell::Cell;
use crate::error::{BodyError, RequestError};
use crate::handler::fobs_body;
use crate::request::{RequestDraft, Response};

/// How long a cell may take to answer about itself; asking for more takes longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a speed test may take.
const SPEED_PATIENCE: Duration = Duration::from_secs(100);

/// How a message went to a cell and back.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RouteReport {
    /// Headers of the request as the far cell saw them, a dict.
    pub request: Value,
    /// Headers of its reply as they came back, a dict.
    pub reply: Value,
}

/// The network, as one of its cells sees it.
#[derive(Debug)]
pub struct Network<'a> {
    cell: &'a Cell,
    patience: Duration,
}

impl Cell {
    /// The network, to be asked about.
    #[must_use]
    pub const fn network(&self) -> Network<'_> {
        Network::of(self)
    }
}

impl<'a> Network<'a> {
    pub(super) const fn of(cell: &'a Cell) -> Self {
        Self { cell, patience: PATIENCE }
    }

    /// The cell that asks.
    pub(super) const fn cell(&self) -> &'a Cell {
        self.cell
    }

    /// Sets how long one answer may take. Default 1 s.
    #[must_use]
    pub const fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn draft(&self, target: &FqcnBuf, topic: NetTopic<'_>) -> RequestDraft {
        self.cell.request(target, NetChannel::NET_MANAGER, topic).direct().timeout(self.patience)
    }

    async fn ask(&self, target: &FqcnBuf, topic: NetTopic<'_>) -> Result<Value, RequestError> {
        Ok(self.draft(target, topic).send().await?.success()?.value()?)
    }

    async fn ask_about(&self, target: &FqcnBuf, topic: NetTopic<'_>, what: &Value) -> Result<Value, RequestError> {
        Ok(self.draft(target, topic).value(what).send().await?.success()?.value()?)
    }

    /// `target` and all cells below it. A cell that does not answer is told of in its place, in words.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if `target` does not answer with a list.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the request up, here and in all functions below.
    pub async fn cells(&self, target: &FqcnBuf) -> Result<Vec<String>, RequestError> {
        // The cells below wait a second for theirs.
        let patience = self.patience.max(2 * PATIENCE);
        let network = Self { cell: self.cell, patience };
        network.ask(target, NetTopic::CELLS).await.and_then(|list| expect(texts(&list)))
    }

    /// The neighbours of `target`.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if `target` does not answer with a list.
    ///
    /// # Cancel safety
    ///
    /// As [`cells`](Self::cells).
    pub async fn peers(&self, target: &FqcnBuf) -> Result<Vec<String>, RequestError> {
        self.ask(target, NetTopic::PEERS).await.and_then(|list| expect(texts(&list)))
    }

    /// Listeners and connectors of `target`, a dict with the keys of
    /// [`NetConnectorKey`](fedcell_protocol_defs::cell::NetConnectorKey).
    ///
    /// # Errors
    ///
    /// [`RequestError`] if `target` does not answer.
    ///
    /// # Cancel safety
    ///
    /// As [`cells`](Self::cells).
    pub async fn conns(&self, target: &FqcnBuf) -> Result<Value, RequestError> {
        self.ask(target, NetTopic::CONNS).await
    }

    /// The settings of `target` that it has looked up so far, a dict.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if `target` does not answer.
    ///
    /// # Cancel safety
    ///
    /// As [`cells`](Self::cells).
    pub async fn config_vars(&self, target: &FqcnBuf) -> Result<Value, RequestError> {
        self.ask(target, NetTopic::CONFIG_VARS).await
    }

    /// The communication settings of `target`, a dict with the keys of
    /// [`NetConfigKey`](fedcell_protocol_defs::cell::NetConfigKey).
    ///
    /// # Errors
    ///
    /// [`RequestError`] if `target` does not answer.
    ///
    /// # Cancel safety
    ///
    /// As [`cells`](Self::cells).
    pub async fn comm_config(&self, target: &FqcnBuf) -> Result<Value, RequestError> {
        self.ask(target, NetTopic::COMM_CONFIG).await
    }

    /// How a message goes from this cell to `target` and back.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if `target` does not answer.
    ///
    /// # Cancel safety
    ///
    /// As [`cells`](Self::cells).
    pub async fn route(&self, target: &FqcnBuf) -> Result<RouteReport, RequestError> {
        let (request, reply) = self.route_to(target).await?;
        Ok(RouteReport { request, reply })
    }

    pub(super) async fn route_to(&self, target: &FqcnBuf) -> Result<(Value, Value), RequestError> {
        let response: Response = self.draft(target, NetTopic::ROUTE).send().await?.success()?;
        Ok((response.value()?, of_headers(response.headers())))
    }

    /// How a message goes from `from` to `target` and back.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if `from` does not answer.
    ///
    /// # Cancel safety
    ///
    /// As [`cells`](Self::cells).
    pub async fn route_from(&self, from: &FqcnBuf, target: &FqcnBuf) -> Result<RouteReport, RequestError> {
        let network = Self { cell: self.cell, patience: self.patience.max(2 * PATIENCE) };
        let report = network.ask_about(from, NetTopic::START_ROUTE, &Value::from(target.as_str())).await?;
        let part = |key: NetKey<'_>| report.as_map().and_then(|map| map.get(key.as_str())).cloned();
        Ok(RouteReport {
            request: part(NetKey::REQUEST).unwrap_or_default(),
            reply: part(NetKey::REPLY).unwrap_or_default(),
        })
    }

    /// Lets `from` exchange `count` echoes of `kibibytes` with `to`; a dict with the times and errors.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if `from` does not answer.
    ///
    /// # Cancel safety
    ///
    /// As [`cells`](Self::cells).
    pub async fn speed(&self, from: &FqcnBuf, to: &FqcnBuf, count: u32, kibibytes: u32) -> Result<Value, RequestError> {
        let params = Value::Map(Map::from([
            (NetKey::TO.as_str(), Value::from(to.as_str())),
            (NetKey::NUM.as_str(), Value::from(count)),
            (NetKey::SIZE.as_str(), Value::from(kibibytes)),
        ]));
        let network = Self { cell: self.cell, patience: self.patience.max(SPEED_PATIENCE) };
        network.ask_about(from, NetTopic::SPEED, &params).await
    }

    /// The statistics pools of `target`.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if `target` does not answer with a table.
    ///
    /// # Cancel safety
    ///
    /// As [`cells`](Self::cells).
    pub async fn pools(&self, target: &FqcnBuf) -> Result<Table, RequestError> {
        self.ask(target, NetTopic::LIST_POOLS).await.and_then(|table| expect(to_table(&table)))
    }

    /// One statistics pool of `target`; `mode` is a [`StatsMode`](fedcell_protocol_defs::cell::StatsMode).
    ///
    /// # Errors
    ///
    /// [`RequestError`] if `target` does not answer with a table.
    ///
    /// # Cancel safety
    ///
    /// As [`cells`](Self::cells).
    pub async fn pool(&self, target: &FqcnBuf, pool: &str, mode: &str) -> Result<Table, RequestError> {
        let what = Value::Map(Map::from([(NetKey::POOL.as_str(), pool), (NetKey::MODE.as_str(), mode)]));
        self.ask_about(target, NetTopic::SHOW_POOL, &what).await.and_then(|table| expect(to_table(&table)))
    }

    /// Process id, memory and threads of `target`.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if `target` does not answer with a table.
    ///
    /// # Cancel safety
    ///
    /// As [`cells`](Self::cells).
    pub async fn process(&self, target: &FqcnBuf) -> Result<Table, RequestError> {
        self.ask(target, NetTopic::PROCESS_INFO).await.and_then(|table| expect(to_table(&table)))
    }

    /// Tells all cells below this one, and they those below them, to leave this server for the one at `url`. None of them
    /// answers that.
    ///
    /// # Errors
    ///
    /// [`BodyError`] if the URL cannot be packed.
    ///
    /// # Cancel safety
    ///
    /// The message is queued for all by the first poll.
    pub async fn change_root(&self, url: &str) -> Result<(), BodyError> {
        spread::tell(self.cell, NetTopic::CHANGE_ROOT, fobs_body(&Value::from(url))?).await;
        Ok(())
    }

    /// Any other command that is answered, with its body if it has one; the reply's body.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if `target` does not answer.
    ///
    /// # Cancel safety
    ///
    /// As [`cells`](Self::cells).
    pub async fn command(
        &self,
        target: &FqcnBuf,
        topic: NetTopic<'_>,
        body: Option<&Value>,
    ) -> Result<Value, RequestError> {
        match body {
            Some(body) => self.ask_about(target, topic, body).await,
            None => self.ask(target, topic).await,
        }
    }
}

/// The answer had another shape than the command promises.
fn expect<T>(answer: Option<T>) -> Result<T, RequestError> {
    answer
        .ok_or_else(|| RequestError::Answered { code: "ok".into(), text: "its answer has an unexpected shape".into() })
}
