//! The AES-256-GCM key of a run of envelopes.

use core::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// A content key. AWS-LC holds it and wipes it when it is dropped.
pub(super) struct ContentKey(LessSafeKey);

impl ContentKey {
    /// `None` unless `bytes` are 32.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, bytes).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    /// Encrypts in place and appends the tag.
    pub(super) fn seal(&self, nonce: [u8; 12], associated: &[u8], content: &mut [u8]) -> Option<[u8; 16]> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(associated), content).ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Decrypts ciphertext and tag in place, and cuts the tag off.
    pub(super) fn open(&self, nonce: [u8; 12], associated: &[u8], content: &mut Vec<u8>) -> bool {
        let nonce = Nonce::assume_unique_for_key(nonce);
        match self.0.open_in_place(nonce, Aad::from(associated), content).map(|plaintext| plaintext.len()) {
            Ok(length) => {
                content.truncate(length);
                true
            }
            Err(_) => false,
        }
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(redacted)")
    }
}
