//! Decoding: from the received segments to an object whose texts and arrays are views of them.

use bytes::Bytes;

use crate::budget::{Budget, Ledger};
use crate::error::{Error, ErrorKind};
use crate::key;
use crate::msgpack::Head;
use crate::object::Ext;
use crate::reader::Reader;
use crate::section::Sections;
use crate::{Map, Numbers, Text, Value, distinct, names};

/// Decodes a container with the default [`Budget`].
///
/// `segments` are the bytes as they were received, cut anywhere. Arrays and long texts of the result are views of
/// them, and keep them alive; nothing is copied but what a cut goes through.
///
/// # Errors
///
/// The bytes are no container, or cost more than the budget; see [`ErrorKind`]. There is no partial object.
pub fn decode(segments: &[Bytes]) -> Result<Value, Error> {
    decode_within(segments, &Budget::default())
}

/// Decodes a container within a budget of the caller's.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_within(segments: &[Bytes], budget: &Budget) -> Result<Value, Error> {
    let reader = Reader::new(segments);
    let mut ledger = Ledger::new(budget, reader.remaining());
    let depth = ledger.depth();
    let mut sections = Sections::split(reader, &mut ledger)?;
    let mut decoder = Decoder { ledger, sections: &mut sections };
    let mut value = Value::Null;
    decoder.value(depth, &mut value)?;
    match sections.main.remaining() {
        0 => Ok(value),
        count => Err(Error::at(ErrorKind::TrailingBytes { count }, sections.main.offset())),
    }
}

/// An envelope's parts, before anybody looks at its type.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) type_name: Text,
    pub(crate) data: Value,
    pub(crate) decomposer: Option<Text>,
    pub(crate) extra: Map,
}

pub(crate) struct Decoder<'d, 'a> {
    pub(crate) ledger: Ledger<'d>,
    pub(crate) sections: &'d mut Sections<'a>,
}

// Values are decoded into their place: passing 40 bytes through results costs more than decoding them.
impl Decoder<'_, '_> {
    /// Decodes one value that may hold `depth` further levels.
    #[inline]
    fn value(&mut self, depth: usize, out: &mut Value) -> Result<(), Error> {
        let start = self.sections.main.offset();
        self.ledger.item().map_err(|error| error.or_at(start))?;
        *out = match self.sections.main.head()? {
            Head::Str(len) => return self.text(len, start, out),
            Head::Map(len) => return self.map(len, depth, start, out),
            Head::Array(len) => return self.list(len, depth, start, out),
            Head::Int(number) => Value::Int(number),
            Head::Float(number) => Value::Float(number),
            Head::Bool(bit) => Value::Bool(bit),
            Head::Null => Value::Null,
            Head::Bin(len) => Value::Bytes(self.sections.main.blob(len as usize, &mut self.ledger)?),
            Head::UInt(number) => Value::UInt(number),
            Head::Ext(code, len) => {
                self.ledger.vec::<Ext>(1).map_err(|error| error.or_at(start))?;
                let data = self.sections.main.blob(len as usize, &mut self.ledger)?;
                Value::Ext(Box::new(Ext { code, data }))
            }
            Head::Reserved => return Err(Error::at(ErrorKind::ReservedByte, start)),
        };
        Ok(())
    }

    /// Decodes a value that stands by itself.
    fn single(&mut self, depth: usize) -> Result<Value, Error> {
        let mut value = Value::Null;
        self.value(depth, &mut value)?;
        Ok(value)
    }

    #[inline]
    fn text(&mut self, len: u32, start: usize, out: &mut Value) -> Result<(), Error> {
        self.ledger.text_length(len as usize).map_err(|error| error.or_at(start))?;
        self.sections.main.text_value(len as usize, &mut self.ledger, out)
    }

    /// Takes the price of a level, and of `declared` parts of `size` bytes each, before any of it is allocated.
    fn enter(
        &mut self,
        depth: usize,
        what: &'static str,
        declared: u32,
        least: usize,
        start: usize,
    ) -> Result<usize, Error> {
        let available = self.sections.main.remaining();
        if (declared as usize).saturating_mul(least) > available {
            return Err(Error::at(ErrorKind::DeclaredLength { what, declared, available }, start));
        }
        depth.checked_sub(1).ok_or_else(|| Error::at(ErrorKind::Depth { limit: self.ledger.depth() }, start))
    }

