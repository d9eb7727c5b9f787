//! The clock reading that callers hand in: this crate never looks at a clock itself.

use core::fmt;
use core::time::Duration;

/// A moment, as the time that has passed since 1970-01-01T00:00:00Z.
///
/// Every function of this crate that depends on time takes one of these. A caller reads its own clock (or, in a test, a
/// variable) and passes the result. Differences saturate: a clock that was set back makes nothing expire early and
/// nothing panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(Duration);

impl UnixTime {
    /// The moment `since_epoch` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn since_epoch(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }

    /// The moment that many whole seconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// The day in UTC, as in `2026-11-22`.
    #[must_use]
    pub fn date(self) -> String {
        // Eras of 400 years that begin with March, so that a leap day is the last of its year.
        let days = self.as_secs() / 86_400 + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        format!("{}-{month:02}-{day:02}", era * 400 + year + next)
    }

    /// How long ago `earlier` was, zero if it lies in the future.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment plus `span`, the last representable moment if that overflows.
    #[must_use]
    pub const fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}s", self.0.as_secs(), self.0.subsec_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(secs: u64, expected: &str) {
        assert_eq!(UnixTime::from_secs(secs).date(), expected);
    }

    #[test]
    fn days() {
        check(0, "1970-01-01");
        check(951_782_399, "2000-02-28");
        check(951_782_400, "2000-02-29");
        check(951_868_800, "2000-03-01");
        check(1_577_836_800, "2020-01-01");
        check(1_798_761_599, "2026-12-31");
        check(4_107_542_400, "2100-03-01");
        check(253_402_300_799, "9999-12-31");
    }
}
