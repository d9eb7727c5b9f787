//! Places of keys and values, and the fingerprint by which keys are told apart quickly.

/// Where the bytes of a header lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    /// Among the received bytes.
    Received,
    /// Among the bytes that were added since.
    Added,
}

/// A range of bytes in one of the two stores.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) store: Store,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    /// A range, from offsets. Offsets beyond 4 GiB, which no header map reaches, make a range that finds nothing.
    pub(super) fn new(store: Store, start: usize, end: usize) -> Self {
        let narrow = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { store, start: narrow(start), end: narrow(end) }
    }

    /// How many bytes.
    pub(super) fn len(self) -> usize {
        usize::try_from(self.end.saturating_sub(self.start)).unwrap_or(usize::MAX)
    }

    /// The bytes of the range.
    pub(super) fn of<'a>(self, received: &'a [u8], added: &'a [u8]) -> &'a [u8] {
        let bytes = match self.store {
            Store::Received => received,
            Store::Added => added,
        };
        let offset = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
        bytes.get(offset(self.start)..offset(self.end)).unwrap_or_default()
    }
}

/// A number that differs for most different keys: from their length and their last eight bytes.
#[inline]
pub(crate) const fn fingerprint(bytes: &[u8]) -> u32 {
    let mut tail = 0;
    match bytes.last_chunk::<8>() {
        Some(chunk) => tail = u64::from_le_bytes(*chunk),
        None => {
            let mut rest = bytes;
            while let Some((byte, behind)) = rest.split_first() {
                tail = (tail << 8) | *byte as u64;
                rest = behind;
            }
        }
    }
    // The odd constant is the golden ratio in 64 bits; multiplying by it spreads differences to the upper half.
    let spread = (tail ^ (bytes.len() as u64).rotate_right(8)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let [_, _, _, _, a, b, c, d] = spread.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// A set of fingerprints with false alarms: 256 bits, good enough to spare most messages the search for duplicates.
#[derive(Debug, Default)]
pub(super) struct Sieve([u64; 4]);

impl Sieve {
    /// Puts a fingerprint in, and says whether one like it may have been there.
    pub(super) fn insert(&mut self, fingerprint: u32) -> bool {
        let bit = 1_u64 << (fingerprint & 63);
        let Some(word) = self.0.get_mut(((fingerprint >> 6) & 3) as usize) else { return true };
        let may_be_known = *word & bit != 0;
        *word |= bit;
        may_be_known
    }
}
