//! Encoding: from an object to segments, of which those with arrays are the arrays' own bytes.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use fedcell_protocol_defs::fobs::{
    ArrayForm, ArrayKey, DataClassKey, DatumField, DecomposerName, SectionLayout, SectionMarker, Thresholds, TypeName,
};

use crate::array::Array;
use crate::error::{Error, ErrorKind};
use crate::policy::{ArrayPolicy, Inline, Placement};
use crate::sink::Sink;
use crate::{
    ArrayRef, Blob, Budget, Datum, DatumContent, DatumId, DatumIds, DownloadRef, Map, Object, Scalar, Text, Value,
    download, key, msgpack,
};

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
        let mut writer = Writer {
            sink: Sink::with_capacity(self.usual),
            max_value_size: self.max_value_size,
            ids: &mut self.ids,
            policy,
            scopes: Scope::default(),
            given: HashMap::new(),
            items: Vec::new(),
            passed_on: Vec::new(),
        };
        writer.sink.reserve_header();
        writer.value(value, self.depth)?;
        writer.finish(&mut self.usual)
    }
}

/// A datum that is to become a section.
struct Section {
    marker: SectionMarker,
    dot: u8,
    id: DatumId,
    /// What stands before the value and is not part of it: the header of an array's file.
    head: Vec<u8>,
    value: Blob,
}

/// Datums in the order in which the reference creates them: those of an envelope before those of envelopes within it.
#[derive(Default)]
struct Scope {
    own: Vec<Section>,
    inner: Vec<Section>,
}

