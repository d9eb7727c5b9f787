//! The private key of this party: it signs, and it unwraps the keys of sealed messages.

use core::fmt;
use std::path::Path;

use aws_lc_rs::digest::Digest;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use aws_lc_rs::signature::KeyPair as _;
use zeroize::Zeroizing;

use super::error::{Field, IdentityError, Problem};
use super::pem;
use crate::signature::{SIGNING, Signature};

/// An RSA private key.
///
/// AWS-LC holds the key and wipes it when it is dropped. There is no `Clone` and no way to read it back.
pub struct PrivateKey {
    pair: KeyPair,
    unwrapping: OaepPrivateDecryptingKey,
}

impl PrivateKey {
    /// Reads PEM text with one unencrypted private key, PKCS #8 or PKCS #1. `file` is what errors call it.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if there is no private key or more than one, it is encrypted, or it is not an RSA key of 2048
    /// to 8192 bits.
    pub fn from_pem(file: &str, bytes: &[u8]) -> Result<Self, IdentityError> {
        let fail = |problem| IdentityError::new(file, Field::PrivateKey, problem);
        let mut found = None;
        for block in pem::blocks(file, bytes)? {
            let loaded = match block.label.as_str() {
                "PRIVATE KEY" => KeyPair::from_pkcs8(&block.body),
                "RSA PRIVATE KEY" => KeyPair::from_der(&block.body),
                "ENCRYPTED PRIVATE KEY" => return Err(fail(Problem::Encrypted)),
                "EC PRIVATE KEY" | "DSA PRIVATE KEY" => return Err(fail(Problem::NotRsa)),
                _ => continue,
            };
            if found.is_some() {
                return Err(fail(Problem::Repeated));
            }
            found = Some(loaded.map_err(|_| fail(Problem::NotRsa))?);
        }
        let pair = found.ok_or_else(|| fail(Problem::Missing))?;
        let unwrapping = unwrapping_key(&pair).ok_or_else(|| fail(Problem::NotRsa))?;
        Ok(Self { pair, unwrapping })
    }

    /// Reads a PEM file.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] as of [`from_pem`](Self::from_pem), or if the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        Self::from_pem(&path.display().to_string(), &pem::read(path)?)
    }

    /// Bits of the modulus.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.unwrapping.key_size_bits()
    }

    /// `RSAPublicKey` in DER.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Signs; `None` only if AWS-LC has no memory or no random bytes.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Signature> {
        let mut bytes = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&SIGNING, &SystemRandom::new(), message, &mut bytes).ok()?;
        Some(Signature::assertion(bytes))
    }

    /// Signs a message of which the SHA-256 digest is at hand.
    pub(crate) fn sign_digest(&self, digest: &Digest) -> Option<Signature> {
        let mut bytes = vec![0; self.pair.public_modulus_len()];
        self.pair.sign_digest(&SIGNING, digest, &mut bytes).ok()?;
        Some(Signature::assertion(bytes))
    }

    /// Unwraps a content key with RSA-OAEP and SHA-256.
    pub(crate) fn unwrap_key(&self, wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut buffer = Zeroizing::new(vec![0; self.unwrapping.min_output_size()]);
        let length =
            self.unwrapping.decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut buffer, None).ok().map(|key| key.len())?;
        buffer.truncate(length);
        Some(buffer)
    }
}

/// AWS-LC has one type for signing and one for unwrapping, and no way from one to the other but DER.
fn unwrapping_key(pair: &KeyPair) -> Option<OaepPrivateDecryptingKey> {
    let der = pair.as_der().ok()?;
    let key = PrivateDecryptingKey::from_pkcs8(der.as_ref()).ok()?;
    OaepPrivateDecryptingKey::new(key).ok()
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(RSA-{}, redacted)", self.bits())
    }
}
