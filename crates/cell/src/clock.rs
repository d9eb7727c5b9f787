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
        let after = deadline.saturating_since(UnixTime::since_epoch(self.at));
        // What the system cannot count to never comes; a timer that fires after decades looks at its machine and waits on.
        self.started.checked_add(after).unwrap_or(self.started + FAR)
    }
}

/// Thirty years.
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_may_lie_beyond_what_can_be_counted() {
        let clock = Clock::start();
        assert_eq!(
            clock.instant(clock.now().saturating_add(Duration::from_secs(5))),
            Instant::now() + Duration::from_secs(5)
        );
        for span in [Duration::MAX, Duration::MAX / 2, Duration::from_secs(u64::MAX / 4)] {
            assert!(clock.instant(clock.now().saturating_add(span)) >= Instant::now() + FAR);
        }
        assert_eq!(clock.instant(UnixTime::from_secs(0)), Instant::now());
    }
}
