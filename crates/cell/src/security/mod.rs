//! Protection of connections: which files, which mode, what is checked before the first frame.
//!
//! ```text
//!   startup kit ──► Credentials ──► TlsClient ──► dial:   chain, time, usages, expected common name
//!                        │
//!                        └────────► TlsServer ──► accept: chain, time, usages of the client's certificate (mtls)
//!                                                 hands the peer's common name on, as a fact
//! ```
//!
//! The host name is not compared with the certificate, as in the reference: the members of a federation are known by
//! the common name of their certificate, and that is compared. Which address a common name may claim is decided by
//! `cell-proto`, after HELLO or READY.

mod credentials;
mod error;
mod mode;
mod peer;
mod roots;
mod tls;

pub use credentials::{Credentials, KeyPairFiles};
pub use error::{SecurityError, SecurityProblem};
pub use mode::{SecurityMode, UnknownMode};
pub use peer::PeerIdentity;

pub(crate) use tls::{TlsClient, TlsServer};

#[cfg(test)]
pub(crate) mod tests;
