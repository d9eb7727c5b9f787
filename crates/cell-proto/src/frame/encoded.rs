//! Frames on their way out.

use std::io::IoSlice;

use bytes::{Buf, Bytes};
use fedcell_protocol_defs::frame::{AppId, FrameLimit, FrameType};

use super::{FrameError, Payload, Prefix};

/// What the maker of a frame decides about its prefix; the lengths follow from the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "these are the fields of the wire that are not computed")]
pub struct Outline {
    /// What the frame is for.
    pub frame_type: FrameType,
    /// The application that the frame is for.
    pub app_id: AppId,
    /// Number of the frame within its endpoint.
    pub stream_id: u16,
    /// Number of the frame within its connection.
    pub sequence: u16,
}

/// A frame ready to be written: prefix and headers in one piece, then the segments of the payload.
///
/// As a [`Buf`] it can be given to any vectored write; what has been written is advanced over.
#[derive(Debug, Clone)]
pub struct EncodedFrame {
    /// What is left of the piece that is being written: of prefix and headers at first, then of a segment.
    head: Bytes,
    payload: Payload,
    /// How many segments of the payload have gone through `head`.
    taken: usize,
    remaining: usize,
    frame_type: FrameType,
}

impl EncodedFrame {
    /// Makes a frame whose headers `write_headers` appends to the buffer that it gets, of which some `headers_hint`
    /// bytes will be needed.
    ///
    /// # Errors
    ///
    /// [`FrameError::HeadersUnsendable`] if there are more than 65535 bytes of headers, [`FrameError::Unsendable`] if
    /// the whole exceeds the largest frame.
    pub fn new(
        outline: Outline,
        headers_hint: usize,
        write_headers: impl FnOnce(&mut Vec<u8>),
        payload: Payload,
    ) -> Result<Self, FrameError> {
        let mut head = Vec::with_capacity(Prefix::SIZE + headers_hint);
        head.resize(Prefix::SIZE, 0);
        write_headers(&mut head);
        let headers = head.len().saturating_sub(Prefix::SIZE);
        let limit = FrameLimit::MAX_HEADERS_LEN;
        let header_len = u16::try_from(headers).map_err(|_| FrameError::HeadersUnsendable { len: headers, limit })?;
        let len = head.len().saturating_add(payload.len());
        let limit = FrameLimit::MAX_FRAME_SIZE;
        let length = u32::try_from(len).ok().filter(|_| len <= limit).ok_or(FrameError::Unsendable { len, limit })?;
        let prefix = Prefix {
            length,
            header_len,
            frame_type: outline.frame_type,
            reserved: 0,
            flags: 0,
            app_id: outline.app_id,
            stream_id: outline.stream_id,
            sequence: outline.sequence,
        };
        if let Some(place) = head.first_chunk_mut() {
            *place = prefix.encode();
        }
        Ok(Self { head: Bytes::from(head), payload, taken: 0, remaining: len, frame_type: outline.frame_type })
    }

    /// What the frame is for: everything but DATA may overtake DATA in a queue.
    #[must_use]
    pub const fn frame_type(&self) -> FrameType {
        self.frame_type
    }

    /// All that has not been written yet, in one piece: for transports that send a frame as one message. Copies unless
    /// there is only one piece.
    #[must_use]
    pub fn into_bytes(mut self) -> Bytes {
        self.copy_to_bytes(self.remaining)
    }

    /// Headers and payload as they went in, of a frame of which nothing has been written; none of another.
    pub(crate) fn into_parts(self) -> Option<(Bytes, Payload)> {
        let is_whole = self.taken == 0 && self.remaining == self.head.len().saturating_add(self.payload.len());
        (is_whole && self.head.len() >= Prefix::SIZE).then(|| (self.head.slice(Prefix::SIZE..), self.payload))
    }

    /// The pieces that have not been written yet, the one being written first.
    fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        let segments = (self.taken..).map_while(|index| self.payload.segment(index));
        core::iter::once(&self.head).chain(segments).filter(|piece| !piece.is_empty())
    }
}

impl Buf for EncodedFrame {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.pieces().next().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, piece) in slices.iter_mut().zip(self.pieces()) {
            *slice = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        // The trait leaves advancing beyond the end to the implementation; here it ends at the end.
        let mut left = count.min(self.remaining);
        self.remaining -= left;
        loop {
            let step = left.min(self.head.len());
            self.head.advance(step);
            left -= step;
            if left == 0 && !self.head.is_empty() {
                return;
            }
            // The head is used up: the next segment takes its place.
            let Some(next) = self.payload.segment(self.taken) else { return };
            self.head = next.clone();
            self.taken += 1;
        }
    }
}
