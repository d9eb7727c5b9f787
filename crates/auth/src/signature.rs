//! RSA-PSS signatures as the reference makes them, and the public key that checks them.
//!
//! SHA-256, MGF1 with SHA-256, and the longest salt that the key allows (222 bytes for RSA-2048). The random salt comes
//! from the generator inside AWS-LC, not from the caller's: the library takes no other source there, and nothing on the
//! wire depends on the salt's value.
//!
//! The reference's verifier takes a salt of any length. This one takes the longest only: every version of the reference
//! emits that one, and a signer that departs from it is not the reference.

use core::fmt;

use aws_lc_rs::digest::Digest;
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaParameters, RsaPssSaltLength, RsaSignatureEncoding,
};

use crate::base64;

pub(crate) static SIGNING: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);
static VERIFYING: RsaParameters = RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);

/// Longest signature that is read, in bytes: that of an RSA-8192 key.
pub const MAX_SIGNATURE_LENGTH: usize = 1024;

/// What came over the wire in the place of a signature cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a signature of 1 to {MAX_SIGNATURE_LENGTH} bytes, in text as canonical base64")]
#[non_exhaustive]
pub struct NotASignature;

/// A signature: bytes in the challenge, base64 text beside a token.
///
/// Nothing is known about it until a public key has verified it.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(Vec<u8>);

impl Signature {
    /// Reads a signature that came as bytes.
    ///
    /// # Errors
    ///
    /// [`NotASignature`] if there are none, or more than [`MAX_SIGNATURE_LENGTH`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotASignature> {
        if bytes.is_empty() || bytes.len() > MAX_SIGNATURE_LENGTH {
            return Err(NotASignature);
        }
        Ok(Self(bytes.to_vec()))
    }

    /// Reads a signature that came as base64 text.
    ///
    /// # Errors
    ///
    /// [`NotASignature`] if the text is not canonical base64 or has the wrong length.
    pub fn from_base64(text: &str) -> Result<Self, NotASignature> {
        if text.len() > MAX_SIGNATURE_LENGTH.div_ceil(3) * 4 {
            return Err(NotASignature);
        }
        let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
        base64::decode_into(text.bytes(), &mut bytes).map_err(|_| NotASignature)?;
        Self::from_bytes(&bytes)
    }

    /// Takes over what a key of ours made.
    pub(crate) fn assertion(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, as the challenge carries them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The base64 text, as the auth headers carry it.
    #[must_use]
    pub fn to_base64(&self) -> String {
        base64::encode(&self.0)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({} bytes)", self.0.len())
    }
}

/// The public half of an RSA key, ready to verify.
pub(crate) struct VerifyingKey(ParsedPublicKey);

impl VerifyingKey {
    /// Reads a `SubjectPublicKeyInfo`; `None` if it is not an RSA key that AWS-LC can use.
    pub(crate) fn from_spki(spki: &[u8]) -> Option<Self> {
        ParsedPublicKey::new(&VERIFYING, spki).ok().map(Self)
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }

    pub(crate) fn verify_digest(&self, digest: &Digest, signature: &[u8]) -> bool {
        self.0.verify_digest_sig(digest, signature).is_ok()
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey(RSA-PSS)")
    }
}
