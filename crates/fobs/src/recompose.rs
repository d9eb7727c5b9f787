//! From an envelope's reduced form to the value that it stands for.

use fedcell_protocol_defs::fobs::{ArrayForm, ArrayKey, DataClassKey, DatumField, DatumObjectType, DecomposerName};

use crate::array::Array;
use crate::decode::{Decoder, Envelope};
use crate::distinct;
use crate::error::{Error, ErrorKind};
use crate::names::{Known, known};
use crate::object::{ArrayRef, Datum, DatumContent, DatumId, EnumMember, Object};
use crate::{DateTime, Map, Scalar, Value};

impl Decoder<'_, '_> {
    /// The value that an envelope stands for. A type that the crate does not know stays as it is.
    pub(crate) fn recompose(&mut self, envelope: Envelope) -> Result<Value, Error> {
        let kind = known(envelope.type_name.as_bytes());
        match kind {
            Some(Known::Tuple) => Ok(Value::Tuple(self.items(envelope.data, "tuple")?)),
            Some(Known::Set) => self.set(envelope.data),
            Some(Known::OrderedDict) => self.ordered_dict(envelope.data),
            Some(Known::DateTime) => date_time(&envelope.data),
            Some(Known::Array) => self.array(envelope.data),
            Some(Known::LazyRef) => self.lazy_ref(&envelope.data),
            Some(Known::DatumRef) => self.datum_ref(&envelope.data),
            Some(Known::Float64 | Known::Float32 | Known::Int64 | Known::Int32) => scalar(kind, &envelope.data),
            Some(Known::Tensor) if is_form(&envelope.data, ArrayForm::REF) => {
                self.reference(&envelope.data, DatumObjectType::TENSOR_DOWNLOAD.get())
            }
            Some(Known::Tensor) => self.object(envelope),
            Some(Known::Enum) | None => self.enum_or_object(envelope, kind == Some(Known::Enum)),
        }
    }

    /// The items of a list, as values.
    fn items(&mut self, data: Value, type_name: &'static str) -> Result<Vec<Value>, Error> {
        match data {
            Value::List(items) | Value::Tuple(items) => Ok(items),
            Value::Numbers(numbers) => {
                self.ledger.vec::<Value>(numbers.len())?;
                Ok(numbers.iter().collect())
            }
            other => Err(reduced(type_name, "a list", &other)),
        }
    }

    fn set(&mut self, data: Value) -> Result<Value, Error> {
        let members = self.items(data, "set")?;
        match members.iter().find(|member| !member.is_hashable()) {
            Some(member) => Err(ErrorKind::Unhashable { found: member.kind() }.into()),
            None => Ok(Value::Set(members)),
        }
    }

