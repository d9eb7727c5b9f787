//! What can be wrong with the URL of a connection.

use thiserror::Error;

/// Text that is no URL of a connection. Whoever wrote it is at fault: the configuration, or the peer that offered it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// No scheme and `://` at the start.
    #[error("a connection URL begins with a scheme and ://")]
    NoScheme,
    /// The host is in brackets, has something before an `@`, or has characters that no host name has.
    #[error("{host:?} is no host name and no IPv4 address")]
    Host {
        /// What stands there.
        host: String,
    },
    /// The port is no decimal number up to 65535.
    #[error("{port:?} is no port")]
    Port {
        /// What stands there.
        port: String,
    },
    /// A pair of the query would replace a part of the URL itself, as it does in the reference.
    #[error("the query of a connection URL must not set {key}")]
    ReservedKey {
        /// The key.
        key: String,
    },
    /// A kit names a scheme that has no spelling of the wanted security.
    #[error("scheme {scheme:?} cannot be provisioned: tcp, grpc and http can")]
    Unprovisionable {
        /// The scheme.
        scheme: String,
    },
}
