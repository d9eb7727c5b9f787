//! How much a sender keeps on its way: enough to fill the path, and not more.
//!
//! A window of 64 MiB protects the receiver's memory; it does not keep the path short. Whatever is on its way beyond
//! what the path needs waits in some buffer, and everything else on the connection waits behind it. So a sender measures
//! how fast its data is taken and how long an acknowledgement takes at best, and keeps their product and some more on its
//! way.
//!
//! ```text
//!   limit = gain × rate × shortest time,   at least a few chunks, at most the window
//!
//!   rate            the most that was delivered in the time of one acknowledgement, of the last ten such times
//!   shortest time   from sending to acknowledgement, measured by all streams to the target together: see `path`
//! ```

use core::time::Duration;
use std::collections::VecDeque;

use fedcell_auth::UnixTime;

use super::path::Path;

/// How many acknowledgement times a rate counts, and for how long at least.
const RATE_ROUNDS: u32 = 10;
const RATE_TTL: Duration = Duration::from_millis(100);
/// Without an acknowledgement for so long the limit doubles: the receiver acknowledges less often than it was asked to.
pub(super) const WIDEN_AFTER: Duration = Duration::from_secs(1);
/// How much of what the path holds is on its way. On a long path times vary, and what is on its way must not run short
/// of it; a short one is filled by the least already, and all the rest would be queue.
const GAINS: (f64, f64) = (1.25, 2.0);
/// From here on a path is long.
const LONG: Duration = Duration::from_millis(2);

/// Least numbers of bytes on their way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Least {
    /// Of all streams to a target together.
    pub(super) together: u64,
    /// Of each of them, however many there are.
    pub(super) each: u64,
}

/// The limit of one sender; see the [module](self).
#[derive(Debug)]
pub(super) struct Pace {
    least: Least,
    most: u64,
    limit: u64,
    path: Option<Path>,
    marks: VecDeque<Mark>,
    delivered: u64,
    delivered_at: Option<UnixTime>,
    /// When the chunk was sent that was delivered last.
    delivered_sent_at: Option<UnixTime>,
    /// Rates in bytes per second, of falling height: the front is the highest.
    rates: VecDeque<(UnixTime, f64)>,
}

/// A chunk that is on its way, and what had been delivered when it was sent.
#[derive(Debug)]
struct Mark {
    end: u64,
    sent_at: UnixTime,
    delivered: u64,
    delivered_at: UnixTime,
    delivered_sent_at: UnixTime,
}

impl Pace {
    /// A limit between these, in bytes.
    pub(super) fn new(least: Least, most: u64) -> Self {
        let most = most.max(1);
        let together = least.together.clamp(1, most);
        Self {
            least: Least { together, each: least.each.clamp(1, together) },
            most,
            limit: 0,
            path: None,
            marks: VecDeque::new(),
            delivered: 0,
            delivered_at: None,
            delivered_sent_at: None,
            rates: VecDeque::new(),
        }
    }

    /// Whether it is not known yet which path the stream takes. Without one it keeps the least.
    pub(super) const fn wants_path(&self) -> bool {
        self.path.is_none()
    }

    pub(super) fn join(&mut self, path: Path) {
        self.path = Some(path);
    }

    /// How many bytes may be on their way.
    pub(super) fn limit(&self) -> u64 {
        let is_measuring = self.path.as_ref().is_some_and(Path::is_measuring);
        if is_measuring { self.least() } else { self.limit.max(self.least()) }
    }

    fn least(&self) -> u64 {
        let streams = self.path.as_ref().map_or(1, Path::streams).max(1);
        (self.least.together / streams).max(self.least.each)
    }

    /// A chunk that ends at this offset is being sent.
    pub(super) fn handle_sent(&mut self, now: UnixTime, end: u64) {
        let mut delivered_at = *self.delivered_at.get_or_insert(now);
        let mut delivered_sent_at = *self.delivered_sent_at.get_or_insert(now);
        if self.marks.is_empty() {
            // After a pause of the producer the time since the last delivery says nothing about the path.
            (delivered_at, delivered_sent_at) = (now, now);
        }
        let delivered = self.delivered;
        self.marks.push_back(Mark { end, sent_at: now, delivered, delivered_at, delivered_sent_at });
    }

    /// Chunks are sent again: what is acknowledged now says nothing about time.
    pub(super) fn handle_repeated(&mut self) {
        self.marks.clear();
    }

    /// Everything before this offset has been taken.
    pub(super) fn handle_delivered(&mut self, now: UnixTime, taken: u64) {
        if taken <= self.delivered {
            return;
        }
        self.delivered = taken;
        self.delivered_at = Some(now);
        let mut newest = None;
        while self.marks.front().is_some_and(|mark| mark.end <= taken) {
            newest = self.marks.pop_front();
        }
        let Some(path) = &self.path else { return };
        if let Some(mark) = &newest {
            path.handle_delivered(now, mark.sent_at);
        }
        let shortest = path.shortest();
        if let Some(mark) = newest {
            self.delivered_sent_at = Some(mark.sent_at);
            // Acknowledgements that were held up and come at once do not make the path faster than it was filled.
            let sending = mark.sent_at.saturating_since(mark.delivered_sent_at);
            let time = now.saturating_since(mark.delivered_at).max(sending);
            self.note_rate(now, taken - mark.delivered, time, shortest);
        }
        self.limit = match (self.rates.front(), shortest) {
            (Some((_, rate)), Some(time)) => {
                let gain = if time < LONG { GAINS.0 } else { GAINS.1 };
                bytes(gain * rate * time.as_secs_f64()).min(self.most)
            }
            _ => 0,
        };
    }

    /// No acknowledgement has come for [`WIDEN_AFTER`] although the limit is reached.
    pub(super) fn widen(&mut self) {
        self.limit = self.limit().saturating_mul(2).min(self.most);
        if let Some(path) = &self.path {
            path.stop_measuring();
        }
    }

    /// Whether the limit can grow no more.
    pub(super) fn is_widest(&self) -> bool {
        self.limit() >= self.most
    }

    fn note_rate(&mut self, now: UnixTime, bytes: u64, time: Duration, shortest: Option<Duration>) {
        if time.is_zero() {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let rate = bytes as f64 / time.as_secs_f64();
        let ttl = shortest.map_or(RATE_TTL, |shortest| RATE_TTL.max(shortest.saturating_mul(RATE_ROUNDS)));
        while self.rates.front().is_some_and(|(at, _)| now.saturating_since(*at) > ttl) {
            self.rates.pop_front();
        }
        while self.rates.back().is_some_and(|(_, lower)| *lower <= rate) {
            self.rates.pop_back();
        }
        self.rates.push_back((now, rate));
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
fn bytes(number: f64) -> u64 {
    number as u64
}
