//! What the transport knows about the peer's certificate once the handshake is over.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_auth::identity::Certificate;
use fedcell_cell_proto::link::CertificateProblem;
use rustls::pki_types::CertificateDer;

use super::roots::TrustedRoots;

/// The proven identity of the other end of a connection.
///
/// Only a finished TLS handshake makes one: the certificate's path leads to a trusted root, it was valid then, its usages
/// allow this use, and the peer holds its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    common_name: Option<String>,
    organisation: Option<String>,
    valid_until: Option<UnixTime>,
    shown: Arc<ShownChain>,
}

/// In which part a peer showed its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShownAs {
    Server,
    Client,
}

/// The chain as it was shown, to be verified again.
struct ShownChain {
    chain: Vec<CertificateDer<'static>>,
    shown_as: ShownAs,
    roots: Arc<TrustedRoots>,
}

impl PeerIdentity {
    /// Reads the leaf of a verified chain. A certificate that the federation cannot read names nobody.
    pub(super) fn assertion(chain: &[CertificateDer<'_>], shown_as: ShownAs, roots: &Arc<TrustedRoots>) -> Self {
        let leaf = chain.first().map_or(&[][..], |leaf| leaf.as_ref());
        let chain = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        let shown = Arc::new(ShownChain { chain, shown_as, roots: roots.clone() });
        match Certificate::from_der("certificate of the peer", leaf) {
            Ok(certificate) => Self {
                common_name: certificate.common_name().map(ToString::to_string),
                organisation: certificate.organisation().map(ToOwned::to_owned),
                valid_until: Some(certificate.not_after()),
                shown,
            },
            Err(problem) => {
                tracing::debug!(%problem, "the certificate of a peer names nobody");
                Self { common_name: None, organisation: None, valid_until: None, shown }
            }
        }
    }

    /// Common name of the subject.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// Organisation of the subject.
    #[must_use]
    pub fn organisation(&self) -> Option<&str> {
        self.organisation.as_deref()
    }

    /// Until when the certificate itself is valid, if it can be read.
    #[must_use]
    pub const fn valid_until(&self) -> Option<UnixTime> {
        self.valid_until
    }

    /// The first second at which the certificate itself is not valid any more.
    pub(crate) fn expires_at(&self) -> Option<UnixTime> {
        self.valid_until.map(|last| last.saturating_add(Duration::from_secs(1)))
    }

    /// Verifies the whole chain again, as in the handshake, at `now`. Gives when the certificate itself expires.
    pub(crate) fn recheck(&self, now: UnixTime) -> Result<UnixTime, CertificateProblem> {
        let ShownChain { chain, shown_as, roots } = &*self.shown;
        let Some((leaf, intermediates)) = chain.split_first() else { return Err(CertificateProblem::Untrusted) };
        roots.recheck(leaf, intermediates, *shown_as, now).map_err(|error| {
            tracing::debug!(%error, "a certificate is not good any more");
            problem_of(&error)
        })?;
        Ok(self.expires_at().unwrap_or(now))
    }
}

fn problem_of(error: &rustls::Error) -> CertificateProblem {
    use rustls::CertificateError;
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            CertificateProblem::Expired
        }
        rustls::Error::InvalidCertificate(CertificateError::Revoked) => CertificateProblem::Revoked,
        _ => CertificateProblem::Untrusted,
    }
}

impl fmt::Debug for ShownChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShownChain").field("certificates", &self.chain.len()).field("as", &self.shown_as).finish()
    }
}

impl PartialEq for ShownChain {
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain && self.shown_as == other.shown_as
    }
}

impl Eq for ShownChain {}
