//! What the streams of a cell tell their owner.

use super::{StreamError, StreamHead, StreamId};
use crate::frame::Payload;
use crate::request::RequestId;

/// An incoming stream, while it is open here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncomingId(pub(super) u64);

/// Something that has happened to a stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamEvent {
    /// A stream has come, complete in one chunk. Nothing follows.
    Whole {
        /// What it is.
        head: StreamHead,
        /// All of it.
        payload: Payload,
    },
    /// A stream has begun to come. Ends with `Finished` or `Broken`, unless it is refused.
    Began {
        /// The stream.
        stream: IncomingId,
        /// What it is.
        head: StreamHead,
    },
    /// The next piece of a stream, in order. Say [`consumed`](super::Streams::consumed) when the reader has it.
    Data {
        /// The stream.
        stream: IncomingId,
        /// The bytes, as they were received.
        payload: Payload,
    },
    /// All pieces of a stream have been given.
    Finished {
        /// The stream.
        stream: IncomingId,
    },
    /// A stream will not come to its end.
    Broken {
        /// The stream.
        stream: IncomingId,
        /// Why.
        error: StreamError,
    },
    /// An outgoing stream takes more data again.
    Writable {
        /// The stream.
        stream: StreamId,
    },
    /// The receiver has taken more of an outgoing stream.
    Progress {
        /// The stream.
        stream: StreamId,
        /// How many bytes it has taken altogether.
        acknowledged: u64,
    },
    /// An outgoing stream has ended well: all of it is acknowledged if it is reliable, is on its way if it is not.
    Sent {
        /// The stream.
        stream: StreamId,
        /// Its size in bytes.
        bytes: u64,
    },
    /// An outgoing stream has failed.
    Failed {
        /// The stream.
        stream: StreamId,
        /// The request that it was.
        request: Option<RequestId>,
        /// Why.
        error: StreamError,
    },
    /// The receiver, or a cell on the way, reports a failure of a stream that was `Sent`. Whoever waits for a reply to it
    /// waits in vain.
    FailedLate {
        /// The stream.
        stream: StreamId,
        /// The request that it was.
        request: Option<RequestId>,
        /// Why.
        error: StreamError,
    },
}