    fn list(&mut self, len: u32, depth: usize, start: usize, out: &mut Value) -> Result<(), Error> {
        let depth = self.enter(depth, "list", len, 1, start)?;
        if len >= Numbers::LEAST
            && let Some(size) = self.sections.main.measure_plain(len)
        {
            self.ledger
                .items(len as usize)
                .and_then(|()| self.ledger.vec::<Numbers>(1))
                .map_err(|error| error.or_at(start))?;
            let items = self.sections.main.joined(size, &mut self.ledger)?;
            *out = Value::Numbers(Box::new(Numbers::from_checked(items, len)));
            return Ok(());
        }
        self.ledger.vec::<Value>(len as usize).map_err(|error| error.or_at(start))?;
        let mut items = Vec::with_capacity(len as usize);
        for at in 0..len {
            self.value(depth, items.push_mut(const { Value::Null })).map_err(|error| error.in_item(at as usize))?;
        }
        *out = Value::List(items);
        Ok(())
    }

    fn map(&mut self, len: u32, depth: usize, start: usize, out: &mut Value) -> Result<(), Error> {
        let depth = self.enter(depth, "map", len, 2, start)?;
        if len > 0 && self.sections.main.take_if(&key::PACKED_TYPE) {
            self.ledger.item().map_err(|error| error.or_at(start))?;
            let envelope = self.envelope(len - 1, depth, start)?;
            *out = self.recompose(envelope).map_err(|error| error.or_at(start))?;
            return Ok(());
        }
        self.ledger
            .vec::<(Value, Value)>(len as usize)
            .and_then(|()| self.ledger.heap(distinct::table_bytes(len as usize)))
            .map_err(|error| error.or_at(start))?;
        let mut entries = Vec::with_capacity(len as usize);
        let mut typed = false;
        for _ in 0..len {
            let (key, value) = entries.push_mut(const { (Value::Null, Value::Null) });
            self.key(depth, key)?;
            typed |= is_key(key, key::TYPE);
            self.value(depth, value).map_err(|error| in_entry(error, key))?;
        }
        distinct::merge_repeated(&mut entries);
        *out = if typed {
            let envelope = self.envelope_of(entries, start)?;
            self.recompose(envelope).map_err(|error| error.or_at(start))?
        } else {
            Value::Map(Map::from_distinct(entries))
        };
        Ok(())
    }

    #[inline]
    fn key(&mut self, depth: usize, out: &mut Value) -> Result<(), Error> {
        let start = self.sections.main.offset();
        self.value(depth, out)?;
        match out {
            Value::Str(text) => self.ledger.key_length(text.len()).map_err(|error| error.or_at(start)),
            other if other.is_hashable() => Ok(()),
            other => Err(Error::at(ErrorKind::Unhashable { found: other.kind() }, start)),
        }
    }

    /// Decodes the entries of an envelope whose first key has been taken, without a map in between.
    fn envelope(&mut self, left: u32, depth: usize, start: usize) -> Result<Envelope, Error> {
        let mut type_name = self.name(depth).map_err(|error| error.or_at(start))?;
        let (mut data, mut decomposer, mut extra) = (None, None, Vec::new());
        for _ in 0..left {
            if self.sections.main.take_if(&key::PACKED_DATA) {
                self.ledger.item().map_err(|error| error.or_at(start))?;
                data = Some(self.single(depth)?);
            } else if self.sections.main.take_if(&key::PACKED_DECOMPOSER) {
                self.ledger.item().map_err(|error| error.or_at(start))?;
                decomposer = self.decomposer(depth).map_err(|error| error.or_at(start))?;
            } else {
                // Not as the reference writes it, but allowed: long heads, repeated keys, keys that nobody knows.
                let mut key = Value::Null;
                self.key(depth, &mut key)?;
                if is_key(&key, key::TYPE) {
                    type_name = self.name(depth).map_err(|error| error.or_at(start))?;
                } else if is_key(&key, key::DATA) {
                    data = Some(self.single(depth)?);
                } else if is_key(&key, key::DECOMPOSER) {
                    decomposer = self.decomposer(depth).map_err(|error| error.or_at(start))?;
                } else {
                    let value = self.single(depth).map_err(|error| in_entry(error, &key))?;
                    // The vector may have grown to twice what it holds, and have been moved.
                    self.ledger.vec::<(Value, Value)>(4).map_err(|error| error.or_at(start))?;
                    extra.push((key, value));
                }
            }
        }
        let Some(data) = data else {
            return Err(Error::at(ErrorKind::EnvelopeData { type_name }, start));
        };
        self.ledger.heap(distinct::table_bytes(extra.len())).map_err(|error| error.or_at(start))?;
        distinct::merge_repeated(&mut extra);
        Ok(Envelope { type_name, data, decomposer, extra: Map::from_distinct(extra) })
    }

