//! Typed, safe access to an array's elements, wherever they lie and however they are ordered.

use core::marker::PhantomData;

use bytes::Bytes;

use super::{Array, ArrayError, ByteOrder, DType, Kind, Order};
use crate::Blob;

/// A Rust type that array elements can be read as and made from. Closed: numpy's number types are all there are.
pub trait Element: Copy + sealed::Element {
    /// The kind of element.
    const KIND: Kind;
    /// Bytes of one.
    const SIZE: usize = size_of::<Self>();
}

mod sealed {
    #[expect(unnameable_types, reason = "that is what seals it")]
    pub trait Element: Sized {
        fn read(bytes: &[u8], big: bool) -> Option<Self>;
        fn write(self, out: &mut Vec<u8>);
    }
}

macro_rules! element {
    ($($type:ty: $kind:ident;)+) => {$(
        impl sealed::Element for $type {
            #[inline]
            fn read(bytes: &[u8], big: bool) -> Option<Self> {
                let bytes = bytes.try_into().ok()?;
                Some(if big { Self::from_be_bytes(bytes) } else { Self::from_le_bytes(bytes) })
            }

            #[inline]
            fn write(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }

        impl Element for $type {
            const KIND: Kind = Kind::$kind;
        }
    )+};
}

element! {
    i8: Int;
    i16: Int;
    i32: Int;
    i64: Int;
    u8: UInt;
    u16: UInt;
    u32: UInt;
    u64: UInt;
    f32: Float;
    f64: Float;
}

#[cfg(feature = "half")]
element! {
    half::f16: Float;
}

impl sealed::Element for bool {
    fn read(bytes: &[u8], _big: bool) -> Option<Self> {
        bytes.first().map(|byte| *byte != 0)
    }

    fn write(self, out: &mut Vec<u8>) {
        out.push(self.into());
    }
}

impl Element for bool {
    const KIND: Kind = Kind::Bool;
}

impl Array {
    /// An array of these elements in row-major order. Copies them; [`Array::new`] takes bytes without a copy.
    ///
    /// # Errors
    ///
    /// The shape does not have as many elements.
    pub fn from_elements<T: Element>(shape: impl Into<Vec<usize>>, elements: &[T]) -> Result<Self, ArrayError> {
        let mut bytes = Vec::with_capacity(elements.len().saturating_mul(T::SIZE));
        elements.iter().for_each(|element| element.write(&mut bytes));
        Self::new(DType::little(T::KIND, T::SIZE), shape.into(), Order::C, Bytes::from(bytes))
    }

    /// The elements in the order in which they are stored, see [`Array::order`].
    ///
    /// # Errors
    ///
    /// The elements are of another type.
    pub fn elements<T: Element>(&self) -> Result<Elements<'_, T>, ArrayError> {
        let dtype = self.dtype();
        if dtype.kind() != T::KIND || dtype.item_size() != T::SIZE {
            return Err(ArrayError::ElementType { found: dtype.to_string(), expected: core::any::type_name::<T>() });
        }
        Ok(Elements::new(self.data(), dtype.byte_order() == ByteOrder::Big))
    }

    /// The elements in the order in which they are stored, copied.
    ///
    /// # Errors
    ///
    /// The elements are of another type.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, ArrayError> {
        let elements = self.elements()?;
        if let (Some(bytes), false) = (self.data().contiguous(), elements.big) {
            return Ok(bytes.chunks_exact(T::SIZE).filter_map(|bytes| T::read(bytes, false)).collect());
        }
        Ok(elements.collect())
    }
}

/// The elements of an array, one by one.
#[derive(Clone, Debug)]
pub struct Elements<'a, T> {
    here: &'a [u8],
    next: core::slice::Iter<'a, Bytes>,
    left: usize,
    big: bool,
    element: PhantomData<T>,
}

impl<'a, T: Element> Elements<'a, T> {
    fn new(data: &'a Blob, big: bool) -> Self {
        let left = data.len() / T::SIZE;
        Self { here: &[], next: data.segments().iter(), left, big, element: PhantomData }
    }

    /// An element that lies on both sides of a cut between segments.
    fn straddling(&mut self) -> Option<T> {
        let mut bytes = [0; 8];
        let bytes = bytes.get_mut(..T::SIZE)?;
        for byte in bytes.iter_mut() {
            while self.here.is_empty() {
                self.here = self.next.next()?;
            }
            let (first, rest) = self.here.split_first()?;
            *byte = *first;
            self.here = rest;
        }
        T::read(bytes, self.big)
    }
}

impl<T: Element> Iterator for Elements<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        match self.here.split_at_checked(T::SIZE) {
            Some((bytes, rest)) => {
                self.here = rest;
                T::read(bytes, self.big)
            }
            None => self.straddling(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T: Element> ExactSizeIterator for Elements<'_, T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_cross_segments() {
        let numbers: Vec<f64> = (0..10).map(f64::from).collect();
        let whole = Array::from_elements([10], &numbers).unwrap();
        let bytes = whole.data().to_bytes();
        for cut in 0..=bytes.len() {
            let data = Blob::from_segments(vec![bytes.slice(..cut), bytes.slice(cut..)]);
            let array = Array::new(whole.dtype().clone(), vec![2, 5], Order::C, data).unwrap();
            assert_eq!(array.to_vec::<f64>().unwrap(), numbers);
        }
        assert!(whole.elements::<f32>().is_err());
        assert!(whole.elements::<i64>().is_err());
    }

    #[test]
    fn big_endian_is_read() {
        let data = Bytes::from_static(&[0x3f, 0x80, 0, 0, 0x40, 0, 0, 0]);
        let array = Array::new(DType::parse(b">f4").unwrap(), vec![2], Order::C, data).unwrap();
        assert_eq!(array.to_vec::<f32>().unwrap(), [1.0, 2.0]);
    }
}
