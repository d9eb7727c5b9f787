//! The moments for which streams wait.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use fedcell_auth::UnixTime;

use super::{IncomingId, StreamId};

/// Who waits for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiter {
    Outgoing(StreamId),
    Incoming(IncomingId),
}

/// Moments in order. A stream has one that counts, which it remembers itself; older ones are skipped when they come.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(UnixTime, Waiter)>>);

impl Timers {
    /// Sees to it that the waiter is called by `wanted`. A timer that is early enough is left alone: most events only put
    /// the moment off.
    pub(super) fn arm(&mut self, timer: &mut Option<UnixTime>, wanted: Option<UnixTime>, waiter: Waiter) {
        let Some(wanted) = wanted else { return };
        if timer.is_none_or(|at| at > wanted) {
            *timer = Some(wanted);
            self.0.push(Reverse((wanted, waiter)));
        }
    }

    /// The next moment that has come.
    pub(super) fn pop_due(&mut self, now: UnixTime) -> Option<(UnixTime, Waiter)> {
        let Reverse((at, _)) = self.0.peek()?;
        if *at > now {
            return None;
        }
        self.0.pop().map(|Reverse(due)| due)
    }

    /// Drops moments at the front whose waiters are gone.
    pub(super) fn prune(&mut self, is_waiting: impl Fn(Waiter) -> bool) {
        while self.0.peek().is_some_and(|Reverse((_, waiter))| !is_waiting(*waiter)) {
            self.0.pop();
        }
    }

    pub(super) fn next(&self) -> Option<UnixTime> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }
}
