//! Reading an archive that has arrived: the directory at its end, then its members as views.

use fedcell_fobs::array::{Array, ArrayError};
use fedcell_fobs::{Blob, Crc32, Text};
use fedcell_protocol_defs::download::{ArchiveLayout as Layout, ArchiveSyntax};

/// Most members of one archive. The reference puts one in each; more are read because the format has them.
const MAX_MEMBERS: u64 = 1024;

/// Longest comment at the end of an archive, by the format.
const MAX_COMMENT: usize = u16::MAX as usize;

/// Whether the sums in an archive are compared with its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "yes or no")]
pub enum Check {
    /// They are: nothing else says that the content is what was sent.
    Sums,
    /// They are not: the caller has compared a stronger sum of the whole archive.
    Nothing,
}

/// Bytes are no archive of arrays. The fault is the sender's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// They do not have the form of an archive.
    #[error("the bytes are no archive: {0}")]
    Malformed(&'static str),
    /// A member is compressed or encrypted, which arrays never are.
    #[error("a member of the archive is compressed or encrypted: arrays must be stored as they are")]
    NotStored,
    /// There are more members than anybody needs, or they overlap.
    #[error("the archive has too many members, or members that overlap")]
    Members,
    /// The content is not what the sum says.
    #[error("member {0:?} of the archive is damaged: its sum differs")]
    Sum(Text),
    /// A member is no array.
    #[error("member {item:?} of the archive is no array")]
    Array {
        /// Name of the member.
        item: Text,
        /// What is wrong with it.
        #[source]
        cause: ArrayError,
    },
}

/// The arrays of an archive by item id. Their elements are views of its bytes.
///
/// # Errors
///
/// [`ArchiveError`] says what is wrong with it.
pub fn read(archive: &Blob, check: Check) -> Result<Vec<(Text, Array)>, ArchiveError> {
    let len = archive.len();
    let directory = find_directory(archive, len)?;
    if directory.members > MAX_MEMBERS {
        return Err(ArchiveError::Members);
    }
    let mut arrays = Vec::new();
    let entries = slice(archive, directory.offset, directory.len).ok_or(CUT)?.to_bytes();
    let mut entries = Fields(&entries);
    let mut left = len as u64;
    for _ in 0..directory.members {
        let entry = Entry::read(&mut entries)?;
        // Members that share bytes would make an archive larger in memory than on the wire.
        left = left.checked_sub(entry.size).ok_or(ArchiveError::Members)?;
        arrays.push(entry.array(archive, check)?);
    }
    Ok(arrays)
}

const CUT: ArchiveError = ArchiveError::Malformed("a part lies beyond its end");

struct Directory {
    members: u64,
    len: u64,
    offset: u64,
}

/// Finds the end of the directory behind everything else, and with it the directory.
fn find_directory(archive: &Blob, len: usize) -> Result<Directory, ArchiveError> {
    const NONE: ArchiveError = ArchiveError::Malformed("it has no directory");
    let tail_len = len.min(Layout::END_SIZE + MAX_COMMENT);
    // Without a comment, which is the rule, the end is at the end.
    for tail_len in [len.min(Layout::END_SIZE), tail_len] {
        let (_, tail) = archive.split_at(len - tail_len).ok_or(NONE)?;
        let tail = tail.to_bytes();
        let signature = Layout::END_SIGNATURE.to_le_bytes();
        let found = tail.windows(Layout::END_SIZE).enumerate().rev().find_map(|(at, window)| {
            let comment = tail.len() - at - Layout::END_SIZE;
            let mut fields = Fields(window.strip_prefix(&signature)?);
            fields.skip(6)?;
            let members = u64::from(fields.u16()?);
            let directory = Directory { members, len: u64::from(fields.u32()?), offset: u64::from(fields.u32()?) };
            (usize::from(fields.u16()?) == comment).then_some((len - tail.len() + at, directory))
        });
        if let Some((at, directory)) = found {
            return long_end(archive, at).map(|long| long.unwrap_or(directory));
        }
    }
    Err(NONE)
}

