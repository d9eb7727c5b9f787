//! Ids for datums.

use core::hash::BuildHasher;
use std::collections::hash_map::RandomState;

use crate::DatumId;

/// A source of datum ids: each is given out once, and no two sources give out the same.
///
/// Receivers name files after the ids of file datums, so ids must differ between senders as well. They are no
/// secrets: the source is seeded by the operating system once, and counts.
#[derive(Clone, Debug, Default)]
pub struct DatumIds {
    seed: Seed,
    given: u64,
}

#[derive(Clone, Debug)]
enum Seed {
    /// Two keyed hashes of the count.
    Random(Box<[RandomState; 2]>),
    /// The count itself.
    Fixed,
    /// These, in this order.
    Row(std::vec::IntoIter<DatumId>),
}

impl Default for Seed {
    fn default() -> Self {
        Self::Random(Box::new([RandomState::new(), RandomState::new()]))
    }
}

impl DatumIds {
    /// A source that differs from every other.
    pub fn new() -> Self {
        Self::default()
    }

    /// A source that always gives out the same row of ids: for tests that compare bytes.
    pub const fn predictable() -> Self {
        Self { seed: Seed::Fixed, given: 0 }
    }

    /// A source that gives out these ids first, and then others: for encoding an object with the ids that it had.
    pub fn starting_with(ids: Vec<DatumId>) -> Self {
        Self { seed: Seed::Row(ids.into_iter()), given: 0 }
    }

    /// The next id, a UUID of version 4.
    pub fn next_id(&mut self) -> DatumId {
        if let Seed::Row(ids) = &mut self.seed {
            match ids.next() {
                Some(id) => return id,
                None => self.seed = Seed::default(),
            }
        }
        self.given = self.given.wrapping_add(1);
        let halves = match &self.seed {
            Seed::Random(states) => states.each_ref().map(|state| state.hash_one(self.given)),
            Seed::Fixed | Seed::Row(_) => [0, self.given],
        };
        let bits = u128::from(halves[0]) << 64 | u128::from(halves[1]);
        const VERSION: u128 = 0xf000 << 64;
        const VARIANT: u128 = 0b11 << 62;
        DatumId::from_bytes((bits & !VERSION & !VARIANT | 0x4000 << 64 | 0b10 << 62).to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_within_and_between_sources() {
        let (mut ours, mut theirs) = (DatumIds::new(), DatumIds::new());
        let ids: std::collections::HashSet<_> = (0..1000).flat_map(|_| [ours.next_id(), theirs.next_id()]).collect();
        assert_eq!(ids.len(), 2000);
        let id = DatumIds::predictable().next_id().to_string();
        assert_eq!(id, "00000000-0000-4000-8000-000000000001");
    }
}
