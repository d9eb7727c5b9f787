//! Messages between cells: headers and payload, how each kind is begun, and the facts by which it is routed.

mod build;
mod error;
mod facts;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::cell::PayloadEncoding;
use fedcell_protocol_defs::frame::{AppId, FrameType};

use crate::clock;
pub use crate::frame::Payload;
use crate::frame::{EncodedFrame, Frame, FrameError, Outline};
use crate::headers::{HeaderError, HeaderLimits, HeaderMap, Known};

pub use build::{Head, ReplyHead, RequestHead, ReturnHead};
pub use error::MessageError;
pub use facts::Facts;

/// One message between cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a message is these two parts")]
pub struct Message {
    /// What it is, where it goes, what it is about; and what the application adds.
    pub headers: HeaderMap,
    /// The encoded, perhaps sealed, body.
    pub payload: Payload,
}

impl Message {
    /// A message of these parts.
    #[must_use]
    pub const fn new(headers: HeaderMap, payload: Payload) -> Self {
        Self { headers, payload }
    }

    /// Reads the message in a DATA frame. The payload shares the bytes of the frame.
    ///
    /// # Errors
    ///
    /// If the headers are no header map.
    pub fn decode(frame: Frame, limits: &HeaderLimits) -> Result<Self, HeaderError> {
        Ok(Self { headers: HeaderMap::decode(frame.headers, limits)?, payload: frame.payload.into() })
    }

    /// Sets the last three headers of a message that this cell sends or forwards: how the payload is encoded, unless
    /// that has been said, its length, and when it was sent.
    pub fn finish(&mut self, encoding: PayloadEncoding<'_>, now: UnixTime) {
        if self.headers.known(Known::PayloadEncoding).is_none() {
            self.headers.set(Known::PayloadEncoding, encoding.as_str());
        }
        self.headers.set(Known::PayloadLen, self.payload.len());
        self.headers.set(Known::SendTime, clock::seconds(now));
    }

    /// The message as a DATA frame. The payload is not copied.
    ///
    /// # Errors
    ///
    /// [`FrameError::HeadersUnsendable`] if the headers exceed 65535 bytes, [`FrameError::Unsendable`] if the frame
    /// exceeds the largest frame.
    pub fn encode(self, stream_id: u16, sequence: u16) -> Result<EncodedFrame, FrameError> {
        let outline = Outline { frame_type: FrameType::DATA, app_id: AppId::CELL, stream_id, sequence };
        let headers = self.headers;
        // A buffer of exactly this length becomes shared bytes as it is.
        EncodedFrame::new(outline, headers.encoded_len(), |out| headers.write_to(out), self.payload)
    }

    /// The message in a frame that was made by [`encode`](Self::encode) and of which nothing has been written.
    pub(crate) fn recover(frame: EncodedFrame) -> Option<Self> {
        if frame.frame_type() != FrameType::DATA {
            return None;
        }
        let (headers, payload) = frame.into_parts()?;
        // This cell has written them: no limit for what peers send applies.
        let limits = HeaderLimits { count: usize::MAX };
        Some(Self { headers: HeaderMap::decode(headers, &limits).ok()?, payload })
    }

    /// What routing and dispatch need to know of the message.
    ///
    /// # Errors
    ///
    /// If a mandatory header is missing, an address is none, or a header that is looked at is of another kind.
    pub fn facts(&self) -> Result<Facts<'_>, MessageError> {
        Facts::of(&self.headers)
    }
}

#[cfg(test)]
mod tests;
