//! Files of the safetensors format: the form in which trained models are stored and PyTorch tensors travel.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::Bytes;
use safetensors::{Dtype, SafeTensors, View};

use crate::array::{Array, ArrayError, ByteOrder, DType, Kind, Order};

/// The tensors of a safetensors file by name, in the order of their places in it; views of its bytes, not copied.
///
/// # Errors
///
/// [`TensorsError::File`] if it is no such file; [`TensorsError::Array`] if a tensor has elements that numpy has not,
/// as bfloat16.
pub fn from_safetensors(file: &Bytes) -> Result<Vec<(String, Array)>, TensorsError> {
    let tensors = SafeTensors::deserialize(file).map_err(|error| TensorsError::File(error.to_string()))?;
    let mut found = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors.iter() {
        let dtype = dtype_of(tensor.dtype());
        let array = dtype.and_then(|dtype| {
            // The tensor is a part of the file, so this is the same memory.
            Array::new(dtype, tensor.shape(), Order::C, file.slice_ref(tensor.data()))
        });
        match array {
            Ok(array) => found.push((name.to_owned(), array)),
            Err(source) => return Err(TensorsError::Array { name: name.to_owned(), source }),
        }
    }
    found.sort_by_key(|(_, array)| array.data().contiguous().map(|bytes| bytes.as_ptr().addr()));
    Ok(found)
}

/// A safetensors file of these arrays. Elements that are stored row by row in little endian are copied once, into the
/// file; others are put in that order first.
///
/// # Errors
///
/// [`TensorsError::Array`] if an array has elements that the format has not, such as texts; [`TensorsError::File`] if a
/// name stands twice.
pub fn to_safetensors<'a>(arrays: impl IntoIterator<Item = (&'a str, &'a Array)>) -> Result<Vec<u8>, TensorsError> {
    let mut tensors: Vec<(&str, Tensor<'_>)> = Vec::new();
    let mut names = BTreeSet::new();
    for (name, array) in arrays {
        if !names.insert(name) {
            return Err(TensorsError::File(format!("two arrays are called {name:?}")));
        }
        let tensor = Tensor::of(array).map_err(|source| TensorsError::Array { name: name.to_owned(), source })?;
        tensors.push((name, tensor));
    }
    safetensors::serialize(tensors, None).map_err(|error| TensorsError::File(error.to_string()))
}

/// Why arrays and a safetensors file could not be turned into each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TensorsError {
    /// The file, or the set of arrays, is not one that the format allows.
    #[error("not a safetensors file: {0}")]
    File(String),
    /// One of the arrays has no counterpart.
    #[error("the array {name:?} cannot be converted")]
    Array {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: ArrayError,
    },
}

/// An array as the format wants it.
#[derive(Debug)]
struct Tensor<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    data: Cow<'a, [u8]>,
}

