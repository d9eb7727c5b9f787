//! The bytes that wait in all queues of a cell together.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::metrics::{QueueMeters, number};

/// Bytes that wait to leave, over all connections of a cell. Counts what is taken in any case; whether there is room is
/// asked before, by those who can do without.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
    meters: QueueMeters,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0), meters: QueueMeters::new() }
    }

    /// Whether so many bytes more stay within the limit.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.used.load(Ordering::Relaxed).saturating_add(bytes) <= self.limit
    }

    pub(super) fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        self.meters.waiting.increment(number(bytes));
    }

    pub(super) fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.meters.waiting.decrement(number(bytes));
    }

    /// What all connections of the cell have in common to count.
    pub(super) const fn meters(&self) -> &QueueMeters {
        &self.meters
    }

    /// Bytes that wait now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}
