//! What can go wrong, where in the bytes and where in the object.

use core::fmt;

use fedcell_protocol_defs::fobs::SectionLayout;

use crate::{DatumId, Text};

/// A failure of decoding, encoding or conversion: what happened, at which byte, and where in the object.
///
/// Nothing is returned beside it: there is no partial object.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    offset: Option<usize>,
    path: Vec<Segment>,
}

/// A step from an object to a part of it.
#[derive(Debug)]
enum Segment {
    Field(Text),
    Index(usize),
}

impl Error {
    /// A failure whose place is not known yet.
    #[cold]
    pub fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Inner { kind, offset: None, path: Vec::new() }))
    }

    /// A failure at this byte of the container.
    #[cold]
    pub(crate) fn at(kind: ErrorKind, offset: usize) -> Self {
        Self(Box::new(Inner { kind, offset: Some(offset), path: Vec::new() }))
    }

    /// The same failure, seen from the object that has the failing part under this name.
    #[cold]
    #[must_use]
    pub fn in_field(mut self, name: impl Into<Text>) -> Self {
        self.0.path.push(Segment::Field(name.into()));
        self
    }

    /// The same failure, seen from the list that has the failing part at this position.
    #[cold]
    #[must_use]
    pub fn in_item(mut self, index: usize) -> Self {
        self.0.path.push(Segment::Index(index));
        self
    }

    /// The same failure, at this byte if none was known.
    #[cold]
    pub(crate) fn or_at(mut self, offset: usize) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// What happened.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The byte of the container at which it happened, counted over all segments; none if the failure is not about
    /// received bytes.
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// The way from the whole object to the part that failed, as in `data.weights["fc1"]`; empty for the object
    /// itself.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for segment in self.0.path.iter().rev() {
            match segment {
                Segment::Index(index) => path.push_str(&format!("[{index}]")),
                Segment::Field(name) if is_word(name.as_str()) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(name.as_str());
                }
                Segment::Field(name) => path.push_str(&format!("[{:?}]", shortened(name.as_str()))),
            }
        }
        path
    }
}

