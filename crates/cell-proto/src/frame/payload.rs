//! The payload of a message: bytes in one or more segments that are never joined on the way.

use bytes::{Bytes, BytesMut};

/// Payload bytes in segments, in order. Clones share the bytes.
///
/// A received payload is one segment; a payload made from arrays has one for each, so that none is copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    first: Bytes,
    rest: Vec<Bytes>,
}

impl Payload {
    /// No bytes.
    #[must_use]
    pub const fn empty() -> Self {
        Self { first: Bytes::new(), rest: Vec::new() }
    }

    /// Bytes in all segments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments().map(Bytes::len).sum()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.segments().all(Bytes::is_empty)
    }

    /// The segments in order; none, some or all may be empty.
    pub fn segments(&self) -> impl Iterator<Item = &Bytes> {
        core::iter::once(&self.first).chain(&self.rest)
    }

    /// Adds a segment at the end.
    pub fn push(&mut self, segment: Bytes) {
        if self.first.is_empty() && self.rest.is_empty() {
            self.first = segment;
        } else {
            self.rest.push(segment);
        }
    }

    /// All bytes in one piece. Free if there is one segment; otherwise the bytes are copied.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        if self.rest.is_empty() {
            return self.first;
        }
        let mut joined = BytesMut::with_capacity(self.len());
        for segment in self.segments() {
            joined.extend_from_slice(segment);
        }
        joined.freeze()
    }

    /// The segment at `index`, while there is one.
    pub(super) fn segment(&self, index: usize) -> Option<&Bytes> {
        index.checked_sub(1).map_or(Some(&self.first), |in_rest| self.rest.get(in_rest))
    }
}

impl From<Bytes> for Payload {
    fn from(first: Bytes) -> Self {
        Self { first, rest: Vec::new() }
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

impl FromIterator<Bytes> for Payload {
    fn from_iter<I: IntoIterator<Item = Bytes>>(segments: I) -> Self {
        let mut payload = Self::empty();
        for segment in segments {
            payload.push(segment);
        }
        payload
    }
}
