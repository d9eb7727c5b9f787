//! Received bytes cut into frames.

use bytes::{Buf, Bytes, BytesMut};
use fedcell_protocol_defs::frame::FrameLimit;

use super::{FrameError, Prefix};

/// One received frame: its prefix, and its two parts as views into the received bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The prefix; its lengths are those of the parts.
    pub prefix: Prefix,
    /// The encoded header map; empty if there are no headers.
    pub headers: Bytes,
    /// Everything behind the headers.
    pub payload: Bytes,
}

impl Frame {
    /// Reads a frame that a transport delivered as one piece, as gRPC, WebSocket and memory do.
    ///
    /// # Errors
    ///
    /// As [`FrameDecoder::decode`]; [`FrameError::LengthMismatch`] if the prefix states another length than was
    /// delivered.
    pub fn decode_whole(mut bytes: Bytes, limit: usize) -> Result<Self, FrameError> {
        let prefix = Prefix::decode(&bytes)?;
        prefix.check(limit)?;
        if usize::try_from(prefix.length) != Ok(bytes.len()) {
            return Err(FrameError::LengthMismatch { length: prefix.length, len: bytes.len() });
        }
        bytes.advance(Prefix::SIZE);
        let headers = bytes.split_to(usize::from(prefix.header_len));
        Ok(Self { prefix, headers, payload: bytes })
    }
}

/// Largest frames that a connection accepts, in bytes of the whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameLimits {
    /// Until the peer has been admitted. A HELLO has some 70 bytes; the default leaves room for endpoint properties.
    pub before_handshake: usize,
    /// Afterwards. The default is what the reference accepts.
    pub after_handshake: usize,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self { before_handshake: 64 * 1024, after_handshake: FrameLimit::MAX_FRAME_SIZE }
    }
}

/// Cuts the bytes of one connection into frames.
///
/// The caller owns the buffer: it appends what it has read and calls [`decode`](Self::decode) until that gives nothing
/// more. A length that a peer states makes the decoder refuse or wait; it never makes it allocate.
#[derive(Debug)]
pub struct FrameDecoder {
    limits: FrameLimits,
    is_open: bool,
    /// The prefix of the frame whose other bytes are still to come, checked.
    pending: Option<Prefix>,
}

impl FrameDecoder {
    /// A decoder for a new connection: the small limit holds.
    #[must_use]
    pub const fn new(limits: FrameLimits) -> Self {
        Self { limits, is_open: false, pending: None }
    }

    /// Lets the large limit hold from the next frame on: the peer has been admitted.
    pub const fn open(&mut self) {
        self.is_open = true;
    }

    /// The limit that holds now, in bytes of a whole frame.
    #[must_use]
    pub const fn limit(&self) -> usize {
        if self.is_open { self.limits.after_handshake } else { self.limits.before_handshake }
    }

    /// Takes the first frame out of `received`, or nothing if it is not complete.
    ///
    /// The parts of the frame are views; a part that is to be kept for long keeps the whole read buffer alive and should
    /// be copied.
    ///
    /// # Errors
    ///
    /// If the prefix states a length that is impossible or above the limit; as soon as the prefix is there, the rest
    /// is not waited for. The connection cannot go on after that.
    pub fn decode(&mut self, received: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let prefix = match self.pending {
            Some(prefix) => prefix,
            None if received.len() < Prefix::SIZE => return Ok(None),
            None => {
                let prefix = Prefix::decode(received)?;
                prefix.check(self.limit())?;
                self.pending = Some(prefix);
                prefix
            }
        };
        let length = usize::try_from(prefix.length).unwrap_or(usize::MAX);
        if received.len() < length {
            return Ok(None);
        }
        self.pending = None;
        let mut bytes = received.split_to(length).freeze();
        bytes.advance(Prefix::SIZE);
        let headers = bytes.split_to(usize::from(prefix.header_len));
        Ok(Some(Frame { prefix, headers, payload: bytes }))
    }

    /// How many bytes of the frame whose prefix has been read are still to come, given that `buffered` are waiting already.
    /// 0 if no prefix has been read.
    #[must_use]
    pub fn missing(&self, buffered: usize) -> usize {
        self.pending.map_or(0, |prefix| usize::try_from(prefix.length).unwrap_or(usize::MAX)).saturating_sub(buffered)
    }

    /// How many bytes to make room for before the next read, given that `buffered` are waiting already: what is missing
    /// of the frame, but at most as much as has come of it, and `least` at the least. So the buffer grows with what the
    /// peer has sent, by doubling, and not with what it has stated.
    #[must_use]
    pub fn room_wanted(&self, buffered: usize, least: usize) -> usize {
        let stated = self.pending.map_or(0, |prefix| usize::try_from(prefix.length).unwrap_or(usize::MAX));
        stated.saturating_sub(buffered).min(buffered).max(least)
    }
}
