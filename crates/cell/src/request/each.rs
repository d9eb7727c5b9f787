//! Requests to several cells at once, each with a body of its own.

use core::fmt;
use core::time::Duration;

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::message::Payload;
use fedcell_cell_proto::request::{Body, Outgoing, TargetMessage};
use fedcell_fobs::Value;

use super::waiting::{ask_all, fire_all};
use super::{Response, Target};
use crate::endpoint::Endpoint;
use crate::error::RequestError;
use crate::handler::fobs_body;

/// Requests to several cells, each with a body of its own, not sent yet. They have one id and one timeout; a reply counts
/// for the cell that it comes from.
#[must_use = "nothing is sent before `send` or `fire` is awaited"]
pub struct EachDraft {
    endpoint: Endpoint,
    like: Outgoing,
    requests: Result<Vec<TargetMessage>, RequestError>,
}

impl EachDraft {
    pub(crate) fn new(endpoint: Endpoint, channel: &str, topic: &str) -> Self {
        Self { endpoint, like: Outgoing::new(channel, topic, Body::none()), requests: Ok(Vec::new()) }
    }

    /// Adds a request with this body. Of two for one cell, the second is an error that `send` reports.
    pub fn to(mut self, target: impl Target, body: Body) -> Self {
        if let Ok(requests) = &mut self.requests {
            match target.address() {
                Ok(target) => {
                    let mut message = self.like.clone();
                    message.body = body;
                    requests.push(TargetMessage { target, message });
                }
                Err(error) => self.requests = Err(RequestError::Target(error)),
            }
        }
        self
    }

    /// Adds a request with bytes as they are.
    pub fn payload_to(self, target: impl Target, payload: impl Into<Payload>) -> Self {
        self.to(target, Body::bytes(payload))
    }

    /// Adds a request with an object. One that cannot be encoded is reported by `send`.
    pub fn value_to(mut self, target: impl Target, value: &Value) -> Self {
        match fobs_body(value) {
            Ok(body) => self.to(target, body),
            Err(error) => {
                self.requests = self.requests.and(Err(error.into()));
                self
            }
        }
    }

    /// Seals all payloads from end to end, those added before and those to come. The replies will be sealed, too.
    pub fn sealed(mut self) -> Self {
        self.like.secure = true;
        for request in self.requests.iter_mut().flatten() {
            request.message.secure = true;
        }
        self
    }

    /// Says of all that failures are not worth a warning to anybody on the way.
    pub fn optional(mut self) -> Self {
        self.like.optional = true;
        for request in self.requests.iter_mut().flatten() {
            request.message.optional = true;
        }
        self
    }

    /// Sets how long to wait for all replies together. Default 3600 s.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.like.timeout = timeout;
        self
    }

    /// Sends the requests and waits until each target has answered or failed.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if nothing was sent: a target is no address or stands there twice, a body cannot be encoded, or
    /// too many requests wait. What happened to each target is in its own result.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the requests up: they may have been sent, and their replies are dropped.
    pub async fn send(self) -> Result<Vec<(FqcnBuf, Result<Response, RequestError>)>, RequestError> {
        let requests = self.requests?;
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let timeout = self.like.timeout;
        ask_all(&self.endpoint, |exchange, now| exchange.send_each(now, &requests, timeout)).await
    }

    /// Sends the messages and expects no replies; waits only while connections have more to send than they should.
    /// Whether they arrive is not known.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if one of them could not be sent: the first such error. The others have been.
    ///
    /// # Cancel safety
    ///
    /// The messages are sent by the first poll; dropping the future later does not take them back.
    pub async fn fire(self) -> Result<(), RequestError> {
        let messages = self.requests?;
        fire_all(&self.endpoint, |exchange, now| exchange.fire_each(now, &messages)).await
    }
}

impl fmt::Debug for EachDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets = self.requests.as_ref().map(Vec::len);
        f.debug_struct("EachDraft").field("like", &self.like).field("targets", &targets).finish_non_exhaustive()
    }
}
