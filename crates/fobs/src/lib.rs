#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod array;
mod blob;
mod budget;
pub mod convert;
mod crc;
mod datetime;
mod decode;
mod distinct;
mod download;
mod encode;
mod error;
mod ids;
mod key;
mod map;
pub mod msgpack;
mod names;
mod numbers;
mod object;
mod policy;
mod reader;
mod recompose;
mod reduce;
mod section;
mod sink;
mod text;
pub mod typed;
mod value;
mod walk;
mod writer;

pub use blob::Blob;
pub use budget::Budget;
pub use crc::Crc32;
pub use datetime::DateTime;
pub use decode::{decode, decode_within};
pub use encode::{Encoded, Encoder, encode};
pub use error::{Error, ErrorKind};
pub use ids::DatumIds;
pub use map::Map;
pub use numbers::{Numbers, NumbersIter};
pub use object::{ArrayRef, Datum, DatumContent, DatumId, DownloadRef, EnumMember, Ext, Object, Scalar};
pub use policy::{ArrayPolicy, ByReference, Inline, Offered, Placement};
pub use text::Text;
pub use value::{Items, Value};
