//! How often something may happen: a rate for each origin and one for all of them, in bounded memory.

use core::time::Duration;
use std::collections::HashMap;

use crate::time::UnixTime;

/// A rate with room for bursts: `burst` at once, then one every `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many may come at once.
    pub burst: u32,
    /// How long it takes until one more may come.
    pub interval: Duration,
}

impl Rate {
    /// Takes one, given the moment at which all that was taken before is paid for.
    fn take(self, paid_at: UnixTime, now: UnixTime) -> Result<UnixTime, Duration> {
        let tolerance = self.interval.saturating_mul(self.burst.saturating_sub(1));
        let debt = paid_at.saturating_since(now);
        if debt > tolerance.saturating_add(self.interval) {
            // Nobody can owe that much: the clock was set back, and waiting for it to catch up could take hours.
            return Ok(now.saturating_add(self.interval));
        }
        if debt > tolerance {
            return Err(debt.saturating_sub(tolerance));
        }
        Ok(paid_at.max(now).saturating_add(self.interval))
    }
}

/// Both rates and their state.
#[derive(Debug)]
pub(super) struct RateLimiter {
    per_origin: Rate,
    overall: Rate,
    max_origins: usize,
    origins: HashMap<String, UnixTime>,
    all: UnixTime,
}

impl RateLimiter {
    pub(super) fn new(per_origin: Rate, overall: Rate, max_origins: usize) -> Self {
        Self { per_origin, overall, max_origins, origins: HashMap::new(), all: UnixTime::from_secs(0) }
    }

    /// Takes one for `origin`, or says when to come back.
    pub(super) fn take(&mut self, origin: &str, now: UnixTime) -> Result<(), Duration> {
        let before = self.origins.get(origin).copied();
        let paid_at = self.per_origin.take(before.unwrap_or(now), now)?;
        if before.is_none() && self.origins.len() >= self.max_origins {
            self.origins.retain(|_, paid_at| *paid_at > now);
            if self.origins.len() >= self.max_origins {
                return Err(self.per_origin.interval);
            }
        }
        self.all = self.overall.take(self.all, now)?;
        match self.origins.get_mut(origin) {
            Some(known) => *known = paid_at,
            None => drop(self.origins.insert(origin.to_owned(), paid_at)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_A_SECOND: Rate = Rate { burst: 2, interval: Duration::from_secs(1) };
    const PLENTY: Rate = Rate { burst: 1000, interval: Duration::from_millis(1) };

    #[track_caller]
    fn check(limiter: &mut RateLimiter, origin: &str, at_ms: u64, expected: Result<(), Duration>) {
        let now = UnixTime::since_epoch(Duration::from_millis(1_000_000 + at_ms));
        assert_eq!(limiter.take(origin, now), expected, "{origin} at {at_ms} ms");
    }

    #[test]
    fn an_origin_has_its_burst_and_then_its_rate() {
        let mut limiter = RateLimiter::new(ONE_A_SECOND, PLENTY, 10);
        check(&mut limiter, "a", 0, Ok(()));
        check(&mut limiter, "a", 0, Ok(()));
        check(&mut limiter, "a", 0, Err(Duration::from_secs(1)));
        check(&mut limiter, "b", 0, Ok(()));
        check(&mut limiter, "a", 400, Err(Duration::from_millis(600)));
        check(&mut limiter, "a", 1000, Ok(()));
        check(&mut limiter, "a", 1000, Err(Duration::from_secs(1)));
        check(&mut limiter, "a", 60_000, Ok(()));
        check(&mut limiter, "a", 60_000, Ok(()));
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let mut limiter = RateLimiter::new(ONE_A_SECOND, ONE_A_SECOND, 10);
        check(&mut limiter, "a", 900_000, Ok(()));
        check(&mut limiter, "a", 900_000, Ok(()));
        check(&mut limiter, "a", 0, Ok(()));
    }

    #[test]
    fn all_origins_share_the_overall_rate() {
        let mut limiter = RateLimiter::new(PLENTY, ONE_A_SECOND, 10);
        check(&mut limiter, "a", 0, Ok(()));
        check(&mut limiter, "b", 0, Ok(()));
        check(&mut limiter, "c", 0, Err(Duration::from_secs(1)));
        check(&mut limiter, "c", 1000, Ok(()));
    }

    #[test]
    fn the_table_of_origins_is_bounded_and_forgets_the_quiet() {
        let mut limiter = RateLimiter::new(ONE_A_SECOND, PLENTY, 2);
        check(&mut limiter, "a", 0, Ok(()));
        check(&mut limiter, "b", 0, Ok(()));
        check(&mut limiter, "c", 10, Err(Duration::from_secs(1)));
        check(&mut limiter, "c", 1000, Ok(()));
        assert_eq!(limiter.origins.len(), 1);
    }
}
