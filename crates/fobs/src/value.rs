//! The object model: what msgpack carries, and the types that FOBS adds.

use std::borrow::Cow;

use bytes::Bytes;

use crate::array::Array;
use crate::{ArrayRef, Blob, DateTime, Datum, EnumMember, Ext, Map, Numbers, Object, Scalar, Text};

/// Any object that a FOBS container can hold.
///
/// Two values are equal if they mean the same on the wire: floats by their bits (a NaN equals itself, zero does not
/// equal minus zero), maps with the order of their entries.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Value {
    /// Python's `None`.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number that fits 64 bits with a sign.
    Int(i64),
    /// A whole number above the range of [`Value::Int`]; `From<u64>` chooses between the two.
    UInt(u64),
    /// A number with 64-bit floating point, the only float of the format.
    Float(f64),
    /// Text.
    Str(Text),
    /// A byte string.
    Bytes(Blob),
    /// A list.
    List(Vec<Self>),
    /// A long list of plain numbers, kept as it arrived; see [`Value::items`].
    Numbers(Box<Numbers>),
    /// A dict.
    Map(Map),
    /// A msgpack extension value, among them msgpack's own timestamp.
    Ext(Box<Ext>),
    /// A tuple.
    Tuple(Vec<Self>),
    /// A set, in the order in which it stands on the wire.
    Set(Vec<Self>),
    /// An ordered dict.
    OrderedDict(Map),
    /// A date and time.
    DateTime(DateTime),
    /// A member of an enum.
    Enum(Box<EnumMember>),
    /// A numpy scalar.
    Scalar(Scalar),
    /// A numpy array.
    Array(Box<Array>),
    /// An array that is elsewhere, to be downloaded.
    Remote(Box<ArrayRef>),
    /// A datum that an application made.
    Datum(Box<Datum>),
    /// Any other typed object: its type's name and its reduced form.
    Object(Box<Object>),
}

impl Value {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(bit) => Some(*bit),
            _ => None,
        }
    }

    /// The whole number, if it is one and fits; numpy scalars count.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Int(number) | Self::Scalar(Scalar::Int64(number)) => Some(number),
            Self::Scalar(Scalar::Int32(number)) => Some(i64::from(number)),
            _ => None,
        }
    }

    /// The whole number, if it is one and not negative; numpy scalars count.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::UInt(number) => Some(number),
            _ => self.as_i64().and_then(|number| u64::try_from(number).ok()),
        }
    }

    /// The number as a float, if it is a number of any kind; a whole number above 2^53 is rounded.
    pub fn as_f64(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "said in the documentation")]
        match *self {
            Self::Float(number) | Self::Scalar(Scalar::Float64(number)) => Some(number),
            Self::Scalar(Scalar::Float32(number)) => Some(f64::from(number)),
            Self::UInt(number) => Some(number as f64),
            _ => self.as_i64().map(|number| number as f64),
        }
    }

    /// The byte string, if it is one.
    pub const fn as_blob(&self) -> Option<&Blob> {
        match self {
            Self::Bytes(blob) => Some(blob),
            _ => None,
        }
    }

    /// The map, if it is a dict, ordered or not.
    pub const fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) | Self::OrderedDict(map) => Some(map),
            _ => None,
        }
    }

    /// The map, to be changed, if it is a dict, ordered or not.
    pub const fn as_map_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Map(map) | Self::OrderedDict(map) => Some(map),
            _ => None,
        }
    }

    /// The array, if it is one and here.
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The typed object, if it is one without a variant of its own.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Whether it is `None`.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The items of a list, tuple or set, in whichever form a list is held.
    pub fn items(&self) -> Option<Items<'_>> {
        Some(Items(match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => Source::Items(items.iter()),
            Self::Numbers(numbers) => Source::Numbers(numbers.iter()),
            _ => return None,
        }))
    }

    /// What kind of value it is, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "none",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::UInt(_) => "integer",
            Self::Float(_) => "float",
            Self::Str(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) | Self::Numbers(_) => "list",
            Self::Map(_) => "map",
            Self::Ext(_) => "msgpack extension",
            Self::Tuple(_) => "tuple",
            Self::Set(_) => "set",
            Self::OrderedDict(_) => "ordered dict",
            Self::DateTime(_) => "datetime",
            Self::Enum(_) => "enum member",
            Self::Scalar(_) => "numpy scalar",
            Self::Array(_) => "array",
            Self::Remote(_) => "download reference",
            Self::Datum(_) => "datum",
            Self::Object(_) => "typed object",
        }
    }

    /// Whether Python allows it as the key of a dict or the member of a set.
    pub(crate) fn is_hashable(&self) -> bool {
        match self {
            Self::Tuple(items) => items.iter().all(Self::is_hashable),
            Self::List(_) | Self::Numbers(_) | Self::Map(_) | Self::Set(_) | Self::OrderedDict(_) | Self::Array(_) => {
                false
            }
            _ => true,
        }
    }
}

