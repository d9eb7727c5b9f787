//! The table of requests that wait.

use core::time::Duration;
use std::collections::BTreeSet;

use fedcell_auth::UnixTime;
use thiserror::Error;

use super::RequestId;
use crate::address::{Fqcn, FqcnBuf};
use crate::names::ByName;

/// Requests that this cell has sent and whose replies it waits for.
///
/// Every target of a registered request leaves the table exactly once: by [`resolve`](Self::resolve),
/// [`fail`](Self::fail), [`expire`](Self::expire) or [`cancel`](Self::cancel).
#[derive(Debug)]
pub struct PendingRequests {
    waiting: ByName<RequestId, Waiting>,
    deadlines: BTreeSet<(UnixTime, RequestId)>,
    limit: usize,
    high_water: usize,
}

#[derive(Debug)]
struct Waiting {
    sent_at: UnixTime,
    deadline: UnixTime,
    targets: Vec<(FqcnBuf, bool)>,
    open: usize,
}

/// What a reply turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// It answers a request.
    Answers {
        /// The request.
        id: RequestId,
        /// The target that it speaks for.
        target: FqcnBuf,
        /// How long after the request.
        waited: Duration,
        /// How many targets of the request are still open.
        open: usize,
    },
    /// Nobody waits for it, any more or at all.
    Late,
    /// It is from a cell that this request was not sent to.
    Unexpected,
    /// That target has been answered for already; the first answer counts.
    Second,
}

/// A target whose deadline has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair with names")]
pub struct Expired {
    /// The request.
    pub id: RequestId,
    /// The target that did not answer.
    pub target: FqcnBuf,
    /// How many more targets of the request end with it, behind this one.
    pub open: usize,
}

/// A request cannot wait. The caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refused {
    /// As many requests wait as may.
    #[error("{limit} requests wait for their replies, no more may")]
    Full {
        /// How many may.
        limit: usize,
    },
    /// The id is in use.
    #[error("the request id is in use")]
    DuplicateId,
    /// The request has no target.
    #[error("a request needs at least one target")]
    NoTarget,
}

impl PendingRequests {
    /// A table for up to `limit` requests.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { waiting: ByName::default(), deadlines: BTreeSet::new(), limit, high_water: 0 }
    }

    /// Starts to wait. A target that is given twice is one target.
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing has changed then.
    pub fn register(
        &mut self,
        id: &RequestId,
        now: UnixTime,
        timeout: Duration,
        targets: impl IntoIterator<Item = FqcnBuf>,
    ) -> Result<(), Refused> {
        if self.waiting.len() >= self.limit {
            return Err(Refused::Full { limit: self.limit });
        }
        if self.waiting.contains_key(id) {
            return Err(Refused::DuplicateId);
        }
        let mut open: Vec<(FqcnBuf, bool)> = Vec::new();
        for target in targets {
            if !open.iter().any(|(known, _)| *known == target) {
                open.push((target, true));
            }
        }
        if open.is_empty() {
            return Err(Refused::NoTarget);
        }
        let deadline = now.saturating_add(timeout);
        self.deadlines.insert((deadline, id.clone()));
        self.waiting.insert(id.clone(), Waiting { sent_at: now, deadline, open: open.len(), targets: open });
        self.high_water = self.high_water.max(self.waiting.len());
        Ok(())
    }

    /// Matches a reply: `target` is the cell that it speaks for, its origin or, for a message that came back, the cell
    /// that it was to reach.
    pub fn resolve(&mut self, now: UnixTime, id: &str, target: Fqcn<'_>) -> Resolution {
        let Some((id, _)) = self.waiting.get_key_value(id) else { return Resolution::Late };
        let id = id.clone();
        let Some(waiting) = self.waiting.get_mut(&id) else { return Resolution::Late };
        let Some((target, open)) = waiting.targets.iter_mut().find(|(known, _)| target == *known) else {
            return Resolution::Unexpected;
        };
        if !core::mem::replace(open, false) {
            return Resolution::Second;
        }
        let target = target.clone();
        waiting.open -= 1;
        let (open, waited) = (waiting.open, now.saturating_since(waiting.sent_at));
        if open == 0 {
            self.remove(&id);
        }
        Resolution::Answers { id, target, waited, open }
    }

    /// Takes a target out for which the message could not be sent. Gives how many targets are still open, or nothing if
    /// that one was not.
    pub fn fail(&mut self, id: &RequestId, target: Fqcn<'_>) -> Option<usize> {
        match self.resolve(UnixTime::from_secs(0), id.as_str(), target) {
            Resolution::Answers { open, .. } => Some(open),
            _ => None,
        }
    }

    /// Whether that target of that request is still waited for.
    #[must_use]
    pub fn is_open(&self, id: &RequestId, target: Fqcn<'_>) -> bool {
        let waiting = self.waiting.get(id);
        waiting.is_some_and(|waiting| waiting.targets.iter().any(|(known, open)| *open && target == *known))
    }

    /// Takes out the requests whose deadline has come, with the targets that have not answered.
    pub fn expire(&mut self, now: UnixTime) -> Vec<Expired> {
        let mut expired = Vec::new();
        while let Some((deadline, id)) = self.deadlines.first() {
            if *deadline > now {
                break;
            }
            let id = id.clone();
            expired.extend(self.cancel(&id));
        }
        expired
    }

    /// Stops to wait; gives the targets that have not answered. Their replies will be late.
    pub fn cancel(&mut self, id: &RequestId) -> Vec<Expired> {
        let Some(waiting) = self.remove(id) else { return Vec::new() };
        let targets = waiting.targets.into_iter().filter(|(_, open)| *open).map(|(target, _)| target);
        let behind = (0..waiting.open).rev();
        targets.zip(behind).map(|(target, open)| Expired { id: id.clone(), target, open }).collect()
    }

    /// All requests that wait, for the end of the cell.
    #[must_use]
    pub fn ids(&self) -> Vec<RequestId> {
        self.deadlines.iter().map(|(_, id)| id.clone()).collect()
    }

    /// When the next deadline is.
    #[must_use]
    pub fn next_deadline(&self) -> Option<UnixTime> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// How many requests wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The most requests that ever waited at a time.
    #[must_use]
    pub const fn high_water(&self) -> usize {
        self.high_water
    }

    fn remove(&mut self, id: &RequestId) -> Option<Waiting> {
        let waiting = self.waiting.remove(id)?;
        self.deadlines.remove(&(waiting.deadline, id.clone()));
        Some(waiting)
    }
}
