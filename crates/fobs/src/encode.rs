//! Encoding: from an object to segments, of which those with arrays are the arrays' own bytes.

use bytes::{Bytes, BytesMut};
use fedcell_protocol_defs::fobs::Thresholds;

use crate::error::{Error, ErrorKind};
use crate::policy::{ArrayPolicy, Inline};
use crate::writer::Writer;
use crate::{Budget, DatumIds, Value};

/// Encodes an object with the reference's thresholds, arrays inside.
///
/// # Errors
///
/// The object nests too deep, or holds an empty datum or references of several batches.
pub fn encode(value: &Value) -> Result<Encoded, Error> {
    Encoder::new().encode(value)
}

/// A container, as segments for a vectored write.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    segments: Vec<Bytes>,
}

impl Encoded {
    /// The segments in order. Those that hold arrays share the arrays' memory.
    pub fn segments(&self) -> &[Bytes] {
        &self.segments
    }

    /// The segments in order.
    pub fn into_segments(self) -> Vec<Bytes> {
        self.segments
    }

    /// Length of all segments together, in bytes.
    pub fn len(&self) -> usize {
        self.segments.iter().map(Bytes::len).sum()
    }

    /// Whether there are no bytes; a container always has some.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The container in one piece; copies it unless it is one segment.
    pub fn to_bytes(&self) -> Bytes {
        match self.segments.as_slice() {
            [only] => only.clone(),
            segments => {
                let mut joined = BytesMut::with_capacity(self.len());
                segments.iter().for_each(|segment| joined.extend_from_slice(segment));
                joined.freeze()
            }
        }
    }
}

/// Encodes objects; keeps what one container has in common with the next.
#[derive(Debug)]
pub struct Encoder {
    max_value_size: usize,
    depth: usize,
    ids: DatumIds,
    /// Bytes of the last container without its arrays: the size to begin with.
    usual: usize,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder with the reference's thresholds.
    pub fn new() -> Self {
        Self { max_value_size: Thresholds::MAX_VALUE_SIZE, depth: Budget::MAX_DEPTH, ids: DatumIds::new(), usual: 512 }
    }

    /// Sets texts of so many characters and byte strings of so many bytes, or more, aside as datums.
    ///
    /// # Errors
    ///
    /// The threshold is below the smallest that the reference accepts, 1024.
    pub fn max_value_size(mut self, size: usize) -> Result<Self, Error> {
        if size < Thresholds::MIN_MAX_VALUE_SIZE {
            return Err(ErrorKind::Threshold { found: size, least: Thresholds::MIN_MAX_VALUE_SIZE }.into());
        }
        self.max_value_size = size;
        Ok(self)
    }

    /// Takes datum ids from this source.
    #[must_use]
    pub fn ids(mut self, ids: DatumIds) -> Self {
        self.ids = ids;
        self
    }

    /// Encodes an object, arrays inside.
    ///
    /// # Errors
    ///
    /// As [`encode`].
    pub fn encode(&mut self, value: &Value) -> Result<Encoded, Error> {
        self.encode_with(value, &mut Inline)
    }

    /// Encodes an object; a policy says what becomes of its arrays.
    ///
    /// # Errors
    ///
    /// As [`encode`]; and those of the policy.
    pub fn encode_with(&mut self, value: &Value, policy: &mut dyn ArrayPolicy) -> Result<Encoded, Error> {
        let mut writer = Writer::new(self.usual, self.max_value_size, &mut self.ids, policy);
        writer.value(value, self.depth)?;
        let (segments, written) = writer.finish()?;
        // The next container will hardly differ much.
        self.usual = written + 64;
        Ok(Encoded { segments })
    }
}
