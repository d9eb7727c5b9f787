//! How a message fails before any peer answers.

use fedcell_protocol_defs::cell::ReturnCode;
use thiserror::Error;

use crate::address::FqcnBuf;
use crate::frame::FrameError;
use crate::route::Unreachable;

/// A message that this cell could not deliver or that was not answered. Never on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Failure {
    /// No reply came in time. Whether the request was handled is not known.
    #[error("no reply from {target} in time")]
    Timeout {
        /// The cell that was asked.
        target: FqcnBuf,
    },
    /// There is no way to the target now.
    #[error("the target cannot be reached")]
    Unreachable(#[from] Unreachable),
    /// A filter of this cell refused the message.
    #[error("a filter of this cell refused the message to {target}: {reason}")]
    Filtered {
        /// Where it was to go.
        target: FqcnBuf,
        /// What the filter said.
        reason: Box<str>,
    },
    /// The payload is larger than this cell may send.
    #[error("the payload has {len} bytes, {limit} are allowed")]
    TooBig {
        /// Its size in bytes.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The message cannot be put into a frame.
    #[error("the message cannot be sent")]
    Unsendable(#[from] FrameError),
    /// The connection to the neighbour that should have carried the message is gone.
    #[error("the connection to {neighbour} is gone")]
    Disconnected {
        /// The neighbour.
        neighbour: FqcnBuf,
    },
    /// The neighbour that should have carried the message takes too little: as much waits for it as may.
    #[error("{neighbour} takes too little: as much waits for it as may, ask again later")]
    NotTaken {
        /// The neighbour.
        neighbour: FqcnBuf,
    },
    /// The payload could not be sealed for the target.
    #[error("the payload could not be sealed for {target}")]
    NotSealed {
        /// Where it was to go.
        target: FqcnBuf,
    },
    /// The caller gave the request up.
    #[error("the request was cancelled")]
    Cancelled,
}

impl Failure {
    /// The return code that the reference gives its caller for the like.
    #[must_use]
    pub const fn return_code(&self) -> ReturnCode<'static> {
        match self {
            Self::Timeout { .. } => ReturnCode::TIMEOUT,
            Self::Unreachable(_) => ReturnCode::TARGET_UNREACHABLE,
            Self::Filtered { .. } => ReturnCode::FILTER_ERROR,
            Self::TooBig { .. } => ReturnCode::MSG_TOO_BIG,
            Self::Unsendable(_)
            | Self::Disconnected { .. }
            | Self::NotTaken { .. }
            | Self::NotSealed { .. }
            | Self::Cancelled => ReturnCode::COMM_ERROR,
        }
    }
}
