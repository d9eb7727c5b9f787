//! Request ids: what correlates a reply with its request.

use core::borrow::Borrow;
use core::fmt;
use std::sync::Arc;

/// The id of a request, shared by all its targets. Ours are UUIDs of version 4; those of peers may be any text.
///
/// Clones share the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// An id as it came in a header.
    #[must_use]
    pub fn from_wire(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The UUID of version 4 made from these random bytes; six of the 128 bits are fixed by the version.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for (position, byte) in bytes.iter_mut().enumerate() {
            match position {
                6 => *byte = (*byte & 0x0f) | 0x40,
                8 => *byte = (*byte & 0x3f) | 0x80,
                _ => {}
            }
        }
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 0x0f)).copied().unwrap_or(b'0');
        let mut text = [b'-'; 36];
        let mut rest = text.as_mut_slice();
        for (position, byte) in bytes.into_iter().enumerate() {
            if matches!(position, 4 | 6 | 8 | 10) {
                rest = rest.split_first_mut().map_or(&mut [], |(_hyphen, behind)| behind);
            }
            let Some((pair, behind)) = rest.split_first_chunk_mut::<2>() else { break };
            *pair = [digit(byte >> 4), digit(byte)];
            rest = behind;
        }
        // Digits and hyphens are text.
        Self(Arc::from(core::str::from_utf8(&text).unwrap_or_default()))
    }

    /// The id as it stands in the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RequestId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.0)
    }
}

/// Where random bytes for ids come from: the operating system in production, a seed in a test.
pub trait IdSource: Send {
    /// Sixteen bytes that nobody can foresee.
    fn next_bytes(&mut self) -> [u8; 16];
}

impl<F: FnMut() -> [u8; 16] + Send> IdSource for F {
    fn next_bytes(&mut self) -> [u8; 16] {
        self()
    }
}
