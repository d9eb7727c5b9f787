//! CRC-32, the sum of the members of an archive of arrays.

use core::fmt;

/// A CRC-32 as ZIP has it, in the making.
#[derive(Clone, Default)]
pub struct Crc32(crc32fast::Hasher);

impl Crc32 {
    /// The sum of nothing so far.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The sum of all bytes so far.
    #[must_use]
    pub fn sum(&self) -> u32 {
        self.0.clone().finalize()
    }

    /// The sum of bytes that lie in several pieces.
    #[must_use]
    pub fn of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> u32 {
        let mut sum = Self::new();
        pieces.into_iter().for_each(|piece| sum.update(piece));
        sum.sum()
    }
}

impl fmt::Debug for Crc32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crc32({:08x})", self.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_sum_of_zip_however_the_bytes_are_cut() {
        assert_eq!(Crc32::of([]), 0);
        let content = b"123456789";
        for cut in 0..=content.len() {
            let (front, back) = content.split_at(cut);
            // The check value in every catalogue of these sums.
            assert_eq!(Crc32::of([front, back]), 0xcbf4_3926);
        }
    }
}
