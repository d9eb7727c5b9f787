//! What becomes of pieces: arrays in memory and on disk, a byte string, a file.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use fedcell_cell_proto::download::archive::{Check, read};
use fedcell_cell_proto::download::body::Content;
use fedcell_cell_proto::download::consumer::Unusable;
use fedcell_fobs::array::Array;
use fedcell_fobs::{Blob, Text, Value};

use super::pieces::Piece;
use super::spill::{SpillFile, SpilledArray};
use crate::unfinished::Unfinished;

/// Bytes from which on a chunk arrives in a buffer of its own size. Smaller ones are parts of buffers that may be twice as
/// large: an array of such is worth one copy, so that a model does not take half as much memory again.
const OWN_BUFFER: usize = 128 * 1024;

/// Why a piece was not taken.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// What the source sent is of no use.
    Unusable(Unusable),
    /// It could not be kept, which is no fault of the source.
    Disk(io::Error),
}

impl From<Unusable> for NotTaken {
    fn from(reason: Unusable) -> Self {
        Self::Unusable(reason)
    }
}

impl From<io::Error> for NotTaken {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// Takes the pieces of one object, in order. Called on a thread that may block.
pub(super) trait Sink: Send + 'static {
    fn piece(&mut self, piece: Piece) -> Result<(), NotTaken>;

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Where large archives go while they arrive.
    fn disk(&self) -> Option<Disk> {
        None
    }
}

/// A file that grows by arrays.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub(super) file: Arc<SpillFile>,
    /// Elements of this many bytes and more go to it.
    pub(super) above: u64,
    end: Arc<AtomicU64>,
}

impl Disk {
    pub(super) fn new(file: SpillFile, above: u64) -> Self {
        Self { file: Arc::new(file), above, end: Arc::default() }
    }

    /// Room for so many bytes; where it begins.
    pub(super) fn allocate(&self, bytes: u64) -> u64 {
        self.end.fetch_add(bytes, Ordering::Relaxed)
    }

    fn put(&self, array: &Array) -> io::Result<SpilledArray> {
        let offset = self.allocate(array.data().len() as u64);
        let mut at = offset;
        for segment in array.data().segments() {
            self.file.write_at(segment, at)?;
            at += segment.len() as u64;
        }
        Ok(SpilledArray::new(array.layout().clone(), self.file.clone(), offset))
    }
}

/// Arrays by item id.
#[derive(Debug, Default)]
pub(super) struct Arrays {
    /// Others are of no interest and not kept; none means all.
    pub(super) wanted: Option<HashSet<Text>>,
    pub(super) memory: HashMap<Text, Array>,
    pub(super) spilled: HashMap<Text, SpilledArray>,
    pub(super) disk: Option<Disk>,
}

impl Sink for Arrays {
    fn piece(&mut self, piece: Piece) -> Result<(), NotTaken> {
        let check = if piece.verify()? { Check::Nothing } else { Check::Sums };
        let Content::Items(items) = piece.content() else {
            return Err(Unusable::Wrong("a piece is no list of archives".into()).into());
        };
        let is_wanted = |id: &Text| self.wanted.as_ref().is_none_or(|wanted| wanted.contains(id));
        for blob in items {
            if let Some(on_disk) = piece.stand_in(blob) {
                if is_wanted(&on_disk.item) {
                    self.spilled.insert(on_disk.item.clone(), on_disk.array.clone());
                }
                continue;
            }
            let arrays = read(blob, check).map_err(|error| Unusable::Damaged(error.to_string().into()))?;
            for (id, mut array) in arrays.into_iter().filter(|(id, _)| is_wanted(id)) {
                match &self.disk {
                    Some(disk) if array.data().len() as u64 >= disk.above => {
                        self.spilled.insert(id, disk.put(&array)?);
                    }
                    _ => {
                        if array.data().len() / array.data().segments().len() < OWN_BUFFER {
                            array.make_contiguous();
                        }
                        self.memory.insert(id, array);
                    }
                }
            }
        }
        Ok(())
    }

    fn disk(&self) -> Option<Disk> {
        self.disk.clone()
    }
}

/// A long byte string in memory.
#[derive(Debug, Default)]
pub(super) struct Whole(pub(super) Vec<Blob>);

impl Sink for Whole {
    fn piece(&mut self, piece: Piece) -> Result<(), NotTaken> {
        piece.verify()?;
        match piece.inner.data {
            Content::Bytes(bytes) => self.0.push(bytes),
            _ => return Err(Unusable::Wrong("a piece is no byte string".into()).into()),
        }
        Ok(())
    }
}

/// What the pieces of an application's own producer have in them.
#[derive(Debug, Default)]
pub(super) struct Values(pub(super) Vec<Value>);

impl Sink for Values {
    fn piece(&mut self, piece: Piece) -> Result<(), NotTaken> {
        piece.verify()?;
        self.0.push(match piece.inner.data {
            Content::Bytes(bytes) => Value::Bytes(bytes),
            Content::Items(items) => Value::List(items.into_iter().map(Value::Bytes).collect()),
            Content::Other(value) => value,
            _ => Value::Null,
        });
        Ok(())
    }
}

/// A file that has its name only when it is complete.
#[derive(Debug)]
pub(super) struct ToFile {
    file: File,
    unfinished: Option<Unfinished>,
}

impl ToFile {
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let unfinished = Unfinished::beside(path)?;
        Ok(Self { file: File::create_new(unfinished.path())?, unfinished: Some(unfinished) })
    }
}

impl Sink for ToFile {
    fn piece(&mut self, piece: Piece) -> Result<(), NotTaken> {
        piece.verify()?;
        let Content::Bytes(bytes) = piece.content() else {
            return Err(Unusable::Wrong("a piece is no byte string".into()).into());
        };
        bytes.segments().iter().try_for_each(|segment| self.file.write_all(segment))?;
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        self.unfinished.take().map_or(Ok(()), Unfinished::finish)
    }
}
