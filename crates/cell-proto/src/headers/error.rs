//! What can be wrong with headers.

use thiserror::Error;

/// Bytes that are no header map, or a header that is not what its reader needs. The sender of the message is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The bytes are no msgpack map, or end before it does.
    #[error("the headers are not one whole msgpack map")]
    Malformed,
    /// Bytes follow the map.
    #[error("{len} bytes follow the headers within their place")]
    TrailingBytes {
        /// How many.
        len: usize,
    },
    /// More headers than this cell takes.
    #[error("the message has {count} headers, {limit} are allowed")]
    TooMany {
        /// The stated number.
        count: u32,
        /// The limit.
        limit: usize,
    },
    /// A key is no text.
    #[error("key {index} of the headers is not text")]
    KeyNotText {
        /// Place of the header in the map, from 0.
        index: usize,
    },
    /// A key occurs twice, so that two readers could take different values.
    #[error("header {index} has the key of an earlier one")]
    DuplicateKey {
        /// Place of the second of the two in the map, from 0.
        index: usize,
    },
    /// A header has a value of another kind than its meaning requires.
    #[error("header {key} is not {expected}")]
    WrongType {
        /// The key.
        key: Box<str>,
        /// The kind that was expected.
        expected: &'static str,
    },
    /// A header that its message cannot do without is not there, or is nil or empty.
    #[error("header {key} is missing")]
    Missing {
        /// The key.
        key: &'static str,
    },
}
