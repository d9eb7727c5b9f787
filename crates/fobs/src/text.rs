//! Text that mostly lives where it came from: inline if short, a slice of the received bytes if not.

use core::fmt;
use core::hash::{Hash, Hasher};

use bytes::Bytes;

/// Longest text, in bytes, that is kept inline: an id written as a UUID still is.
const INLINE: usize = 38;

/// UTF-8 text, immutable and cheap to clone.
///
/// A text of up to 38 bytes is stored in place, a longer one is a slice of the bytes that it was decoded from, or of
/// those that it was made from. Decoding therefore allocates nothing per key.
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, buffer: [u8; INLINE] },
    Shared(Bytes),
}

impl Text {
    /// The empty text.
    pub const EMPTY: Self = Self(Repr::Inline { len: 0, buffer: [0; INLINE] });

    /// A text that lives as long as the program, such as a word of the protocol; copies nothing.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Repr::Shared(Bytes::from_static(text.as_bytes())))
    }

    /// A text that is a slice of received bytes.
    ///
    /// # Errors
    ///
    /// The bytes are not UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, core::str::Utf8Error> {
        core::str::from_utf8(&bytes)?;
        Ok(Self::inline(&bytes).unwrap_or(Self(Repr::Shared(bytes))))
    }

    /// A text too long to be inline, of bytes that the caller has checked to be UTF-8.
    pub(crate) const fn from_utf8_checked(bytes: Bytes) -> Self {
        Self(Repr::Shared(bytes))
    }

    /// The text in place, if it is short enough; the caller has checked that it is UTF-8.
    #[inline]
    pub(crate) fn inline(bytes: &[u8]) -> Option<Self> {
        let mut buffer = [0; INLINE];
        buffer.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let len = u8::try_from(bytes.len()).ok()?;
        Some(Self(Repr::Inline { len, buffer }))
    }

    /// A short text at the beginning of some bytes, which the caller has checked to be UTF-8.
    ///
    /// Copies a row of bytes of a fixed size if there are that many: what follows the text is not looked at again.
    #[inline]
    pub(crate) fn inline_at_start(bytes: &[u8], len: usize) -> Option<Self> {
        match bytes.first_chunk::<INLINE>() {
            Some(chunk) if len <= INLINE => Some(Self(Repr::Inline { len: len.to_le_bytes()[0], buffer: *chunk })),
            _ => Self::inline(bytes.get(..len)?),
        }
    }

    /// The text as bytes; costs nothing, unlike [`as_str`](Self::as_str).
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, buffer } => buffer.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Shared(bytes) => bytes,
        }
    }

    /// The text. Checks UTF-8 again, since the crate forbids unsafe code: linear in the length, so keep the result
    /// instead of asking repeatedly for a long text.
    #[inline]
    pub fn as_str(&self) -> &str {
        // Every constructor has checked, so the default is never taken.
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Length in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Inline { len, .. } => usize::from(*len),
            Repr::Shared(bytes) => bytes.len(),
        }
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text as shared bytes: a reference for a long text, a copy of at most 38 bytes for a short one.
    pub fn to_bytes(&self) -> Bytes {
        match &self.0 {
            Repr::Inline { .. } => Bytes::copy_from_slice(self.as_bytes()),
            Repr::Shared(bytes) => bytes.clone(),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::inline(text.as_bytes()).unwrap_or_else(|| Self(Repr::Shared(Bytes::copy_from_slice(text.as_bytes()))))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::inline(text.as_bytes()).unwrap_or_else(|| Self(Repr::Shared(Bytes::from(text))))
    }
}

impl PartialEq for Text {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// The text itself.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_inline_and_long_ones_share() {
        let long = Bytes::from("x".repeat(INLINE + 1));
        let text = Text::from_utf8(long.clone()).unwrap();
        assert_eq!(text.as_bytes().as_ptr(), long.as_ptr());
        let short = long.slice(..INLINE);
        let text = Text::from_utf8(short.clone()).unwrap();
        assert_ne!(text.as_bytes().as_ptr(), short.as_ptr());
        assert_eq!(text.as_bytes(), &short);
        assert_eq!(size_of::<Text>(), 40);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        assert!(Text::from_utf8(Bytes::from_static(&[0xff])).is_err());
    }
}
