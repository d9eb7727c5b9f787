//! What can be wrong with the bytes of a connection.

use thiserror::Error;

/// Bytes that are no frame, or one that must not be. The side that wrote them is at fault; after one of these the place
/// where the next frame begins is unknown, so the connection has to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Fewer bytes than a prefix has, where a whole frame was promised.
    #[error("a frame has at least 16 bytes, the peer sent {len}")]
    Short {
        /// How many bytes there are.
        len: usize,
    },
    /// The prefix states a length below its own.
    #[error("the peer stated a frame of {length} bytes, which is less than its prefix")]
    LengthBelowPrefix {
        /// The stated length.
        length: u32,
    },
    /// The prefix states more than the limit that holds at this stage of the connection.
    #[error("the peer stated a frame of {length} bytes, {limit} are allowed now")]
    TooLong {
        /// The stated length.
        length: u32,
        /// The limit in bytes, prefix included.
        limit: usize,
    },
    /// The headers do not fit into the frame.
    #[error("the peer stated {header_len} bytes of headers in a frame of {length} bytes")]
    HeadersBeyondFrame {
        /// The stated length of the headers.
        header_len: u16,
        /// The stated length of the frame.
        length: u32,
    },
    /// A transport that delivers one frame at a time delivered another length than the prefix states.
    #[error("the peer stated a frame of {length} bytes and sent {len}")]
    LengthMismatch {
        /// The stated length.
        length: u32,
        /// The bytes delivered.
        len: usize,
    },
    /// A frame of our own that cannot be stated in a prefix. The caller is at fault.
    #[error("a frame of {len} bytes was to be sent, {limit} are allowed")]
    Unsendable {
        /// Length of the frame that was to be made.
        len: usize,
        /// The limit in bytes, prefix included.
        limit: usize,
    },
    /// Headers of our own that exceed what the prefix can state. The caller is at fault.
    #[error("{len} bytes of headers were to be sent, {limit} are allowed")]
    HeadersUnsendable {
        /// Length of the encoded headers.
        len: usize,
        /// The limit in bytes.
        limit: usize,
    },
}
