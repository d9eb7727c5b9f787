//! What one link is like: how slow, how narrow, how unreliable.

use core::time::Duration;

/// Properties of a link, the same in both directions. The default is a perfect link: no delay, nothing lost.
///
/// A link stands for a connection, TCP or its like: single packets are never lost. What can be lost is the connection
/// with all that is under way on it. Reordering and duplication are for peers that hand what they received to a pool of
/// threads, or that repeat what they sent.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct LinkProfile {
    /// Least time from sending to arrival.
    pub latency: Duration,
    /// Up to this much is added to the latency, anew for each packet. Does not reorder by itself.
    pub jitter: Duration,
    /// Bytes per second that fit through; a packet waits until those before it are through. None: no limit.
    pub bandwidth: Option<u64>,
    /// How likely it is, from 0 to 1, that a packet may be overtaken by later ones.
    pub reorder: f64,
    /// By how much a packet that may be overtaken is late, at most.
    pub reorder_delay: Duration,
    /// How likely it is, from 0 to 1, that a packet arrives twice.
    pub duplicate: f64,
    /// Mean time until the connection breaks by itself. None: never.
    pub mean_lifetime: Option<Duration>,
}

impl LinkProfile {
    /// No delay, no limit, no fault.
    pub const PERFECT: Self = Self {
        latency: Duration::ZERO,
        jitter: Duration::ZERO,
        bandwidth: None,
        reorder: 0.0,
        reorder_delay: Duration::ZERO,
        duplicate: 0.0,
        mean_lifetime: None,
    };

    /// This profile with another latency and jitter.
    #[must_use]
    pub const fn with_latency(mut self, latency: Duration, jitter: Duration) -> Self {
        self.latency = latency;
        self.jitter = jitter;
        self
    }

    /// This profile with so many bytes per second.
    #[must_use]
    pub const fn with_bandwidth(mut self, bytes_per_second: u64) -> Self {
        self.bandwidth = Some(bytes_per_second);
        self
    }

    /// This profile where so many packets, from 0 to 1, come up to `delay` late and may be overtaken.
    #[must_use]
    pub const fn with_reorder(mut self, probability: f64, delay: Duration) -> Self {
        self.reorder = probability;
        self.reorder_delay = delay;
        self
    }

    /// This profile where so many packets, from 0 to 1, arrive twice.
    #[must_use]
    pub const fn with_duplicates(mut self, probability: f64) -> Self {
        self.duplicate = probability;
        self
    }

    /// This profile where a connection lives so long on average.
    #[must_use]
    pub const fn with_mean_lifetime(mut self, mean: Duration) -> Self {
        self.mean_lifetime = Some(mean);
        self
    }
}

impl Default for LinkProfile {
    fn default() -> Self {
        Self::PERFECT
    }
}
