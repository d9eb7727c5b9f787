//! A disk in memory that stops after a number of steps and then forgets what was not synced.

use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::storage::Storage;

/// A folder in memory for tests of crashes. Clones are handles of the same folder.
///
/// Every written byte and every other call is a step. After [`stop_after`](Self::stop_after) that many steps all calls
/// fail, as if the process had been killed; [`crash`](Self::crash) then gives the folder that the next start finds.
#[derive(Debug, Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    files: Vec<Content>,
    /// What the running process sees.
    names: BTreeMap<String, usize>,
    /// What is on disk, and the changes that may or may not be.
    synced_names: BTreeMap<String, usize>,
    pending: Vec<Change>,
    steps_left: Option<u64>,
    steps: u64,
}

#[derive(Debug, Default, Clone)]
struct Content {
    bytes: Vec<u8>,
    /// What is on disk for sure.
    synced: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Change {
    Set(String, usize),
    Remove(String),
}

impl SimulatedDisk {
    /// An empty folder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets this many more steps happen.
    pub fn stop_after(&self, steps: u64) {
        self.disk().steps_left = Some(steps);
    }

    /// Steps that have happened.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.disk().steps
    }

    /// The folder after a loss of power: of what was not synced, `choice` decides from step to step how much is there.
    ///
    /// `choice(n)` gives a number below or equal to `n`. With `|n| n` everything is there, as after the end of the
    /// process alone.
    #[must_use]
    pub fn crash(&self, mut choice: impl FnMut(usize) -> usize) -> Self {
        let disk = self.disk();
        let mut names = disk.synced_names.clone();
        // A journal of the file system keeps changes of names in order.
        let kept = choice(disk.pending.len()).min(disk.pending.len());
        for change in &disk.pending[..kept] {
            match change {
                Change::Set(name, file) => {
                    // A file that is renamed vanishes from its old name with the same change.
                    names.retain(|_, other| other != file);
                    names.insert(name.clone(), *file);
                }
                Change::Remove(name) => {
                    names.remove(name);
                }
            }
        }
        let files: Vec<_> = disk.files.iter().map(|content| content.after_crash(&mut choice)).collect();
        Self(Arc::new(Mutex::new(Disk {
            files,
            synced_names: names.clone(),
            names,
            pending: Vec::new(),
            steps_left: None,
            steps: 0,
        })))
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.steps += 1;
        match &mut disk.steps_left {
            Some(0) => Err(off()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn file(&self, name: &str) -> io::Result<usize> {
        self.disk().names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn off() -> io::Error {
    io::Error::other("the simulated machine is off")
}

impl Content {
    /// A prefix of what was written since the last sync; behind it, sometimes, zeros up to the length.
    fn after_crash(&self, choice: &mut impl FnMut(usize) -> usize) -> Self {
        if self.bytes == self.synced {
            return self.clone();
        }
        let common = self.bytes.iter().zip(&self.synced).take_while(|(a, b)| a == b).count();
        let mut bytes = if common == self.synced.len() {
            let kept = common + choice(self.bytes.len() - common).min(self.bytes.len() - common);
            self.bytes[..kept].to_vec()
        } else if choice(1) == 0 {
            self.synced.clone()
        } else {
            self.bytes.clone()
        };
        // The length of a file may reach the disk before its bytes do.
        if bytes.len() < self.bytes.len() && choice(3) == 1 {
            bytes.resize(self.bytes.len(), 0);
        }
        Self { synced: bytes.clone(), bytes }
    }
}

impl Storage for SimulatedDisk {
    type Reader = Cursor<Vec<u8>>;

    fn names(&self) -> io::Result<Vec<String>> {
        self.step()?;
        Ok(self.disk().names.keys().cloned().collect())
    }

    fn length(&self, name: &str) -> io::Result<Option<u64>> {
        self.step()?;
        let disk = self.disk();
        Ok(disk.names.get(name).map(|file| disk.files[*file].bytes.len() as u64))
    }

    fn reader(&self, name: &str) -> io::Result<Self::Reader> {
        self.step()?;
        let file = self.file(name)?;
        Ok(Cursor::new(self.disk().files[file].bytes.clone()))
    }

    fn append(&mut self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        self.step()?;
        let file = match self.file(name) {
            Ok(file) => file,
            Err(_) => {
                let mut disk = self.disk();
                disk.files.push(Content::default());
                let file = disk.files.len() - 1;
                disk.names.insert(name.to_owned(), file);
                disk.pending.push(Change::Set(name.to_owned(), file));
                file
            }
        };
        let mut disk = self.disk();
        for part in parts {
            let room =
                disk.steps_left.map_or(part.len(), |left| part.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            let (written, rest) = part.split_at(room);
            disk.files[file].bytes.extend_from_slice(written);
            disk.steps += room as u64;
            disk.steps_left = disk.steps_left.map(|left| left - room as u64);
            if !rest.is_empty() {
                return Err(off());
            }
        }
        Ok(())
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        self.step()?;
        let file = self.file(name)?;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        self.disk().files[file].bytes.truncate(length);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.step()?;
        let file = self.file(name)?;
        let mut disk = self.disk();
        let content = &mut disk.files[file];
        content.synced.clone_from(&content.bytes);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.step()?;
        let file = self.file(from)?;
        let mut disk = self.disk();
        disk.names.remove(from);
        disk.names.insert(to.to_owned(), file);
        disk.pending.push(Change::Set(to.to_owned(), file));
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.step()?;
        self.file(name)?;
        let mut disk = self.disk();
        disk.names.remove(name);
        disk.pending.push(Change::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.step()?;
        let mut disk = self.disk();
        disk.synced_names = disk.names.clone();
        disk.pending.clear();
        Ok(())
    }
}
