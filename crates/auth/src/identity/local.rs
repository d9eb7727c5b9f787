//! This party itself: its certificate chain and the private key that belongs to it.

use std::path::Path;

use super::chain::CertificateChain;
use super::error::{Field, IdentityError, Problem};
use super::key::PrivateKey;
use crate::name::CommonName;

/// What this party proves itself with.
#[derive(Debug)]
pub struct Identity {
    chain: CertificateChain,
    key: PrivateKey,
    name: CommonName,
}

impl Identity {
    /// Joins a certificate chain and its private key; `file` is what errors call the certificate.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if the certificate names nobody, is not for an RSA key, or the key is another one's.
    pub fn new(file: &str, chain: CertificateChain, key: PrivateKey) -> Result<Self, IdentityError> {
        let leaf = chain.leaf();
        let name =
            leaf.common_name().cloned().ok_or_else(|| IdentityError::new(file, Field::CommonName, Problem::Missing))?;
        let public =
            leaf.rsa_public_key().ok_or_else(|| IdentityError::new(file, Field::PublicKey, Problem::NotRsa))?;
        if public != key.public_key() {
            return Err(IdentityError::new(file, Field::PrivateKey, Problem::Mismatch));
        }
        Ok(Self { chain, key, name })
    }

    /// Reads certificate and key from PEM files.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if either cannot be read or they do not belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, IdentityError> {
        let chain = CertificateChain::load(certificate)?;
        let key = PrivateKey::load(key)?;
        Self::new(&certificate.display().to_string(), chain, key)
    }

    /// Common name of the certificate.
    #[must_use]
    pub const fn name(&self) -> &CommonName {
        &self.name
    }

    /// The certificate with its intermediates.
    #[must_use]
    pub const fn chain(&self) -> &CertificateChain {
        &self.chain
    }

    /// The private key.
    #[must_use]
    pub const fn key(&self) -> &PrivateKey {
        &self.key
    }
}
