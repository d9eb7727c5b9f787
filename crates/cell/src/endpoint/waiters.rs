//! Callers that wait for replies.

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::names::ByName;
use fedcell_cell_proto::request::{Failure, RequestId};
use tokio::sync::oneshot;

/// How a request to one target ended.
pub(crate) type Outcome = Result<Box<Message>, Failure>;

/// A caller.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// For one target.
    One(oneshot::Sender<Outcome>),
    /// For several, all at once.
    All { outcomes: Vec<(FqcnBuf, Outcome)>, sender: oneshot::Sender<Vec<(FqcnBuf, Outcome)>> },
}

/// A caller that has what it waited for.
#[derive(Debug)]
pub(super) enum Served {
    One(oneshot::Sender<Outcome>, Outcome),
    All(oneshot::Sender<Vec<(FqcnBuf, Outcome)>>, Vec<(FqcnBuf, Outcome)>),
}

impl Served {
    /// Wakes the caller, if it is still there.
    pub(super) fn wake(self) {
        match self {
            Self::One(sender, outcome) => drop(sender.send(outcome)),
            Self::All(sender, outcomes) => drop(sender.send(outcomes)),
        }
    }
}

/// The callers of one cell, by request.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    waiting: ByName<RequestId, Waiter>,
}

impl Waiters {
    pub(super) fn insert(&mut self, id: RequestId, waiter: Waiter) {
        self.waiting.insert(id, waiter);
    }

    pub(super) fn remove(&mut self, id: &RequestId) {
        self.waiting.remove(id);
    }

    /// One target has ended; `open` others have not.
    pub(super) fn serve(&mut self, id: &RequestId, target: FqcnBuf, outcome: Outcome, open: usize) -> Option<Served> {
        if open > 0 {
            if let Some(Waiter::All { outcomes, .. }) = self.waiting.get_mut(id) {
                outcomes.push((target, outcome));
            }
            return None;
        }
        Some(match self.waiting.remove(id)? {
            Waiter::One(sender) => Served::One(sender, outcome),
            Waiter::All { mut outcomes, sender } => {
                outcomes.push((target, outcome));
                Served::All(sender, outcomes)
            }
        })
    }
}
