//! Schemes: which transport each one means, and its plain and secure spelling.

use fedcell_protocol_defs::config::Scheme;

use super::UrlError;

/// How the bytes of a connection travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Frames back to back on a TCP connection, with or without TLS.
    Tcp,
    /// Frames as messages of one gRPC stream.
    Grpc,
    /// Frames as binary WebSocket messages.
    WebSocket,
    /// Frames in files of a directory.
    SharedFile,
}

impl Transport {
    /// The transport of a scheme; none if the scheme is not known, or has no driver any more.
    #[must_use]
    pub fn of(scheme: Scheme<'_>) -> Option<Self> {
        Some(match scheme {
            Scheme::TCP | Scheme::STCP | Scheme::ATCP | Scheme::SATCP => Self::Tcp,
            Scheme::GRPC | Scheme::GRPCS | Scheme::AGRPC | Scheme::AGRPCS => Self::Grpc,
            Scheme::HTTP | Scheme::HTTPS => Self::WebSocket,
            Scheme::SHARED_FILE => Self::SharedFile,
            _ => return None,
        })
    }
}

/// The schemes that a kit may name: plain, secure.
const SPELLINGS: [(Scheme<'static>, Scheme<'static>); 3] =
    [(Scheme::TCP, Scheme::STCP), (Scheme::GRPC, Scheme::GRPCS), (Scheme::HTTP, Scheme::HTTPS)];

/// The secure spelling of a scheme that a kit names, in either spelling.
///
/// # Errors
///
/// [`UrlError::Unprovisionable`] for other schemes.
pub fn secure_spelling(scheme: Scheme<'_>) -> Result<Scheme<'static>, UrlError> {
    spellings(scheme).map(|(_, secure)| secure)
}

/// The plain spelling of a scheme that a kit names, in either spelling.
///
/// # Errors
///
/// [`UrlError::Unprovisionable`] for other schemes.
pub fn clear_spelling(scheme: Scheme<'_>) -> Result<Scheme<'static>, UrlError> {
    spellings(scheme).map(|(clear, _)| clear)
}

fn spellings(scheme: Scheme<'_>) -> Result<(Scheme<'static>, Scheme<'static>), UrlError> {
    let known = SPELLINGS.iter().find(|(clear, secure)| scheme == *clear || scheme == *secure);
    known.copied().ok_or_else(|| UrlError::Unprovisionable { scheme: scheme.as_str().to_owned() })
}
