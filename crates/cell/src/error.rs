//! What can go wrong for the user of a cell, and whose fault it is.

use std::io;

use core::time::Duration;

use fedcell_cell_proto::address::{FqcnBuf, FqcnError};
use fedcell_cell_proto::headers::HeaderError;
use fedcell_cell_proto::request::{Failure, Refused};
use fedcell_cell_proto::stream::StreamError;
use fedcell_cell_proto::stream::call::CallPhase;
use fedcell_protocol_defs::cell::ReturnCode;

use crate::security::SecurityError;

/// Who has to change something for an error not to come again.
pub use fedcell_auth::Fault;

/// A cell could not be started. The fault is in its configuration or on this machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The cell's own name, or one in its configuration, is no address.
    #[error("`{name}` is no address of a cell")]
    Address {
        /// The name.
        name: String,
        /// What is wrong with it.
        #[source]
        cause: FqcnError,
    },
    /// A URL cannot be understood.
    #[error("`{url}` is no URL of a connection: {problem}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A transport is not known, or lacks what is asked of it.
    #[error("`{url}` needs a transport that {problem}")]
    Transport {
        /// The URL.
        url: String,
        /// What is missing.
        problem: &'static str,
    },
    /// The certificates cannot be used.
    #[error("the credentials cannot be used")]
    Security(#[from] SecurityError),
    /// A protected connection is configured and there are no credentials.
    #[error("`{url}` is to be protected by {mode} and no credentials are given")]
    NoCredentials {
        /// The URL.
        url: String,
        /// The mode.
        mode: crate::security::SecurityMode,
    },
    /// Nothing to connect to and nothing to listen on.
    #[error("`{name}` has neither a URL to dial nor one to listen on")]
    Isolated {
        /// The cell's name.
        name: String,
    },
    /// The system does not let us listen.
    #[error("cannot listen on `{url}`")]
    Listen {
        /// The URL.
        url: String,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
}

/// A body is not what its encoding says. The peer's fault if it was received, the caller's if it was to be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The header with the encoding is no text.
    #[error("the encoding of the payload is not stated")]
    Header(#[source] HeaderError),
    /// The object cannot be decoded or encoded.
    #[error("the payload is no object that can be carried")]
    Fobs(#[source] fedcell_fobs::Error),
}

/// A request has brought no useful answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The target is no address. The caller's fault.
    #[error("the target is no address of a cell")]
    Target(#[source] FqcnError),
    /// The request was not sent because too many wait, or it has no target. The caller's fault.
    #[error("the request was not sent")]
    Refused(#[from] Refused),
    /// The body cannot be encoded. The caller's fault.
    #[error("the request cannot be encoded")]
    Body(#[from] BodyError),
    /// No reply, for a reason that lies between here and the target.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The stream of the request or of its reply has failed.
    #[error("the stream of a request to {target} failed")]
    Stream {
        /// The cell that was asked.
        target: FqcnBuf,
        /// Why.
        #[source]
        error: StreamError,
    },
    /// A streamed request has made no progress for as long as its caller was patient.
    #[error("{} for {} s", stalled(*.phase, .target), .idle.as_secs_f64())]
    Stalled {
        /// The cell that was asked.
        target: FqcnBuf,
        /// What was waited for.
        phase: CallPhase,
        /// Time without any progress.
        idle: Duration,
    },
    /// The target answered, and says that it did not do what was asked.
    #[error("the target answered {code}{}{}", if .text.is_empty() { "" } else { ": " }, .text)]
    Answered {
        /// Its return code, as it came.
        code: Box<str>,
        /// Its text, if it gave one.
        text: Box<str>,
    },
    /// The cell has been shut down.
    #[error("the cell has been shut down")]
    Stopped,
}

/// Who has stalled, and doing what.
fn stalled(phase: CallPhase, target: &FqcnBuf) -> String {
    match phase {
        CallPhase::Sending => format!("{target}, or a cell on the way to it, took nothing of the request"),
        CallPhase::Receiving => format!("{target}, or a cell on the way from it, sent nothing more of its reply"),
        _ => format!("{target} gave no reply"),
    }
}

impl RequestError {
    /// The return code of the wire for it; every error has one.
    #[must_use]
    pub fn return_code(&self) -> ReturnCode<'_> {
        match self {
            Self::Target(_) => ReturnCode::INVALID_TARGET,
            Self::Refused(_) => ReturnCode::SERVICE_UNAVAILABLE,
            Self::Body(_) => ReturnCode::INVALID_REQUEST,
            Self::Failed(failure) => failure.return_code(),
            Self::Stream { error, .. } => error.return_code(),
            Self::Stalled { .. } => ReturnCode::TIMEOUT,
            Self::Answered { code, .. } => ReturnCode::new(code),
            Self::Stopped => ReturnCode::COMM_ERROR,
        }
    }

    /// Whose fault it is. What lies on the network counts as local: nobody there misbehaved.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Target(_) | Self::Refused(_) | Self::Body(_) | Self::Stopped => Fault::Caller,
            Self::Failed(Failure::TooBig { .. } | Failure::Unsendable(_)) => Fault::Caller,
            Self::Failed(_) => Fault::Local,
            Self::Stream { .. } | Self::Stalled { .. } => Fault::Peer,
            Self::Answered { .. } => Fault::Peer,
        }
    }
}
