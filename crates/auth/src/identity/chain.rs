//! A certificate with the authorities between it and the root, as files and peers present it.

use std::path::Path;

use super::certificate::Certificate;
use super::error::{Field, IdentityError, Problem};
use super::pem;

/// Most certificates in one chain, the leaf among them.
pub const MAX_CHAIN_LENGTH: usize = 8;

/// A leaf certificate, followed by intermediate authorities in any order.
///
/// Nothing is known about it until a [`ProjectRoot`](super::ProjectRoot) has verified it.
#[derive(Debug, Clone)]
pub struct CertificateChain {
    leaf: Certificate,
    intermediates: Vec<Certificate>,
    pem: Vec<u8>,
}

impl CertificateChain {
    /// Reads PEM text: the leaf first, then its intermediates. `file` is what errors call it.
    ///
    /// Blocks other than certificates are skipped.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if there is no certificate, one is malformed, or there are too many or too long ones.
    pub fn from_pem(file: &str, bytes: &[u8]) -> Result<Self, IdentityError> {
        let mut certificates = Vec::new();
        for block in pem::blocks(file, bytes)? {
            if !matches!(block.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE") {
                continue;
            }
            if certificates.len() == MAX_CHAIN_LENGTH {
                return Err(IdentityError::new(file, Field::Certificate, Problem::TooMany(MAX_CHAIN_LENGTH)));
            }
            certificates.push(Certificate::from_der(file, &block.body)?);
        }
        let mut certificates = certificates.into_iter();
        let leaf = certificates.next().ok_or_else(|| IdentityError::new(file, Field::Certificate, Problem::Missing))?;
        Ok(Self { leaf, intermediates: certificates.collect(), pem: bytes.to_vec() })
    }

    /// Reads a PEM file.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] as of [`from_pem`](Self::from_pem), or if the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        Self::from_pem(&path.display().to_string(), &pem::read(path)?)
    }

    /// The certificate of the holder.
    #[must_use]
    pub const fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// What stands after the leaf.
    #[must_use]
    pub fn intermediates(&self) -> &[Certificate] {
        &self.intermediates
    }

    /// The PEM text as it was read, which is what the wire carries.
    #[must_use]
    pub fn pem(&self) -> &[u8] {
        &self.pem
    }
}
