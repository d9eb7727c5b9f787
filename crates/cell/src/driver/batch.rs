//! Frames that leave together: many in one vectored write, each whole and in order.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Buf;
use fedcell_cell_proto::frame::EncodedFrame;

/// A queue of frames of which the first may be partly written.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    frames: VecDeque<EncodedFrame>,
}

impl Batch {
    pub(crate) fn push(&mut self, frame: EncodedFrame) {
        self.frames.push_back(frame);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Gives back the memory of a large batch that is done.
    pub(crate) fn shrink(&mut self) {
        if self.frames.is_empty() {
            self.frames.shrink_to(8);
        }
    }

    /// Fills `slices` with the unwritten bytes from the front; returns how many slices.
    pub(super) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for frame in &self.frames {
            let Some(rest) = slices.get_mut(filled..).filter(|rest| !rest.is_empty()) else { break };
            filled += frame.chunks_vectored(rest);
        }
        filled
    }

    /// Takes `written` bytes away from the front.
    pub(super) fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.frames.front_mut() {
            let length = first.remaining();
            if written < length {
                first.advance(written);
                return;
            }
            written -= length;
            self.frames.pop_front();
        }
    }
}
