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
