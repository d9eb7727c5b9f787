//! One file per record, for what is stored and removed one by one.

use core::marker::PhantomData;

use bincode::{Decode, Encode};

use crate::error::{Error, Operation};
use crate::record::{self, Found};
use crate::storage::{Storage, remove_unfinished, replace_file};

/// End of the name of an entry's file.
const SUFFIX: &str = ".record";

/// Longest name of an entry, in bytes.
const MAX_NAME: usize = 64;

/// A folder of records with heads of type `T`, each under a name.
#[derive(Debug)]
pub struct Entries<S, T> {
    storage: S,
    head: PhantomData<fn(T) -> T>,
}

impl<S: Storage, T: Encode + Decode<()>> Entries<S, T> {
    /// Opens a folder and removes what a crash has left half-written.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn open(mut storage: S) -> Result<Self, Error> {
        remove_unfinished(&mut storage)?;
        // What a killed process has renamed or removed is believed from now on.
        storage.sync_names().map_err(Error::io(Operation::Sync, SUFFIX))?;
        Ok(Self { storage, head: PhantomData })
    }

    /// Names of all entries, sorted.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let files = self.storage.names().map_err(Error::io(Operation::Folder, SUFFIX))?;
        let mut names: Vec<_> = files
            .iter()
            .filter_map(|file| file.strip_suffix(SUFFIX))
            .filter(|name| is_name(name))
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Stores an entry, in the place of one of that name; it is on disk when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Name`], [`Error::Io`], [`Error::Size`], [`Error::Encode`].
    pub fn put(&mut self, name: &str, head: &T, body: &[&[u8]]) -> Result<(), Error> {
        let file = file(name)?;
        let preface = record::preface(head, body)?;
        let mut parts = Vec::with_capacity(1 + body.len());
        parts.push(preface.as_slice());
        parts.extend_from_slice(body);
        replace_file(&mut self.storage, &file, &parts)
    }

    /// Reads an entry; none if there is none of that name.
    ///
    /// # Errors
    ///
    /// [`Error::Name`], [`Error::Io`], [`Error::Damaged`], [`Error::Version`], [`Error::Head`].
    pub fn read(&self, name: &str) -> Result<Option<(T, Vec<u8>)>, Error> {
        let file = file(name)?;
        let Some(size) = self.storage.length(&file).map_err(Error::io(Operation::Read, &file))? else {
            return Ok(None);
        };
        let mut reader = self.storage.reader(&file).map_err(Error::io(Operation::Read, &file))?;
        match record::read(&mut reader, &file, 0, size)? {
            Found::Record { head, body, length } if length == size => Ok(Some((head, body))),
            // An entry has its name only once it is whole.
            _ => Err(Error::Damaged { name: file, at: 0 }),
        }
    }

    /// Removes an entry; it stays removed once this has returned. Whether there was one.
    ///
    /// # Errors
    ///
    /// [`Error::Name`], [`Error::Io`].
    pub fn remove(&mut self, name: &str) -> Result<bool, Error> {
        let file = file(name)?;
        if self.storage.length(&file).map_err(Error::io(Operation::Read, &file))?.is_none() {
            return Ok(false);
        }
        self.storage.remove(&file).map_err(Error::io(Operation::Remove, &file))?;
        self.storage.sync_names().map_err(Error::io(Operation::Sync, &file))?;
        Ok(true)
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn file(name: &str) -> Result<String, Error> {
    if is_name(name) { Ok(format!("{name}{SUFFIX}")) } else { Err(Error::Name(name.to_owned())) }
}
