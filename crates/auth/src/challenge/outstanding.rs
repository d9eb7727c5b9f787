//! The nonces that the server waits to have signed: one for each origin, bounded in number and in age.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use crate::name::CommonName;
use crate::time::UnixTime;
use crate::uuid::Nonce;

struct Entry {
    serial: u64,
    expires: UnixTime,
    name: CommonName,
    nonce: Nonce,
}

/// The table. An entry leaves it by the first attempt to use it, by a newer challenge of its origin, or by age.
pub(super) struct Outstanding {
    lifetime: Duration,
    capacity: usize,
    by_origin: HashMap<String, Entry>,
    /// By time of expiry; an entry that has been used or replaced is still here and recognised by its serial number.
    queue: VecDeque<(UnixTime, u64, String)>,
    next_serial: u64,
}

impl Outstanding {
    pub(super) fn new(lifetime: Duration, capacity: usize) -> Self {
        Self { lifetime, capacity, by_origin: HashMap::new(), queue: VecDeque::new(), next_serial: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.by_origin.len()
    }

    /// Whether a challenge of `origin` has room.
    pub(super) fn has_room(&self, origin: &str) -> bool {
        self.by_origin.len() < self.capacity || self.by_origin.contains_key(origin)
    }

    /// Notes a challenge; an older one of the same origin is forgotten.
    pub(super) fn insert(&mut self, origin: &str, name: CommonName, nonce: Nonce, now: UnixTime) {
        let serial = self.next_serial;
        self.next_serial += 1;
        let expires = now.saturating_add(self.lifetime);
        self.by_origin.insert(origin.to_owned(), Entry { serial, expires, name, nonce });
        self.queue.push_back((expires, serial, origin.to_owned()));
        if self.queue.len() > self.capacity.saturating_mul(2) {
            let live = &self.by_origin;
            self.queue.retain(|(_, serial, origin)| live.get(origin).is_some_and(|entry| entry.serial == *serial));
        }
    }

    /// Takes the challenge of `origin` out, if there is one that has not expired.
    pub(super) fn consume(&mut self, origin: &str, now: UnixTime) -> Option<(CommonName, Nonce)> {
        let entry = self.by_origin.remove(origin)?;
        (now < entry.expires).then_some((entry.name, entry.nonce))
    }

    /// Whether `origin` has a challenge that has not expired.
    pub(super) fn is_open(&self, origin: &str, now: UnixTime) -> bool {
        self.by_origin.get(origin).is_some_and(|entry| now < entry.expires)
    }

    /// Forgets what has expired.
    pub(super) fn expire(&mut self, now: UnixTime) {
        while self.queue.front().is_some_and(|(expires, ..)| *expires <= now) {
            let Some((_, serial, origin)) = self.queue.pop_front() else { break };
            if self.by_origin.get(&origin).is_some_and(|entry| entry.serial == serial) {
                self.by_origin.remove(&origin);
            }
        }
    }

    /// When [`expire`](Self::expire) next has something to do.
    pub(super) fn next_expiry(&self) -> Option<UnixTime> {
        self.queue.front().map(|(expires, ..)| *expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(last: u8) -> Nonce {
        Nonce::parse(&format!("00000000-0000-4000-8000-0000000000{last:02x}")).unwrap()
    }

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(1000 + secs)
    }

    #[test]
    fn an_entry_is_used_once_replaced_and_forgotten_in_time() {
        let name = CommonName::parse("site-1").unwrap();
        let mut table = Outstanding::new(Duration::from_secs(60), 2);
        table.insert("a", name.clone(), nonce(1), at(0));
        table.insert("b", name.clone(), nonce(2), at(1));
        assert!(table.has_room("a") && !table.has_room("c"));
        table.insert("a", name.clone(), nonce(3), at(2));
        assert_eq!(table.consume("a", at(3)).unwrap().1, nonce(3));
        assert!(table.consume("a", at(3)).is_none());
        assert!(table.consume("b", at(61)).is_none(), "one second too late");

        table.insert("a", name.clone(), nonce(4), at(100));
        table.insert("b", name.clone(), nonce(5), at(130));
        assert_eq!(table.next_expiry(), Some(at(160)), "the queue was rid of used challenges when it grew");
        table.expire(at(160));
        assert_eq!((table.len(), table.next_expiry()), (1, Some(at(190))));
        table.expire(at(190));
        assert_eq!((table.len(), table.next_expiry()), (0, None));
    }

    #[test]
    fn replacing_without_end_does_not_grow_the_queue() {
        let name = CommonName::parse("site-1").unwrap();
        let mut table = Outstanding::new(Duration::from_secs(60), 4);
        for round in 0..1000 {
            table.insert("a", name.clone(), nonce(1), at(round / 100));
        }
        assert!(table.queue.len() <= 9, "{}", table.queue.len());
    }
}
