//! Frames: the 16-byte prefix, and the bytes of a connection cut into frames and put together from them.
//!
//! A [`FrameDecoder`] takes what a stream transport has read so far and gives whole frames; its limit is small until the
//! handshake is over. [`Frame::decode_whole`] serves transports that deliver one frame at a time. On the way out an
//! [`EncodedFrame`] is a head of bytes (prefix and headers) and the segments of the payload as they are, to be written
//! with one vectored write.

mod decoder;
mod encoded;
mod error;
mod payload;
mod prefix;

pub use decoder::{Frame, FrameDecoder, FrameLimits};
pub use encoded::{EncodedFrame, Outline};
pub use error::FrameError;
pub use payload::Payload;
pub use prefix::Prefix;

#[cfg(test)]
mod tests;
