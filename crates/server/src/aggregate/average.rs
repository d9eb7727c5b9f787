//! A weighted sum of arrays of one shape, element by element, in any order.

use fedcell_fobs::array::{Array, ArrayError, Element, Kind, Order};
use half::f16;

use super::sum::Sums;

/// What the average of an element type is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Real {
    F16,
    F32,
    F64,
}

impl Real {
    /// As numpy has it: floats stay what they are, whole numbers and truth values become 64-bit floats.
    pub(crate) fn of(array: &Array) -> Option<Self> {
        match (array.dtype().kind(), array.dtype().item_size()) {
            (Kind::Float, 2) => Some(Self::F16),
            (Kind::Float, 4) => Some(Self::F32),
            (Kind::Float, 8) | (Kind::Int | Kind::UInt | Kind::Bool, _) => Some(Self::F64),
            _ => None,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::F16 => "16-bit floats",
            Self::F32 => "32-bit floats",
            Self::F64 => "64-bit floats",
        }
    }
}

/// A weighted sum under way.
#[derive(Debug)]
pub(crate) struct Average {
    real: Real,
    shape: Vec<usize>,
    sums: Elements,
}

/// The sums of the elements, row by row.
#[derive(Debug)]
enum Elements {
    /// Of floats of 16 and 32 bits; 17 bytes each.
    Short(Sums<2>),
    /// Of others; 25 bytes each.
    Long(Sums<3>),
}

impl Average {
    /// Zeros in the shape of an array.
    pub(crate) fn like(array: &Array) -> Result<Self, ArrayError> {
        let real = Real::of(array).ok_or_else(|| ArrayError::NoCounterpart(array.dtype().to_string()))?;
        let sums = match real {
            Real::F16 | Real::F32 => Elements::Short(Sums::zeros(array.len())),
            Real::F64 => Elements::Long(Sums::zeros(array.len())),
        };
        Ok(Self { real, shape: array.shape().to_vec(), sums })
    }

    pub(crate) const fn real(&self) -> Real {
        self.real
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Adds an array of this shape, times a weight.
    pub(crate) fn add(&mut self, array: &Array, weight: f64) -> Result<(), ArrayError> {
        match &mut self.sums {
            Elements::Short(sums) => add(sums, array, weight),
            Elements::Long(sums) => add(sums, array, weight),
        }
    }

    /// The sums times a factor, in the type of the average; none if one of them is not finite.
    pub(crate) fn scaled(self, factor: f64) -> Result<Option<Array>, ArrayError> {
        let Self { real, shape, sums } = self;
        match &sums {
            Elements::Short(sums) => array(real, shape, sums.values().map(|sum| sum * factor)),
            Elements::Long(sums) => array(real, shape, sums.values().map(|sum| sum * factor)),
        }
    }
}

/// Adds an array, times a weight, row by row.
fn add<const K: usize>(sums: &mut Sums<K>, array: &Array, weight: f64) -> Result<(), ArrayError> {
    if array.order() == Order::Fortran && array.shape().len() > 1 {
        let mut places = Columns::of(array.shape());
        each(array, |value| places.next().into_iter().for_each(|place| sums.add(place, weight * value)))
    } else {
        let mut places = 0..array.len();
        each(array, |value| places.next().into_iter().for_each(|place| sums.add(place, weight * value)))
    }
}

/// Numbers as an array of this type; none if one of them is not finite.
fn array(real: Real, shape: Vec<usize>, numbers: impl Iterator<Item = f64>) -> Result<Option<Array>, ArrayError> {
    #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest, and what is too large is seen")]
    match real {
        Real::F64 => finite(numbers, |value| value.is_finite()).map(|values| Array::from_elements(shape, &values)),
        Real::F32 => finite(numbers.map(|number| number as f32), |value| value.is_finite())
            .map(|values| Array::from_elements(shape, &values)),
        Real::F16 => finite(numbers.map(f16::from_f64), |value| value.is_finite())
            .map(|values| Array::from_elements(shape, &values)),
    }
    .transpose()
}

fn finite<T>(values: impl Iterator<Item = T>, is_finite: impl Fn(&T) -> bool) -> Option<Vec<T>> {
    values.map(|value| is_finite(&value).then_some(value)).collect()
}

/// Whether all elements are finite numbers.
pub(crate) fn is_finite(array: &Array) -> Result<bool, ArrayError> {
    // A product with zero is zero unless the number is none; the sum remembers that without a branch per element.
    let mut sum = 0.0;
    each(array, |value| sum += value * 0.0)?;
    Ok(sum == 0.0)
}

/// Gives every element, in the order of storage, as a 64-bit float.
fn each(array: &Array, mut visit: impl FnMut(f64)) -> Result<(), ArrayError> {
    fn all<T: Element>(array: &Array, mut visit: impl FnMut(T)) -> Result<(), ArrayError> {
        array.elements::<T>()?.for_each(&mut visit);
        Ok(())
    }
    // Whole numbers of more than 53 bits are rounded, as by numpy.
    #[expect(clippy::cast_precision_loss, reason = "numpy's own conversion")]
    match (array.dtype().kind(), array.dtype().item_size()) {
        (Kind::Float, 2) => all::<f16>(array, |value| visit(value.to_f64())),
        (Kind::Float, 4) => all::<f32>(array, |value| visit(value.into())),
        (Kind::Float, 8) => all::<f64>(array, visit),
        (Kind::Int, 1) => all::<i8>(array, |value| visit(value.into())),
        (Kind::Int, 2) => all::<i16>(array, |value| visit(value.into())),
        (Kind::Int, 4) => all::<i32>(array, |value| visit(value.into())),
        (Kind::Int, 8) => all::<i64>(array, |value| visit(value as f64)),
        (Kind::UInt, 1) => all::<u8>(array, |value| visit(value.into())),
        (Kind::UInt, 2) => all::<u16>(array, |value| visit(value.into())),
        (Kind::UInt, 4) => all::<u32>(array, |value| visit(value.into())),
        (Kind::UInt, 8) => all::<u64>(array, |value| visit(value as f64)),
        (Kind::Bool, 1) => all::<bool>(array, |value| visit(if value { 1.0 } else { 0.0 })),
        _ => Err(ArrayError::NoCounterpart(array.dtype().to_string())),
    }
}

/// Places row by row of elements that are stored column by column.
struct Columns {
    shape: Vec<usize>,
    strides: Vec<usize>,
    index: Vec<usize>,
    place: Option<usize>,
}

impl Columns {
    fn of(shape: &[usize]) -> Self {
        let mut strides = vec![1; shape.len()];
        let mut stride = 1;
        for (place, length) in strides.iter_mut().zip(shape).rev() {
            *place = stride;
            stride *= length;
        }
        let place = (stride > 0).then_some(0);
        Self { shape: shape.to_vec(), strides, index: vec![0; shape.len()], place }
    }
}

impl Iterator for Columns {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = self.place?;
        let mut next = place;
        let axes = self.index.iter_mut().zip(&self.shape).zip(&self.strides);
        for ((index, length), stride) in axes {
            *index += 1;
            next += stride;
            if *index < *length {
                self.place = Some(next);
                return Some(place);
            }
            next -= *index * stride;
            *index = 0;
        }
        self.place = None;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fedcell_fobs::array::DType;

