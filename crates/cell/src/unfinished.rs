//! A file that is being written: beside its place, under a name of its own, until it is whole and safe on the disk.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use fedcell_auth::rand_core::Rng as _;

use crate::random::SystemRandom;

/// A file that is not whole yet; dropped as such, it is removed.
#[derive(Debug)]
pub(crate) struct Unfinished {
    path: PathBuf,
    place: PathBuf,
    is_whole: bool,
}

impl Unfinished {
    /// A name in the folder of `place` that nobody else has; nothing is made yet. It begins with a dot, and says nothing
    /// of a peer's.
    ///
    /// # Errors
    ///
    /// `place` is none for a file.
    pub(crate) fn beside(place: PathBuf) -> io::Result<Self> {
        if place.file_name().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no name of a file"));
        }
        let path = place.with_file_name(format!(".fedcell-{:016x}.part", SystemRandom::new().next_u64()));
        Ok(Self { path, place, is_whole: false })
    }

    /// Where it is written.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its place, in that of a file that is there, and makes that last. What is in it must be on the disk. May
    /// block.
    ///
    /// # Errors
    ///
    /// The disk's.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.place)?;
        self.is_whole = true;
        let folder = self.place.parent().filter(|folder| !folder.as_os_str().is_empty());
        // The name, too, has to survive a power failure.
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_whole {
            // It may never have been made.
            drop(fs::remove_file(&self.path));
        }
    }
}