struct Writer<'a> {
    sink: Sink,
    max_value_size: usize,
    ids: &'a mut DatumIds,
    policy: &'a mut dyn ArrayPolicy,
    scopes: Scope,
    /// Datums of the application that have a section already.
    given: HashMap<DatumId, Datum>,
    /// Arrays that are to be offered; the position is the number in the item id.
    items: Vec<Array>,
    /// Batches of others that the object refers to.
    passed_on: Vec<Arc<DownloadRef>>,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let out = self.sink.buffer();
        match value {
            Value::Str(text) => self.text(text),
            Value::Null => {
                msgpack::put_null(out);
                Ok(())
            }
            Value::Bool(bit) => {
                msgpack::put_bool(out, *bit);
                Ok(())
            }
            Value::Int(number) => {
                msgpack::put_int(out, *number);
                Ok(())
            }
            Value::UInt(number) => {
                msgpack::put_uint(out, *number);
                Ok(())
            }
            Value::Float(number) => {
                msgpack::put_float(out, *number);
                Ok(())
            }
            Value::Map(map) => self.map(map, depth),
            Value::List(items) => self.list(items, depth),
            Value::Numbers(numbers) => {
                msgpack::put_array_head(out, numbers.count());
                self.sink.splice(numbers.raw());
                Ok(())
            }
            Value::Bytes(blob) => self.bytes(blob),
            Value::Ext(ext) => {
                msgpack::put_ext_head(out, ext.code, length(ext.data.len())?);
                self.sink.splice_blob(&ext.data);
                Ok(())
            }
            Value::Tuple(items) => {
                self.envelope(TypeName::TUPLE, DecomposerName::TUPLE, |it| it.list(items, within(depth)?))
            }
            Value::Set(items) => self.envelope(TypeName::SET, DecomposerName::SET, |it| it.list(items, within(depth)?)),
            Value::OrderedDict(map) => self.ordered_dict(map, depth),
            Value::DateTime(moment) => {
                let text = Text::from(moment.to_string());
                self.envelope(TypeName::DATETIME, DecomposerName::DATETIME, |it| it.text(&text))
            }
            Value::Enum(member) => {
                self.open(&member.type_name);
                self.text(&member.member)?;
                self.close(DecomposerName::ENUM_TYPE.as_str().as_bytes());
                Ok(())
            }
            Value::Scalar(scalar) => self.scalar(*scalar),
            Value::Array(array) => self.array(array),
            Value::Remote(reference) => self.remote(reference),
            Value::Datum(datum) => self.datum(datum),
            Value::Object(object) => self.object(object, depth),
        }
    }

    fn list(&mut self, items: &[Value], depth: usize) -> Result<(), Error> {
        let depth = within(depth)?;
        msgpack::put_array_head(self.sink.buffer(), length(items.len())?);
        for (at, item) in items.iter().enumerate() {
            self.value(item, depth).map_err(|error| error.in_item(at))?;
        }
        Ok(())
    }

    fn map(&mut self, map: &Map, depth: usize) -> Result<(), Error> {
        let depth = within(depth)?;
        msgpack::put_map_head(self.sink.buffer(), length(map.len())?);
        for (key, value) in map {
            self.key(key, depth)?;
            self.value(value, depth).map_err(|error| match key {
                Value::Str(name) => error.in_field(name.clone()),
                _ => error,
            })?;
        }
        Ok(())
    }

    /// A map's key, which is never set aside.
    fn key(&mut self, key: &Value, depth: usize) -> Result<(), Error> {
        match key {
            Value::Str(text) => {
                self.short_text(text.as_bytes());
                Ok(())
            }
            Value::Bytes(blob) => {
                msgpack::put_bin_head(self.sink.buffer(), length(blob.len())?);
                self.sink.splice_blob(blob);
                Ok(())
            }
            key if !key.is_hashable() => Err(ErrorKind::Unhashable { found: key.kind() }.into()),
            key => self.value(key, depth),
        }
    }

    fn text(&mut self, text: &Text) -> Result<(), Error> {
        let bytes = text.as_bytes();
        // Characters are counted only if there could be enough of them.
        if bytes.len() >= self.max_value_size && characters(bytes) >= self.max_value_size {
            return self.set_aside(SectionMarker::DATUM_TEXT, Vec::new(), text.to_bytes().into());
        }
        if bytes.len() >= Sink::SPLICED {
            msgpack::put_str_head(self.sink.buffer(), length(bytes.len())?);
            self.sink.splice(&text.to_bytes());
        } else {
            self.short_text(bytes);
        }
        Ok(())
    }

    fn short_text(&mut self, bytes: &[u8]) {
        let out = self.sink.buffer();
        // Short of four gigabytes: longer ones have been set aside, and keys are in memory twice over.
        msgpack::put_str_head(out, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        out.extend_from_slice(bytes);
    }

    fn bytes(&mut self, blob: &Blob) -> Result<(), Error> {
        let len = blob.len();
        if len >= self.max_value_size {
            return self.set_aside(SectionMarker::DATUM_BLOB, Vec::new(), blob.clone());
        }
        msgpack::put_bin_head(self.sink.buffer(), length(len)?);
        self.sink.splice_blob(blob);
        Ok(())
    }

    /// Makes a section of a value and leaves a reference to it that the receiver takes away again.
    fn set_aside(&mut self, marker: SectionMarker, head: Vec<u8>, value: Blob) -> Result<(), Error> {
        let id = self.ids.next_id();
        self.scopes.own.push(Section { marker, dot: 0, id, head, value });
        self.datum_ref(id, true);
        Ok(())
    }

    fn datum(&mut self, datum: &Datum) -> Result<(), Error> {
        let (marker, value) = match &datum.content {
            DatumContent::Text(text) => (SectionMarker::DATUM_TEXT, text.to_bytes().into()),
            DatumContent::Blob(blob) => (SectionMarker::DATUM_BLOB, blob.clone()),
            DatumContent::File(blob) => (SectionMarker::DATUM_FILE, blob.clone()),
        };
        if value.is_empty() {
            return Err(ErrorKind::EmptyDatum(datum.id).into());
        }
        // One section for however many references; which content counts would be unclear if they differed.
        match self.given.get(&datum.id) {
            Some(same) if same == datum => {}
            Some(_) => return Err(ErrorKind::RepeatedDatum(datum.id).into()),
            None => {
                self.given.insert(datum.id, datum.clone());
                self.scopes.own.push(Section { marker, dot: datum.dot, id: datum.id, head: Vec::new(), value });
            }
        }
        self.datum_ref(datum.id, false);
        Ok(())
    }

    fn datum_ref(&mut self, id: DatumId, unwrap: bool) {
        self.open(&Text::from_static(TypeName::DATUM_REF.as_str()));
        msgpack::put_map_head(self.sink.buffer(), 1);
        self.short_text(DataClassKey::DATA.as_str().as_bytes());
        msgpack::put_map_head(self.sink.buffer(), 2);
        self.short_text(DatumField::DATUM_ID.as_str().as_bytes());
        self.short_text(id.to_text().as_bytes());
        self.short_text(DatumField::UNWRAP.as_str().as_bytes());
        msgpack::put_bool(self.sink.buffer(), unwrap);
        self.close(DecomposerName::DATA_CLASS.as_str().as_bytes());
    }

    /// The first half of an envelope, up to its data.
    fn open(&mut self, type_name: &Text) {
        msgpack::put_map_head(self.sink.buffer(), 3);
        self.sink.buffer().extend_from_slice(&key::PACKED_TYPE);
        self.short_text(type_name.as_bytes());
        self.sink.buffer().extend_from_slice(&key::PACKED_DATA);
    }

    /// The second half.
    fn close(&mut self, decomposer: &[u8]) {
        self.sink.buffer().extend_from_slice(&key::PACKED_DECOMPOSER);
        self.short_text(decomposer);
    }

    /// An envelope, and a scope for the datums within it.
    fn envelope(
        &mut self,
        type_name: TypeName<'static>,
        decomposer: DecomposerName<'static>,
        data: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.open(&Text::from_static(type_name.as_str()));
        self.scoped(data)?;
        self.close(decomposer.as_str().as_bytes());
        Ok(())
    }

    fn scoped(&mut self, data: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let outer = core::mem::take(&mut self.scopes);
        let result = data(self);
        let Scope { own, inner } = core::mem::replace(&mut self.scopes, outer);
        if !own.is_empty() || !inner.is_empty() {
            self.scopes.inner.extend(own);
            self.scopes.inner.extend(inner);
        }
        result
    }

    fn ordered_dict(&mut self, map: &Map, depth: usize) -> Result<(), Error> {
        // No scopes here: the reference sets values of a dict aside before it looks at which kind of dict it is.
        let depth = within(within(within(within(depth)?)?)?)?;
        self.open(&Text::from_static(TypeName::ORDERED_DICT.as_str()));
        msgpack::put_array_head(self.sink.buffer(), length(map.len())?);
        for (key, value) in map {
            self.open(&Text::from_static(TypeName::TUPLE.as_str()));
            msgpack::put_array_head(self.sink.buffer(), 2);
            self.value(key, depth)?;
            self.value(value, depth)?;
            self.close(DecomposerName::TUPLE.as_str().as_bytes());
        }
        self.close(DecomposerName::ORDERED_DICT.as_str().as_bytes());
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar) -> Result<(), Error> {
        let (type_name, decomposer, value) = match scalar {
            Scalar::Float64(number) => (TypeName::FLOAT64, DecomposerName::FLOAT64_SCALAR, Value::Float(number)),
            Scalar::Float32(number) => (TypeName::FLOAT32, DecomposerName::FLOAT32_SCALAR, Value::Float(number.into())),
            Scalar::Int64(number) => (TypeName::INT64, DecomposerName::INT64_SCALAR, Value::Int(number)),
            Scalar::Int32(number) => (TypeName::INT32, DecomposerName::INT32_SCALAR, Value::Int(number.into())),
        };
        self.envelope(type_name, decomposer, |it| it.value(&value, 0))
    }

    fn array(&mut self, array: &Array) -> Result<(), Error> {
        let placement = self.policy.place(array);
        self.envelope(TypeName::NDARRAY, DecomposerName::NUMPY_ARRAY, |it| match placement {
            Placement::Native => it.native(array),
            Placement::Reference => {
                let item = it.item(array);
                it.form(ArrayForm::REF, 2);
                it.text(&item)
            }
        })
    }

    fn native(&mut self, array: &Array) -> Result<(), Error> {
        self.form(ArrayForm::NATIVE, 2);
        let header = array.npy_header();
        let len = header.len() + array.data().len();
        if len >= self.max_value_size {
            return self.set_aside(SectionMarker::DATUM_BLOB, header, array.data().clone());
        }
        let out = self.sink.buffer();
        msgpack::put_bin_head(out, length(len)?);
        out.extend_from_slice(&header);
        self.sink.splice_blob(array.data());
        Ok(())
    }

    /// The map of an array's reduced form, up to its data.
    fn form(&mut self, form: ArrayForm<'_>, entries: u32) {
        msgpack::put_map_head(self.sink.buffer(), entries);
        self.short_text(ArrayKey::TYPE.as_str().as_bytes());
        self.short_text(form.as_str().as_bytes());
        self.short_text(ArrayKey::DATA.as_str().as_bytes());
    }

    /// The item id of an array that is to be offered: the same for the same array.
    fn item(&mut self, array: &Array) -> Text {
        let at = self.items.iter().position(|item| item.is_same_view(array)).unwrap_or(self.items.len());
        if at == self.items.len() {
            self.items.push(array.clone());
        }
        item_id(at)
    }

    fn remote(&mut self, reference: &ArrayRef) -> Result<(), Error> {
        let source = &reference.source;
        match self.passed_on.iter().find(|other| other.dot == source.dot) {
            Some(same) if same == source => {}
            Some(_) => return Err(ErrorKind::MixedBatches(source.dot).into()),
            None => self.passed_on.push(Arc::clone(source)),
        }
        self.envelope(TypeName::LAZY_DOWNLOAD_REF, DecomposerName::LAZY_DOWNLOAD_REF, |it| {
            it.form(ArrayForm::REF, 3);
            it.text(&reference.item)?;
            it.short_text(ArrayKey::LAZY_DOT.as_str().as_bytes());
            msgpack::put_uint(it.sink.buffer(), source.dot.into());
            Ok(())
        })
    }

    fn object(&mut self, object: &Object, depth: usize) -> Result<(), Error> {
        let depth = within(depth)?;
        let parts = 2 + usize::from(object.decomposer.is_some()) + object.extra.len();
        msgpack::put_map_head(self.sink.buffer(), length(parts)?);
        self.sink.buffer().extend_from_slice(&key::PACKED_TYPE);
        self.short_text(object.type_name.as_bytes());
        self.sink.buffer().extend_from_slice(&key::PACKED_DATA);
        if walked_from_outside(object) {
            self.value(&object.data, depth)?;
        } else {
            self.scoped(|it| it.value(&object.data, depth))?;
        }
        if let Some(decomposer) = &object.decomposer {
            self.close(decomposer.as_bytes());
        }
        for (key, value) in &object.extra {
            self.key(key, depth)?;
            self.value(value, depth)?;
        }
        Ok(())
    }

    /// Writes the header of the main section, which is known only now, and the datum sections.
    fn finish(mut self, usual: &mut usize) -> Result<Encoded, Error> {
        self.sink.set_header(section_header(SectionMarker::MAIN, 0, self.sink.len() - SectionLayout::HEADER_SIZE));
        let Scope { own, inner } = core::mem::take(&mut self.scopes);
        for section in own.into_iter().chain(inner) {
            self.section(section);
        }
        let mut batches = Vec::new();
        if !self.items.is_empty() {
            let items = self.items.drain(..).enumerate().map(|(at, array)| (item_id(at), array)).collect();
            let source = self.policy.publish(items).map_err(|error| Error::new(ErrorKind::Policy(error)))?;
            if self.passed_on.iter().any(|other| other.dot == source.dot) {
                return Err(ErrorKind::MixedBatches(source.dot).into());
            }
            batches.push(source);
        }
        batches.append(&mut self.passed_on);
        for source in batches {
            let value = Blob::from(download::to_json(&source).into_bytes());
            let id = self.ids.next_id();
            self.section(Section { marker: SectionMarker::DATUM_TEXT, dot: source.dot, id, head: Vec::new(), value });
        }
        *usual = self.sink.buffer().len() + 64;
        Ok(Encoded { segments: self.sink.into_segments() })
    }

    fn section(&mut self, section: Section) {
        let Section { marker, dot, id, head, value } = section;
        let size = SectionLayout::DATUM_ID_SIZE + head.len() + value.len();
        let out = self.sink.buffer();
        out.extend_from_slice(&section_header(marker, dot, size));
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(&head);
        self.sink.splice_blob(&value);
    }
}

