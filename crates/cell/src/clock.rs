//! The clock that the machines below are told: wall-clock time that never runs backwards while the process lives.

use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use fedcell_auth::UnixTime;
use tokio::time::Instant;

/// Reads the wall clock once and counts on from there, so that a clock that is set does not fire or delay deadlines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    at: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        // A clock before 1970 is as good as one at 1970.
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), at }
    }

    pub(crate) fn now(&self) -> UnixTime {
        UnixTime::since_epoch(self.at + self.started.elapsed())
    }

    /// The later of this clock and the wall clock as it stands: while a machine sleeps, certificates expire all the same.
    pub(crate) fn wall(&self) -> UnixTime {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.now().max(UnixTime::since_epoch(wall))
    }

    /// When the timer has to fire for a deadline of a machine.
    pub(crate) fn instant(&self, deadline: UnixTime) -> Instant {
        self.started + deadline.saturating_since(UnixTime::since_epoch(self.at))
    }
}
