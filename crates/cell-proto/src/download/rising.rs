//! Reading a reply while it arrives, so that an array of any size goes to a file and never through memory.
//!
//! A reply is a container of sections: the body first, small, and behind it the archives that the sender has set aside
//! because they are large. The body is collected; a large archive is handed on as it comes.
//!
//! ```text
//!  ┌──────────────────────────────┬───────────────────────────┬───────────────────────────┐
//!  │ main section: state, small   │ datum: id, large archive  │ datum: id, large archive  │
//!  │ archives, ids of large ones  │                           │                           │
//!  └──────────────────────────────┴───────────────────────────┴───────────────────────────┘
//!          collected                 handed on as it comes
//! ```

use bytes::{Bytes, BytesMut};
use fedcell_protocol_defs::fobs::{SectionLayout, SectionMarker};

use super::archive::{ArchiveError, Part, RisingArchive};
use super::digest::{ContentDigest, Digest};

/// A reply that arrives is not what it must be. The source's fault, or damage on the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RisingError {
    /// It is no container of sections.
    #[error("the reply is no container: {0}")]
    Container(&'static str),
    /// What is to be collected is larger than it may be.
    #[error("the reply has {found} bytes that would have to be kept in memory, more than the {limit} allowed")]
    TooLarge {
        /// Bytes that it says it has.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// A large part is no archive of an array.
    #[error("a part of the reply is no archive")]
    Archive(#[from] ArchiveError),
    /// It ended too early.
    #[error("the reply ends in the middle")]
    CutOff,
}

/// What the caller is given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Risen {
    /// A part of the archive that is arriving.
    Part(Part),
    /// The archive is complete, to its last byte.
    Archive {
        /// Id of its datum, under which the body refers to it.
        datum: [u8; SectionLayout::DATUM_ID_SIZE],
        /// Its digest, if it is wanted.
        digest: Option<Digest>,
        /// Its length in bytes.
        length: u64,
    },
}

/// A section for an archive that has been handed on: a datum whose content is its own id.
fn stand_in(datum: &[u8; SectionLayout::DATUM_ID_SIZE]) -> Bytes {
    let mut section = BytesMut::with_capacity(SectionLayout::HEADER_SIZE + 2 * datum.len());
    section.extend_from_slice(&[SectionMarker::DATUM_BLOB.get(), 0]);
    section.extend_from_slice(&(2 * datum.len() as u64).to_be_bytes());
    section.extend_from_slice(datum);
    section.extend_from_slice(datum);
    section.freeze()
}

#[derive(Debug)]
enum State {
    /// Header of a section, as far as it is there.
    Header(BytesMut),
    /// A section that is collected, header included.
    Collect {
        left: u64,
    },
    /// Id of a datum that will be handed on.
    Id {
        bytes: BytesMut,
        left: u64,
    },
    Archive(Box<Archive>),
}

#[derive(Debug)]
struct Archive {
    datum: [u8; SectionLayout::DATUM_ID_SIZE],
    left: u64,
    length: u64,
    rising: RisingArchive,
    digest: Option<ContentDigest>,
}

/// A reply of which a part has arrived.
#[derive(Debug)]
pub struct RisingReply {
    state: State,
    collected: Vec<Bytes>,
    collected_len: u64,
    /// Archives of this length and more are handed on.
    large: u64,
    limit: u64,
    digests: bool,
}

impl RisingReply {
    /// Nothing has arrived. Archives of `large` bytes and more are handed on; what is collected may have `limit` bytes.
    #[must_use]
    pub fn new(large: u64, limit: u64, digests: bool) -> Self {
        let state = State::Header(BytesMut::with_capacity(SectionLayout::HEADER_SIZE));
        Self { state, collected: Vec::new(), collected_len: 0, large, limit, digests }
    }

    /// Takes the next bytes and hands over what they contain.
    ///
    /// # Errors
    ///
    /// [`RisingError`] if they are not what a source sends.
    pub fn push(&mut self, mut bytes: Bytes, give: &mut dyn FnMut(Risen)) -> Result<(), RisingError> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Header(header) => {
                    let missing = SectionLayout::HEADER_SIZE.saturating_sub(header.len());
                    header.extend_from_slice(&bytes.split_to(missing.min(bytes.len())));
                    if header.len() == SectionLayout::HEADER_SIZE {
                        let header = header.split().freeze();
                        self.section(header)?;
                    }
                }
                State::Collect { left } => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= here as u64;
                    let is_over = *left == 0;
                    self.collected.push(bytes.split_to(here));
                    if is_over {
                        self.state = State::Header(BytesMut::new());
                    }
                }
                State::Id { bytes: id, left } => {
                    let missing = SectionLayout::DATUM_ID_SIZE.saturating_sub(id.len());
                    id.extend_from_slice(&bytes.split_to(missing.min(bytes.len())));
                    if let Ok(datum) = id.as_ref().try_into() {
                        let digest = self.digests.then(ContentDigest::new);
                        let (left, rising) = (*left, RisingArchive::new());
                        self.state = State::Archive(Box::new(Archive { datum, left, length: left, rising, digest }));
                    }
                }
                State::Archive(archive) => {
                    let here = usize::try_from(archive.left).unwrap_or(usize::MAX).min(bytes.len());
                    let part = bytes.split_to(here);
                    archive.left -= here as u64;
                    if let Some(digest) = &mut archive.digest {
                        digest.update(&part);
                    }
                    archive.rising.push(part, &mut |part| give(Risen::Part(part)))?;
                    if archive.left == 0 {
                        if !archive.rising.is_complete() {
                            return Err(RisingError::CutOff);
                        }
                        let digest = archive.digest.as_ref().map(ContentDigest::finish);
                        give(Risen::Archive { datum: archive.datum, digest, length: archive.length });
                        self.collected.push(stand_in(&archive.datum));
                        self.state = State::Header(BytesMut::new());
                    }
                }
            }
        }
        Ok(())
    }

    /// The reply has ended: what was collected, to be decoded as a container of its own. In the place of an archive that
    /// has been handed on there is a byte string with the id of its datum.
    ///
    /// # Errors
    ///
    /// [`RisingError::CutOff`] if it ended in the middle.
    pub fn finish(self) -> Result<Vec<Bytes>, RisingError> {
        match self.state {
            State::Header(header) if header.is_empty() => Ok(self.collected),
            _ => Err(RisingError::CutOff),
        }
    }

    fn section(&mut self, header: Bytes) -> Result<(), RisingError> {
        let (&marker, rest) = header.split_first().ok_or(RisingError::CutOff)?;
        let size = rest.get(1..).and_then(|size| size.try_into().ok()).map(u64::from_be_bytes);
        let size = size.ok_or(RisingError::Container("a section has no length"))?;
        let is_blob = marker == SectionMarker::DATUM_BLOB.get();
        let id = SectionLayout::DATUM_ID_SIZE as u64;
        if is_blob && size >= self.large.saturating_add(id) {
            self.state = State::Id { bytes: BytesMut::with_capacity(SectionLayout::DATUM_ID_SIZE), left: size - id };
            return Ok(());
        }
        if size == 0 {
            return Err(RisingError::Container("a section is empty"));
        }
        self.collected_len = self.collected_len.saturating_add(size);
        if self.collected_len > self.limit {
            return Err(RisingError::TooLarge { found: self.collected_len, limit: self.limit });
        }
        self.collected.push(header);
        self.state = State::Collect { left: size };
        Ok(())
    }
}
