//! Certificate exchange: the bodies, and the peers' certificates that came of it.

use std::sync::{Mutex, PoisonError};

use core::fmt;

use super::recent::RecentMap;
use crate::error::Unauthenticated;
use crate::identity::{CertificateChain, Identity, ProjectRoot, Purpose, VerifiedCertificate};
use crate::name::CommonName;
use crate::time::UnixTime;

const STEP: &str = "certificate exchange";

/// What one cell tells the other, in the request and in the reply: the keys `cert_content` and `cert_ca_content` of
/// [`CertKey`](fedcell_protocol_defs::cell::CertKey).
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateOffer {
    /// Certificate of the sender in PEM, with its intermediates.
    pub certificate: Vec<u8>,
    /// Root certificate that the sender believes. It is sent because the reference does, and never believed.
    pub root: Vec<u8>,
}

impl CertificateOffer {
    /// What to tell others about ourselves.
    #[must_use]
    pub fn of(identity: &Identity, root_pem: &[u8]) -> Self {
        Self { certificate: identity.chain().pem().to_vec(), root: root_pem.to_vec() }
    }
}

impl fmt::Debug for CertificateOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateOffer")
            .field("certificate_length", &self.certificate.len())
            .field("root_length", &self.root.len())
            .finish()
    }
}

/// The answer to an exchange request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExchangeReply {
    /// The other cell's certificate.
    Offer(CertificateOffer),
    /// Why it has none: the key `cert_error`.
    Refused(String),
}

/// Verified certificates by the cell that offered them. It may be shared between threads.
pub struct PeerCertificates {
    root: ProjectRoot,
    cells: Mutex<RecentMap<String, VerifiedCertificate>>,
}

impl PeerCertificates {
    /// Remembers up to `capacity` cells; the one that was not asked for longest goes first.
    #[must_use]
    pub fn new(root: ProjectRoot, capacity: usize) -> Self {
        Self { root, cells: Mutex::new(RecentMap::new(capacity)) }
    }

    /// Takes the certificate that the cell `fqcn` offered. `expected` is the name that a certificate of that cell has to
    /// bear, which follows from the address.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`] if the certificate is malformed, is not the project's, or bears another name. What was known
    /// about the cell before stays.
    pub fn accept(
        &self,
        now: UnixTime,
        fqcn: &str,
        expected: &CommonName,
        certificate: &[u8],
    ) -> Result<VerifiedCertificate, Unauthenticated> {
        let chain = CertificateChain::from_pem("certificate of the peer", certificate).map_err(|error| {
            Unauthenticated::because(STEP, format_args!("the certificate's {} {}", error.field(), error.problem()))
        })?;
        if chain.leaf().common_name() != Some(expected) {
            return Err(Unauthenticated::because(STEP, "the certificate bears another name than the cell's"));
        }
        let verified = self.root.verify(&chain, now, Purpose::Sealing)?;
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).insert(fqcn.to_owned(), verified.clone());
        Ok(verified)
    }

    /// The certificate of the cell `fqcn`, if it is known and still valid; otherwise it has to be asked for.
    #[must_use]
    pub fn of(&self, now: UnixTime, fqcn: &str) -> Option<VerifiedCertificate> {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cells.get_mut(fqcn)?.clone();
        if known.is_valid_at(now) {
            return Some(known);
        }
        cells.remove(fqcn);
        None
    }

    /// Forgets a cell, as when it has gone.
    pub fn forget(&self, fqcn: &str) {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).remove(fqcn);
    }

    /// How many cells are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for PeerCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificates").field("root", &self.root).field("cells", &self.len()).finish()
    }
}
