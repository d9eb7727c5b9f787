//! One piece that has arrived, part of it perhaps on disk, and whether it is what was sent.

use fedcell_cell_proto::download::body::{self, Content};
use fedcell_cell_proto::download::consumer::Unusable;
use fedcell_cell_proto::download::digest::{ContentDigest, Digest};
use fedcell_fobs::{Blob, Map, Text};

use super::spill::SpilledArray;

/// An archive that went to disk while it arrived.
#[derive(Debug)]
pub(super) struct OnDisk {
    /// What stands for it in the content.
    pub(super) datum: [u8; 16],
    pub(super) item: Text,
    pub(super) array: SpilledArray,
    pub(super) digest: Option<Digest>,
    pub(super) length: u64,
}

/// One piece of an object that has arrived.
#[derive(Debug)]
pub struct Piece {
    pub(super) inner: body::Piece,
    pub(super) on_disk: Vec<OnDisk>,
}

impl Piece {
    /// The state that came with it.
    #[must_use]
    pub const fn state(&self) -> &Map {
        &self.inner.state
    }

    /// The content.
    #[must_use]
    pub const fn content(&self) -> &Content {
        &self.inner.data
    }

    /// Bytes of the content, wherever they are.
    pub(super) fn len(&self) -> u64 {
        self.on_disk.iter().map(|it| it.length).sum::<u64>() + self.inner.data.len() as u64
    }

    /// The archive on disk for which this byte string stands.
    pub(super) fn stand_in(&self, blob: &Blob) -> Option<&OnDisk> {
        if self.on_disk.is_empty() || blob.len() != 16 {
            return None;
        }
        let id = blob.to_bytes();
        self.on_disk.iter().find(|it| id.as_ref() == it.datum)
    }

    /// Compares the content with the digests that came with it. Whether there were any.
    pub(super) fn verify(&self) -> Result<bool, Unusable> {
        let Some(digests) = &self.inner.digests else { return Ok(false) };
        let blobs = self.inner.data.blobs();
        let is_same = |(blob, digest): (&Blob, &Digest)| match self.stand_in(blob) {
            // Not digested, it has been compared with the archive's own sum.
            Some(on_disk) => on_disk.digest.is_none_or(|found| found == *digest),
            None => ContentDigest::of(blob) == *digest,
        };
        if blobs.len() == digests.len() && blobs.iter().zip(digests).all(is_same) {
            Ok(true)
        } else {
            Err(Unusable::Damaged("a piece is not what its digest says".into()))
        }
    }
}
