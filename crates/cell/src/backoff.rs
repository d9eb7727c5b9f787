//! How long to wait before dialling again.

use core::time::Duration;

/// Part of the wait by which it varies in either direction, so that the sites of a restarted server do not come at once.
const JITTER: f64 = 0.2;

/// Waits that double from the first to the longest; a long run starts them over.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        let first = first.min(longest);
        Self { first, longest, next: first }
    }

    /// The wait after an attempt that lasted for `run`, connection included; `fraction` is random, from 0 to 1.
    pub(crate) fn after(&mut self, run: Duration, fraction: f64) -> Duration {
        if run > self.longest {
            self.next = self.first;
        }
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        wait.mul_f64(1.0 - JITTER + 2.0 * JITTER * fraction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[track_caller]
    fn check(runs: &[u64], fraction: f64, expected: &[f64]) {
        let limits = Limits::default();
        let mut backoff = Backoff::new(limits.redial_first, limits.redial_longest);
        let waits: Vec<f64> =
            runs.iter().map(|&run| backoff.after(Duration::from_secs(run), fraction).as_secs_f64()).collect();
        assert_eq!(waits, expected);
    }

    #[test]
    fn doubles_up_to_the_longest() {
        check(&[0, 0, 0, 0, 0, 0], 0.5, &[1.0, 2.0, 4.0, 8.0, 10.0, 10.0]);
    }

    #[test]
    fn a_long_run_starts_over() {
        check(&[0, 0, 11, 0], 0.5, &[1.0, 2.0, 1.0, 2.0]);
        check(&[0, 0, 10, 0], 0.5, &[1.0, 2.0, 4.0, 8.0]);
    }

    #[test]
    fn varies_by_a_fifth() {
        check(&[0, 0], 0.0, &[0.8, 1.6]);
        check(&[0, 0], 1.0, &[1.2, 2.4]);
    }
}