impl<'a> Tensor<'a> {
    fn of(array: &'a Array) -> Result<Self, ArrayError> {
        let dtype = tensor_dtype(array.dtype())?;
        let rows = array.order() == Order::C || array.shape().len() < 2;
        let little = array.dtype().byte_order() == ByteOrder::Little;
        let data = match array.data().contiguous() {
            Some(bytes) if rows && little => Cow::Borrowed(bytes.as_ref()),
            _ => Cow::Owned(rearranged(array, rows, little)),
        };
        Ok(Self { dtype, shape: array.shape(), data })
    }
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

/// The elements row by row in little endian.
fn rearranged(array: &Array, rows: bool, little: bool) -> Vec<u8> {
    let bytes = array.data().to_bytes();
    let size = array.dtype().item_size();
    // The parts of a complex number are swapped each on its own.
    let part = if array.dtype().kind() == Kind::Complex { size / 2 } else { size };
    let mut output = Vec::with_capacity(bytes.len());
    let mut put = |at: usize| {
        let start = at.saturating_mul(size);
        for piece in bytes.get(start..start.saturating_add(size)).unwrap_or_default().chunks(part.max(1)) {
            if little {
                output.extend_from_slice(piece);
            } else {
                output.extend(piece.iter().rev());
            }
        }
    };
    if rows {
        (0..array.len()).for_each(put);
        return output;
    }
    // Stored column by column: the stride of an axis is the product of the lengths before it.
    let mut strides = Vec::with_capacity(array.shape().len());
    let mut stride = 1_usize;
    for axis in array.shape() {
        strides.push(stride);
        stride = stride.saturating_mul(*axis);
    }
    for number in 0..array.len() {
        let mut left = number;
        let mut at = 0_usize;
        for (axis, stride) in array.shape().iter().zip(&strides).rev() {
            at = at.saturating_add((left % axis).saturating_mul(*stride));
            left /= axis;
        }
        put(at);
    }
    output
}

fn tensor_dtype(dtype: &DType) -> Result<Dtype, ArrayError> {
    Ok(match (dtype.kind(), dtype.item_size()) {
        (Kind::Bool, 1) => Dtype::BOOL,
        (Kind::Int, 1) => Dtype::I8,
        (Kind::Int, 2) => Dtype::I16,
        (Kind::Int, 4) => Dtype::I32,
        (Kind::Int, 8) => Dtype::I64,
        (Kind::UInt, 1) => Dtype::U8,
        (Kind::UInt, 2) => Dtype::U16,
        (Kind::UInt, 4) => Dtype::U32,
        (Kind::UInt, 8) => Dtype::U64,
        (Kind::Float, 2) => Dtype::F16,
        (Kind::Float, 4) => Dtype::F32,
        (Kind::Float, 8) => Dtype::F64,
        (Kind::Complex, 8) => Dtype::C64,
        _ => return Err(ArrayError::NoCounterpart(dtype.to_string())),
    })
}

fn dtype_of(dtype: Dtype) -> Result<DType, ArrayError> {
    let (kind, size) = match dtype {
        Dtype::BOOL => (Kind::Bool, 1),
        Dtype::I8 => (Kind::Int, 1),
        Dtype::I16 => (Kind::Int, 2),
        Dtype::I32 => (Kind::Int, 4),
        Dtype::I64 => (Kind::Int, 8),
        Dtype::U8 => (Kind::UInt, 1),
        Dtype::U16 => (Kind::UInt, 2),
        Dtype::U32 => (Kind::UInt, 4),
        Dtype::U64 => (Kind::UInt, 8),
        Dtype::F16 => (Kind::Float, 2),
        Dtype::F32 => (Kind::Float, 4),
        Dtype::F64 => (Kind::Float, 8),
        Dtype::C64 => (Kind::Complex, 8),
        other => return Err(ArrayError::NoCounterpart(format!("{other:?}"))),
    };
    Ok(DType::little(kind, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(descr: &[u8], shape: &[usize], order: Order, bytes: &'static [u8]) -> Array {
        Array::new(DType::parse(descr).unwrap(), shape, order, Bytes::from_static(bytes)).unwrap()
    }

    #[test]
    fn a_file_is_read_without_a_copy() {
        let weights = Array::from_elements([2, 2], &[1.0_f32, 2.0, 3.0, 4.0]).unwrap();
        let bias = Array::from_elements([3], &[1_i64, -1, 0]).unwrap();
        let empty = Array::from_elements::<u8>([0], &[]).unwrap();
        let file = Bytes::from(to_safetensors([("w", &weights), ("b", &bias), ("e", &empty)]).unwrap());
        let read = from_safetensors(&file).unwrap();
        assert_eq!(read.len(), 3);
        let range = file.as_ptr_range();
        for (name, array) in &read {
            let original =
                [("w", &weights), ("b", &bias), ("e", &empty)].into_iter().find(|(n, _)| n == name).unwrap().1;
            assert_eq!((array.shape(), array.dtype()), (original.shape(), original.dtype()));
            assert_eq!(array.data().to_bytes(), original.data().to_bytes());
            let bytes = array.data().to_bytes();
            assert!(bytes.is_empty() || range.contains(&bytes.as_ptr()), "{name} was copied");
        }
    }

    #[track_caller]
    fn check_rearranged(array: &Array, expected: &[u8]) {
        let file = Bytes::from(to_safetensors([("a", array)]).unwrap());
        assert_eq!(from_safetensors(&file).unwrap()[0].1.data().to_bytes(), expected);
    }

    #[test]
    fn other_orders_are_put_right() {
        check_rearranged(&array(b"|u1", &[2, 3], Order::Fortran, &[1, 4, 2, 5, 3, 6]), &[1, 2, 3, 4, 5, 6]);
        check_rearranged(&array(b">i2", &[2], Order::C, &[1, 2, 3, 4]), &[2, 1, 4, 3]);
        check_rearranged(
            &array(b">u2", &[2, 1, 2], Order::Fortran, &[0, 1, 0, 3, 0, 2, 0, 4]),
            &[1, 0, 2, 0, 3, 0, 4, 0],
        );
        check_rearranged(&array(b">c8", &[1], Order::C, &[1, 2, 3, 4, 5, 6, 7, 8]), &[4, 3, 2, 1, 8, 7, 6, 5]);
    }

    #[test]
    fn what_has_no_counterpart_is_refused() {
        let text = array(b"<U1", &[1], Order::C, &[65, 0, 0, 0]);
        let error = to_safetensors([("t", &text)]).unwrap_err();
        assert!(matches!(&error, TensorsError::Array { name, source: ArrayError::NoCounterpart(_) } if name == "t"));
        let number = Array::from_elements([1], &[1_u8]).unwrap();
        assert!(matches!(to_safetensors([("n", &number), ("n", &number)]), Err(TensorsError::File(_))));
        for garbage in [&b""[..], b"\x08\0\0\0\0\0\0\0{}", &[0xff; 40]] {
            let read = from_safetensors(&Bytes::copy_from_slice(garbage));
            assert!(matches!(read, Err(TensorsError::File(_))), "{read:?}");
        }
        let bfloat = b"\x3d\0\0\0\0\0\0\0{\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[0,2]}}      ab";
        let error = from_safetensors(&Bytes::from_static(bfloat)).unwrap_err();
        assert!(matches!(error, TensorsError::Array { .. }), "{error:?}");
    }
}