    /// The parts of an envelope that came as a map with its keys in another order.
    fn envelope_of(&mut self, entries: Vec<(Value, Value)>, start: usize) -> Result<Envelope, Error> {
        self.ledger.vec::<(Value, Value)>(entries.len()).map_err(|error| error.or_at(start))?;
        let (mut type_name, mut data, mut decomposer) = (Value::Null, None, None);
        let mut extra = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if is_key(&key, key::TYPE) {
                type_name = value;
            } else if is_key(&key, key::DATA) {
                data = Some(value);
            } else if is_key(&key, key::DECOMPOSER) {
                decomposer = as_decomposer(value).map_err(|error| error.or_at(start))?;
            } else {
                extra.push((key, value));
            }
        }
        let type_name = as_name(type_name).map_err(|error| error.or_at(start))?;
        match data {
            Some(data) => Ok(Envelope { type_name, data, decomposer, extra: Map::from_distinct(extra) }),
            None => Err(Error::at(ErrorKind::EnvelopeData { type_name }, start)),
        }
    }

    /// The name of a type.
    fn name(&mut self, depth: usize) -> Result<Text, Error> {
        match self.interned() {
            Some(name) => Ok(name),
            None => as_name(self.single(depth)?),
        }
    }

    fn decomposer(&mut self, depth: usize) -> Result<Option<Text>, Error> {
        match self.interned() {
            Some(name) => Ok(Some(name)),
            None => as_decomposer(self.single(depth)?),
        }
    }

    /// A frequent name, taken without making a text of it.
    fn interned(&mut self) -> Option<Text> {
        // Frequent names are between 32 and 255 bytes long: a marker, a length, the name.
        let [0xd9, len, rest @ ..] = self.sections.main.window() else { return None };
        let name = names::interned(rest.get(..usize::from(*len))?)?;
        self.ledger.item().ok()?;
        self.sections.main.slice(usize::from(*len) + 2)?;
        Some(name)
    }
}

#[inline]
fn is_key(value: &Value, key: &[u8]) -> bool {
    matches!(value, Value::Str(text) if text.as_bytes() == key)
}

fn as_name(value: Value) -> Result<Text, Error> {
    match value {
        Value::Str(name) => Ok(name),
        other => Err(ErrorKind::EnvelopeType { found: other.kind() }.into()),
    }
}

/// A decomposer's name; none may be given in so many words.
fn as_decomposer(value: Value) -> Result<Option<Text>, Error> {
    match value {
        Value::Null => Ok(None),
        other => as_name(other).map(Some),
    }
}

/// The error, seen from the map that has the failing value under this key.
#[cold]
fn in_entry(error: Error, name: &Value) -> Error {
    match name {
        // The way through an envelope is not a step: it leads to what the envelope stands for.
        Value::Str(name) if [key::TYPE, key::DATA, key::DECOMPOSER].contains(&name.as_bytes()) => error,
        Value::Str(name) => error.in_field(name.clone()),
        Value::Int(number) => error.in_field(number.to_string()),
        Value::Enum(member) => error.in_field(member.member.clone()),
        other => error.in_field(other.kind()),
    }
}
