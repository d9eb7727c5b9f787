//! The bytes that wait for handlers, in the lanes of all neighbours together.

use core::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Bytes that wait for handlers. Counts whatever waits; those who read from neighbours ask whether more is welcome.
#[derive(Debug)]
pub(crate) struct Backlog {
    limit: usize,
    used: AtomicUsize,
    drained: Notify,
}

impl Backlog {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0), drained: Notify::const_new() }
    }

    /// Whether as much waits as may.
    pub(crate) fn is_full(&self) -> bool {
        self.used() >= self.limit
    }

    /// Bytes that wait now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives bytes back, and wakes who waits if there is room again by that.
    pub(crate) fn give(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        if before >= self.limit && before.saturating_sub(bytes) < self.limit {
            self.drained.notify_waiters();
        }
    }

    /// Until there is room again.
    pub(crate) fn drained(&self) -> Notified<'_> {
        self.drained.notified()
    }
}
