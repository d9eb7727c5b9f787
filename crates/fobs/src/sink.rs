//! Output that interleaves what is written with what is only referred to, from one allocation.

use bytes::Bytes;
use fedcell_protocol_defs::fobs::SectionLayout;

use crate::Blob;

/// Bytes written so far, and slices that belong between them.
#[derive(Debug)]
pub(crate) struct Sink {
    buffer: Vec<u8>,
    /// Position in the buffer before which a slice belongs.
    splices: Vec<(usize, Bytes)>,
    spliced: usize,
}

impl Sink {
    /// Slices of at least this many bytes become segments of their own; copying a shorter one costs less than a
    /// further entry in a vectored write.
    pub(crate) const SPLICED: usize = 512;

    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { buffer: Vec::with_capacity(capacity), splices: Vec::new(), spliced: 0 }
    }

    /// Leaves room for the header of the first section.
    pub(crate) fn reserve_header(&mut self) {
        self.buffer.extend_from_slice(&[0; SectionLayout::HEADER_SIZE]);
    }

    /// Fills the room in.
    pub(crate) fn set_header(&mut self, header: [u8; SectionLayout::HEADER_SIZE]) {
        if let Some(room) = self.buffer.first_chunk_mut() {
            *room = header;
        }
    }

    #[inline]
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Bytes so far, the slices included.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len() + self.spliced
    }

    pub(crate) fn splice(&mut self, slice: &Bytes) {
        if slice.len() < Self::SPLICED {
            self.buffer.extend_from_slice(slice);
        } else {
            self.spliced += slice.len();
            self.splices.push((self.buffer.len(), slice.clone()));
        }
    }

    pub(crate) fn splice_blob(&mut self, blob: &Blob) {
        blob.segments().iter().for_each(|segment| self.splice(segment));
    }

    pub(crate) fn into_segments(self) -> Vec<Bytes> {
        let written = Bytes::from(self.buffer);
        if self.splices.is_empty() {
            return vec![written];
        }
        let mut segments = Vec::with_capacity(2 * self.splices.len() + 1);
        let mut start = 0;
        for (at, slice) in self.splices {
            if at > start {
                segments.push(written.slice(start..at));
                start = at;
            }
            segments.push(slice);
        }
        if start < written.len() {
            segments.push(written.slice(start..));
        }
        segments
    }
}