    fn ordered_dict(&mut self, data: Value) -> Result<Value, Error> {
        const EXPECTED: &str = "a list of pairs";
        let pairs = self.items(data, "ordered dict")?;
        self.ledger.vec::<(Value, Value)>(pairs.len())?;
        self.ledger.heap(distinct::table_bytes(pairs.len()))?;
        let mut entries = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let (Value::Tuple(pair) | Value::List(pair)) = pair else {
                return Err(reduced("ordered dict", EXPECTED, &pair));
            };
            let Ok([key, value]) = <[Value; 2]>::try_from(pair) else {
                return Err(ErrorKind::Reduced { type_name: "ordered dict", expected: EXPECTED, found: "list" }.into());
            };
            if !key.is_hashable() {
                return Err(ErrorKind::Unhashable { found: key.kind() }.into());
            }
            entries.push((key, value));
        }
        distinct::merge_repeated(&mut entries);
        Ok(Value::OrderedDict(Map::from_distinct(entries)))
    }

    fn array(&mut self, data: Value) -> Result<Value, Error> {
        if is_form(&data, ArrayForm::REF) {
            return self.reference(&data, DatumObjectType::NUMPY_DOWNLOAD.get());
        }
        if !is_form(&data, ArrayForm::NATIVE) {
            return Err(reduced("array", "a map that says its form, native or ref", &data));
        }
        let Value::Map(mut parts) = data else { return Err(reduced("array", "a map", &data)) };
        match parts.remove(ArrayKey::DATA.as_str()) {
            Some(Value::Bytes(file)) => {
                self.ledger.heap(size_of::<Array>())?;
                let array = Array::from_npy(file).map_err(|error| Error::new(ErrorKind::Array(error)))?;
                self.ledger.vec::<usize>(array.shape().len())?;
                Ok(Value::Array(Box::new(array)))
            }
            other => Err(reduced("array", "bytes of a .npy file", &other.unwrap_or_default())),
        }
    }

    /// An array or a tensor that is elsewhere.
    fn reference(&mut self, data: &Value, dot: u8) -> Result<Value, Error> {
        let item = data.as_map().and_then(|parts| parts.get(ArrayKey::DATA.as_str()));
        let Some(Value::Str(item)) = item else {
            return Err(reduced("download reference", "an item id", item.unwrap_or(&Value::Null)));
        };
        self.ledger.heap(size_of::<ArrayRef>())?;
        match self.sections.download(dot) {
            Some(source) => Ok(source.item(item.clone()).into()),
            None => Err(ErrorKind::MissingDownload(item.clone()).into()),
        }
    }

    /// A reference that somebody on the way has passed on.
    fn lazy_ref(&mut self, data: &Value) -> Result<Value, Error> {
        let dot = data.as_map().and_then(|parts| parts.get(ArrayKey::LAZY_DOT.as_str())).and_then(Value::as_u64);
        match dot.and_then(|dot| u8::try_from(dot).ok()) {
            Some(dot) if is_form(data, ArrayForm::REF) => self.reference(data, dot),
            _ => Err(reduced("download reference", "a map with a datum object type", data)),
        }
    }

    /// The value that was set aside.
    fn datum_ref(&mut self, data: &Value) -> Result<Value, Error> {
        let attributes = data.as_map().and_then(|parts| parts.get(DataClassKey::DATA.as_str())).and_then(Value::as_map);
        let id = attributes.and_then(|attributes| attributes.get(DatumField::DATUM_ID.as_str()));
        let unwrap = attributes.and_then(|attributes| attributes.get(DatumField::UNWRAP.as_str()));
        let Some(Value::Str(id)) = id else {
            return Err(reduced("datum reference", "the id of a datum", id.unwrap_or(data)));
        };
        let Some(datum) = DatumId::parse(id.as_bytes()).and_then(|id| self.sections.find(id)) else {
            return Err(ErrorKind::MissingDatum(id.clone()).into());
        };
        match (&datum.content, unwrap) {
            (DatumContent::Text(text), Some(Value::Bool(true))) => Ok(Value::Str(text.clone())),
            (DatumContent::Blob(blob), Some(Value::Bool(true))) => {
                // Several segments are listed once more for each reference to them.
                self.ledger.vec::<bytes::Bytes>(blob.segments().len())?;
                Ok(Value::Bytes(blob.clone()))
            }
            (DatumContent::Text(_) | DatumContent::Blob(_) | DatumContent::File(_), _) => {
                let segments = match &datum.content {
                    DatumContent::Blob(blob) | DatumContent::File(blob) => blob.segments().len(),
                    DatumContent::Text(_) => 0,
                };
                self.ledger.heap(size_of::<Datum>() + segments * size_of::<bytes::Bytes>())?;
                Ok(Value::Datum(Box::new(datum.clone())))
            }
        }
    }

    fn enum_or_object(&mut self, envelope: Envelope, known: bool) -> Result<Value, Error> {
        let by_name = match &envelope.decomposer {
            Some(decomposer) => *decomposer == *DecomposerName::ENUM_TYPE.as_str(),
            None => known,
        };
        if !by_name || !envelope.extra.is_empty() {
            return self.object(envelope);
        }
        match envelope.data {
            Value::Str(member) => {
                self.ledger.heap(size_of::<EnumMember>())?;
                Ok(Value::Enum(Box::new(EnumMember { type_name: envelope.type_name, member })))
            }
            other => Err(reduced("enum", "the name of a member", &other)),
        }
    }

    fn object(&mut self, envelope: Envelope) -> Result<Value, Error> {
        self.ledger.heap(size_of::<Object>())?;
        let Envelope { type_name, data, decomposer, extra } = envelope;
        Ok(Value::Object(Box::new(Object { type_name, decomposer, data, extra })))
    }
}

fn reduced(type_name: &'static str, expected: &'static str, found: &Value) -> Error {
    ErrorKind::Reduced { type_name, expected, found: found.kind() }.into()
}

/// Whether an array or a tensor travels in this form.
fn is_form(data: &Value, form: ArrayForm<'_>) -> bool {
    let found = data.as_map().and_then(|parts| parts.get(ArrayKey::TYPE.as_str()));
    matches!(found, Some(Value::Str(text)) if *text == *form.as_str())
}

fn date_time(data: &Value) -> Result<Value, Error> {
    let parsed = match data {
        Value::Str(text) => DateTime::parse(text.as_bytes()),
        _ => None,
    };
    parsed.map(Value::DateTime).ok_or_else(|| reduced("datetime", "an iso 8601 text", data))
}

fn scalar(kind: Option<Known>, data: &Value) -> Result<Value, Error> {
    let scalar = match (kind, data) {
        (Some(Known::Float64), Value::Float(_) | Value::Int(_) | Value::UInt(_)) => data.as_f64().map(Scalar::Float64),
        #[expect(clippy::cast_possible_truncation, reason = "numpy rounds in the same way")]
        (Some(Known::Float32), Value::Float(_) | Value::Int(_) | Value::UInt(_)) => {
            data.as_f64().map(|number| Scalar::Float32(number as f32))
        }
        (Some(Known::Int64), Value::Int(number)) => Some(Scalar::Int64(*number)),
        (Some(Known::Int32), Value::Int(number)) => i32::try_from(*number).ok().map(Scalar::Int32),
        _ => None,
    };
    scalar.map(Value::Scalar).ok_or_else(|| reduced("numpy scalar", "a number in its range", data))
}
