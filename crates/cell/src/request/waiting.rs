//! Requests as messages: sent, waited for, given up.

use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::node::Exchange;
use fedcell_cell_proto::request::{Failure, Refused, RequestId};
use tokio::sync::oneshot;

use super::Response;
use crate::endpoint::{Endpoint, Waiter};
use crate::error::RequestError;

/// Gives a request up when its caller does.
struct Waiting<'a> {
    endpoint: &'a Endpoint,
    id: Option<RequestId>,
}

impl<'a> Waiting<'a> {
    const fn for_request(endpoint: &'a Endpoint, id: RequestId) -> Self {
        Self { endpoint, id: Some(id) }
    }

    /// All targets have ended: there is nothing to give up.
    fn is_over(&mut self) {
        self.id = None;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.endpoint.drive(|core, _| core.give_up(&id));
        }
    }
}

/// Sends a request to one cell and waits for its answer.
pub(super) async fn ask_one(
    endpoint: &Endpoint,
    send: impl FnOnce(&mut Exchange, UnixTime) -> Result<RequestId, Refused>,
) -> Result<Response, RequestError> {
    let (sender, receiver) = oneshot::channel();
    let (sent, _) = endpoint.drive(|core, now| {
        let id = send(core.node.exchange_mut(), now)?;
        core.wait(id.clone(), Waiter::One(sender));
        Ok::<_, RequestError>(id)
    });
    let mut waiting = Waiting::for_request(endpoint, sent?);
    let outcome = receiver.await;
    waiting.is_over();
    Ok(Response::of(*outcome.map_err(|_| RequestError::Stopped)??))
}

/// Sends a request to several cells and waits for what comes of each.
pub(super) async fn ask_all(
    endpoint: &Endpoint,
    send: impl FnOnce(&mut Exchange, UnixTime) -> Result<RequestId, Refused>,
) -> Result<Vec<(FqcnBuf, Result<Response, RequestError>)>, RequestError> {
    let (sender, receiver) = oneshot::channel();
    let (sent, _) = endpoint.drive(|core, now| {
        let id = send(core.node.exchange_mut(), now)?;
        core.wait(id.clone(), Waiter::All { outcomes: Vec::new(), sender });
        Ok::<_, RequestError>(id)
    });
    let mut waiting = Waiting::for_request(endpoint, sent?);
    let outcomes = receiver.await;
    waiting.is_over();
    let response = |outcome: Result<Box<Message>, Failure>| {
        outcome.map(|message| Response::of(*message)).map_err(RequestError::from)
    };
    let outcomes = outcomes.map_err(|_| RequestError::Stopped)?;
    Ok(outcomes.into_iter().map(|(target, outcome)| (target, response(outcome))).collect())
}

/// Sends messages without replies, then waits until the connections that they crowd have room again.
pub(super) async fn fire_all(
    endpoint: &Endpoint,
    fire: impl FnOnce(&mut Exchange, UnixTime) -> Vec<(FqcnBuf, Failure)>,
) -> Result<(), RequestError> {
    let (mut failed, crowded) = endpoint.drive(|core, now| fire(core.node.exchange_mut(), now));
    for outbox in crowded {
        outbox.room().await;
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.swap_remove(0).1.into()) }
}
