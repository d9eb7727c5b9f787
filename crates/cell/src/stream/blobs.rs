//! Streams that are collected in memory, and how much of all of them together.

use fedcell_cell_proto::message::Payload;
use fedcell_cell_proto::stream::{Blob, StreamError, StreamHead};

/// Bounds of what is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlobLimits {
    /// Largest blob, in bytes.
    pub(crate) each: u64,
    /// Most bytes of all blobs that are being collected.
    pub(crate) all: u64,
}

/// Counts what is being collected.
#[derive(Debug)]
pub(crate) struct Blobs {
    limits: BlobLimits,
    bytes: u64,
}

/// One blob, while it comes. It has to be given back to its [`Blobs`], whole or broken.
#[derive(Debug)]
pub(crate) struct Collecting {
    blob: Blob,
    bytes: u64,
}

impl Blobs {
    pub(crate) const fn new(limits: BlobLimits) -> Self {
        Self { limits, bytes: 0 }
    }

    /// Whether a stream of the size that its sender declares may begin.
    pub(crate) fn check(&self, head: &StreamHead) -> Result<(), StreamError> {
        Blob::check_declared(head, self.limits.each)?;
        self.check_sum(head.size().unwrap_or_default())
    }

    pub(crate) fn begin(&self, head: &StreamHead) -> Result<Collecting, StreamError> {
        Ok(Collecting { blob: Blob::new(head, self.limits.each)?, bytes: 0 })
    }

    /// Adds what has come. On an error the blob has to be given back.
    pub(crate) fn push(&mut self, collecting: &mut Collecting, payload: &Payload) -> Result<(), StreamError> {
        let more = payload.len() as u64;
        self.check_sum(more)?;
        collecting.bytes += more;
        self.bytes += more;
        collecting.blob.push(payload)
    }

    /// The blob is complete: it is its handler's from now on.
    pub(crate) fn finish(&mut self, collecting: Collecting) -> Result<Payload, StreamError> {
        self.bytes = self.bytes.saturating_sub(collecting.bytes);
        collecting.blob.finish()
    }

    /// A blob that has come in one piece.
    pub(crate) fn whole(&self, head: &StreamHead, payload: Payload) -> Result<Payload, StreamError> {
        Blob::whole(head, payload, self.limits.each)
    }

    /// The blob will not be complete.
    pub(crate) const fn give_up(&mut self, collecting: &Collecting) {
        self.bytes = self.bytes.saturating_sub(collecting.bytes);
    }

    /// Bytes that are being collected now.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn check_sum(&self, more: u64) -> Result<(), StreamError> {
        if self.bytes.saturating_add(more) <= self.limits.all {
            return Ok(());
        }
        let all = self.limits.all;
        Err(StreamError::refused(format!("this cell collects as many bytes as it may, {all}; try again later")))
    }
}
