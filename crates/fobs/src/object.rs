//! The parts of the object model that are more than a number or a container.

use std::sync::Arc;

use fedcell_protocol_defs::fobs::{DataClassKey, DatumObjectType, DecomposerName, TypeName};

use crate::{Blob, Map, Text, Value};

/// A typed object in its reduced form, as the wire has it.
///
/// This is how a type that the crate has no variant for is held, whether somebody knows it or nobody: it is never
/// loaded or guessed, and goes out again as it came in. [`FobsType`](crate::typed::FobsType) turns the known ones into types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub(crate) type_name: Text,
    pub(crate) decomposer: Option<Text>,
    pub(crate) data: Value,
    pub(crate) extra: Map,
}

impl Object {
    /// An object of this type, reduced by this decomposer to `data`.
    pub fn new(type_name: impl Into<Text>, decomposer: impl Into<Text>, data: impl Into<Value>) -> Self {
        Self { type_name: type_name.into(), decomposer: Some(decomposer.into()), data: data.into(), extra: Map::new() }
    }

    /// An instance of a data class: its attributes.
    pub fn data_class(type_name: impl Into<Text>, attributes: Map) -> Self {
        let data = Map::from_distinct(vec![(static_text(DataClassKey::DATA.as_str()).into(), attributes.into())]);
        Self::new(type_name, static_text(DecomposerName::DATA_CLASS.as_str()), data)
    }

    /// An instance of a kind of dict, such as a shareable: its entries.
    pub fn dict(type_name: impl Into<Text>, entries: Map) -> Self {
        Self::new(type_name, static_text(DecomposerName::DICT.as_str()), entries)
    }

    /// Name of the type: module and class.
    pub const fn type_name(&self) -> &Text {
        &self.type_name
    }

    /// Name of the class that reduced it, if the sender gave one.
    pub const fn decomposer(&self) -> Option<&Text> {
        self.decomposer.as_ref()
    }

    /// The reduced form.
    pub const fn data(&self) -> &Value {
        &self.data
    }

    /// The reduced form, to be changed.
    pub const fn data_mut(&mut self) -> &mut Value {
        &mut self.data
    }

    /// The reduced form, without the names.
    pub fn into_data(self) -> Value {
        self.data
    }

    /// Whether it is of this type.
    pub fn is(&self, type_name: TypeName<'_>) -> bool {
        self.type_name == *type_name.as_str()
    }

    /// The attributes, if it is an instance of a data class.
    pub fn attributes(&self) -> Option<&Map> {
        self.content(DataClassKey::DATA)
    }

    /// The entries, if it is an instance of a data class that is a kind of dict.
    pub fn entries(&self) -> Option<&Map> {
        self.content(DataClassKey::DICT)
    }

    fn content(&self, key: DataClassKey<'_>) -> Option<&Map> {
        self.data.as_map()?.get(key.as_str())?.as_map()
    }
}

/// A word of the protocol as text that copies nothing.
pub(crate) const fn static_text(word: &'static str) -> Text {
    Text::from_static(word)
}

/// A member of an enum, by name: the wire has no values of enums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumMember {
    /// Name of the enum: module and class.
    pub type_name: Text,
    /// Name of the member.
    pub member: Text,
}

impl EnumMember {
    /// This member of this enum.
    pub fn new(type_name: impl Into<Text>, member: impl Into<Text>) -> Self {
        Self { type_name: type_name.into(), member: member.into() }
    }
}

/// A msgpack extension value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ext {
    /// The extension's type; minus one is a timestamp.
    pub code: i8,
    /// Its bytes.
    pub data: Blob,
}

/// A numpy scalar of one of the four types that the format has; numpy's others cannot be sent.
#[derive(Clone, Copy, Debug)]
pub enum Scalar {
    /// `numpy.float64`
    Float64(f64),
    /// `numpy.float32`; on the wire a 64-bit float.
    Float32(f32),
    /// `numpy.int64`
    Int64(i64),
    /// `numpy.int32`
    Int32(i32),
}

/// By bits, as values are.
impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float64(ours), Self::Float64(theirs)) => ours.to_bits() == theirs.to_bits(),
            (Self::Float32(ours), Self::Float32(theirs)) => ours.to_bits() == theirs.to_bits(),
            (Self::Int64(ours), Self::Int64(theirs)) => ours == theirs,
            (Self::Int32(ours), Self::Int32(theirs)) => ours == theirs,
            _ => false,
        }
    }
}

impl Eq for Scalar {}

/// Id of a datum: a UUID, 16 bytes in a section's header, hyphenated text in the main body.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatumId([u8; Self::SIZE]);

impl DatumId {
    /// Bytes of an id.
    pub const SIZE: usize = fedcell_protocol_defs::fobs::SectionLayout::DATUM_ID_SIZE;

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::SIZE] {
        &self.0
    }

    /// Reads the text form: 32 hexadecimal digits of either case, with hyphens anywhere or nowhere.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::SIZE];
        let mut digits = text.iter().filter(|&&byte| byte != b'-');
        for byte in &mut bytes {
            let high = char::from(*digits.next()?).to_digit(16)?;
            let low = char::from(*digits.next()?).to_digit(16)?;
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        digits.next().is_none().then_some(Self(bytes))
    }

    /// The text form with hyphens, lower case.
    pub fn to_text(self) -> Text {
        Text::from(self.to_string())
    }
}

/// With hyphens, lower case.
impl core::fmt::Display for DatumId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let hyphen = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{hyphen}{byte:02x}")?;
        }
        Ok(())
    }
}

impl core::fmt::Debug for DatumId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

/// A value that an application keeps apart from the object it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datum {
    /// Its id.
    pub id: DatumId,
    /// What its value stands for; zero for nothing but itself.
    pub dot: u8,
    /// Its value.
    pub content: DatumContent,
}

/// What a datum holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatumContent {
    /// A text.
    Text(Text),
    /// A byte string.
    Blob(Blob),
    /// The content of a file. Where it is kept is the caller's business; this crate touches no disk.
    File(Blob),
}

impl Datum {
    /// A datum with its own value and nothing behind it.
    pub const fn new(id: DatumId, content: DatumContent) -> Self {
        Self { id, dot: DatumObjectType::NONE.get(), content }
    }
}

/// Where a batch of arrays is to be had.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DownloadRef {
    /// Address of the cell that has them.
    pub fqcn: Text,
    /// Id of the batch there.
    pub ref_id: Text,
    /// Datum object type of the batch: arrays or tensors.
    pub dot: u8,
}

/// One array of a batch that is to be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayRef {
    /// The batch.
    pub source: Arc<DownloadRef>,
    /// Id of the array within the batch: `T0`, `T1`, …
    pub item: Text,
}

impl DownloadRef {
    /// A batch of numpy arrays.
    pub fn arrays(fqcn: impl Into<Text>, ref_id: impl Into<Text>) -> Self {
        Self { fqcn: fqcn.into(), ref_id: ref_id.into(), dot: DatumObjectType::NUMPY_DOWNLOAD.get() }
    }

    /// One array of this batch.
    pub fn item(self: &Arc<Self>, item: impl Into<Text>) -> ArrayRef {
        ArrayRef { source: Arc::clone(self), item: item.into() }
    }
}
