//! What an array is without its elements: their type, its shape, and the order in which they lie.

use super::{ArrayError, DType, Order, npy};

/// Type, shape and order of an array. Cloning a layout copies its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayLayout {
    dtype: DType,
    shape: Box<[usize]>,
    order: Order,
}

impl ArrayLayout {
    /// A layout of these parts.
    pub fn new(dtype: DType, shape: impl Into<Box<[usize]>>, order: Order) -> Self {
        Self { dtype, shape: shape.into(), order }
    }

    /// Reads the beginning of a `.npy` file: the layout, and at which byte the elements begin. None if the beginning
    /// is not all there yet.
    ///
    /// # Errors
    ///
    /// It is no such file, or one with an array of structures or of Python objects.
    pub fn from_npy_prefix(bytes: &[u8]) -> Result<Option<(Self, usize)>, ArrayError> {
        npy::parse_prefix(bytes)
    }

    /// The bytes that stand before the elements in a `.npy` file; the same that numpy writes.
    pub fn npy_header(&self) -> Vec<u8> {
        npy::header(self)
    }

    /// Type of the elements.
    pub const fn dtype(&self) -> &DType {
        &self.dtype
    }

    /// Length along each axis; empty for a single element.
    pub const fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// In which order the elements are stored.
    pub const fn order(&self) -> Order {
        self.order
    }

    /// Bytes of all elements; none if they are more than can be counted.
    pub fn data_len(&self) -> Option<usize> {
        self.shape.iter().try_fold(self.dtype.item_size(), |size, axis| size.checked_mul(*axis))
    }
}
