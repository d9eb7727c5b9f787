//! When a result is sent again.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

/// How long to wait before a result is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// After the first failure.
    pub first: Duration,
    /// At most; each failure doubles the wait.
    pub most: Duration,
}

impl Default for RetryPolicy {
    /// From 1 s to 30 s.
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_secs(30) }
    }
}

impl RetryPolicy {
    /// These waits.
    #[must_use]
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most }
    }

    fn after(&self, failures: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.most)
    }
}

/// Which results are due when. There are few, so that one is found by looking at all.
#[derive(Debug)]
pub(super) struct Schedule {
    policy: RetryPolicy,
    /// By the number of the entry, which tells the order of submission.
    results: BTreeMap<u64, Due>,
}

#[derive(Debug)]
struct Due {
    /// None while the result is under way.
    at: Option<Instant>,
    failures: u32,
}

impl Schedule {
    pub(super) const fn new(policy: RetryPolicy) -> Self {
        Self { policy, results: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.results.len()
    }

    pub(super) fn add(&mut self, number: u64, now: Instant) {
        self.results.insert(number, Due { at: Some(now), failures: 0 });
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.results.remove(&number);
    }

    /// The first of these that is due. From now on it is under way.
    pub(super) fn take_due(&mut self, numbers: impl Iterator<Item = u64>, now: Instant) -> Option<u64> {
        let is_due = |number: &u64| self.results.get(number).and_then(|due| due.at).is_some_and(|at| at <= now);
        let first = numbers.filter(is_due).min()?;
        self.results.get_mut(&first)?.at = None;
        Some(first)
    }

    pub(super) fn failed(&mut self, number: u64, now: Instant) {
        if let Some(due) = self.results.get_mut(&number) {
            due.failures = due.failures.saturating_add(1);
            due.at = now.checked_add(self.policy.after(due.failures));
        }
    }

    /// As if nothing had failed.
    pub(super) fn due(&mut self, number: u64, now: Instant) {
        if let Some(due) = self.results.get_mut(&number) {
            *due = Due { at: Some(now), failures: 0 };
        }
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.results.values().filter_map(|due| due.at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most() {
        let policy = RetryPolicy::new(Duration::from_secs(1), Duration::from_secs(30));
        let waits: Vec<_> = [1, 2, 3, 5, 6, 40, u32::MAX].iter().map(|n| policy.after(*n).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 16, 30, 30, 30]);
    }
}
