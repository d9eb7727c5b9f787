//! What is offered, and how a part of it is made.

use core::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::{Bytes, BytesMut};
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::download::archive::Member;
use fedcell_cell_proto::download::body::Content;
use fedcell_cell_proto::download::digest::{ContentDigest, Digest};
use fedcell_cell_proto::download::source::{Offer as Parts, Plan};
use fedcell_fobs::array::Array;
use fedcell_fobs::{Blob, Map, Text, Value};
use fedcell_protocol_defs::fobs::Thresholds;

use super::spill::SpilledArray;

/// Bytes of an array on disk that are read at a time.
pub(super) const DISK_PART: usize = 1 << 20;
/// Bytes from which on the payload codec sets a byte string aside, behind the rest.
const SET_ASIDE: u64 = Thresholds::MAX_VALUE_SIZE as u64;

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

/// Where an array is that is offered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Place {
    /// In memory.
    Memory(Array),
    /// In a file, from which it is read when somebody wants it, a large one part by part while it is sent.
    Disk(SpilledArray),
}

impl From<Array> for Place {
    fn from(array: Array) -> Self {
        Self::Memory(array)
    }
}

impl From<SpilledArray> for Place {
    fn from(array: SpilledArray) -> Self {
        Self::Disk(array)
    }
}

/// An array that is offered.
#[derive(Debug)]
pub(crate) struct Item {
    member: Member,
    place: Place,
    sum: OnceLock<u32>,
    digest: OnceLock<Digest>,
    /// Held by whoever makes the sums, so that they are made once.
    making: Mutex<()>,
}

impl Item {
    pub(crate) fn new(id: &Text, place: Place) -> Self {
        let layout = match &place {
            Place::Memory(array) => array.layout(),
            Place::Disk(array) => array.layout(),
        };
        let member = Member::new(id.as_str(), layout);
        let (sum, digest, making) = Default::default();
        Self { member, place, sum, digest, making }
    }

    /// Bytes of its archive.
    pub(super) fn archive_len(&self) -> u64 {
        self.member.archive_len()
    }

    /// Where its elements are, if that is not memory.
    pub(super) const fn on_disk(&self) -> Option<&SpilledArray> {
        match &self.place {
            Place::Memory(_) => None,
            Place::Disk(array) => Some(array),
        }
    }

    /// What stands before the elements in the archive, and what behind. May take long.
    pub(super) fn around(&self) -> io::Result<(Bytes, Bytes)> {
        Ok(self.member.around(self.sum()?))
    }

    /// Whether its sums have been made.
    fn is_prepared(&self, digests: bool) -> bool {
        if digests { self.digest.get().is_some() } else { self.sum.get().is_some() }
    }

    /// The sum that stands in the archive. Made once, whoever asks how often.
    fn sum(&self) -> io::Result<u32> {
        if let Some(sum) = self.sum.get() {
            return Ok(*sum);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sum) = self.sum.get() {
            return Ok(*sum);
        }
        let mut sum = self.member.sum();
        self.for_each(&mut |elements| sum.update(elements))?;
        Ok(*self.sum.get_or_init(|| sum.sum()))
    }

    /// The digest of the archive. Made once, whoever asks how often.
    pub(super) fn digest(&self) -> io::Result<Digest> {
        if let Some(digest) = self.digest.get() {
            return Ok(*digest);
        }
        let (head, tail) = self.around()?;
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(digest) = self.digest.get() {
            return Ok(*digest);
        }
        let mut digest = ContentDigest::new();
        digest.update(&head);
        self.for_each(&mut |elements| digest.update(elements))?;
        digest.update(&tail);
        Ok(*self.digest.get_or_init(|| digest.finish()))
    }

    /// All elements in order, never more than a part of them in memory that was not there before.
    fn for_each(&self, visit: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        match &self.place {
            Place::Memory(array) => array.data().segments().iter().for_each(|segment| visit(segment)),
            Place::Disk(array) => {
                let mut part = vec![0; DISK_PART];
                let mut offset = 0;
                while offset < array.data_len() {
                    let length = usize::try_from(array.data_len() - offset).unwrap_or(DISK_PART).min(DISK_PART);
                    let part = part.get_mut(..length).unwrap_or_default();
                    array.read_at(offset, part)?;
                    visit(part);
                    offset += length as u64;
                }
            }
        }
        Ok(())
    }

    /// The archive of the array.
    fn archive(&self) -> io::Result<Blob> {
        let elements = match &self.place {
            Place::Memory(array) => array.data().clone(),
            Place::Disk(array) => array.read()?.into(),
        };
        let (head, tail) = self.around()?;
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
        let mut sums = digests.then(|| Vec::with_capacity(count));
        for item in items.iter().skip(first).take(count) {
            if let Some(sums) = &mut sums {
                sums.push(item.digest()?);
            }
            archives.push(item.archive()?);
        }
        Ok((Content::Items(archives), sums))
    }

    /// Makes the sums of arrays that follow, as many as have these bytes together: they will be asked for next. May take
    /// long.
    pub(super) fn prepare(&self, from: usize, bytes: u64, digests: bool) -> io::Result<()> {
        for item in self.following(from, bytes) {
            if digests {
                item.digest()?;
            } else {
                item.sum()?;
            }
        }
        Ok(())
    }

    /// Whether there are arrays that follow, and their sums have not been made.
    pub(super) fn is_worth_preparing(&self, from: usize, bytes: u64, digests: bool) -> bool {
        self.following(from, bytes).any(|item| !item.is_prepared(digests))
    }

    fn following(&self, from: usize, bytes: u64) -> impl Iterator<Item = &Item> {
        let items = match self {
            Self::Arrays(items) => items.get(from..).unwrap_or_default(),
            _ => &[],
        };
        let mut before = 0;
        items.iter().take_while(move |item| {
            let is_one = before < bytes;
            before += item.archive_len();
            is_one
        })
    }

    /// An array that is on disk and too large to be taken into memory for a piece, if that is the whole piece.
    pub(super) fn large_on_disk(&self, first: usize, count: usize) -> Option<&Item> {
        let Self::Arrays(items) = self else { return None };
        items.get(first).filter(|item| count == 1 && item.on_disk().is_some() && item.archive_len() >= SET_ASIDE)
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
        let sums = digests.then(|| vec![ContentDigest::of(&blob)]);
        Ok((Content::Bytes(blob), sums))
    }

    /// Whether making a part is a matter of memory only and of no time.
    pub(crate) fn is_quick(&self, plan: &Plan, digests: bool) -> bool {
        match (self, plan) {
            (Self::Bytes(_), _) => !digests,
            (Self::Arrays(items), Plan::Items { first, count, .. }) => {
                let mut items = items.iter().skip(*first).take(*count);
                items.all(|item| item.on_disk().is_none() && item.is_prepared(digests))
            }
            _ => false,
        }
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
