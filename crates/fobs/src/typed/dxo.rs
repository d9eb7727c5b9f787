//! `DXO`: data of a kind, with meta properties.

use fedcell_protocol_defs::federation::{DataKind, DxoKey};
use fedcell_protocol_defs::fobs::{DecomposerName, TypeName};

use super::{FobsType, map, parts, take, unexpected, word};
use crate::{EnumMember, Error, ErrorKind, Map, Object, Text, Value};

/// A data exchange object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dxo {
    kind: Text,
    /// Whether the kind travels as text; as a member of the reference's enum otherwise. Both are common.
    kind_as_text: bool,
    /// The data: a map, unless the kind is application defined. For weights, from name to array.
    pub data: Value,
    /// Meta properties, see [`MetaKey`](fedcell_protocol_defs::federation::MetaKey).
    pub meta: Map,
}

impl Dxo {
    /// An object of this kind.
    pub fn new(kind: DataKind<'_>, data: impl Into<Value>) -> Self {
        // A kind that the reference's enum lacks can only be written as text.
        let kind_as_text = kind.name().is_none();
        Self { kind: kind.as_str().into(), kind_as_text, data: data.into(), meta: Map::new() }
    }

    /// The kind.
    pub fn kind(&self) -> DataKind<'_> {
        DataKind::new(self.kind.as_str())
    }

    /// A meta property, by a name of [`MetaKey`](fedcell_protocol_defs::federation::MetaKey) or an application's.
    pub fn meta(&self, name: &str) -> Option<&Value> {
        self.meta.get(name)
    }

    /// As the entry of a shareable: a plain map.
    pub fn into_map(self) -> Map {
        let kind = self.kind_value();
        Map::from([
            (word(DxoKey::KIND.as_str()), kind),
            (word(DxoKey::DATA.as_str()), self.data),
            (word(DxoKey::META.as_str()), self.meta.into()),
        ])
    }

    /// Takes the parts out of the map that stands in a shareable.
    ///
    /// # Errors
    ///
    /// A part is missing or of the wrong kind.
    pub fn from_map(mut entries: Map) -> Result<Self, Error> {
        let mut part = |key: DxoKey<'static>| entries.remove(key.as_str()).unwrap_or_default();
        let (kind, data, meta) = (part(DxoKey::KIND), part(DxoKey::DATA), part(DxoKey::META));
        Self::from_parts(kind, data, meta)
    }

    fn from_parts(kind: Value, data: Value, meta: Value) -> Result<Self, Error> {
        let (kind, kind_as_text) = match kind {
            Value::Str(kind) => (kind, true),
            Value::Enum(member) if member.type_name == *TypeName::DATA_KIND.as_str() => (member.member, false),
            other => return Err(unexpected("a data kind", &other).in_field(DxoKey::KIND.as_str())),
        };
        // None is allowed for both, and means empty.
        let data = if data.is_null() { Map::new().into() } else { data };
        let meta = match meta {
            Value::Null => Map::new(),
            meta => map(meta, "a map of meta properties").map_err(|error| error.in_field(DxoKey::META.as_str()))?,
        };
        if data.as_map().is_none() && kind != *DataKind::APP_DEFINED.as_str() {
            return Err(unexpected("a map of data", &data).in_field(DxoKey::DATA.as_str()));
        }
        Ok(Self { kind, kind_as_text, data, meta })
    }

    fn kind_value(&self) -> Value {
        if self.kind_as_text {
            return self.kind.clone().into();
        }
        EnumMember::new(word(TypeName::DATA_KIND.as_str()), self.kind.clone()).into()
    }
}

/// By itself, outside a shareable.
impl FobsType for Dxo {
    fn into_value(self) -> Value {
        let kind = self.kind_value();
        let parts = Value::Tuple(vec![kind, self.meta.into(), self.data]);
        Object::new(word(TypeName::DXO.as_str()), word(DecomposerName::DXO.as_str()), parts).into()
    }

    fn from_value(value: Value) -> Result<Self, Error> {
        match take(value, TypeName::DXO)? {
            parts_of @ Value::Tuple(_) => {
                let [kind, meta, data] = parts(parts_of, "a tuple of kind, meta and data")?;
                Self::from_parts(kind, data, meta)
            }
            other => Err(ErrorKind::Reduced { type_name: "dxo", expected: "a tuple", found: other.kind() }.into()),
        }
    }
}