    use super::*;

    #[track_caller]
    fn check(array: &Array, expected: &[f64], real: Real) {
        let mut sum = Average::like(array).unwrap();
        sum.add(array, 2.0).unwrap();
        assert_eq!(sum.real(), real);
        let mean = sum.scaled(0.5).unwrap().unwrap();
        assert_eq!(mean.shape(), array.shape());
        let mut found = Vec::new();
        each(&mean, |value| found.push(value)).unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_number_type_is_averaged_as_numpy_does() {
        check(&Array::from_elements([2], &[1.5_f32, -2.0]).unwrap(), &[1.5, -2.0], Real::F32);
        check(&Array::from_elements([2], &[1.5_f64, -2.0]).unwrap(), &[1.5, -2.0], Real::F64);
        check(&Array::from_elements([1], &[f16::from_f32(0.5)]).unwrap(), &[0.5], Real::F16);
        check(&Array::from_elements([2], &[i64::MIN, 7]).unwrap(), &[-9_223_372_036_854_775_808.0, 7.0], Real::F64);
        check(&Array::from_elements([1], &[u8::MAX]).unwrap(), &[255.0], Real::F64);
        check(&Array::from_elements([2], &[true, false]).unwrap(), &[1.0, 0.0], Real::F64);
        check(&Array::from_elements::<f32>([0, 3], &[]).unwrap(), &[], Real::F32);
        check(&Array::from_elements([], &[3.0_f32]).unwrap(), &[3.0], Real::F32);
        let big = Array::new(DType::parse(b">i2").unwrap(), [1], Order::C, Bytes::from_static(&[1, 2])).unwrap();
        check(&big, &[258.0], Real::F64);
    }

    #[test]
    fn columns_come_where_rows_are() {
        let bytes = Bytes::from_static(&[0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
        let columns = Array::new(DType::parse(b"|u1").unwrap(), [3, 4], Order::Fortran, bytes).unwrap();
        check(&columns, &(0..12).map(f64::from).collect::<Vec<_>>(), Real::F64);
        assert_eq!(Columns::of(&[2, 2, 2]).collect::<Vec<_>>(), [0, 4, 2, 6, 1, 5, 3, 7]);
        assert_eq!(Columns::of(&[2, 0]).count(), 0);
    }

    #[test]
    fn what_is_no_finite_number_is_seen() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(!is_finite(&Array::from_elements([3], &[1.0, bad, 2.0]).unwrap()).unwrap());
        }
        assert!(is_finite(&Array::from_elements([2], &[f64::MAX, f64::MIN]).unwrap()).unwrap());
        let complex = Array::new(DType::parse(b"<c8").unwrap(), [1], Order::C, Bytes::from_static(&[0; 8])).unwrap();
        assert!(Average::like(&complex).is_err());
        let mut large = Average::like(&Array::from_elements([1], &[f32::MAX]).unwrap()).unwrap();
        large.add(&Array::from_elements([1], &[f32::MAX]).unwrap(), 2.0).unwrap();
        assert!(large.scaled(1.0).unwrap().is_none());
    }
}
