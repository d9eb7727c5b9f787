//! Values of headers, as they are read and as they are written.

use core::fmt;

use fedcell_fobs::msgpack::{self, Head};

use super::HeaderMap;

/// One whole msgpack value as it stands on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RawValue<'a>(&'a [u8]);

impl<'a> RawValue<'a> {
    /// For bytes that are known to be exactly one value.
    pub(super) const fn from_whole(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The encoded value.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    fn head(self) -> (Head, &'a [u8]) {
        msgpack::head(self.0).unwrap_or((Head::Reserved, &[]))
    }

    /// Whether the value is nil, Python's `None`.
    #[must_use]
    pub fn is_nil(self) -> bool {
        self.head().0 == Head::Null
    }

    /// The text, if it is one in UTF-8.
    #[must_use]
    pub fn as_text(self) -> Option<&'a str> {
        match self.head() {
            (Head::Str(_), rest) => core::str::from_utf8(rest).ok(),
            _ => None,
        }
    }

    /// The truth value, if it is one; of a whole number, whether it is not 0, which is how the reference takes one.
    #[must_use]
    pub fn as_flag(self) -> Option<bool> {
        match self.head().0 {
            Head::Bool(flag) => Some(flag),
            Head::Int(number) => Some(number != 0),
            Head::UInt(_) => Some(true),
            _ => None,
        }
    }

    /// The whole number, if it is one that fits.
    #[must_use]
    pub fn as_integer(self) -> Option<i64> {
        match self.head().0 {
            Head::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The number, if it is one; a whole number above 2^53 is rounded.
    #[must_use]
    pub fn as_number(self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "said in the documentation")]
        match self.head().0 {
            Head::Float(number) => Some(number),
            Head::Int(number) => Some(number as f64),
            Head::UInt(number) => Some(number as f64),
            _ => None,
        }
    }

    /// The byte string, if it is one.
    #[must_use]
    pub fn as_blob(self) -> Option<&'a [u8]> {
        match self.head() {
            (Head::Bin(_), rest) => Some(rest),
            _ => None,
        }
    }

    /// One text or a list of texts, if it is either.
    #[must_use]
    pub fn as_texts(self) -> Option<Texts<'a>> {
        let texts = Texts(self.0);
        match self.head().0 {
            Head::Str(_) => self.as_text().map(|_| texts),
            Head::Array(_) => self.items()?.all(|item| item.as_text().is_some()).then_some(texts),
            _ => None,
        }
    }

    /// The items of a list, if it is one.
    pub fn items(self) -> Option<impl Iterator<Item = Self>> {
        match self.head() {
            (Head::Array(_), rest) => Some(Values(rest)),
            _ => None,
        }
    }
}

/// The text, number or truth value; of anything else only what it is.
impl fmt::Debug for RawValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.head().0 {
            Head::Null => f.write_str("nil"),
            Head::Bool(flag) => write!(f, "{flag}"),
            Head::Int(number) => write!(f, "{number}"),
            Head::UInt(number) => write!(f, "{number}"),
            Head::Float(number) => write!(f, "{number}"),
            Head::Str(_) => write!(f, "{:?}", self.as_text().unwrap_or("(not UTF-8)")),
            Head::Bin(len) => write!(f, "({len} bytes)"),
            Head::Array(_) => {
                let mut list = f.debug_list();
                for item in self.items().into_iter().flatten() {
                    list.entry(&item);
                }
                list.finish()
            }
            Head::Map(len) => write!(f, "({len} entries)"),
            Head::Ext(..) | Head::Reserved => f.write_str("(other)"),
        }
    }
}

/// Whole values one behind the other.
#[derive(Debug, Clone)]
struct Values<'a>(&'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = RawValue<'a>;

    fn next(&mut self) -> Option<RawValue<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let rest = msgpack::skip(self.0)?;
        let (value, rest) = self.0.split_at_checked(self.0.len() - rest.len())?;
        self.0 = rest;
        Some(RawValue(value))
    }
}

/// One text or a list of texts: what stands in `cn__req_id`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Texts<'a>(&'a [u8]);

impl<'a> Texts<'a> {
    /// The texts, one if it is no list.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        let values = match msgpack::head(self.0) {
            Some((Head::Array(_), rest)) => rest,
            _ => self.0,
        };
        Values(values).filter_map(RawValue::as_text)
    }

    /// The text if there is exactly one, in a list or not.
    #[must_use]
    pub fn single(self) -> Option<&'a str> {
        let mut texts = self.iter();
        texts.next().filter(|_| texts.next().is_none())
    }

    /// The value as it stands on the wire, to be put into another map.
    #[must_use]
    pub const fn as_raw(self) -> RawValue<'a> {
        RawValue(self.0)
    }
}

impl fmt::Debug for Texts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A value to be written.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum HeaderValue<'a> {
    /// Python's `None`.
    Nil,
    /// A truth value.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A whole number without a sign.
    Unsigned(u64),
    /// A number with 64-bit floating point.
    Number(f64),
    /// Text.
    Text(&'a str),
    /// A byte string.
    Blob(&'a [u8]),
    /// A list of texts.
    Texts(&'a [&'a str]),
    /// A map.
    Map(&'a HeaderMap),
    /// A value that came from another map.
    Raw(RawValue<'a>),
}

impl HeaderValue<'_> {
    /// Appends the value in its shortest form.
    pub(super) fn write_to(self, out: &mut Vec<u8>) {
        match self {
            Self::Nil => msgpack::put_null(out),
            Self::Flag(flag) => msgpack::put_bool(out, flag),
            Self::Integer(number) => msgpack::put_int(out, number),
            Self::Unsigned(number) => msgpack::put_uint(out, number),
            Self::Number(number) => msgpack::put_float(out, number),
            Self::Text(text) => put_text(out, text),
            Self::Blob(bytes) => {
                msgpack::put_bin_head(out, length(bytes.len()));
                out.extend_from_slice(bytes);
            }
            Self::Texts(texts) => {
                msgpack::put_array_head(out, length(texts.len()));
                for text in texts {
                    put_text(out, text);
                }
            }
            Self::Map(map) => map.write_map(out),
            Self::Raw(value) => out.extend_from_slice(value.as_bytes()),
        }
    }
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    msgpack::put_str_head(out, length(text.len()));
    out.extend_from_slice(text.as_bytes());
}

/// A length as the format states it. Values beyond 4 GiB cannot be stated; the cap on headers refuses them at 64 KiB.
pub(super) fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

macro_rules! from {
    ($($source:ty => $variant:ident;)+) => {$(
        impl<'a> From<$source> for HeaderValue<'a> {
            fn from(value: $source) -> Self {
                Self::$variant(value.into())
            }
        }
    )+};
}

from! {
    bool => Flag;
    i32 => Integer;
    i64 => Integer;
    u16 => Unsigned;
    u32 => Unsigned;
    u64 => Unsigned;
    f64 => Number;
    &'a str => Text;
    &'a [u8] => Blob;
    &'a [&'a str] => Texts;
    &'a HeaderMap => Map;
    RawValue<'a> => Raw;
}

impl From<usize> for HeaderValue<'_> {
    fn from(number: usize) -> Self {
        Self::Unsigned(number as u64)
    }
}

impl<'a> From<crate::address::Fqcn<'a>> for HeaderValue<'a> {
    fn from(address: crate::address::Fqcn<'a>) -> Self {
        Self::Text(address.as_str())
    }
}

impl<'a> From<Texts<'a>> for HeaderValue<'a> {
    fn from(texts: Texts<'a>) -> Self {
        Self::Raw(texts.as_raw())
    }
}
