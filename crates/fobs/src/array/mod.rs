//! Arrays: numpy's, as views of the bytes that they arrived in.

mod dtype;
mod element;
mod layout;
mod npy;

pub use dtype::{ByteOrder, DType, Kind};
pub use element::{Element, Elements};
pub use layout::ArrayLayout;

use crate::Blob;

/// A numpy array: element type, shape, and elements that stay in the segments they were received in.
///
/// Cloning shares the elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    layout: ArrayLayout,
    data: Blob,
}

/// Which index of an array varies fastest as one goes through its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// The last: row by row.
    #[default]
    C,
    /// The first: column by column.
    Fortran,
}

impl Array {
    /// An array of these bytes, which are not copied.
    ///
    /// # Errors
    ///
    /// The bytes are not as many as the shape needs.
    pub fn new(
        dtype: DType,
        shape: impl Into<Box<[usize]>>,
        order: Order,
        data: impl Into<Blob>,
    ) -> Result<Self, ArrayError> {
        Self::with_layout(ArrayLayout::new(dtype, shape, order), data)
    }

    /// An array of these bytes, which are not copied, in this layout.
    ///
    /// # Errors
    ///
    /// The bytes are not as many as the layout needs.
    pub fn with_layout(layout: ArrayLayout, data: impl Into<Blob>) -> Result<Self, ArrayError> {
        let data = data.into();
        let (needed, found) = (layout.data_len(), data.len());
        match needed {
            Some(needed) if needed == found => Ok(Self { layout, data }),
            _ => Err(ArrayError::Size { needed, found }),
        }
    }

    /// Reads a `.npy` file; the elements are a view of its bytes.
    ///
    /// # Errors
    ///
    /// It is no such file, or an array of structures or of Python objects.
    pub fn from_npy(file: impl Into<Blob>) -> Result<Self, ArrayError> {
        npy::parse(&file.into())
    }

    /// The bytes that stand before the elements in a `.npy` file of the array; the same that numpy writes.
    pub fn npy_header(&self) -> Vec<u8> {
        self.layout.npy_header()
    }

    /// Type, shape and order.
    pub const fn layout(&self) -> &ArrayLayout {
        &self.layout
    }

    /// Type of the elements.
    pub const fn dtype(&self) -> &DType {
        self.layout.dtype()
    }

    /// Length along each axis; empty for a single element.
    pub const fn shape(&self) -> &[usize] {
        self.layout.shape()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        // Cannot overflow for elements that have a size: the constructor has compared the product with the bytes.
        self.shape().iter().fold(1_usize, |count, axis| count.saturating_mul(*axis))
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.shape().contains(&0)
    }

    /// In which order the elements are stored.
    pub const fn order(&self) -> Order {
        self.layout.order()
    }

    /// The bytes of the elements.
    pub const fn data(&self) -> &Blob {
        &self.data
    }

    /// The bytes of the elements in one piece: joins them in place if they were received in several.
    pub fn make_contiguous(&mut self) -> &bytes::Bytes {
        self.data.make_contiguous()
    }

    /// Whether two arrays are views of the same bytes in the same way: one object in Python.
    pub(crate) fn is_same_view(&self, other: &Self) -> bool {
        let address = |array: &Self| array.data.segments().first().map(|segment| (segment.as_ptr(), segment.len()));
        address(self) == address(other)
            && !self.data.is_empty()
            && self.layout == other.layout
            && self.data.segments().len() == other.data.segments().len()
    }
}

/// Why bytes are no array, or not the one that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayError {
    /// The bytes are no `.npy` file, or one that is cut off.
    #[error("the bytes are not a complete .npy file")]
    NotNpy,
    /// The header says that it is longer than any reader accepts.
    #[error("a .npy header of {0} bytes is longer than any reader accepts")]
    HeaderLength(usize),
    /// The header is not the dict of three keys that it must be.
    #[error("the .npy header does not say type, order and shape")]
    Header,
    /// The elements are structures.
    #[error("arrays of structures are not supported: send one array per field")]
    Structured,
    /// The elements are Python objects.
    #[error("arrays of python objects cannot be sent: the format forbids them")]
    Objects,
    /// The element type is none that numpy has.
    #[error("unknown element type {0:?}")]
    UnknownType(String),
    /// The number of bytes does not go with shape and type.
    #[error("type and shape need {} bytes, but there are {found}", .needed.map_or("too many".to_owned(), |n| n.to_string()))]
    Size {
        /// Bytes that shape and type need; none if they are more than can be counted.
        needed: Option<usize>,
        /// Bytes that are there.
        found: usize,
    },
    /// The caller asked for elements of another type.
    #[error("the elements are {found}, not {expected}")]
    ElementType {
        /// The array's type.
        found: String,
        /// The type that was asked for.
        expected: &'static str,
    },
    /// A conversion has no counterpart for the element type.
    #[error("elements of type {0} have no counterpart there")]
    NoCounterpart(String),
}
