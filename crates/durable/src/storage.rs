//! What the records need of a folder, so that tests can take a disk that loses things.

use std::io;

use crate::error::{Error, Operation};

/// One folder of files.
///
/// A file's bytes are on disk after [`sync`](Self::sync), its name, and the end of a removed or renamed one, after
/// [`sync_names`](Self::sync_names). Nothing else may be relied on.
pub trait Storage {
    /// Reads a file from its beginning.
    type Reader: io::Read;

    /// Names of the files, in no order.
    ///
    /// # Errors
    ///
    /// The system's.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Length in bytes; none if there is no such file.
    ///
    /// # Errors
    ///
    /// The system's.
    fn length(&self, name: &str) -> io::Result<Option<u64>>;

    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// The system's.
    fn reader(&self, name: &str) -> io::Result<Self::Reader>;

    /// Writes at the end of a file, which is made if there is none.
    ///
    /// # Errors
    ///
    /// The system's; some of the bytes may have been written.
    fn append(&mut self, name: &str, parts: &[&[u8]]) -> io::Result<()>;

    /// Cuts a file to this length.
    ///
    /// # Errors
    ///
    /// The system's.
    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()>;

    /// Returns when the bytes of the file are on disk.
    ///
    /// # Errors
    ///
    /// The system's; it is not known then what is on disk.
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Gives a file another name, and replaces what had it.
    ///
    /// # Errors
    ///
    /// The system's.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// The system's.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Returns when all names of the folder are on disk.
    ///
    /// # Errors
    ///
    /// The system's.
    fn sync_names(&mut self) -> io::Result<()>;
}

/// Lends a folder.
impl<S: Storage> Storage for &mut S {
    type Reader = S::Reader;

    fn names(&self) -> io::Result<Vec<String>> {
        (**self).names()
    }

    fn length(&self, name: &str) -> io::Result<Option<u64>> {
        (**self).length(name)
    }

    fn reader(&self, name: &str) -> io::Result<Self::Reader> {
        (**self).reader(name)
    }

    fn append(&mut self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        (**self).append(name, parts)
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        (**self).truncate(name, length)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        (**self).sync(name)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        (**self).rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        (**self).remove(name)
    }

    fn sync_names(&mut self) -> io::Result<()> {
        (**self).sync_names()
    }
}

/// End of the name of a file that is being written and has not got its own name yet.
const UNFINISHED: &str = ".unfinished";

/// Writes a file so that after a crash there is the old one or the new one, whole.
///
/// # Errors
///
/// [`Error::Io`]; the old file is still there, or the new one if only the last step failed.
pub fn replace_file<S: Storage>(storage: &mut S, name: &str, parts: &[&[u8]]) -> Result<(), Error> {
    let unfinished = format!("{name}{UNFINISHED}");
    // What a crash has left is cut off, not continued.
    if storage.length(&unfinished).map_err(Error::io(Operation::Read, &unfinished))?.is_some() {
        storage.truncate(&unfinished, 0).map_err(Error::io(Operation::Write, &unfinished))?;
    }
    let written = storage.append(&unfinished, parts).map_err(Error::io(Operation::Write, &unfinished));
    let synced = written.and_then(|()| storage.sync(&unfinished).map_err(Error::io(Operation::Sync, &unfinished)));
    let named = synced.and_then(|()| storage.rename(&unfinished, name).map_err(Error::io(Operation::Rename, name)));
    if named.is_err() {
        // The reason counts, not whether there was room to clean up; the next start does that anyway.
        _ = storage.remove(&unfinished);
    }
    named?;
    storage.sync_names().map_err(Error::io(Operation::Sync, name))
}

/// Removes what crashes have left half-written.
pub(crate) fn remove_unfinished<S: Storage>(storage: &mut S) -> Result<(), Error> {
    for name in storage.names().map_err(Error::io(Operation::Folder, UNFINISHED))? {
        if name.ends_with(UNFINISHED) {
            storage.remove(&name).map_err(Error::io(Operation::Remove, &name))?;
        }
    }
    Ok(())
}
