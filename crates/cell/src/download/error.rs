//! What can go wrong with downloads.

use std::io;

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::download::source::OpenError;
use fedcell_fobs::Text;

use crate::error::BodyError;

/// Something could not be offered. The caller's fault, or this machine's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// The service refuses it.
    #[error("the object cannot be offered")]
    Refused(#[from] OpenError),
    /// The file cannot be read.
    #[error("the file cannot be offered")]
    File(#[from] io::Error),
    /// The value cannot be encoded.
    #[error("the value cannot be encoded")]
    Body(#[from] BodyError),
}

/// A download has failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The value that refers to what is to be fetched is no value.
    #[error("the payload is no object that can be fetched")]
    Body(#[from] BodyError),
    /// The reference names a cell that cannot be one. The fault of who sent it.
    #[error("the reference names {0:?}, which is no address of a cell")]
    Source(String),
    /// The reference is to something else than arrays, such as tensors in their own format.
    #[error("objects of type {dot} cannot be fetched here, only arrays: hand the value on untouched")]
    Kind {
        /// The datum object type.
        dot: u8,
    },
    /// The source does not answer, refuses, or sends what makes no sense.
    #[error("{ref_id:?} could not be fetched from {source_cell}: {reason}")]
    Failed {
        /// The cell that has it.
        source_cell: FqcnBuf,
        /// The object.
        ref_id: Text,
        /// Why, in words.
        reason: Text,
    },
    /// The batch does not have an array that the value refers to. The source's fault.
    #[error("the source has sent no {item:?}")]
    Missing {
        /// Item id of the array.
        item: Text,
    },
    /// The file or the spill file cannot be written or read.
    #[error("what was received cannot be kept on disk")]
    Disk(#[from] io::Error),
    /// The caller gave the download up, or the cell ended.
    #[error("the download was given up")]
    Cancelled,
}
