//! The pace of a sender over a path of fixed width and length: it fills the path and does not stuff it.

use std::collections::VecDeque;

use super::*;
use crate::stream::pace::{Least, Pace};
use crate::stream::path::{self, Paths};

const MIB: u64 = 1 << 20;

/// What a sender achieved in the last half of its time.
#[derive(Debug)]
struct Achieved {
    /// Bytes per second.
    rate: f64,
    /// The longest that a chunk waited before it went into the path.
    queue: Duration,
}

/// A sender and its path.
struct Path {
    pace: Pace,
    now: Duration,
    sent: u64,
}

impl Path {
    fn new() -> Self {
        let mut pace = Pace::new(Least { together: 2 * MIB, each: MIB }, 64 * MIB);
        pace.join(path::Path::default());
        Self { pace, now: Duration::ZERO, sent: 0 }
    }

    /// Sends chunks of a MiB for a minute while the path takes so many bytes per second and is so long, both ways
    /// together. Whatever lies between has room for everything.
    fn run(&mut self, width: f64, length: Duration) -> Achieved {
        let (half, end) = (self.now + 30 * SECOND, self.now + 60 * SECOND);
        let (mut taken, mut free_at) = (self.sent, self.now);
        // When which offset is acknowledged.
        let mut acks: VecDeque<(Duration, u64)> = VecDeque::new();
        let (mut delivered, mut queue) = (0, Duration::ZERO);
        while self.now < end || !acks.is_empty() {
            while self.now < end && self.sent - taken < self.pace.limit() {
                self.sent += MIB;
                self.pace.handle_sent(UnixTime::since_epoch(self.now), self.sent);
                let begins = free_at.max(self.now);
                free_at = begins + Duration::from_secs_f64(MIB as f64 / width);
                if self.now > half {
                    queue = queue.max(begins - self.now);
                }
                acks.push_back((free_at + length, self.sent));
            }
            let (at, offset) = acks.pop_front().unwrap();
            self.now = at;
            if self.now > half && self.now <= end {
                delivered += offset - taken;
            }
            taken = offset;
            self.pace.handle_delivered(UnixTime::since_epoch(self.now), taken);
        }
        Achieved { rate: delivered as f64 / (end - half).as_secs_f64(), queue }
    }
}

#[test]
fn a_path_is_filled_and_its_queue_stays_short() {
    let ms = Duration::from_millis;
    // Bytes per second, length, and how long a queue may be: all that may be on its way goes out at once after the
    // shortest time was measured.
    let paths = [
        (1e9, ms(0), ms(4)),
        (1e9, Duration::from_micros(100), ms(4)),
        (1e9, ms(1), ms(8)),
        (1e8, ms(1), ms(40)),
        (1e8, ms(50), ms(110)),
        (1e7, ms(5), ms(400)),
        (1e7, ms(100), ms(500)),
        (6e8, ms(80), ms(120)),
    ];
    for (width, length, longest) in paths {
        let achieved = Path::new().run(width, length);
        // The window is what the protocol allows; a path that holds more is not filled.
        let most = width.min(65.0 * MIB as f64 / length.as_secs_f64().max(1e-9));
        assert!(achieved.rate > 0.9 * most, "{width} B/s, {length:?}: {achieved:?}");
        assert!(achieved.queue <= longest, "{width} B/s, {length:?}: {achieved:?}");
    }
}

#[test]
fn a_path_that_changes_is_filled_again() {
    let ms = Duration::from_millis;
    let mut path = Path::new();
    for (width, length) in [(1e7, ms(20)), (2e8, ms(20)), (2e8, ms(60)), (1e7, ms(1)), (2e8, ms(40))] {
        let achieved = path.run(width, length);
        assert!(achieved.rate > 0.85 * width, "{width} B/s, {length:?}: {achieved:?}");
    }
}

#[test]
fn the_limit_stays_between_its_bounds() {
    for (least, most) in [(0, 0), (5, 3), (MIB, 4 * MIB)] {
        let mut pace = Pace::new(Least { together: least, each: least }, most);
        for _ in 0..100 {
            pace.widen();
        }
        assert_eq!(pace.limit(), most.max(1));
        assert!(pace.is_widest());
    }
}

#[test]
fn streams_to_one_target_fill_the_path_together_and_do_not_stuff_it() {
    let ms = Duration::from_millis;
    for (width, length) in [(1e9, ms(0)), (1e9, ms(1)), (1e8, ms(20)), (6e8, ms(40))] {
        for streams in [1, 2, 8] {
            let achieved = together(streams, width, length);
            // Once more what the path holds, and a few chunks of each.
            let chunks = Duration::from_secs_f64((4 * streams as u64 * MIB) as f64 / width);
            let longest = 2 * length + chunks;
            assert!(achieved.rate > 0.9 * width, "{streams} × {width} B/s, {length:?}: {achieved:?}");
            assert!(achieved.queue <= longest, "{streams} × {width} B/s, {length:?}: {achieved:?}");
        }
    }
}

/// The same as [`Path::run`] for so many streams, which take turns.
fn together(streams: usize, width: f64, length: Duration) -> Achieved {
    let mut paths = Paths::default();
    // Pace, bytes sent, bytes taken.
    let mut senders: Vec<(Pace, u64, u64)> = (0..streams)
        .map(|_| {
            let mut pace = Pace::new(Least { together: 2 * MIB, each: MIB }, 64 * MIB);
            pace.join(paths.to(&cell("site-1")));
            (pace, 0, 0)
        })
        .collect();
    let (half, end) = (10 * SECOND, 20 * SECOND);
    let (mut now, mut free_at) = (Duration::ZERO, Duration::ZERO);
    let mut acks: VecDeque<(Duration, usize, u64)> = VecDeque::new();
    let (mut delivered, mut queue) = (0, Duration::ZERO);
    while now < end {
        let mut is_more = true;
        while core::mem::take(&mut is_more) {
            for (index, (pace, sent, taken)) in senders.iter_mut().enumerate() {
                if *sent - *taken >= pace.limit() {
                    continue;
                }
                is_more = true;
                *sent += MIB;
                pace.handle_sent(UnixTime::since_epoch(now), *sent);
                let begins = free_at.max(now);
                free_at = begins + Duration::from_secs_f64(MIB as f64 / width);
                if now > half {
                    queue = queue.max(begins - now);
                }
                acks.push_back((free_at + length, index, *sent));
            }
        }
        let (at, index, offset) = acks.pop_front().unwrap();
        now = at;
        let (pace, _, taken) = &mut senders[index];
        if now > half && now <= end {
            delivered += offset - *taken;
        }
        *taken = offset;
        pace.handle_delivered(UnixTime::since_epoch(now), offset);
    }
    Achieved { rate: delivered as f64 / (end - half).as_secs_f64(), queue }
}
