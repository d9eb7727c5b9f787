//! Data on its way into chunks: segments that are cut without being copied.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::frame::Payload;

/// Bytes that wait to be sent, in the segments in which they were offered.
#[derive(Debug, Default)]
pub(super) struct Segments {
    segments: VecDeque<Bytes>,
    len: usize,
}

impl Segments {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Adds data at the end.
    pub(super) fn push(&mut self, data: &Payload) {
        for segment in data.segments().filter(|segment| !segment.is_empty()) {
            self.len += segment.len();
            self.segments.push_back(segment.clone());
        }
    }

    /// Takes so many bytes from the front, or all if there are fewer.
    pub(super) fn take(&mut self, wanted: usize) -> Payload {
        let mut taken = Payload::empty();
        let mut missing = wanted.min(self.len);
        self.len -= missing;
        while missing > 0
            && let Some(front) = self.segments.front_mut()
        {
            let piece = if front.len() <= missing {
                self.segments.pop_front().unwrap_or_default()
            } else {
                front.split_to(missing)
            };
            missing -= piece.len();
            taken.push(piece);
        }
        taken
    }
}
