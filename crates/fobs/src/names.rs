//! Names of types and decomposers: which ones the crate knows by heart, and the protocol's own copies of the rest.

use fedcell_protocol_defs::fobs::{DecomposerName, TypeName};

use crate::Text;

/// A type whose reduced form becomes a variant of [`Value`](crate::Value).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Tuple,
    Set,
    OrderedDict,
    DateTime,
    Array,
    Tensor,
    LazyRef,
    DatumRef,
    Float64,
    Float32,
    Int64,
    Int32,
    /// An enum of the reference, which older senders reduce without naming a decomposer.
    Enum,
}

macro_rules! names {
    ($($const:ident = $of:ident::$name:ident),+ $(,)?) => {
        $(const $const: &[u8] = $of::$name.as_str().as_bytes();)+
    };
}

names! {
    TUPLE = TypeName::TUPLE, SET = TypeName::SET, ORDERED_DICT = TypeName::ORDERED_DICT,
    DATETIME = TypeName::DATETIME, NDARRAY = TypeName::NDARRAY, TENSOR = TypeName::TENSOR,
    LAZY_REF = TypeName::LAZY_DOWNLOAD_REF, DATUM_REF = TypeName::DATUM_REF, FLOAT64 = TypeName::FLOAT64,
    FLOAT32 = TypeName::FLOAT32, INT64 = TypeName::INT64, INT32 = TypeName::INT32, DATA_KIND = TypeName::DATA_KIND,
    PARAMS_TYPE = TypeName::PARAMS_TYPE, JOB_META_KEY = TypeName::JOB_META_KEY,
    ANALYTICS = TypeName::ANALYTICS_DATA_TYPE, LOG_WRITER = TypeName::LOG_WRITER_NAME,
}

/// The variant that a type of this name becomes.
pub(crate) fn known(name: &[u8]) -> Option<Known> {
    Some(match name {
        TUPLE => Known::Tuple,
        NDARRAY => Known::Array,
        SET => Known::Set,
        ORDERED_DICT => Known::OrderedDict,
        DATETIME => Known::DateTime,
        TENSOR => Known::Tensor,
        LAZY_REF => Known::LazyRef,
        DATUM_REF => Known::DatumRef,
        FLOAT64 => Known::Float64,
        FLOAT32 => Known::Float32,
        INT64 => Known::Int64,
        INT32 => Known::Int32,
        DATA_KIND | PARAMS_TYPE | JOB_META_KEY | ANALYTICS | LOG_WRITER => Known::Enum,
        _ => return None,
    })
}

macro_rules! interned {
    ($($of:ident::$name:ident),+ $(,)?) => {
        /// The protocol's own copy of a name that is too long to be inline, if the name is a frequent one.
        pub(crate) fn interned(name: &[u8]) -> Option<Text> {
            $(if name == $of::$name.as_str().as_bytes() {
                const TEXT: Text = Text::from_static($of::$name.as_str());
                return Some(TEXT);
            })+
            None
        }
    };
}

// Ordered by frequency; the comparison of lengths makes all but one of them cheap.
interned! {
    DecomposerName::DICT,
    DecomposerName::DATA_CLASS,
    DecomposerName::ENUM_TYPE,
    DecomposerName::NUMPY_ARRAY,
    DecomposerName::TUPLE,
    TypeName::FL_MODEL,
    TypeName::DATUM_REF,
    TypeName::MODEL_LEARNABLE,
    TypeName::LEARNABLE,
    TypeName::PARAMS_TYPE,
    TypeName::ANALYTICS_DATA_TYPE,
    TypeName::RUN_INFO,
    DecomposerName::CONTEXT,
    DecomposerName::DXO,
    DecomposerName::WORKSPACE,
    DecomposerName::FL_MODEL,
    DecomposerName::FLOAT64_SCALAR,
    DecomposerName::SET,
    DecomposerName::ORDERED_DICT,
    DecomposerName::DATETIME,
}
