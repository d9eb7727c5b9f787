//! Long lists of plain numbers, kept as msgpack: a history of a million losses costs the bytes that it came in.

use bytes::Bytes;

use crate::Value;
use crate::msgpack::{self, Head};

/// A list of numbers, truth values and nothings in its msgpack form.
///
/// The decoder makes one of a list of [`Numbers::LEAST`] or more such items. It is read through [`Value::items`] or
/// [`Numbers::iter`] and encodes to the bytes that it came in.
#[derive(Clone)]
pub struct Numbers {
    items: Bytes,
    len: u32,
}

impl Numbers {
    /// Shorter lists are held as items.
    pub const LEAST: u32 = 32;

    /// The items of a list, which the caller has found to be plain.
    pub(crate) const fn from_checked(items: Bytes, len: u32) -> Self {
        Self { items, len }
    }

    /// Length, if the first `len` values of these bytes are all plain.
    pub(crate) fn measure(bytes: &[u8], len: u32) -> Option<usize> {
        let mut rest = bytes;
        for _ in 0..len {
            let (_, after) = plain(rest)?;
            rest = after;
        }
        bytes.len().checked_sub(rest.len())
    }

    /// Number of items.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no item.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The items.
    pub fn iter(&self) -> NumbersIter<'_> {
        NumbersIter { rest: &self.items, left: self.len }
    }

    /// The items as msgpack, without the head of the list.
    pub(crate) const fn raw(&self) -> &Bytes {
        &self.items
    }

    pub(crate) const fn count(&self) -> u32 {
        self.len
    }
}

/// The first value of some bytes if it is plain, and the rest.
fn plain(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let (head, rest) = msgpack::head(bytes)?;
    let value = match head {
        Head::Null => Value::Null,
        Head::Bool(bit) => Value::Bool(bit),
        Head::Int(number) => Value::Int(number),
        Head::UInt(number) => Value::UInt(number),
        Head::Float(number) => Value::Float(number),
        _ => return None,
    };
    Some((value, rest))
}

/// The items of [`Numbers`].
#[derive(Clone, Debug)]
pub struct NumbersIter<'a> {
    rest: &'a [u8],
    left: u32,
}

impl Iterator for NumbersIter<'_> {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        let (value, rest) = plain(self.rest)?;
        self.rest = rest;
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl ExactSizeIterator for NumbersIter<'_> {}

impl<'a> IntoIterator for &'a Numbers {
    type Item = Value;
    type IntoIter = NumbersIter<'a>;

    fn into_iter(self) -> NumbersIter<'a> {
        self.iter()
    }
}

/// The number of items; a history does not belong in a log.
impl core::fmt::Debug for Numbers {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} numbers", self.len)
    }
}
