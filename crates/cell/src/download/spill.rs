//! Arrays that are on disk instead of in memory: fetched ones that went there, and those in files of the application.
//!
//! All arrays of one fetched value are in one file, which loses its name as soon as it is open: nothing is left of it
//! when the process ends, however it ends. Views read at their own positions and share the file.

use core::fmt;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use fedcell_auth::rand_core::Rng as _;
use fedcell_fobs::array::{Array, ArrayLayout};
use fedcell_fobs::{ArrayRef, DownloadRef, Text};

use crate::random::SystemRandom;

/// A file for arrays.
#[derive(Debug)]
pub(crate) struct SpillFile(File);

impl SpillFile {
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!("fedcell-{:016x}.spill", SystemRandom::new().next_u64()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(&path)?;
        // Where an open file cannot lose its name, the folder is the caller's to clean.
        let _ = std::fs::remove_file(&path);
        Ok(Self(file))
    }

    #[cfg(unix)]
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.0, bytes, offset)
    }

    #[cfg(unix)]
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.0, bytes, offset)
    }

    #[cfg(not(unix))]
    pub(crate) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        use std::io::{Seek as _, Write as _};
        let mut file = self.0.try_clone()?;
        file.seek(io::SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    #[cfg(not(unix))]
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        use std::io::{Read as _, Seek as _};
        let mut file = self.0.try_clone()?;
        file.seek(io::SeekFrom::Start(offset))?;
        file.read_exact(bytes)
    }
}

/// Bytes that are read at first of a `.npy` file: what stands before the elements is seldom longer.
const NPY_START: usize = 1024;
/// Bytes before the elements from which on it is taken for another file.
const NPY_MOST: usize = 128 * 1024;

/// An array on disk. Clones are the same array; the space of one that was fetched is free again when the last is dropped.
#[derive(Clone)]
pub struct SpilledArray {
    layout: ArrayLayout,
    file: Arc<SpillFile>,
    offset: u64,
}

impl SpilledArray {
    pub(crate) const fn new(layout: ArrayLayout, file: Arc<SpillFile>, offset: u64) -> Self {
        Self { layout, file, offset }
    }

    /// An array whose elements stand in a file from this byte on, row after row or as the layout says. The file must not
    /// change as long as the array is used. Nothing of the elements is read.
    ///
    /// # Errors
    ///
    /// The file ends before the elements do.
    pub fn in_file(file: File, layout: ArrayLayout, offset: u64) -> io::Result<Self> {
        let elements = layout.data_len().map(|length| length as u64);
        let end = elements.and_then(|length| offset.checked_add(length));
        if end.is_none_or(|end| end > file.metadata().map_or(0, |about| about.len())) {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends before the elements do"));
        }
        Ok(Self::new(layout, Arc::new(SpillFile(file)), offset))
    }

    /// The array of a `.npy` file, which must not change as long as the array is used. Nothing of the elements is read.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or is none with an array that can be sent.
    pub fn open_npy(path: impl AsRef<Path>) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let (mut start, mut length) = (Vec::new(), NPY_START);
        loop {
            io::Read::take(&mut file, (length - start.len()) as u64).read_to_end(&mut start)?;
            let found = ArrayLayout::from_npy_prefix(&start);
            if let Some((layout, offset)) = found.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
                return Self::in_file(file, layout, offset as u64);
            }
            if start.len() < length || length > NPY_MOST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not a complete .npy file"));
            }
            length *= 4;
        }
    }

    /// Type, shape and order of the elements.
    #[must_use]
    pub const fn layout(&self) -> &ArrayLayout {
        &self.layout
    }

    /// Bytes of all elements.
    #[must_use]
    pub fn data_len(&self) -> u64 {
        self.layout.data_len().unwrap_or_default() as u64
    }

    /// Fills `bytes` with what begins at this byte of the elements.
    ///
    /// # Errors
    ///
    /// The range does not lie within the array, or the disk fails.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > self.data_len()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the range is not within the array"));
        }
        self.file.read_at(bytes, self.offset + offset)
    }

    /// The elements, read into memory.
    ///
    /// # Errors
    ///
    /// The disk fails.
    pub fn read(&self) -> io::Result<Bytes> {
        let mut bytes = BytesMut::zeroed(self.layout.data_len().unwrap_or_default());
        self.read_at(0, &mut bytes)?;
        Ok(bytes.freeze())
    }

    /// The array, read into memory.
    ///
    /// # Errors
    ///
    /// The disk fails.
    pub fn load(&self) -> io::Result<Array> {
        let elements = self.read()?;
        Array::with_layout(self.layout.clone(), elements).map_err(io::Error::other)
    }
}

impl fmt::Debug for SpilledArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpilledArray").field("layout", &self.layout).finish_non_exhaustive()
    }
}

/// Arrays that are on disk, those of a fetched value or those in files that [were given](super::Downloads::keep).
///
/// In a value they are references to this cell. Sent with a value, they are offered like arrays in memory, as long as
/// this is not dropped. Clones are the same.
#[derive(Debug, Clone)]
pub struct Spill {
    kept: Arc<Kept>,
}

#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) source: Arc<DownloadRef>,
    pub(crate) arrays: HashMap<Text, SpilledArray>,
}

impl Spill {
    pub(crate) const fn new(kept: Arc<Kept>) -> Self {
        Self { kept }
    }

    /// The array behind a reference in the value, if it is one of these.
    #[must_use]
    pub fn array(&self, reference: &ArrayRef) -> Option<&SpilledArray> {
        if *reference.source != *self.kept.source {
            return None;
        }
        self.kept.arrays.get(&reference.item)
    }

    /// What stands for the array of this name in a value; the arrays of a fetched value are in it already.
    #[must_use]
    pub fn reference(&self, name: impl Into<Text>) -> Option<ArrayRef> {
        let name = name.into();
        self.kept.arrays.contains_key(&name).then(|| self.kept.source.item(name))
    }

    /// How many arrays are on disk.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.arrays.len()
    }

    /// Whether all arrays are in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.arrays.is_empty()
    }
}