/// The items of a list, tuple or set.
#[derive(Clone, Debug)]
pub struct Items<'a>(Source<'a>);

#[derive(Clone, Debug)]
enum Source<'a> {
    Items(core::slice::Iter<'a, Value>),
    Numbers(crate::numbers::NumbersIter<'a>),
}

impl<'a> Iterator for Items<'a> {
    type Item = Cow<'a, Value>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Source::Items(items) => items.next().map(Cow::Borrowed),
            Source::Numbers(numbers) => numbers.next().map(Cow::Owned),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Source::Items(items) => items.size_hint(),
            Source::Numbers(numbers) => numbers.size_hint(),
        }
    }
}

impl ExactSizeIterator for Items<'_> {}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(ours), Self::Bool(theirs)) => ours == theirs,
            (Self::Int(ours), Self::Int(theirs)) => ours == theirs,
            (Self::UInt(ours), Self::UInt(theirs)) => ours == theirs,
            (Self::Float(ours), Self::Float(theirs)) => ours.to_bits() == theirs.to_bits(),
            (Self::Str(ours), Self::Str(theirs)) => ours == theirs,
            (Self::Bytes(ours), Self::Bytes(theirs)) => ours == theirs,
            (Self::List(_) | Self::Numbers(_), Self::List(_) | Self::Numbers(_)) => {
                self.items().zip(other.items()).is_some_and(|(ours, theirs)| ours.eq(theirs))
            }
            (Self::Tuple(ours), Self::Tuple(theirs)) | (Self::Set(ours), Self::Set(theirs)) => ours == theirs,
            (Self::Map(ours), Self::Map(theirs)) | (Self::OrderedDict(ours), Self::OrderedDict(theirs)) => {
                ours == theirs
            }
            (Self::Ext(ours), Self::Ext(theirs)) => ours == theirs,
            (Self::DateTime(ours), Self::DateTime(theirs)) => ours == theirs,
            (Self::Enum(ours), Self::Enum(theirs)) => ours == theirs,
            (Self::Scalar(ours), Self::Scalar(theirs)) => ours == theirs,
            (Self::Array(ours), Self::Array(theirs)) => ours == theirs,
            (Self::Remote(ours), Self::Remote(theirs)) => ours == theirs,
            (Self::Datum(ours), Self::Datum(theirs)) => ours == theirs,
            (Self::Object(ours), Self::Object(theirs)) => ours == theirs,
            _ => false,
        }
    }
}

impl Eq for Value {}

macro_rules! from {
    ($($source:ty => |$value:ident| $made:expr;)+) => {$(
        impl From<$source> for Value {
            fn from($value: $source) -> Self {
                $made
            }
        }
    )+};
}

from! {
    bool => |bit| Self::Bool(bit);
    i32 => |number| Self::Int(number.into());
    u32 => |number| Self::Int(number.into());
    i64 => |number| Self::Int(number);
    u64 => |number| i64::try_from(number).map_or(Self::UInt(number), Self::Int);
    f64 => |number| Self::Float(number);
    &str => |text| Self::Str(text.into());
    String => |text| Self::Str(text.into());
    Text => |text| Self::Str(text);
    Bytes => |bytes| Self::Bytes(bytes.into());
    Blob => |blob| Self::Bytes(blob);
    Map => |map| Self::Map(map);
    Vec<Value> => |items| Self::List(items);
    DateTime => |moment| Self::DateTime(moment);
    EnumMember => |member| Self::Enum(Box::new(member));
    Scalar => |scalar| Self::Scalar(scalar);
    Array => |array| Self::Array(Box::new(array));
    ArrayRef => |reference| Self::Remote(Box::new(reference));
    Datum => |datum| Self::Datum(Box::new(datum));
    Object => |object| Self::Object(Box::new(object));
}

/// Nothing becomes `None`.
impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_as_large_as_its_text() {
        assert_eq!(size_of::<Value>(), 40);
    }
}
