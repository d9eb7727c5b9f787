//! SHA-256 of content that comes in pieces, for whoever wants to know that it is what was sent.

use core::fmt;

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

/// A SHA-256 in the making. Says nothing about who made the content: that is what signatures and sealed messages do.
#[derive(Clone)]
pub struct ContentDigest(Context);

impl ContentDigest {
    /// Length of a digest in bytes.
    pub const LENGTH: usize = SHA256_OUTPUT_LEN;

    /// The digest of nothing so far.
    #[must_use]
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes.
    #[must_use]
    pub fn finish(self) -> [u8; Self::LENGTH] {
        let mut digest = [0; Self::LENGTH];
        for (to, from) in digest.iter_mut().zip(self.0.finish().as_ref()) {
            *to = *from;
        }
        digest
    }

    /// The digest of content that lies in several pieces.
    #[must_use]
    pub fn of<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> [u8; Self::LENGTH] {
        let mut digest = Self::new();
        pieces.into_iter().for_each(|piece| digest.update(piece));
        digest.finish()
    }
}

impl Default for ContentDigest {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentDigest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_sha_256_however_the_content_is_cut() {
        // FIPS 180-4, the example of 56 letters.
        let content = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        let expected = [
            0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26, 0x93, 0x0c, 0x3e, 0x60, 0x39, 0xa3, 0x3c,
            0xe4, 0x59, 0x64, 0xff, 0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1,
        ];
        for cut in 0..=content.len() {
            let (front, back) = content.split_at(cut);
            assert_eq!(ContentDigest::of([front, back]), expected);
        }
    }
}
