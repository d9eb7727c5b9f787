//! Arrays of the `ndarray` crate.

use ndarray::{ArrayD, ArrayRef, Dimension, IxDyn, ShapeBuilder as _};

use crate::array::{Array, ArrayError, Element, Order};

impl Array {
    /// The elements as an array of the `ndarray` crate, copied; shape and storage order stay as they are.
    ///
    /// # Errors
    ///
    /// [`ArrayError::ElementType`] if the elements are of another type.
    pub fn to_ndarray<T: Element>(&self) -> Result<ArrayD<T>, ArrayError> {
        let elements = self.to_vec::<T>()?;
        let found = elements.len().saturating_mul(T::SIZE);
        let shape = IxDyn(self.shape()).set_f(self.order() == Order::Fortran);
        // The constructor of an array has compared shape and bytes; what is left is a shape beyond `isize`.
        ArrayD::from_shape_vec(shape, elements).map_err(|_| ArrayError::Size { needed: None, found })
    }

    /// An array of the elements of one of the `ndarray` crate, copied, in row-major order.
    ///
    /// # Errors
    ///
    /// [`ArrayError::Size`] if the elements are more bytes than can be counted.
    pub fn from_ndarray<T: Element, D: Dimension>(array: &ArrayRef<T, D>) -> Result<Self, ArrayError> {
        match array.as_slice() {
            Some(elements) => Self::from_elements(array.shape(), elements),
            None => Self::from_elements(array.shape(), &array.iter().copied().collect::<Vec<T>>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ndarray::{Array2, arr0, arr2};

    use super::*;
    use crate::array::DType;

    #[test]
    fn arrays_come_back_as_they_went() {
        let matrix = arr2(&[[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        let array = Array::from_ndarray(&matrix).unwrap();
        assert_eq!(
            (array.shape(), array.order(), array.dtype().to_string()),
            (&[2, 3][..], Order::C, "<f4".to_owned())
        );
        assert_eq!(array.to_ndarray::<f32>().unwrap(), matrix.into_dyn());
        assert!(array.to_ndarray::<f64>().is_err());

        let scalar = Array::from_ndarray(&arr0(7_i64)).unwrap();
        assert_eq!((scalar.shape(), scalar.to_ndarray::<i64>().unwrap()), (&[][..], arr0(7).into_dyn()));

        let empty = Array2::<u8>::zeros((0, 4));
        assert_eq!(Array::from_ndarray(&empty).unwrap().to_ndarray::<u8>().unwrap(), empty.into_dyn());
    }

    #[test]
    fn storage_orders_mean_the_same_elements() {
        let matrix = arr2(&[[1_i16, 2, 3], [4, 5, 6]]);
        let transposed = Array::from_ndarray(&matrix.t().to_owned()).unwrap();
        assert_eq!(transposed.to_vec::<i16>().unwrap(), [1, 4, 2, 5, 3, 6]);

        let columns = Bytes::from_static(&[1, 4, 2, 5, 3, 6]);
        let dtype = DType::parse(b"|u1").unwrap();
        let fortran = Array::new(dtype, vec![2, 3], Order::Fortran, columns).unwrap();
        assert_eq!(fortran.to_ndarray::<u8>().unwrap(), arr2(&[[1, 2, 3], [4, 5, 6]]).into_dyn());
    }
}
