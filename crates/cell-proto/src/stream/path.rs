//! The path to one target, which all its streams share: how long an acknowledgement takes when nothing waits.
//!
//! Each stream alone would take the queue of the others for the length of the path, and put as much again on top of it.
//! So they measure together: for a moment all of them hold back, and the next chunk that is acknowledged has found no
//! queue of theirs. That is done soon after the beginning, when the first measure was taken with whatever else the
//! machine was busy with, and then less and less often. On a short path it costs nothing, since the least that is kept
//! on the way fills it; on a long one some hundredths of the time.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fedcell_auth::UnixTime;

use crate::address::FqcnBuf;

/// A measure counts for so many shortest times: the first one for few, each further one for twice as many, up to the
/// second number.
const ROUNDS: (u32, u32) = (4, 64);
/// Bounds of what counts as the shortest time there, so that no path is measured without a pause or hardly ever.
const TIMES: (Duration, Duration) = (Duration::from_micros(400), Duration::from_millis(150));
/// Paths without streams that are remembered at least.
const SPARE: usize = 64;

/// What the streams to one target know of their path together.
#[derive(Debug, Clone, Default)]
pub(super) struct Path(Arc<Mutex<Measure>>);

/// The shortest time from sending to acknowledgement.
#[derive(Debug, Default)]
struct Measure {
    /// The time, and when it was measured last.
    shortest: Option<(Duration, UnixTime)>,
    /// Measures so far.
    number: u32,
    /// While it is taken anew: what is sent from this moment on finds no queue of these streams.
    anew_from: Option<UnixTime>,
}

impl Path {
    fn lock(&self) -> MutexGuard<'_, Measure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many streams use the path: all who have it, but for the table of paths.
    pub(super) fn streams(&self) -> u64 {
        Arc::strong_count(&self.0).saturating_sub(1) as u64
    }

    /// Whether all streams hold back, so that the shortest time can be measured.
    pub(super) fn is_measuring(&self) -> bool {
        self.lock().anew_from.is_some()
    }

    /// Gives a measure up that does not come to its end.
    pub(super) fn stop_measuring(&self) {
        self.lock().anew_from = None;
    }

    /// The shortest time, if one is known.
    pub(super) fn shortest(&self) -> Option<Duration> {
        self.lock().shortest.map(|(time, _)| time)
    }

    /// A chunk that was sent then has been acknowledged now.
    pub(super) fn handle_delivered(&self, now: UnixTime, sent_at: UnixTime) {
        let mut measure = self.lock();
        let time = now.saturating_since(sent_at);
        let is_measure = match measure.anew_from {
            Some(from) => sent_at >= from,
            None => measure.shortest.is_none(),
        };
        let (shortest, measured_at) = match measure.shortest.filter(|_| !is_measure) {
            Some((shortest, at)) => (shortest.min(time), at),
            None => (time, now),
        };
        measure.shortest = Some((shortest, measured_at));
        if is_measure {
            measure.number = measure.number.saturating_add(1);
            measure.anew_from = None;
        }
        if measure.anew_from.is_none() && now.saturating_since(measured_at) > between(shortest, measure.number) {
            // What is on its way now has arrived by then.
            measure.anew_from = Some(now.saturating_add(time));
        }
    }
}

/// How long this measure counts.
fn between(shortest: Duration, number: u32) -> Duration {
    let (first, last) = ROUNDS;
    let rounds = first.checked_shl(number.saturating_sub(1)).unwrap_or(last).clamp(first, last);
    let (least, most) = TIMES;
    shortest.clamp(least, most).saturating_mul(rounds)
}

/// The paths that have streams, and some that had: what is known of them spares the next stream the first guess.
#[derive(Debug)]
pub(super) struct Paths {
    paths: HashMap<FqcnBuf, Path>,
    /// At this number those without streams are forgotten.
    most: usize,
}

impl Default for Paths {
    fn default() -> Self {
        Self { paths: HashMap::new(), most: SPARE }
    }
}

impl Paths {
    /// The path to that target.
    pub(super) fn to(&mut self, target: &FqcnBuf) -> Path {
        if let Some(path) = self.paths.get(target) {
            return path.clone();
        }
        if self.paths.len() >= self.most {
            self.paths.retain(|_, path| path.streams() > 0);
            self.most = SPARE.max(self.paths.len().saturating_mul(2));
        }
        let path = Path::default();
        self.paths.insert(target.clone(), path.clone());
        path
    }
}
