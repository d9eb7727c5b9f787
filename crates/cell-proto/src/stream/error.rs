//! How a stream fails: whose fault, and what the other end is told.

use core::time::Duration;

use fedcell_protocol_defs::cell::ReturnCode;
use fedcell_protocol_defs::stream::ErrorType;
use thiserror::Error;

use super::StreamHead;
use crate::address::FqcnBuf;
use crate::cause::with_causes;
use crate::request::Failure;
use crate::route::Unreachable;

/// Why a stream did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StreamError {
    /// As many streams are open as may be. The fault of whoever opens them.
    #[error("{limit} streams {scope} are open, no more may be")]
    TooMany {
        /// Which streams are counted.
        scope: StreamScope,
        /// How many may be open.
        limit: usize,
    },
    /// Nothing is registered here for the channel and topic of a stream.
    #[error("no handler is registered for streams of {channel}:{topic}")]
    NoHandler {
        /// The stream's channel.
        channel: Box<str>,
        /// The stream's topic.
        topic: Box<str>,
    },
    /// The reader of an incoming stream does not want it.
    #[error("{reason}")]
    Refused {
        /// What the reader said.
        reason: Box<str>,
    },
    /// The owner of an outgoing stream gave it up.
    #[error("the stream was cancelled: {reason}")]
    Cancelled {
        /// What the owner said.
        reason: Box<str>,
    },
    /// The receiver acknowledged nothing new for so long. The network's fault or the receiver's.
    #[error("{target} acknowledged nothing for {} s, {acknowledged} of {sent} bytes were acknowledged", .idle.as_secs())]
    Stalled {
        /// The cell that stalled: the receiver, or a cell on the way to it.
        target: FqcnBuf,
        /// Time without any progress.
        idle: Duration,
        /// Bytes that the receiver had acknowledged.
        acknowledged: u64,
        /// Bytes that had been sent.
        sent: u64,
    },
    /// The sender sent nothing new for so long. The network's fault or the sender's.
    #[error("{origin} sent nothing for {} s after {received} bytes", .idle.as_secs())]
    Silent {
        /// The sender.
        origin: FqcnBuf,
        /// Time without any new chunk.
        idle: Duration,
        /// Bytes that had come without a gap.
        received: u64,
    },
    /// There is no way to the receiver from this cell or from a cell on the way.
    #[error("{target} cannot be reached: {reason}")]
    Unreachable {
        /// The receiver.
        target: FqcnBuf,
        /// The cell that found no way.
        at: FqcnBuf,
        /// What it said.
        reason: Box<str>,
    },
    /// This cell could not send a chunk.
    #[error("a chunk for {target} could not be sent")]
    NotSent {
        /// The receiver.
        target: FqcnBuf,
        /// Why.
        #[source]
        failure: Failure,
    },
    /// The other end, or a cell on the way to it, reports that the stream has failed.
    #[error("{by} reports: {text}")]
    Reported {
        /// Who reports.
        by: FqcnBuf,
        /// What it says.
        text: Box<str>,
        /// Whether it says that the stream is larger than it takes.
        too_large: bool,
    },
    /// The server does not know the credential that the chunks show. The sender has to register again.
    #[error("{by} does not believe who sends: {text}")]
    Unauthenticated {
        /// Who says so.
        by: FqcnBuf,
        /// What it says.
        text: Box<str>,
    },
    /// The receiver acknowledges without sequence numbers: it is older than 2.9 and cannot receive reliable streams.
    #[error("{target} does not acknowledge by sequence; send to it without reliability")]
    NotReliable {
        /// The receiver.
        target: FqcnBuf,
    },
    /// More chunks came ahead of a missing one than the sender's window explains. The sender's fault.
    #[error("more than {chunks} chunks or {bytes} bytes came ahead of a missing one")]
    OutOfOrder {
        /// How many chunks may wait.
        chunks: usize,
        /// How many bytes may wait.
        bytes: u64,
    },
    /// The sender sent more than its own window, or the limit of this cell, allows. The sender's fault.
    #[error("{bytes} bytes wait for the reader, {limit} may")]
    WindowOverrun {
        /// How many wait.
        bytes: u64,
        /// How many may.
        limit: u64,
    },
    /// The stream is larger than this cell collects in memory.
    #[error("the stream has {size} bytes or more, {limit} are allowed; raise streaming_max_blob_size or send a file")]
    TooLarge {
        /// Its declared size, or how much of it had come.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The stream has another size than its sender declared. The sender's fault.
    #[error("the stream was declared with {declared} bytes and has {actual}")]
    SizeMismatch {
        /// What the sender declared.
        declared: u64,
        /// What came; more may have followed.
        actual: u64,
    },
}

/// Streams that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamScope {
    /// That this cell sends.
    Outgoing,
    /// That come from one origin.
    FromOneOrigin,
    /// That come from all origins.
    Incoming,
}

impl core::fmt::Display for StreamScope {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Outgoing => "that go out",
            Self::FromOneOrigin => "from one origin",
            Self::Incoming => "that come in",
        })
    }
}

impl StreamError {
    /// Nothing is registered for the stream.
    #[must_use]
    pub fn no_handler(head: &StreamHead) -> Self {
        Self::NoHandler { channel: head.channel().into(), topic: head.topic().into() }
    }

    /// The reader does not want the stream.
    #[must_use]
    pub fn refused(reason: impl AsRef<str>) -> Self {
        Self::Refused { reason: reason.as_ref().into() }
    }

    /// The kind under which the other end is told.
    #[must_use]
    pub const fn error_type(&self) -> ErrorType<'static> {
        match self {
            Self::TooLarge { .. } | Self::Reported { too_large: true, .. } => ErrorType::BLOB_SIZE,
            Self::Unreachable { .. } | Self::NotSent { failure: Failure::Unreachable(_), .. } => {
                ErrorType::TARGET_UNREACHABLE
            }
            Self::Cancelled { .. } => ErrorType::CANCELLED,
            Self::Unauthenticated { .. } => ErrorType::UNAUTHENTICATED,
            _ => ErrorType::STREAM_ERROR,
        }
    }

    /// The return code that a request ends with if its stream, or that of its reply, ends so.
    #[must_use]
    pub const fn return_code(&self) -> ReturnCode<'static> {
        match self {
            Self::Unauthenticated { .. } => ReturnCode::UNAUTHENTICATED,
            _ => ReturnCode::COMM_ERROR,
        }
    }

    /// A chunk could not be sent.
    pub(super) fn not_sent(target: &FqcnBuf, failure: &Failure) -> Self {
        match failure {
            Failure::Unreachable(Unreachable { at, .. }) => {
                let reason = with_causes(failure).into();
                Self::Unreachable { target: target.clone(), at: at.clone(), reason }
            }
            _ => Self::NotSent { target: target.clone(), failure: failure.clone() },
        }
    }
}

/// The text for the other end.
pub(super) fn report(error: &StreamError) -> String {
    with_causes(error)
}
