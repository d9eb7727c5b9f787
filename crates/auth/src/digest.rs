//! Digests of content that comes in pieces, for whoever wants to know that it is what was sent.

use core::fmt;

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

/// How content is digested. Both kinds have 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DigestKind {
    /// SHA-256, as every peer has it.
    Sha256,
    /// BLAKE3, several times as fast on one core.
    Blake3,
}

/// A digest in the making. Says nothing about who made the content: that is what signatures and sealed messages do.
#[derive(Clone)]
pub struct ContentDigest(State);

#[derive(Clone)]
enum State {
    Sha256(Context),
    Blake3(Box<blake3::Hasher>),
}

impl ContentDigest {
    /// Length of a digest of either kind in bytes.
    pub const LENGTH: usize = SHA256_OUTPUT_LEN;

    /// The digest of nothing so far.
    #[must_use]
    pub fn new(kind: DigestKind) -> Self {
        Self(match kind {
            DigestKind::Sha256 => State::Sha256(Context::new(&SHA256)),
            DigestKind::Blake3 => State::Blake3(Box::new(blake3::Hasher::new())),
        })
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(context) => context.update(bytes),
            State::Blake3(hasher) => drop(hasher.update(bytes)),
        }
    }

    /// The digest of all bytes.
    #[must_use]
    pub fn finish(self) -> [u8; Self::LENGTH] {
        match self.0 {
            State::Sha256(context) => {
                let mut digest = [0; Self::LENGTH];
                for (to, from) in digest.iter_mut().zip(context.finish().as_ref()) {
                    *to = *from;
                }
                digest
            }
            State::Blake3(hasher) => hasher.finalize().into(),
        }
    }

    /// The digest of content that lies in several pieces.
    #[must_use]
    pub fn of<'a>(kind: DigestKind, pieces: impl IntoIterator<Item = &'a [u8]>) -> [u8; Self::LENGTH] {
        let mut digest = Self::new(kind);
        pieces.into_iter().for_each(|piece| digest.update(piece));
        digest.finish()
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

    #[track_caller]
    fn check(kind: DigestKind, content: &[u8], expected: [u8; 32]) {
        for cut in 0..=content.len() {
            let (front, back) = content.split_at(cut);
            assert_eq!(ContentDigest::of(kind, [front, back]), expected, "{kind:?}, cut at {cut}");
        }
    }

    #[test]
    fn a_digest_does_not_depend_on_how_the_content_is_cut() {
        // FIPS 180-4, the example of 56 letters.
        let letters = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        let expected = [
            0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26, 0x93, 0x0c, 0x3e, 0x60, 0x39, 0xa3, 0x3c,
            0xe4, 0x59, 0x64, 0xff, 0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1,
        ];
        check(DigestKind::Sha256, letters, expected);
        // The test vectors of BLAKE3: bytes that count up to 250, here three of them.
        let expected = [
            0xe1, 0xbe, 0x4d, 0x7a, 0x8a, 0xb5, 0x56, 0x0a, 0xa4, 0x19, 0x9e, 0xea, 0x33, 0x98, 0x49, 0xba, 0x8e, 0x29,
            0x3d, 0x55, 0xca, 0x0a, 0x81, 0x00, 0x67, 0x26, 0xd1, 0x84, 0x51, 0x9e, 0x64, 0x7f,
        ];
        check(DigestKind::Blake3, &[0, 1, 2], expected);
    }
}
