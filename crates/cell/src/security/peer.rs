//! What the transport knows about the peer's certificate once the handshake is over.

use fedcell_auth::identity::Certificate;

/// The proven identity of the other end of a connection.
///
/// Only a finished TLS handshake makes one: the certificate's path leads to a trusted root, it is valid now, its usages
/// allow this use, and the peer holds its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    common_name: Option<String>,
    organisation: Option<String>,
}

impl PeerIdentity {
    /// Reads the leaf of a verified chain. A certificate that the federation cannot read names nobody.
    pub(super) fn assertion(leaf: &[u8]) -> Self {
        match Certificate::from_der("certificate of the peer", leaf) {
            Ok(certificate) => Self {
                common_name: certificate.common_name().map(ToString::to_string),
                organisation: certificate.organisation().map(ToOwned::to_owned),
            },
            Err(problem) => {
                tracing::debug!(%problem, "the certificate of a peer names nobody");
                Self { common_name: None, organisation: None }
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
}
