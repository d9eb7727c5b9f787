//! The writer: msgpack for what msgpack has, sections for what is set aside.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use fedcell_protocol_defs::fobs::{DecomposerName, SectionLayout, SectionMarker, TypeName};

use crate::error::{Error, ErrorKind};
use crate::policy::{ArrayPolicy, Offered};
use crate::sink::Sink;
use crate::{Blob, Budget, Datum, DatumId, DatumIds, DownloadRef, Map, Text, Value, download, msgpack};

/// A datum that is to become a section.
pub(crate) struct Section {
    pub(crate) marker: SectionMarker,
    pub(crate) dot: u8,
    pub(crate) id: DatumId,
    /// What stands before the value and is not part of it: the header of an array's file.
    pub(crate) head: Vec<u8>,
    pub(crate) value: Blob,
}

/// Datums in the order in which the reference creates them: those of an envelope before those of envelopes within it.
#[derive(Default)]
pub(crate) struct Scope {
    pub(crate) own: Vec<Section>,
    pub(crate) inner: Vec<Section>,
}

pub(crate) struct Writer<'a> {
    pub(crate) sink: Sink,
    pub(crate) max_value_size: usize,
    pub(crate) ids: &'a mut DatumIds,
    pub(crate) policy: &'a mut dyn ArrayPolicy,
    pub(crate) scopes: Scope,
    /// Datums of the application that have a section already.
    pub(crate) given: HashMap<DatumId, Datum>,
    /// Arrays that are to be offered; the position is the number in the item id.
    pub(crate) items: Vec<Offered>,
    /// Batches of others that the object refers to.
    pub(crate) passed_on: Vec<Arc<DownloadRef>>,
}

impl<'a> Writer<'a> {
    /// A writer with room for `usual` bytes beside those that are only referred to.
    pub(crate) fn new(
        usual: usize,
        max_value_size: usize,
        ids: &'a mut DatumIds,
        policy: &'a mut dyn ArrayPolicy,
    ) -> Self {
        let mut sink = Sink::with_capacity(usual);
        sink.reserve_header();
        Self {
            sink,
            max_value_size,
            ids,
            policy,
            scopes: Scope::default(),
            given: HashMap::new(),
            items: Vec::new(),
            passed_on: Vec::new(),
        }
    }

    pub(crate) fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
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

    pub(crate) fn list(&mut self, items: &[Value], depth: usize) -> Result<(), Error> {
        let depth = within(depth)?;
        msgpack::put_array_head(self.sink.buffer(), length(items.len())?);
        for (at, item) in items.iter().enumerate() {
            self.value(item, depth).map_err(|error| error.in_item(at))?;
        }
        Ok(())
    }

    pub(crate) fn map(&mut self, map: &Map, depth: usize) -> Result<(), Error> {
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
    pub(crate) fn key(&mut self, key: &Value, depth: usize) -> Result<(), Error> {
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

    pub(crate) fn text(&mut self, text: &Text) -> Result<(), Error> {
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

    pub(crate) fn short_text(&mut self, bytes: &[u8]) {
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

    /// Writes the header of the main section, which is known only now, and the datum sections.
    pub(crate) fn finish(mut self) -> Result<(Vec<Bytes>, usize), Error> {
        self.sink.set_header(section_header(SectionMarker::MAIN, 0, self.sink.len() - SectionLayout::HEADER_SIZE));
        let Scope { own, inner } = core::mem::take(&mut self.scopes);
        for section in own.into_iter().chain(inner) {
            self.section(section);
        }
        let mut batches = Vec::new();
        if !self.items.is_empty() {
            let items = self.items.drain(..).enumerate().map(|(at, item)| (item_id(at), item)).collect();
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
        let written = self.sink.buffer().len();
        Ok((self.sink.into_segments(), written))
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

fn section_header(marker: SectionMarker, dot: u8, size: usize) -> [u8; SectionLayout::HEADER_SIZE] {
    let [a, b, c, d, e, f, g, h] = (size as u64).to_be_bytes();
    [marker.get(), dot, a, b, c, d, e, f, g, h]
}

pub(crate) fn item_id(at: usize) -> Text {
    Text::from(format!("T{at}"))
}

/// One level less, if there is one left.
pub(crate) fn within(depth: usize) -> Result<usize, Error> {
    depth.checked_sub(1).ok_or_else(|| ErrorKind::Depth { limit: Budget::MAX_DEPTH }.into())
}

/// A length as the format can say it.
pub(crate) fn length(len: usize) -> Result<u32, Error> {
    u32::try_from(len).map_err(|_| ErrorKind::TextLength { len, limit: u32::MAX as usize }.into())
}

/// Characters of a text: bytes that do not continue one.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}
