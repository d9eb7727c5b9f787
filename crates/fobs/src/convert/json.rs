//! A view of a value for JSON: what a person or a log wants to see. There is no way back.

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use crate::array::{Array, Kind};
use crate::{Blob, DatumContent, Map, Object, Scalar, Value};

/// A value as JSON, through any serializer of `serde`.
///
/// Lists, maps, numbers and texts are themselves. What JSON has no form for becomes an object with one key that begins
/// with a dollar sign: `$bytes`, `$array`, `$tuple`, `$set`, `$datetime`, `$enum`, `$remote`, `$datum`, `$type`,
/// `$float` for what is no finite number, `$entries` for a map with keys that are no text or that begin with a dollar
/// sign. Byte strings and arrays show their size, and their content up to a number of bytes or elements.
#[derive(Clone, Copy, Debug)]
pub struct JsonView<'a> {
    value: &'a Value,
    most: usize,
}

impl<'a> JsonView<'a> {
    /// The view of a value; of a byte string or an array the first 16 bytes or elements are shown.
    pub const fn new(value: &'a Value) -> Self {
        Self { value, most: 16 }
    }

    /// How many bytes of a byte string and elements of an array are shown.
    #[must_use]
    pub const fn showing(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    const fn of(&self, value: &'a Value) -> Self {
        Self { value, most: self.most }
    }
}

impl Serialize for JsonView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Null => serializer.serialize_none(),
            Value::Bool(bit) => serializer.serialize_bool(*bit),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::UInt(number) => serializer.serialize_u64(*number),
            Value::Float(number) => Float(*number).serialize(serializer),
            Value::Str(text) => serializer.serialize_str(text.as_str()),
            Value::Bytes(blob) => one(serializer, "$bytes", &Bytes { blob, most: self.most }),
            Value::List(_) | Value::Numbers(_) => Items(self).serialize(serializer),
            Value::Tuple(_) => one(serializer, "$tuple", &Items(self)),
            Value::Set(_) => one(serializer, "$set", &Items(self)),
            Value::Map(map) => Entries { map, view: self }.serialize(serializer),
            Value::OrderedDict(map) => one(serializer, "$ordered", &Entries { map, view: self }),
            Value::Ext(ext) => one(serializer, "$ext", &(ext.code, Bytes { blob: &ext.data, most: self.most })),
            Value::DateTime(moment) => one(serializer, "$datetime", &moment.to_string()),
            Value::Enum(member) => one(serializer, "$enum", &(member.type_name.as_str(), member.member.as_str())),
            Value::Scalar(scalar) => match *scalar {
                Scalar::Float64(number) => Float(number).serialize(serializer),
                Scalar::Float32(number) => Float(f64::from(number)).serialize(serializer),
                Scalar::Int64(number) => serializer.serialize_i64(number),
                Scalar::Int32(number) => serializer.serialize_i32(number),
            },
            Value::Array(array) => one(serializer, "$array", &Elements { array, most: self.most }),
            Value::Remote(item) => one(
                serializer,
                "$remote",
                &(item.source.fqcn.as_str(), item.source.ref_id.as_str(), item.item.as_str()),
            ),
            Value::Datum(datum) => match &datum.content {
                DatumContent::Text(text) => one(serializer, "$datum", text.as_str()),
                DatumContent::Blob(blob) | DatumContent::File(blob) => {
                    one(serializer, "$datum", &Bytes { blob, most: self.most })
                }
            },
            Value::Object(object) => Typed { object, view: self }.serialize(serializer),
        }
    }
}

fn one<S: Serializer, T: Serialize + ?Sized>(serializer: S, key: &'static str, value: &T) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

struct Float(f64);

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else {
            one(serializer, "$float", &self.0.to_string())
        }
    }
}

struct Items<'a>(&'a JsonView<'a>);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let items = self.0.value.items();
        let mut sequence = serializer.serialize_seq(items.as_ref().map(ExactSizeIterator::len))?;
        for item in items.into_iter().flatten() {
            sequence.serialize_element(&JsonView { value: &item, most: self.0.most })?;
        }
        sequence.end()
    }
}

struct Entries<'a> {
    map: &'a Map,
    view: &'a JsonView<'a>,
}

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = |key: &Value| key.as_str().is_some_and(|text| !text.starts_with('$'));
        if !self.map.iter().all(|(key, _)| plain(key)) {
            return one(serializer, "$entries", &Pairs(self));
        }
        let mut map = serializer.serialize_map(Some(self.map.len()))?;
        for (key, value) in self.map.iter() {
            map.serialize_entry(key.as_str().unwrap_or_default(), &self.view.of(value))?;
        }
        map.end()
    }
}