/// The long form of the end, if something before the short form says where it is.
fn long_end(archive: &Blob, end: usize) -> Result<Option<Directory>, ArchiveError> {
    let Some(locator) = end.checked_sub(Layout::LOCATOR_SIZE) else { return Ok(None) };
    let locator = slice(archive, locator as u64, Layout::LOCATOR_SIZE as u64).ok_or(CUT)?.to_bytes();
    let Some(rest) = locator.strip_prefix(&Layout::LOCATOR_SIGNATURE.to_le_bytes()) else { return Ok(None) };
    let mut fields = Fields(rest);
    let read = |fields: &mut Fields<'_>| {
        fields.skip(4)?;
        fields.u64()
    };
    let at = read(&mut fields).ok_or(CUT)?;
    let long = slice(archive, at, Layout::LONG_END_SIZE as u64).ok_or(CUT)?.to_bytes();
    let rest = long
        .strip_prefix(&Layout::LONG_END_SIGNATURE.to_le_bytes())
        .ok_or(ArchiveError::Malformed("its end is not where it says"))?;
    let mut fields = Fields(rest);
    let read = |fields: &mut Fields<'_>| {
        fields.skip(28)?;
        Some(Directory { members: fields.u64()?, len: fields.u64()?, offset: fields.u64()? })
    };
    read(&mut fields).map(Some).ok_or(CUT)
}

/// A member, as the directory has it.
struct Entry {
    name: Text,
    flags: u16,
    method: u16,
    sum: u32,
    size: u64,
    offset: u64,
}

impl Entry {
    fn read(entries: &mut Fields<'_>) -> Result<Self, ArchiveError> {
        Self::fields(entries).ok_or(ArchiveError::Malformed("an entry of its directory is cut off or wrong"))
    }

    fn fields(entries: &mut Fields<'_>) -> Option<Self> {
        if entries.u32()? != Layout::ENTRY_SIGNATURE {
            return None;
        }
        entries.skip(4)?;
        let (flags, method) = (entries.u16()?, entries.u16()?);
        entries.skip(4)?;
        let sum = entries.u32()?;
        let (mut packed, mut size) = (u64::from(entries.u32()?), u64::from(entries.u32()?));
        let [name, extra, comment] = [entries.u16()?, entries.u16()?, entries.u16()?].map(usize::from);
        entries.skip(8)?;
        let mut offset = u64::from(entries.u32()?);
        let name = entries.take(name)?;
        let mut extra = Fields(entries.take(extra)?);
        entries.skip(comment)?;
        while let (Some(id), Some(len)) = (extra.u16(), extra.u16()) {
            let mut field = Fields(extra.take(usize::from(len))?);
            if id == Layout::LONG_FIELD {
                // Only those that the entry itself does not have, in this order.
                for number in [&mut size, &mut packed, &mut offset] {
                    if *number == u64::from(Layout::IN_LONG_FIELD) {
                        *number = field.u64()?;
                    }
                }
            }
        }
        let name = core::str::from_utf8(name).ok()?;
        let name = name.strip_suffix(ArchiveSyntax::MEMBER_SUFFIX.as_str())?.into();
        (packed == size || method != Layout::STORED).then_some(Self { name, flags, method, sum, size, offset })
    }

    fn array(self, archive: &Blob, check: Check) -> Result<(Text, Array), ArchiveError> {
        if self.method != Layout::STORED || self.flags & Layout::FLAG_ENCRYPTED != 0 {
            return Err(ArchiveError::NotStored);
        }
        let local = slice(archive, self.offset, Layout::LOCAL_SIZE as u64).ok_or(CUT)?.to_bytes();
        let before = local_lengths(&local).ok_or(ArchiveError::Malformed("a member is not where it should be"))?;
        let offset = self.offset.checked_add(before).ok_or(CUT)?;
        let file = slice(archive, offset, self.size).ok_or(CUT)?;
        if check == Check::Sums && Crc32::of(file.segments().iter().map(AsRef::as_ref)) != self.sum {
            return Err(ArchiveError::Sum(self.name));
        }
        match Array::from_npy(file) {
            Ok(array) => Ok((self.name, array)),
            Err(cause) => Err(ArchiveError::Array { item: self.name, cause }),
        }
    }
}

/// How many bytes stand before a member, its name and extra field included.
fn local_lengths(local: &[u8]) -> Option<u64> {
    let mut fields = Fields(local);
    if fields.u32()? != Layout::LOCAL_SIGNATURE {
        return None;
    }
    fields.skip(22)?;
    let (name, extra) = (u64::from(fields.u16()?), u64::from(fields.u16()?));
    Some(Layout::LOCAL_SIZE as u64 + name + extra)
}

/// A part of the archive; none if it does not lie within.
fn slice(archive: &Blob, offset: u64, len: u64) -> Option<Blob> {
    let (_, rest) = archive.split_at(usize::try_from(offset).ok()?)?;
    Some(rest.split_at(usize::try_from(len).ok()?)?.0)
}

/// Fields that are still to be read, little endian.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn skip(&mut self, len: usize) -> Option<()> {
        self.take(len).map(drop)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_le_bytes(*number))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*number))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }
}