/// Names of letters and underscores are written with a point, others in quotes.
fn is_word(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

fn shortened(name: &str) -> String {
    const SHOWN: usize = 64;
    if name.chars().count() <= SHOWN {
        return name.to_owned();
    }
    name.chars().take(SHOWN).chain(['…']).collect()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.kind, f)?;
        if let Some(offset) = self.0.offset {
            write!(f, ", at byte {offset}")?;
        }
        if !self.0.path.is_empty() {
            write!(f, ", in {}", self.path())?;
        }
        Ok(())
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        core::error::Error::source(&self.0.kind)
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

/// What happened. "The sender" is whoever made the bytes, "the caller" who called this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There are no bytes at all.
    #[error("the container is empty: the sender must send a main section")]
    Empty,
    /// The bytes end within a section's header.
    #[error("a section header of {} bytes was cut off after {have}", SectionLayout::HEADER_SIZE)]
    SectionHeaderCut {
        /// Bytes of the header that are there.
        have: usize,
    },
    /// A section says that it has no bytes.
    #[error("a section declares no content: the sender must not send an empty section")]
    EmptySection,
    /// A section says that it has more bytes than follow.
    #[error("a section declares {declared} bytes, but only {available} follow")]
    SectionCut {
        /// Size in the header.
        declared: u64,
        /// Bytes that follow.
        available: usize,
    },
    /// A section is of another kind than its place allows.
    #[error("a section is marked {found}, but {expected} was expected here")]
    Marker {
        /// The marker byte.
        found: u8,
        /// What is allowed there.
        expected: &'static str,
    },
    /// A datum section is too short for its id.
    #[error("a datum section of {declared} bytes has no room for the datum's id")]
    DatumIdCut {
        /// Size in the header.
        declared: u64,
    },
    /// A datum has no value, which no receiver accepts.
    #[error("datum {0} is empty, which no receiver accepts")]
    EmptyDatum(DatumId),
    /// Two datum sections have one id.
    #[error("datum {0} comes twice")]
    RepeatedDatum(DatumId),
    /// The object refers to a datum that did not come with it.
    #[error("datum {0:?} is referred to but not there")]
    MissingDatum(Text),
    /// A datum stands for something that this crate knows no meaning of.
    #[error("datum object type {0} has no meaning here")]
    UnknownDot(u8),
    /// A download datum is not the JSON object that it must be.
    #[error("a download datum is malformed: {0}")]
    DownloadDatum(&'static str),
    /// Two datums say where the arrays of one kind are.
    #[error("two batches of datum object type {0} in one container: an item would belong to either")]
    AmbiguousDownload(u8),
    /// An array is to be downloaded, and nothing says from where.
    #[error("item {0:?} is to be downloaded, but no datum says from where")]
    MissingDownload(Text),

    /// The main section ends within a value.
    #[error("the main section ends within a value that needs {needed} more bytes")]
    Cut {
        /// Bytes that are missing.
        needed: usize,
    },
    /// Bytes follow the object within the main section.
    #[error("{count} bytes follow the object in the main section")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A byte that msgpack reserves.
    #[error("byte 0xc1 begins no msgpack value")]
    ReservedByte,
    /// Text is not UTF-8.
    #[error("text is not utf-8")]
    NotUtf8(#[source] core::str::Utf8Error),
    /// A list or map says that it has more items than bytes follow.
    #[error("a {what} declares {declared} items, but only {available} bytes follow")]
    DeclaredLength {
        /// List or map.
        what: &'static str,
        /// Items in its header.
        declared: u32,
        /// Bytes that follow.
        available: usize,
    },
    /// The object nests deeper than the budget allows.
    #[error("the object nests deeper than {limit} levels")]
    Depth {
        /// The budget.
        limit: usize,
    },
    /// The object has more parts than the budget allows.
    #[error("the object has more than {limit} parts")]
    Items {
        /// The budget.
        limit: usize,
    },
    /// Holding the object needs more memory than the budget allows.
    #[error("the object needs more than {limit} bytes of memory")]
    Heap {
        /// The budget for this input.
        limit: usize,
    },
    /// A text is longer than the budget allows.
    #[error("a text of {len} bytes exceeds the limit of {limit}")]
    TextLength {
        /// Its length.
        len: usize,
        /// The budget.
        limit: usize,
    },
    /// A map's key is longer than the budget allows.
    #[error("a map key of {len} bytes exceeds the limit of {limit}")]
    KeyLength {
        /// Its length.
        len: usize,
        /// The budget.
        limit: usize,
    },
    /// A map's key, or a set's member, is of a kind that Python cannot use as one.
    #[error("a {found} cannot be a map key or a set member")]
    Unhashable {
        /// What it is.
        found: &'static str,
    },

    /// An envelope names its type by something that is not text.
    #[error("an envelope names its type by a {found} instead of a text")]
    EnvelopeType {
        /// What it is.
        found: &'static str,
    },
    /// An envelope has no reduced form.
    #[error("the envelope of type {type_name:?} has no data")]
    EnvelopeData {
        /// The type.
        type_name: Text,
    },
    /// A known type is reduced to something else than its decomposer makes.
    #[error("a {type_name} must be reduced to {expected}, but this one is a {found}")]
    Reduced {
        /// The type, in short.
        type_name: &'static str,
        /// What its decomposer makes.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// An array's bytes are not the `.npy` file that they must be.
    #[error("an array is malformed")]
    Array(#[source] crate::array::ArrayError),

    /// A conversion wants another kind of value than there is.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What is wanted.
        expected: &'static str,
        /// What is there.
        found: Text,
    },
    /// A conversion wants something that is not there.
    #[error("{0} is missing")]
    Missing(&'static str),

    /// The caller's objects refer to several batches, of which one container can hold one.
    #[error("download references of several batches of datum object type {0} cannot share a container")]
    MixedBatches(u8),
    /// The caller's threshold is below the smallest that peers accept.
    #[error("a threshold of {found} bytes is below the smallest allowed, {least}")]
    Threshold {
        /// What the caller set.
        found: usize,
        /// The smallest allowed.
        least: usize,
    },
    /// The caller's policy could not offer arrays for download.
    #[error("the arrays could not be offered for download")]
    Policy(#[source] Box<dyn core::error::Error + Send + Sync>),
}
