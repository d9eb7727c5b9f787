//! Bytes that may lie in several received segments, and are joined only if somebody needs them in one piece.

use core::fmt;

use bytes::{Bytes, BytesMut};

/// A byte string as it arrived: one slice, or several if it was received in several segments.
///
/// Cloning shares the bytes. Two blobs are equal if their bytes are, however they are cut.
#[derive(Clone)]
pub struct Blob(Repr);

#[derive(Clone)]
enum Repr {
    One(Bytes),
    Many(Box<[Bytes]>),
}

impl Blob {
    /// A blob of these segments, in order; empty ones are dropped.
    pub fn from_segments(mut segments: Vec<Bytes>) -> Self {
        segments.retain(|segment| !segment.is_empty());
        if segments.len() > 1 {
            return Self(Repr::Many(segments.into_boxed_slice()));
        }
        Self(Repr::One(segments.pop().unwrap_or_default()))
    }

    /// Length in bytes, linear in the number of segments.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::One(bytes) => bytes.len(),
            Repr::Many(segments) => segments.iter().map(Bytes::len).sum(),
        }
    }

    /// Whether there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The segments, none of them empty unless the blob is.
    pub fn segments(&self) -> &[Bytes] {
        match &self.0 {
            Repr::One(bytes) => core::slice::from_ref(bytes),
            Repr::Many(segments) => segments,
        }
    }

    /// The bytes, if they lie in one segment.
    pub fn contiguous(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::One(bytes) => Some(bytes),
            Repr::Many(_) => None,
        }
    }

    /// The bytes in one piece: shared if they are in one segment already, copied otherwise.
    pub fn to_bytes(&self) -> Bytes {
        match &self.0 {
            Repr::One(bytes) => bytes.clone(),
            Repr::Many(segments) => {
                let mut joined = BytesMut::with_capacity(self.len());
                for segment in segments {
                    joined.extend_from_slice(segment);
                }
                joined.freeze()
            }
        }
    }

    /// Joins the segments in place, so that [`contiguous`](Self::contiguous) answers from now on.
    pub fn make_contiguous(&mut self) -> &Bytes {
        if matches!(self.0, Repr::Many(_)) {
            self.0 = Repr::One(self.to_bytes());
        }
        match &self.0 {
            Repr::One(bytes) => bytes,
            // Replaced above.
            Repr::Many(segments) => segments.first().unwrap_or(&EMPTY),
        }
    }

    /// Cuts the blob in two at `at`, or gives it back if it is shorter than that. Copies nothing.
    pub fn split_at(&self, at: usize) -> Option<(Self, Self)> {
        if let Repr::One(bytes) = &self.0 {
            if at > bytes.len() {
                return None;
            }
            return Some((bytes.slice(..at).into(), bytes.slice(at..).into()));
        }
        let mut front = Vec::new();
        let mut back = Vec::new();
        let mut left = at;
        for segment in self.segments() {
            let cut = left.min(segment.len());
            front.push(segment.slice(..cut));
            back.push(segment.slice(cut..));
            left -= cut;
        }
        (left == 0).then(|| (Self::from_segments(front), Self::from_segments(back)))
    }

    /// The bytes, one by one, across the segments.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        self.segments().iter().flat_map(|segment| segment.iter().copied())
    }
}

static EMPTY: Bytes = Bytes::new();

impl From<Bytes> for Blob {
    fn from(bytes: Bytes) -> Self {
        Self(Repr::One(bytes))
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Repr::One(bytes.into()))
    }
}

impl From<&'static [u8]> for Blob {
    fn from(bytes: &'static [u8]) -> Self {
        Self(Repr::One(Bytes::from_static(bytes)))
    }
}

impl Default for Blob {
    fn default() -> Self {
        Bytes::new().into()
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::One(ours), Repr::One(theirs)) => ours == theirs,
            _ => self.len() == other.len() && self.iter().eq(other.iter()),
        }
    }
}

impl Eq for Blob {}

/// The length and the first bytes; a model does not belong in a log.
impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 16;
        write!(f, "{} bytes", self.len())?;
        for (at, byte) in self.iter().take(SHOWN).enumerate() {
            write!(f, "{}{byte:02x}", if at == 0 { ": " } else { "" })?;
        }
        if self.len() > SHOWN { f.write_str("…") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_goes_through_segments() {
        let blob = Blob::from_segments(vec![Bytes::from_static(b"abc"), Bytes::new(), Bytes::from_static(b"def")]);
        assert_eq!(blob.segments().len(), 2);
        for at in 0..=6 {
            let (front, back) = blob.split_at(at).unwrap();
            let joined = [front.to_bytes(), back.to_bytes()].concat();
            assert_eq!((front.len(), joined.as_slice()), (at, b"abcdef".as_slice()));
        }
        assert!(blob.split_at(7).is_none());
        assert_eq!(blob, Blob::from(&b"abcdef"[..]));
        assert_eq!(blob.clone().make_contiguous().as_ref(), b"abcdef");
        assert_eq!(size_of::<Blob>(), 32);
    }
}
