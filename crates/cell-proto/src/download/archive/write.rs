//! Writing an archive around an array, wherever its elements are.

use bytes::Bytes;
use fedcell_fobs::array::{Array, ArrayLayout};
use fedcell_fobs::{Blob, Crc32};
use fedcell_protocol_defs::download::ArchiveSyntax;

use super::layout;

/// What is around the elements of one array. The elements themselves need not be at hand before they are sent.
#[derive(Debug, Clone)]
pub struct Member {
    name: Box<[u8]>,
    npy_header: Box<[u8]>,
    elements: u64,
}

impl Member {
    /// An array of this layout, under this item id.
    #[must_use]
    pub fn new(item: &str, layout: &ArrayLayout) -> Self {
        let name = [item.as_bytes(), ArchiveSyntax::MEMBER_SUFFIX.as_str().as_bytes()].concat();
        Self {
            name: name.into(),
            npy_header: layout.npy_header().into(),
            elements: layout.data_len().unwrap_or(usize::MAX) as u64,
        }
    }

    /// Length of the whole archive in bytes.
    #[must_use]
    pub fn archive_len(&self) -> u64 {
        let head = layout::local_len(self.name.len()) as u64;
        let size = self.size();
        let directory = layout::directory_len(self.name.len(), size, head.saturating_add(size)) as u64;
        head.saturating_add(size).saturating_add(directory)
    }

    /// The sum that the archive needs, begun: the elements are to be added.
    #[must_use]
    pub fn sum(&self) -> Crc32 {
        let mut sum = Crc32::new();
        sum.update(&self.npy_header);
        sum
    }

    /// What stands before the elements, and what behind, in an archive with this sum.
    #[must_use]
    pub fn around(&self, sum: u32) -> (Bytes, Bytes) {
        let mut head = layout::local(&self.name, sum, self.size());
        let offset = (head.len() as u64).saturating_add(self.size());
        head.extend_from_slice(&self.npy_header);
        (head.into(), layout::directory(&self.name, sum, self.size(), offset).into())
    }

    /// Length of the member: the file of the array.
    fn size(&self) -> u64 {
        self.elements.saturating_add(self.npy_header.len() as u64)
    }
}

/// The archive of an array in memory, whose elements are not copied.
#[must_use]
pub fn write(item: &str, array: &Array) -> Blob {
    let member = Member::new(item, array.layout());
    let mut sum = member.sum();
    array.data().segments().iter().for_each(|segment| sum.update(segment));
    let (head, tail) = member.around(sum.sum());
    let mut segments = Vec::with_capacity(array.data().segments().len() + 2);
    segments.push(head);
    segments.extend_from_slice(array.data().segments());
    segments.push(tail);
    Blob::from_segments(segments)
}
