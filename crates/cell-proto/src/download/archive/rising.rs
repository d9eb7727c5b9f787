//! Reading an archive while it arrives, for elements that are not to be kept in memory.
//!
//! Only archives with one member whose lengths stand before it can be read so; the reference and this crate write no
//! others. The directory at the end is counted and not looked at: it repeats what has been said.

use bytes::{Bytes, BytesMut};
use fedcell_fobs::array::{ArrayError, ArrayLayout};
use fedcell_fobs::{Crc32, Text};
use fedcell_protocol_defs::download::{ArchiveLayout as Layout, ArchiveSyntax};
use fedcell_protocol_defs::fobs::NpyLayout;

use super::ArchiveError;
use super::read::Fields;

/// Longest beginning: name and extra field have 16-bit lengths, and the header of an array has a bound of its own.
const MAX_HEAD: usize = Layout::LOCAL_SIZE + 2 * u16::MAX as usize + NpyLayout::MAX_HEADER_SIZE + 16;

/// What has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The beginning: which array it is and how it is laid out. Its elements follow.
    Begins {
        /// Item id.
        item: Text,
        /// Layout of the elements.
        layout: ArrayLayout,
    },
    /// Some elements.
    Elements(Bytes),
    /// All elements have come and their sum is right. What follows is the directory.
    Complete,
}

#[derive(Debug)]
enum State {
    Head(BytesMut),
    Elements { item: Text, left: u64, sum: Crc32, expected: u32 },
    Tail,
}

/// An archive of which a part has arrived.
#[derive(Debug)]
pub struct RisingArchive {
    state: State,
}

impl RisingArchive {
    /// Nothing has arrived yet.
    #[must_use]
    pub fn new() -> Self {
        Self { state: State::Head(BytesMut::new()) }
    }

    /// Whether all elements have come.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self.state, State::Tail)
    }

    /// Takes the next bytes and hands over what they contain.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] if they are no archive that can be read so, or damaged.
    pub fn push(&mut self, bytes: Bytes, give: &mut dyn FnMut(Part)) -> Result<(), ArchiveError> {
        let mut bytes = bytes;
        if let State::Head(head) = &mut self.state {
            head.extend_from_slice(bytes.get(..bytes.len().min(MAX_HEAD)).unwrap_or_default());
            let known = head.len() - bytes.len().min(MAX_HEAD);
            match Head::parse(head)? {
                None if head.len() > MAX_HEAD => return Err(ArchiveError::Malformed("its beginning has no end")),
                None => return Ok(()),
                Some(parsed) => {
                    // The beginning ends in these bytes: with fewer, it would have been found before.
                    bytes = bytes.slice(parsed.len.saturating_sub(known).min(bytes.len())..);
                    let Head { item, layout, left, sum, expected, .. } = parsed;
                    give(Part::Begins { item: item.clone(), layout });
                    self.state = State::Elements { item, left, sum, expected };
                }
            }
        }
        if let State::Elements { item, left, sum, expected } = &mut self.state {
            let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
            let elements = bytes.split_to(here);
            *left -= here as u64;
            if !elements.is_empty() {
                sum.update(&elements);
                give(Part::Elements(elements));
            }
            if *left == 0 {
                if sum.sum() != *expected {
                    return Err(ArchiveError::Sum(item.clone()));
                }
                self.state = State::Tail;
                give(Part::Complete);
            }
        }
        Ok(())
    }
}

impl Default for RisingArchive {
    fn default() -> Self {
        Self::new()
    }
}

struct Head {
    item: Text,
    layout: ArrayLayout,
    /// Bytes of elements.
    left: u64,
    /// Over the header of the array so far.
    sum: Crc32,
    expected: u32,
    len: usize,
}

impl Head {
    /// The beginning, once all of it is there.
    fn parse(head: &[u8]) -> Result<Option<Self>, ArchiveError> {
        let mut fields = Fields(head);
        let Some(local) = Local::read(&mut fields) else { return Ok(None) };
        let local = local?;
        let (layout, header) = match ArrayLayout::from_npy_prefix(fields.0) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(cause) => return Err(ArchiveError::Array { item: local.item, cause }),
        };
        let left = local.size.checked_sub(header as u64);
        let needed = layout.data_len();
        let (Some(left), true) = (left, left.is_some_and(|left| needed.is_some_and(|it| it as u64 == left))) else {
            let found = usize::try_from(left.unwrap_or_default()).unwrap_or(usize::MAX);
            return Err(ArchiveError::Array { item: local.item, cause: ArrayError::Size { needed, found } });
        };
        let mut sum = Crc32::new();
        sum.update(fields.0.get(..header).unwrap_or_default());
        let len = head.len() - fields.0.len() + header;
        Ok(Some(Self { item: local.item, layout, left, sum, expected: local.sum, len }))
    }
}

struct Local {
    item: Text,
    size: u64,
    sum: u32,
}

impl Local {
    /// None if it is not all there yet.
    fn read(fields: &mut Fields<'_>) -> Option<Result<Self, ArchiveError>> {
        if fields.u32()? != Layout::LOCAL_SIGNATURE {
            return Some(Err(ArchiveError::Malformed("it does not begin with a member")));
        }
        fields.skip(2)?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        if method != Layout::STORED || flags & Layout::FLAG_ENCRYPTED != 0 {
            return Some(Err(ArchiveError::NotStored));
        }
        if flags & Layout::FLAG_LENGTHS_BEHIND != 0 {
            return Some(Err(ArchiveError::Malformed("its lengths stand behind the member")));
        }
        fields.skip(4)?;
        let sum = fields.u32()?;
        let packed = fields.u32()?;
        let mut size = u64::from(fields.u32()?);
        let [name, extra] = [fields.u16()?, fields.u16()?].map(usize::from);
        let name = fields.take(name)?;
        let mut extra = Fields(fields.take(extra)?);
        let is_short = packed != Layout::IN_LONG_FIELD;
        while let (Some(id), Some(len)) = (extra.u16(), extra.u16()) {
            let Some(field) = extra.take(usize::from(len)) else { break };
            if id == Layout::LONG_FIELD
                && size == u64::from(Layout::IN_LONG_FIELD)
                && let Some(long) = Fields(field).u64()
            {
                size = long;
            }
        }
        if is_short && u64::from(packed) != size {
            return Some(Err(ArchiveError::NotStored));
        }
        let item =
            core::str::from_utf8(name).ok().and_then(|it| it.strip_suffix(ArchiveSyntax::MEMBER_SUFFIX.as_str()));
        let Some(item) = item else { return Some(Err(ArchiveError::Malformed("its member is no .npy file"))) };
        Some(Ok(Self { item: item.into(), size, sum }))
    }
}
