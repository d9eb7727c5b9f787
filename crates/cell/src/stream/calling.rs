//! Sending requests and messages as streams, and waiting for what comes of them.

use core::time::Duration;

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::message::{Message, Payload};
use fedcell_cell_proto::request::{Outgoing, RequestId};
use fedcell_cell_proto::stream::{OpenStream, call};
use tokio::sync::oneshot;

use super::calls::{CallWaiter, NewCall};
use super::reader::{Source, StreamReader};
use super::response::ResponseReader;
use crate::endpoint::Endpoint;
use crate::error::RequestError;

/// A request that is to be streamed, without its target.
#[derive(Debug)]
pub(crate) struct Calling {
    pub(crate) endpoint: Endpoint,
    pub(crate) outgoing: Outgoing,
    pub(crate) timeout: Duration,
}

/// Gives a request up when its caller does.
struct Guard<'a> {
    endpoint: &'a Endpoint,
    id: Option<RequestId>,
}

impl Guard<'_> {
    /// The request has ended, or is somebody else's now.
    fn disarm(&mut self) {
        self.id = None;
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.endpoint.drive(|core, now| core.desk.give_up(now, &id));
        }
    }
}

impl Calling {
    /// Sends the request and waits for the whole reply.
    pub(crate) async fn send(self, target: FqcnBuf) -> Result<Message, RequestError> {
        let (sender, receiver) = oneshot::channel();
        let mut guard = self.begin(&target, CallWaiter::Whole(sender))?;
        let outcome = receiver.await;
        guard.disarm();
        outcome.map_err(|_| RequestError::Stopped)?
    }

    /// Sends the request and waits for the beginning of the reply.
    pub(crate) async fn receive(self, target: FqcnBuf) -> Result<ResponseReader, RequestError> {
        let (sender, receiver) = oneshot::channel::<Result<Source, RequestError>>();
        let mut guard = self.begin(&target, CallWaiter::Head(sender))?;
        let outcome = receiver.await;
        // The reader gives up what is left of the request.
        guard.disarm();
        let source = outcome.map_err(|_| RequestError::Stopped)??;
        Ok(ResponseReader::stream(target, StreamReader::new(self.endpoint.clone(), source)))
    }

    /// Sends the request to each of the targets and waits for all replies.
    pub(crate) async fn send_all(self, targets: Vec<FqcnBuf>) -> Vec<(FqcnBuf, Result<Message, RequestError>)> {
        let mut begun = Vec::with_capacity(targets.len());
        for target in targets {
            if begun.iter().any(|(known, _)| *known == target) {
                continue;
            }
            let (sender, receiver) = oneshot::channel();
            let guard = self.begin(&target, CallWaiter::Whole(sender));
            begun.push((target, guard.map(|guard| (guard, receiver))));
        }
        let mut outcomes = Vec::with_capacity(begun.len());
        for (target, call) in begun {
            let outcome = match call {
                Ok((mut guard, receiver)) => {
                    let outcome = receiver.await;
                    guard.disarm();
                    outcome.map_err(|_| RequestError::Stopped).and_then(|outcome| outcome)
                }
                Err(error) => Err(error),
            };
            outcomes.push((target, outcome));
        }
        outcomes
    }

    /// Sends the message to each of the targets and waits until it has left.
    pub(crate) async fn fire(self, targets: Vec<FqcnBuf>) -> Result<(), RequestError> {
        let mut leaving = Vec::with_capacity(targets.len());
        let mut outcome = Ok(());
        for target in targets {
            let (stream, payload) = self.stream(None);
            let (sender, receiver) = oneshot::channel();
            let (sent, _) = self.endpoint.drive(|core, now| core.desk.fire(now, &target, stream, &payload, sender));
            match sent {
                Ok(_) => leaving.push((target, receiver)),
                Err(error) => outcome = outcome.and(Err(RequestError::Stream { target, error })),
            }
        }
        for (target, receiver) in leaving {
            let left = match receiver.await {
                Ok(left) => left.map(drop).map_err(|error| RequestError::Stream { target, error }),
                Err(_) => Err(RequestError::Stopped),
            };
            outcome = outcome.and(left);
        }
        outcome
    }

    fn stream(&self, id: Option<RequestId>) -> (OpenStream, Payload) {
        let Outgoing { channel, topic, headers, body, secure, optional, .. } = self.outgoing.clone();
        let (mut stream, payload) = call::request_stream(&channel, &topic, id, headers, body);
        (stream.secure, stream.optional) = (secure, optional);
        (stream, payload)
    }

    fn begin(&self, target: &FqcnBuf, waiter: CallWaiter) -> Result<Guard<'_>, RequestError> {
        let new = NewCall { target: target.clone(), timeout: self.timeout, waiter };
        let (begun, _) = self.endpoint.drive(|core, now| {
            let id = core.node.exchange_mut().fresh_id();
            let (stream, payload) = self.stream(Some(id.clone()));
            core.desk.call(now, id.clone(), stream, &payload, new).map(|()| id)
        });
        match begun {
            Ok(id) => Ok(Guard { endpoint: &self.endpoint, id: Some(id) }),
            Err(error) => Err(RequestError::Stream { target: target.clone(), error }),
        }
    }
}
