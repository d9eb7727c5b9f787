//! A simulated disk, and disks with which a participant breaks a promise.

use core::sync::atomic::{AtomicBool, Ordering};
use std::io::{self, Cursor};
use std::sync::Arc;

use fedcell_durable::{SimulatedDisk, Storage};

/// What is done wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    None,
    /// The server answers before anything is on disk for sure.
    JournalSyncsNothing,
    /// A site removes a result when it sends it, not when the server has it.
    OutboxForgetsWhatItSends,
}

/// The disk of one process.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub(crate) below: SimulatedDisk,
    syncs: bool,
    /// Whether what is read is removed.
    forgets: Arc<AtomicBool>,
}

impl Disk {
    pub(crate) fn of_server(below: SimulatedDisk, mutation: Mutation) -> Self {
        Self { below, syncs: mutation != Mutation::JournalSyncsNothing, forgets: Arc::default() }
    }

    pub(crate) fn of_site(below: SimulatedDisk) -> Self {
        Self { below, syncs: true, forgets: Arc::default() }
    }

    /// From now on; a start reads everything and sends nothing.
    pub(crate) fn forget_if(&self, mutation: Mutation) {
        self.forgets.store(mutation == Mutation::OutboxForgetsWhatItSends, Ordering::Relaxed);
    }
}

impl Storage for Disk {
    type Reader = Cursor<Vec<u8>>;

    fn names(&self) -> io::Result<Vec<String>> {
        self.below.names()
    }

    fn length(&self, name: &str) -> io::Result<Option<u64>> {
        self.below.length(name)
    }

    fn reader(&self, name: &str) -> io::Result<Self::Reader> {
        let reader = self.below.reader(name)?;
        if self.forgets.load(Ordering::Relaxed) {
            let mut below = self.below.clone();
            below.remove(name)?;
            below.sync_names()?;
        }
        Ok(reader)
    }

    fn append(&mut self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        self.below.append(name, parts)
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        self.below.truncate(name, length)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        if self.syncs { self.below.sync(name) } else { Ok(()) }
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.below.rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.below.remove(name)
    }

    fn sync_names(&mut self) -> io::Result<()> {
        if self.syncs { self.below.sync_names() } else { Ok(()) }
    }
}
