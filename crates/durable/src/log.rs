//! Records at the end of one file, replayed in the order in which they were appended.

use core::marker::PhantomData;

use bincode::{Decode, Encode};

use crate::error::{Error, Operation};
use crate::record::{self, Found};
use crate::storage::{Storage, remove_unfinished, replace_file};

/// A file of records with heads of type `T`.
#[derive(Debug)]
pub struct Log<S, T> {
    storage: S,
    name: String,
    length: u64,
    is_failed: bool,
    head: PhantomData<fn(T) -> T>,
}

/// What opening a log has found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replay {
    /// Records that were replayed.
    pub records: u64,
    /// Bytes of a record that was never confirmed and has been cut off.
    pub cut: u64,
}

impl<S: Storage, T: Encode + Decode<()>> Log<S, T> {
    /// Opens a log, and makes it if there is none; gives each record to `visit`, first to last.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Version`] if the file is no log of this version, [`Error::Damaged`] if the disk has lost
    /// what it had confirmed, [`Error::Head`] if a head is no `T`.
    pub fn open(mut storage: S, name: &str, mut visit: impl FnMut(T, Vec<u8>)) -> Result<(Self, Replay), Error> {
        remove_unfinished(&mut storage)?;
        let mut replay = Replay::default();
        let mut at = 0;
        match storage.length(name).map_err(Error::io(Operation::Read, name))? {
            None => {
                storage.append(name, &[]).map_err(Error::io(Operation::Write, name))?;
                storage.sync(name).map_err(Error::io(Operation::Sync, name))?;
                storage.sync_names().map_err(Error::io(Operation::Sync, name))?;
            }
            Some(size) => {
                (at, replay) = read_all(&storage, name, size, &mut visit)?;
                if replay.cut > 0 {
                    storage.truncate(name, at).map_err(Error::io(Operation::Write, name))?;
                }
                // What a killed process has written may not be on disk yet, and is believed from now on.
                storage.sync(name).map_err(Error::io(Operation::Sync, name))?;
                storage.sync_names().map_err(Error::io(Operation::Sync, name))?;
            }
        }
        let log = Self { storage, name: name.to_owned(), length: at, is_failed: false, head: PhantomData };
        Ok((log, replay))
    }

    /// Appends a record; it is on disk when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Size`], [`Error::Encode`]; [`Error::Failed`] after a call whose outcome on disk is not
    /// known.
    pub fn append(&mut self, head: &T, body: &[&[u8]]) -> Result<(), Error> {
        if self.is_failed {
            return Err(Error::Failed { name: self.name.clone() });
        }
        let preface = record::preface(head, body)?;
        let mut parts = Vec::with_capacity(1 + body.len());
        parts.push(preface.as_slice());
        parts.extend_from_slice(body);
        if let Err(error) = self.storage.append(&self.name, &parts) {
            // Say the disk is full: without the half record, there may be room for a smaller one.
            self.is_failed = self.storage.truncate(&self.name, self.length).is_err();
            return Err(Error::io(Operation::Write, &self.name)(error));
        }
        if let Err(error) = self.storage.sync(&self.name) {
            self.is_failed = true;
            return Err(Error::io(Operation::Sync, &self.name)(error));
        }
        self.length += parts.iter().map(|part| part.len() as u64).sum::<u64>();
        Ok(())
    }

    /// Replaces all records by these; after a crash there are the old ones or the new ones. A log that has failed is good
    /// again when this succeeds.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append) but for [`Error::Failed`]; after [`Error::Io`] the log has to be opened anew, or this
    /// tried again.
    pub fn restart(&mut self, heads: &[T]) -> Result<(), Error> {
        let mut bytes = Vec::new();
        for head in heads {
            bytes.extend_from_slice(&record::preface(head, &[])?);
        }
        if let Err(error) = replace_file(&mut self.storage, &self.name, &[&bytes]) {
            self.is_failed = true;
            return Err(error);
        }
        (self.length, self.is_failed) = (bytes.len() as u64, false);
        Ok(())
    }

    /// Reads the log again, and gives each record to `visit`, first to last.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn visit(&self, mut visit: impl FnMut(T, Vec<u8>)) -> Result<(), Error> {
        read_all(&self.storage, &self.name, self.length, &mut visit)?;
        Ok(())
    }

    /// Length of the file in bytes.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The folder, for other files beside the log.
    pub const fn storage_mut(&mut self) -> &mut S {
        &mut self.storage
    }
}

/// How long the whole records are together, and what else was found.
fn read_all<S: Storage, T: Decode<()>>(
    storage: &S,
    name: &str,
    size: u64,
    visit: &mut impl FnMut(T, Vec<u8>),
) -> Result<(u64, Replay), Error> {
    let mut reader = storage.reader(name).map_err(Error::io(Operation::Read, name))?;
    let (mut at, mut replay) = (0, Replay::default());
    loop {
        match record::read(&mut reader, name, at, size.saturating_sub(at))? {
            Found::Record { head, body, length } => {
                at += length;
                replay.records += 1;
                visit(head, body);
            }
            Found::End => return Ok((at, replay)),
            Found::Torn => {
                replay.cut = size - at;
                return Ok((at, replay));
            }
        }
    }
}
