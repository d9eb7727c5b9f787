//! What is offered, and how a part of it is made.

use core::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::download::archive::Member;
use fedcell_cell_proto::download::body::{Content, Digest, digest_of};
use fedcell_cell_proto::download::source::Offer as Parts;
use fedcell_fobs::array::Array;
use fedcell_fobs::{Blob, Map, Text, Value};

use super::spill::SpilledArray;

/// Makes the pieces of an object that only the application knows how to cut.
pub trait Producer: Send + Sync + 'static {
    /// The piece that follows a state; none stands for the beginning. Called on a thread that may block.
    ///
    /// # Errors
    ///
    /// Any; the receiver is told that there was one and not which.
    fn produce(
        &self,
        state: Option<&Map>,
        receiver: Fqcn<'_>,
    ) -> Result<Produced, Box<dyn core::error::Error + Send + Sync>>;
}

/// What a producer has made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Produced {
    /// A piece, and the state with which the receiver will ask for the next.
    Piece {
        /// The content.
        data: Value,
        /// The state.
        state: Map,
    },
    /// The receiver has everything.
    Complete,
    /// The producer cannot go on.
    Failed,
}

/// Where an array is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Memory(Array),
    Disk(SpilledArray),
}

/// An array that is offered.
#[derive(Debug)]
pub(crate) struct Item {
    member: Member,
    place: Place,
    sum: OnceLock<u32>,
    digest: OnceLock<Digest>,
}

impl Item {
    pub(crate) fn new(id: &Text, place: Place) -> Self {
        let layout = match &place {
            Place::Memory(array) => array.layout(),
            Place::Disk(array) => array.layout(),
        };
        let member = Member::new(id.as_str(), layout);
        Self { member, place, sum: OnceLock::new(), digest: OnceLock::new() }
    }

    /// The archive of the array. Sums are made once, whoever asks how often.
    fn archive(&self) -> io::Result<Blob> {
        let elements = match &self.place {
            Place::Memory(array) => array.data().clone(),
            Place::Disk(array) => array.read()?.into(),
        };
        let sum = *self.sum.get_or_init(|| {
            let mut sum = self.member.sum();
            elements.segments().iter().for_each(|segment| sum.update(segment));
            sum.sum()
        });
        let (head, tail) = self.member.around(sum);
        let mut segments = Vec::with_capacity(elements.segments().len() + 2);
        segments.push(head);
        segments.extend_from_slice(elements.segments());
        segments.push(tail);
        Ok(Blob::from_segments(segments))
    }
}

/// The content of an object on offer.
pub(crate) enum Batch {
    Arrays(Vec<Item>),
    Bytes(Blob),
    File { path: PathBuf, length: u64 },
    Other(Box<dyn Producer>),
}

/// A part that was made, with its digests if they are wanted.
pub(crate) type Part = (Content, Option<Vec<Digest>>);

impl Batch {
    /// How it is cut.
    pub(crate) fn parts(&self, array_piece: u64, byte_piece: u64) -> Parts {
        match self {
            Self::Arrays(items) => {
                let lengths = items.iter().map(|item| item.member.archive_len()).collect();
                Parts::Items { lengths, piece: array_piece }
            }
            Self::Bytes(blob) => Parts::Bytes { length: blob.len() as u64, piece: byte_piece },
            Self::File { length, .. } => Parts::Bytes { length: *length, piece: byte_piece },
            Self::Other(_) => Parts::Other,
        }
    }

    /// Some arrays. May take long.
    pub(crate) fn items(self: Arc<Self>, first: usize, count: usize, digests: bool) -> io::Result<Part> {
        let Self::Arrays(items) = self.as_ref() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let mut archives = Vec::with_capacity(count);
        let mut sums = digests.then(Vec::new);
        for item in items.iter().skip(first).take(count) {
            let archive = item.archive()?;
            if let Some(sums) = &mut sums {
                sums.push(*item.digest.get_or_init(|| digest_of(&archive)));
            }
            archives.push(archive);
        }
        Ok((Content::Items(archives), sums))
    }

    /// A part of a long byte string. May take long.
    pub(crate) fn bytes(self: Arc<Self>, offset: u64, length: u64, digests: bool) -> io::Result<Part> {
        let number = |number: u64| usize::try_from(number).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
        let blob = match self.as_ref() {
            Self::Bytes(blob) => {
                let rest = blob.split_at(number(offset)?).map(|(_, rest)| rest);
                let part = rest.and_then(|rest| Some(rest.split_at(usize::try_from(length).ok()?)?.0));
                part.ok_or(io::ErrorKind::UnexpectedEof)?
            }
            Self::File { path, .. } => {
                use std::io::{Read as _, Seek as _};
                let mut file = std::fs::File::open(path)?;
                file.seek(io::SeekFrom::Start(offset))?;
                let mut bytes = BytesMut::zeroed(number(length)?);
                file.read_exact(&mut bytes)?;
                Bytes::from(bytes).into()
            }
            Self::Arrays(_) | Self::Other(_) => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let sums = digests.then(|| vec![digest_of(&blob)]);
        Ok((Content::Bytes(blob), sums))
    }

    /// Whether making a part is a matter of memory only and of no time.
    pub(crate) const fn is_quick(&self) -> bool {
        matches!(self, Self::Bytes(_))
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrays(items) => write!(f, "{} arrays", items.len()),
            Self::Bytes(blob) => write!(f, "{} bytes", blob.len()),
            Self::File { path, length } => write!(f, "{} of {length} bytes", path.display()),
            Self::Other(_) => f.write_str("an object of the application"),
        }
    }
}
