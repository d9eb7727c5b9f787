//! Tables by names: hashed with a secret of the process, so that who chooses a name does not choose where it lies, and
//! several times faster than by the standard library's hash, which is made for keys of any kind and length.

use core::hash::{BuildHasher, Hasher};
use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::OnceLock;

/// A table whose keys are short texts: addresses, ids, channels, topics.
pub type ByName<K, V> = HashMap<K, V, NameState>;

/// Makes the hashers of a [`ByName`]; all of one process are alike.
#[derive(Clone, Copy)]
pub struct NameState {
    start: u64,
    factor: u64,
}

impl Default for NameState {
    fn default() -> Self {
        static SECRET: OnceLock<NameState> = OnceLock::new();
        *SECRET.get_or_init(|| {
            let chance = RandomState::new();
            // A factor is odd, so that no bit of what it multiplies is lost.
            Self { start: chance.hash_one(1_u8), factor: chance.hash_one(2_u8) | 1 }
        })
    }
}

/// Shows nothing of the secret.
impl core::fmt::Debug for NameState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NameState").finish_non_exhaustive()
    }
}

impl BuildHasher for NameState {
    type Hasher = NameHasher;

    #[inline]
    fn build_hasher(&self) -> NameHasher {
        NameHasher { state: self.start, factor: self.factor }
    }
}

/// Hashes one name.
#[derive(Clone)]
pub struct NameHasher {
    state: u64,
    factor: u64,
}

impl core::fmt::Debug for NameHasher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NameHasher").finish_non_exhaustive()
    }
}

impl NameHasher {
    /// Both halves of the product depend on all bits of the word and of the secret.
    #[inline]
    const fn mix(&mut self, word: u64) {
        let product = ((self.state ^ word) as u128).wrapping_mul(self.factor as u128);
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = product.to_le_bytes();
        let (low, high) = (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u64::from_le_bytes([i, j, k, l, m, n, o, p]));
        self.state = low ^ high.rotate_left(23);
    }
}

impl Hasher for NameHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        // What is left has seven bytes at most: its length goes into the eighth, so that zeros at the end count.
        let mut last = rest.len() as u64;
        for byte in rest {
            last = (last << 8) | u64::from(*byte);
        }
        self.mix(last.rotate_left(32));
    }

    /// Texts end with one byte of their own.
    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.state ^= u64::from(byte).rotate_left(56);
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        let mut last = self.clone();
        last.mix(0);
        last.state
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_that_differ_little_lie_far_apart() {
        let state = NameState::default();
        let names: Vec<String> =
            (0..20_000).map(|number| format!("site-{number}")).chain((1..300).map(|len| "\0".repeat(len))).collect();
        let hashes: Vec<u64> = names.iter().map(|name| state.hash_one(name.as_str())).collect();
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), names.len());
        // A table looks at the lowest bits for the place and at the highest for a first comparison.
        for look in [|hash: u64| hash & 0xff, |hash: u64| hash >> 56] {
            let mut counts = [0_u32; 256];
            for hash in &hashes {
                counts[usize::try_from(look(*hash)).unwrap()] += 1;
            }
            let most = counts.iter().max().unwrap();
            assert!(*most < 160, "{most} of {} names in one of 256 places", names.len());
        }
    }

    #[test]
    fn a_table_finds_owned_names_by_borrowed_ones() {
        let mut table = ByName::<Box<str>, u8>::default();
        table.insert("site-1".into(), 1);
        assert_eq!((table.get("site-1"), table.get("site-2")), (Some(&1), None));
    }
}
