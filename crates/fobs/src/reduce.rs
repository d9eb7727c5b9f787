//! From a value that msgpack does not have to the envelope that stands for it.

use std::sync::Arc;

use fedcell_protocol_defs::fobs::{
    ArrayForm, ArrayKey, DataClassKey, DatumField, DecomposerName, SectionMarker, TypeName,
};

use crate::array::Array;
use crate::error::{Error, ErrorKind};
use crate::policy::{Offered, Placement};
use crate::writer::{Scope, Section, Writer, item_id, length, within};
use crate::{ArrayRef, Blob, Datum, DatumContent, DatumId, Map, Object, Scalar, Text, Value, key, msgpack};

impl Writer<'_> {
    /// Makes a section of a value and leaves a reference to it that the receiver takes away again.
    pub(crate) fn set_aside(&mut self, marker: SectionMarker, head: Vec<u8>, value: Blob) -> Result<(), Error> {
        let id = self.ids.next_id();
        self.scopes.own.push(Section { marker, dot: 0, id, head, value });
        self.datum_ref(id, true);
        Ok(())
    }

    pub(crate) fn datum(&mut self, datum: &Datum) -> Result<(), Error> {
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

    pub(crate) fn datum_ref(&mut self, id: DatumId, unwrap: bool) {
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
    pub(crate) fn open(&mut self, type_name: &Text) {
        msgpack::put_map_head(self.sink.buffer(), 3);
        self.sink.buffer().extend_from_slice(&key::PACKED_TYPE);
        self.short_text(type_name.as_bytes());
        self.sink.buffer().extend_from_slice(&key::PACKED_DATA);
    }

    /// The second half.
    pub(crate) fn close(&mut self, decomposer: &[u8]) {
        self.sink.buffer().extend_from_slice(&key::PACKED_DECOMPOSER);
        self.short_text(decomposer);
    }

    /// An envelope, and a scope for the datums within it.
    pub(crate) fn envelope(
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

    pub(crate) fn ordered_dict(&mut self, map: &Map, depth: usize) -> Result<(), Error> {
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

    pub(crate) fn scalar(&mut self, scalar: Scalar) -> Result<(), Error> {
        let (type_name, decomposer, value) = match scalar {
            Scalar::Float64(number) => (TypeName::FLOAT64, DecomposerName::FLOAT64_SCALAR, Value::Float(number)),
            Scalar::Float32(number) => (TypeName::FLOAT32, DecomposerName::FLOAT32_SCALAR, Value::Float(number.into())),
            Scalar::Int64(number) => (TypeName::INT64, DecomposerName::INT64_SCALAR, Value::Int(number)),
            Scalar::Int32(number) => (TypeName::INT32, DecomposerName::INT32_SCALAR, Value::Int(number.into())),
        };
        self.envelope(type_name, decomposer, |it| it.value(&value, 0))
    }

    pub(crate) fn array(&mut self, array: &Array) -> Result<(), Error> {
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
        let same = |item: &Offered| matches!(item, Offered::Array(other) if other.is_same_view(array));
        let at = self.items.iter().position(same).unwrap_or(self.items.len());
        if at == self.items.len() {
            self.items.push(Offered::Array(array.clone()));
        }
        item_id(at)
    }

    pub(crate) fn remote(&mut self, reference: &ArrayRef) -> Result<(), Error> {
        if self.policy.keeps(reference) {
            let same = |item: &Offered| matches!(item, Offered::Kept(other) if other == reference);
            let at = self.items.iter().position(same).unwrap_or(self.items.len());
            if at == self.items.len() {
                self.items.push(Offered::Kept(reference.clone()));
            }
            return self.envelope(TypeName::NDARRAY, DecomposerName::NUMPY_ARRAY, |it| {
                it.form(ArrayForm::REF, 2);
                it.text(&item_id(at))
            });
        }
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

    pub(crate) fn object(&mut self, object: &Object, depth: usize) -> Result<(), Error> {
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
