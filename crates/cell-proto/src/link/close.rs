//! Why links close, and what their owners do wrong.

use core::time::Duration;

use fedcell_protocol_defs::frame::FrameType;
use thiserror::Error;

use super::{HandshakeError, LinkState};
use crate::address::FqcnBuf;
use crate::frame::FrameError;
use crate::identity::IdentityError;

/// Why a link is over. Each text says whose doing it was.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The transport is gone: the peer ended it, or the network did.
    #[error("the peer or the network ended the connection")]
    Lost,
    /// This cell shuts down, or dropped the connector.
    #[error("this cell ended the connection")]
    Shutdown,
    /// The peer sent bytes that are no frame, or one above the limit.
    #[error("the peer sent what is no acceptable frame")]
    BadFrame(#[source] FrameError),
    /// The peer sent a frame that has no place where the link stood.
    #[error("the peer sent a frame of type {frame_type:?} while the link was {state:?}")]
    Unexpected {
        /// Where the link stood.
        state: LinkState,
        /// What came.
        frame_type: FrameType,
    },
    /// The peer's HELLO or READY could not be taken.
    #[error("the peer introduced itself wrongly")]
    BadHandshake(#[source] HandshakeError),
    /// The peer may not have the name that it claims.
    #[error("the peer was refused")]
    Refused(#[source] IdentityError),
    /// The peer did not say its name in time.
    #[error("the peer did not introduce itself within {limit:?}")]
    HandshakeTimeout {
        /// The time that it had.
        limit: Duration,
    },
    /// The peer sent nothing for too long, although it was asked.
    #[error("the peer was silent for {limit:?}")]
    Silent {
        /// The time that it had.
        limit: Duration,
    },
    /// The transport took no byte for too long.
    #[error("the peer took no byte of a frame for {limit:?}")]
    Stalled {
        /// The time that it had.
        limit: Duration,
    },
    /// The peer's certificate was good when the connection was made and is not any more.
    #[error("the certificate of the peer is no longer good: {problem}")]
    Uncertified {
        /// What is wrong with it now.
        problem: CertificateProblem,
    },
    /// A newer connection of the same peer took its place.
    #[error("a newer connection of {peer} took the place of this one")]
    Replaced {
        /// The peer.
        peer: FqcnBuf,
    },
}

/// What is wrong with a certificate that was good before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertificateProblem {
    /// Its time, or that of a certificate above it, is over.
    #[error("it has expired")]
    Expired,
    /// It has been revoked.
    #[error("it has been revoked")]
    Revoked,
    /// Its path does not lead to a trusted root any more, or its usages forbid this use.
    #[error("it is not trusted any more")]
    Untrusted,
}

/// A verb at the wrong time. The owner of the link is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The verb has no place where the link stands.
    #[error("{verb} has no place while the link is {state:?}")]
    WrongState {
        /// The verb.
        verb: &'static str,
        /// Where the link stands.
        state: LinkState,
    },
    /// What the link had to say was not fetched before the next input.
    #[error("events and frames of the link must be drained before {verb}")]
    NotDrained {
        /// The verb.
        verb: &'static str,
    },
    /// The admitted name is not the one that was claimed on this link.
    #[error("the admitted name is not the one that was claimed on this link")]
    AnotherName,
    /// The message cannot be stated in a frame.
    #[error("the message cannot be sent")]
    Unsendable(#[from] FrameError),
}
