//! What can go wrong with records on disk.

use core::fmt;
use std::io;

/// What was attempted on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Making or listing the folder.
    Folder,
    /// Reading a file.
    Read,
    /// Writing to a file.
    Write,
    /// Having the system put a file, or the names in the folder, on disk.
    Sync,
    /// Giving a file its name.
    Rename,
    /// Removing a file.
    Remove,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "use the folder of",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::Remove => "remove",
        })
    }
}

/// Why a record could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused.
    #[error("cannot {operation} {name}")]
    Io {
        /// What was attempted.
        operation: Operation,
        /// The file.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// The file is another program's, or of another version of this format.
    #[error("{name} is not a file of records of version {expected}: move it away, or use the program that wrote it")]
    Version {
        /// The file.
        name: String,
        /// The version that is read here.
        expected: u8,
    },
    /// A record in the middle of the file is damaged, so that the disk has lost what it had confirmed.
    #[error("{name} is damaged at byte {at}: restore it from a copy, or move it away and begin anew")]
    Damaged {
        /// The file.
        name: String,
        /// Where the damaged record begins.
        at: u64,
    },
    /// The head of a record is not the type that was expected.
    #[error("the record at byte {at} of {name} is not of the expected kind")]
    Head {
        /// The file.
        name: String,
        /// Where the record begins.
        at: u64,
        /// What the decoder says.
        source: Box<bincode::error::DecodeError>,
    },
    /// The caller's record is larger than what is read back.
    #[error("a record with a head of {head} bytes and a body of {body} bytes is too large to be stored")]
    Size {
        /// Bytes of the head.
        head: usize,
        /// Bytes of the body.
        body: u64,
    },
    /// The caller's head cannot be written.
    #[error("the head of a record cannot be written")]
    Encode(#[source] Box<bincode::error::EncodeError>),
    /// The caller's name of an entry has other characters than letters, digits, `-` and `_`, or too many.
    #[error("{0:?} cannot name an entry: 1 to 64 letters, digits, - and _ can")]
    Name(String),
    /// An earlier call failed in such a way that it is not known what is on disk.
    #[error("{name} failed to sync before: open it again to see what is on disk")]
    Failed {
        /// The file.
        name: String,
    },
}

impl Error {
    pub(crate) fn io(operation: Operation, name: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { operation, name: name.to_owned(), source }
    }
}