struct Pairs<'a>(&'a Entries<'a>);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Entries { map, view } = self.0;
        serializer.collect_seq(map.iter().map(|(key, value)| (view.of(key), view.of(value))))
    }
}

struct Typed<'a> {
    object: &'a Object,
    view: &'a JsonView<'a>,
}

impl Serialize for Typed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("$type", self.object.type_name().as_str())?;
        map.serialize_entry("$data", &self.view.of(self.object.data()))?;
        map.end()
    }
}

struct Bytes<'a> {
    blob: &'a Blob,
    most: usize,
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut hex = String::new();
        for byte in self.blob.iter().take(self.most) {
            for digit in [byte >> 4, byte & 0xf] {
                hex.extend(char::from_digit(u32::from(digit), 16));
            }
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("len", &self.blob.len())?;
        map.serialize_entry(if self.blob.len() > self.most { "begins" } else { "hex" }, &hex)?;
        map.end()
    }
}

struct Elements<'a> {
    array: &'a Array,
    most: usize,
}

impl Elements<'_> {
    /// The first elements, of any number type, as floats or whole numbers; none for other types.
    fn shown(&self) -> Option<Vec<Value>> {
        macro_rules! shown {
            ($($type:ty => $make:expr),+ $(,)?) => {
                $(if let Ok(elements) = self.array.elements::<$type>() {
                    return Some(elements.take(self.most).map($make).collect());
                })+
            };
        }
        if self.array.dtype().kind() == Kind::Bool {
            return Some(self.array.elements::<bool>().ok()?.take(self.most).map(Value::from).collect());
        }
        shown! {
            f32 => |number| Value::Float(f64::from(number)),
            f64 => Value::Float,
            i8 => |number| Value::Int(number.into()),
            i16 => |number| Value::Int(number.into()),
            i32 => |number| Value::Int(number.into()),
            i64 => Value::Int,
            u8 => |number| Value::Int(number.into()),
            u16 => |number| Value::Int(number.into()),
            u32 => |number| Value::Int(number.into()),
            u64 => Value::from,
        }
        None
    }
}

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("dtype", &self.array.dtype().to_string())?;
        map.serialize_entry("shape", self.array.shape())?;
        if let Some(shown) = self.shown() {
            let key = if self.array.len() > self.most { "begins" } else { "elements" };
            map.serialize_entry(key, &shown.iter().map(JsonView::new).collect::<Vec<_>>())?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EnumMember, Text};

    #[track_caller]
    fn check(value: impl Into<Value>, expected: &str) {
        assert_eq!(serde_json::to_string(&JsonView::new(&value.into()).showing(2)).unwrap(), expected);
    }

    #[test]
    fn each_kind_of_value_has_its_form() {
        check(Value::Null, "null");
        check(u64::MAX, "18446744073709551615");
        check(1.5, "1.5");
        check(f64::NAN, r#"{"$float":"NaN"}"#);
        check("tax \"1\"", r#""tax \"1\"""#);
        check(bytes::Bytes::from_static(b"\x01\xff\x10"), r#"{"$bytes":{"len":3,"begins":"01ff"}}"#);
        check(vec![Value::from(1), Value::from(true)], "[1,true]");
        check(Value::Tuple(vec![Value::from(1)]), r#"{"$tuple":[1]}"#);
        check(EnumMember::new("a.B", "C"), r#"{"$enum":["a.B","C"]}"#);
        check(
            Array::from_elements([3], &[1.0_f32, 2.0, 3.0]).unwrap(),
            r#"{"$array":{"dtype":"<f4","shape":[3],"begins":[1.0,2.0]}}"#,
        );
        check(Object::new("a.B", "c.D", 7), r#"{"$type":"a.B","$data":7}"#);
        let mut map = Map::new();
        map.insert("x", 1);
        check(map.clone(), r#"{"x":1}"#);
        map.insert(Value::from(2), Text::from_static("y"));
        check(map, r#"{"$entries":[["x",1],[2,"y"]]}"#);
    }

    #[test]
    fn a_key_cannot_feign_a_type() {
        let mut map = Map::new();
        map.insert("$type", "a.B");
        check(map, r#"{"$entries":[["$type","a.B"]]}"#);
    }
}
