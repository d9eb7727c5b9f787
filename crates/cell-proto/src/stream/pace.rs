//! How much a sender keeps on its way: enough to fill the path, and not more.
//!
//! A window of 64 MiB protects the receiver's memory; it does not keep the path short. Whatever is on its way beyond
//! what the path needs waits in some buffer, and everything else on the connection waits behind it. So a sender measures
//! how fast its data is taken and how long an acknowledgement takes at best, and keeps twice their product on its way.
//!
//! ```text
//!   limit = 2 × rate × shortest time,   at least a few chunks, at most the window
//!
//!   rate            the most that was delivered in the time of one acknowledgement, of the last ten such times
//!   shortest time   from sending to acknowledgement, of the last ten seconds; to measure it without the queue that
//!                   the stream itself makes, the sender holds back until little is on its way, once in ten seconds
//! ```

use core::time::Duration;
use std::collections::VecDeque;

use fedcell_auth::UnixTime;

/// For how long a shortest time counts.
const SHORTEST_TTL: Duration = Duration::from_secs(10);
/// How many acknowledgement times a rate counts, and for how long at least.
const RATE_ROUNDS: u32 = 10;
const RATE_TTL: Duration = Duration::from_secs(1);
/// Without an acknowledgement for so long the limit doubles: the receiver acknowledges less often than it was asked to.
pub(super) const WIDEN_AFTER: Duration = Duration::from_secs(1);
/// How much more than the path holds is on its way.
const GAIN: f64 = 2.0;

/// The limit of one sender; see the [module](self).
#[derive(Debug)]
pub(super) struct Pace {
    least: u64,
    most: u64,
    limit: u64,
    marks: VecDeque<Mark>,
    delivered: u64,
    delivered_at: Option<UnixTime>,
    /// Rates in bytes per second, of falling height: the front is the highest.
    rates: VecDeque<(UnixTime, f64)>,
    shortest: Option<(Duration, UnixTime)>,
    /// While the shortest time is measured anew: what had been sent when little was on its way, once that is so.
    measuring: Option<Option<u64>>,
}

/// A chunk that is on its way.
#[derive(Debug)]
struct Mark {
    end: u64,
    sent_at: UnixTime,
    delivered: u64,
    delivered_at: UnixTime,
}

impl Pace {
    /// A limit between these, in bytes.
    pub(super) fn new(least: u64, most: u64) -> Self {
        let most = most.max(1);
        let least = least.clamp(1, most);
        Self {
            least,
            most,
            limit: least,
            marks: VecDeque::new(),
            delivered: 0,
            delivered_at: None,
            rates: VecDeque::new(),
            shortest: None,
            measuring: None,
        }
    }

    /// How many bytes may be on their way.
    pub(super) const fn limit(&self) -> u64 {
        if self.measuring.is_some() { self.least } else { self.limit }
    }

    /// A chunk that ends at this offset is being sent.
    pub(super) fn handle_sent(&mut self, now: UnixTime, end: u64) {
        let delivered_at = *self.delivered_at.get_or_insert(now);
        // After a pause of the producer the time since the last delivery says nothing about the path.
        let delivered_at = if self.marks.is_empty() { now } else { delivered_at };
        self.marks.push_back(Mark { end, sent_at: now, delivered: self.delivered, delivered_at });
    }

    /// Chunks are sent again: what is acknowledged now says nothing about time.
    pub(super) fn handle_repeated(&mut self) {
        self.marks.clear();
    }

    /// Everything before this offset has been taken; so much has been sent.
    pub(super) fn handle_delivered(&mut self, now: UnixTime, taken: u64, sent: u64) {
        if taken <= self.delivered {
            return;
        }
        self.delivered = taken;
        self.delivered_at = Some(now);
        let mut newest = None;
        while self.marks.front().is_some_and(|mark| mark.end <= taken) {
            newest = self.marks.pop_front();
        }
        if let Some(mark) = newest {
            let time = now.saturating_since(mark.sent_at);
            self.note_rate(now, taken - mark.delivered, now.saturating_since(mark.delivered_at));
            self.note_time(now, time, taken, sent);
        }
        let wanted = match (self.rates.front(), self.shortest) {
            (Some((_, rate)), Some((time, _))) => bytes(GAIN * rate * time.as_secs_f64()),
            _ => self.least,
        };
        self.limit = wanted.clamp(self.least, self.most);
    }

    /// No acknowledgement has come for [`WIDEN_AFTER`] although the limit is reached.
    pub(super) fn widen(&mut self) {
        self.limit = self.limit().saturating_mul(2).min(self.most);
        self.measuring = None;
    }

    /// Whether the limit can grow no more.
    pub(super) const fn is_widest(&self) -> bool {
        self.limit() >= self.most
    }

    fn note_rate(&mut self, now: UnixTime, bytes: u64, time: Duration) {
        if time.is_zero() {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let rate = bytes as f64 / time.as_secs_f64();
        let ttl = self.shortest.map_or(RATE_TTL, |(shortest, _)| RATE_TTL.max(shortest.saturating_mul(RATE_ROUNDS)));
        while self.rates.front().is_some_and(|(at, _)| now.saturating_since(*at) > ttl) {
            self.rates.pop_front();
        }
        while self.rates.back().is_some_and(|(_, lower)| *lower <= rate) {
            self.rates.pop_back();
        }
        self.rates.push_back((now, rate));
    }

    fn note_time(&mut self, now: UnixTime, time: Duration, taken: u64, sent: u64) {
        match self.measuring {
            // Little enough is on its way now: what is sent from here on finds no queue of ours.
            Some(None) if sent - taken.min(sent) <= self.least => self.measuring = Some(Some(sent)),
            Some(Some(from)) if taken > from => {
                self.measuring = None;
                self.shortest = Some((time, now));
            }
            _ => {}
        }
        match self.shortest {
            Some((shortest, _)) if time > shortest => {}
            _ => self.shortest = Some((time, now)),
        }
        if let Some((_, at)) = self.shortest
            && now.saturating_since(at) > SHORTEST_TTL
            && self.measuring.is_none()
        {
            if self.limit > self.least {
                self.measuring = Some(None);
            } else {
                self.shortest = Some((time, now));
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
fn bytes(number: f64) -> u64 {
    number as u64
}
