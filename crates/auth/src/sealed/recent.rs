//! A map of bounded size that forgets what was not used for longest.

use core::borrow::Borrow;
use core::hash::Hash;
use std::collections::HashMap;

/// The map. Making room looks at every entry, so it is for capacities of some thousands.
#[derive(Debug)]
pub(super) struct RecentMap<K, V> {
    capacity: usize,
    clock: u64,
    entries: HashMap<K, (u64, V)>,
}

impl<K: Eq + Hash + Clone, V> RecentMap<K, V> {
    /// A capacity of 0 counts as 1.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), clock: 0, entries: HashMap::new() }
    }

    /// The value of `key`, which is thereby the last used.
    pub(super) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.clock += 1;
        let (used, value) = self.entries.get_mut(key)?;
        *used = self.clock;
        Some(value)
    }

    /// Sets the value of `key`; if that makes one too many, the one that was not used for longest goes.
    pub(super) fn insert(&mut self, key: K, value: V) {
        if !self.entries.contains_key(&key) && self.entries.len() >= self.capacity {
            let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.entries.remove(&oldest);
            }
        }
        self.clock += 1;
        self.entries.insert(key, (self.clock, value));
    }

    pub(super) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes() {
        let mut map = RecentMap::new(2);
        map.insert("a", 1);
        map.insert("b", 2);
        assert_eq!(map.get_mut("a"), Some(&mut 1));
        map.insert("c", 3);
        assert_eq!(map.len(), 2);
        assert_eq!(map.get_mut("b"), None);
        assert_eq!(map.get_mut("a"), Some(&mut 1));
        map.insert("a", 4);
        assert_eq!(map.len(), 2);
        assert_eq!(map.get_mut("c"), Some(&mut 3));
        assert_eq!(map.get_mut("a"), Some(&mut 4));
        map.remove("a");
        assert_eq!(map.len(), 1);
    }
}
