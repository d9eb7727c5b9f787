//! One direction of one link: when does a packet arrive that is sent now?

use core::time::Duration;

use crate::profile::LinkProfile;
use crate::rng::SimRng;

/// Nanoseconds in a second.
const NANOS: u128 = 1_000_000_000;

/// Timing state of one direction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pipe {
    /// When the last byte of what was sent so far has left.
    free_at: Duration,
    /// When the latest packet that must not be overtaken arrives.
    last_arrival: Duration,
}

impl Pipe {
    /// When a packet of `size` bytes arrives that is sent at `now`.
    pub(crate) fn arrival(&mut self, now: Duration, size: usize, profile: &LinkProfile, rng: &mut SimRng) -> Duration {
        self.free_at = self.free_at.max(now).saturating_add(transmission(size, profile.bandwidth));
        let travelled = self.free_at.saturating_add(profile.latency).saturating_add(rng.span(profile.jitter));
        if rng.chance(profile.reorder) {
            return travelled.saturating_add(rng.span(profile.reorder_delay));
        }
        self.last_arrival = self.last_arrival.max(travelled);
        self.last_arrival
    }

    /// When the end of the connection arrives that is closed at `now`: after everything sent in order before.
    pub(crate) fn end(&self, now: Duration, profile: &LinkProfile) -> Duration {
        self.last_arrival.max(self.free_at.max(now).saturating_add(profile.latency))
    }
}

/// How long so many bytes take to get onto the wire.
fn transmission(size: usize, bandwidth: Option<u64>) -> Duration {
    let Some(rate) = bandwidth else { return Duration::ZERO };
    let nanos = (size as u128 * NANOS) / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn bandwidth_makes_packets_wait_for_each_other() {
        let profile = LinkProfile::PERFECT.with_latency(10 * MS, Duration::ZERO).with_bandwidth(1_000_000);
        let mut rng = SimRng::new(1);
        let mut pipe = Pipe::default();
        assert_eq!(pipe.arrival(Duration::ZERO, 5_000, &profile, &mut rng), 15 * MS);
        assert_eq!(pipe.arrival(Duration::ZERO, 5_000, &profile, &mut rng), 20 * MS);
        assert_eq!(pipe.arrival(100 * MS, 1_000, &profile, &mut rng), 111 * MS);
    }

    #[test]
    fn jitter_alone_keeps_the_order_and_reordering_does_not() {
        let inversions = |profile: LinkProfile| {
            let mut rng = SimRng::new(3);
            let mut pipe = Pipe::default();
            let arrivals: Vec<_> = (0..500).map(|at| pipe.arrival(at * MS, 1, &profile, &mut rng)).collect();
            arrivals.windows(2).filter(|pair| pair[1] < pair[0]).count()
        };
        let jittery = LinkProfile::PERFECT.with_latency(5 * MS, 20 * MS);
        assert_eq!(inversions(jittery), 0);
        let shuffled = inversions(jittery.with_reorder(0.25, 30 * MS));
        assert!(shuffled > 20, "{shuffled}");
    }
}
