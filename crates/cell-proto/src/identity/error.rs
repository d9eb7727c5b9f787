//! Why a neighbour may not have the name that it claims.

use thiserror::Error;

use super::ExpectedPeer;
use crate::address::FqcnBuf;

/// A claim that was refused. The peer is at fault, or the identity map of this cell lacks an entry.
///
/// For this cell's own log: the peer learns nothing but that its connection was closed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The peer claims the address of this very cell: a second process under one name, or a connection to oneself.
    #[error("the peer claims {name}, which is this cell's own address")]
    OwnName {
        /// The address.
        name: FqcnBuf,
    },
    /// Another cell answers where this one dialled: the URL is wrong, or somebody stands in between.
    #[error("dialled {expected} and {name} answered; check the URL, or who listens there")]
    NotExpected {
        /// The name of the peer that answered.
        name: FqcnBuf,
        /// Whom the configuration expects at that URL.
        expected: ExpectedPeer,
    },
    /// A session of an administrator came through a listener that is not for administrators.
    #[error("{name} is an administrator's session and may only come through a listener with admin_listener=true")]
    AdminElsewhere {
        /// The claimed address.
        name: FqcnBuf,
    },
    /// The connection requires certificates on both sides, and the peer's has no common name.
    #[error("the peer claims {name}, and its certificate has no common name")]
    NoCommonName {
        /// The claimed address.
        name: FqcnBuf,
    },
    /// The peer has proved another identity than the address stands for.
    #[error("the peer proved to be {proven:?} and claims {name}, which requires {required:?}")]
    Mismatch {
        /// The claimed address.
        name: FqcnBuf,
        /// Common name in the peer's certificate.
        proven: String,
        /// Common name that the address requires.
        required: String,
    },
    /// The name is in use by a connection of another identity.
    #[error("{name} is connected already under another identity")]
    Taken {
        /// The claimed address.
        name: FqcnBuf,
    },
}