/// Whether the reference sets an object's values aside together with those of the object around it, as it does for
/// kinds of dict and list.
fn walked_from_outside(object: &Object) -> bool {
    let content = |key: DataClassKey<'_>| object.data.as_map().is_some_and(|data| data.get(key.as_str()).is_some());
    match &object.decomposer {
        Some(name) if *name == *DecomposerName::DICT.as_str() => true,
        Some(name) if *name == *DecomposerName::DATA_CLASS.as_str() => {
            content(DataClassKey::DICT) || content(DataClassKey::LIST)
        }
        _ => false,
    }
}

fn section_header(marker: SectionMarker, dot: u8, size: usize) -> [u8; SectionLayout::HEADER_SIZE] {
    let [a, b, c, d, e, f, g, h] = (size as u64).to_be_bytes();
    [marker.get(), dot, a, b, c, d, e, f, g, h]
}

fn item_id(at: usize) -> Text {
    Text::from(format!("T{at}"))
}

/// One level less, if there is one left.
fn within(depth: usize) -> Result<usize, Error> {
    depth.checked_sub(1).ok_or_else(|| ErrorKind::Depth { limit: Budget::MAX_DEPTH }.into())
}

/// A length as the format can say it.
fn length(len: usize) -> Result<u32, Error> {
    u32::try_from(len).map_err(|_| ErrorKind::TextLength { len, limit: u32::MAX as usize }.into())
}

/// Characters of a text: bytes that do not continue one.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}
