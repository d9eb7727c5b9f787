//! A model: arrays by name, in the order in which they came.

mod checkpoint;

use std::collections::HashMap;

use fedcell_fobs::array::{Array, ArrayError};
use fedcell_fobs::{Map, Value};

pub use checkpoint::CheckpointError;

use crate::aggregate::average::Average;

/// The weights of a model. Cloning shares the arrays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Model {
    arrays: Vec<(String, Array)>,
}

/// Why something is no model, or cannot be added to one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A name is no text, or a value is no array.
    #[error("{name} is {found}, expected an array with a name")]
    NoArray {
        /// The entry.
        name: String,
        /// What it is.
        found: &'static str,
    },
    /// Two arrays have one name.
    #[error("there are two arrays of the name {0}")]
    Twice(String),
    /// The difference has an array that the model has not.
    #[error("the difference has an array {0} that the model does not have")]
    Unknown(String),
    /// The arrays do not fit.
    #[error("the difference of {name} has the shape {found:?}, the model's is {expected:?}")]
    Shape {
        /// The array.
        name: String,
        /// Shape in the model.
        expected: Vec<usize>,
        /// Shape in the difference.
        found: Vec<usize>,
    },
    /// Elements that cannot be added.
    #[error("the elements of {name} cannot be added")]
    Elements {
        /// The array.
        name: String,
        /// Why not.
        source: ArrayError,
    },
    /// The sum is not a number, or not a finite one.
    #[error("the difference makes {0} infinite")]
    NotFinite(String),
}

impl Model {
    /// A model of these arrays.
    ///
    /// # Errors
    ///
    /// [`ModelError::Twice`].
    pub fn new(arrays: Vec<(String, Array)>) -> Result<Self, ModelError> {
        let mut seen = HashMap::with_capacity(arrays.len());
        for (name, _) in &arrays {
            if seen.insert(name.as_str(), ()).is_some() {
                return Err(ModelError::Twice(name.clone()));
            }
        }
        Ok(Self { arrays })
    }

    /// The model in the data of a DXO.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoArray`].
    pub fn from_map(map: Map) -> Result<Self, ModelError> {
        let mut arrays = Vec::with_capacity(map.len());
        for (name, value) in map {
            let text = name.as_str().map(str::to_owned).ok_or_else(|| no_array(&name, &name))?;
            match value {
                Value::Array(array) => arrays.push((text, *array)),
                other => return Err(no_array(&name, &other)),
            }
        }
        Self::new(arrays)
    }

    /// As the data of a DXO; the arrays are shared.
    #[must_use]
    pub fn to_map(&self) -> Map {
        self.arrays.iter().map(|(name, array)| (name.as_str(), array.clone())).collect()
    }

    /// Names and arrays in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Array)> {
        self.arrays.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// The array of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.arrays.iter().find(|(other, _)| other == name).map(|(_, array)| array)
    }

    /// Number of elements of all arrays.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.arrays.iter().map(|(_, array)| array.len()).sum()
    }

    /// The model with these arrays in the place of its own of the same names; what they lack stays.
    ///
    /// # Errors
    ///
    /// [`ModelError::Unknown`].
    pub fn with(&self, arrays: Self) -> Result<Self, ModelError> {
        let mut model = self.clone();
        let places = self.places();
        for (name, array) in arrays.arrays {
            match places.get(name.as_str()).and_then(|at| model.arrays.get_mut(*at)) {
                Some((_, slot)) => *slot = array,
                None => return Err(ModelError::Unknown(name)),
            }
        }
        Ok(model)
    }

    fn places(&self) -> HashMap<&str, usize> {
        self.arrays.iter().enumerate().map(|(at, (name, _))| (name.as_str(), at)).collect()
    }

    /// The model after a step: itself and a difference, array by array; what the difference lacks stays.
    ///
    /// # Errors
    ///
    /// [`ModelError`]; the model itself is not changed.
    pub fn plus(&self, difference: &Self) -> Result<Self, ModelError> {
        let mut arrays = self.arrays.clone();
        let places = self.places();
        for (name, step) in &difference.arrays {
            let place = places.get(name.as_str()).and_then(|at| arrays.get_mut(*at));
            let Some((_, array)) = place else { return Err(ModelError::Unknown(name.clone())) };
            if array.shape() != step.shape() {
                let (expected, found) = (array.shape().to_vec(), step.shape().to_vec());
                return Err(ModelError::Shape { name: name.clone(), expected, found });
            }
            let failed = |source| ModelError::Elements { name: name.clone(), source };
            let mut sum = Average::like(array).map_err(failed)?;
            sum.add(array, 1.0).map_err(failed)?;
            sum.add(step, 1.0).map_err(failed)?;
            *array = sum.scaled(1.0).map_err(failed)?.ok_or_else(|| ModelError::NotFinite(name.clone()))?;
        }
        Ok(Self { arrays })
    }
}

fn no_array(name: &Value, value: &Value) -> ModelError {
    ModelError::NoArray { name: name.as_str().unwrap_or("an entry").to_owned(), found: value.kind() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(values: &[f32]) -> Model {
        Model::new(vec![("w".to_owned(), Array::from_elements([values.len()], values).unwrap())]).unwrap()
    }

    #[test]
    fn a_difference_is_added_where_it_fits() {
        let sum = model(&[1.0, 2.0]).plus(&model(&[0.5, -2.0])).unwrap();
        assert_eq!(sum, model(&[1.5, 0.0]));
        assert_eq!(sum.plus(&Model::default()).unwrap(), sum);
        assert!(matches!(sum.plus(&model(&[1.0])), Err(ModelError::Shape { .. })));
        assert!(matches!(Model::default().plus(&sum), Err(ModelError::Unknown(name)) if name == "w"));
        let huge = model(&[f32::MAX, 0.0]);
        assert!(matches!(huge.plus(&huge), Err(ModelError::NotFinite(name)) if name == "w"));
    }

    #[test]
    fn a_map_is_a_model_if_it_holds_arrays() {
        let whole = model(&[1.0]);
        assert_eq!(Model::from_map(whole.to_map()).unwrap(), whole);
        assert!(matches!(Model::from_map(Map::from([("a", 1)])), Err(ModelError::NoArray { .. })));
        let twice = vec![("w".to_owned(), whole.get("w").unwrap().clone()); 2];
        assert!(matches!(Model::new(twice), Err(ModelError::Twice(_))));
    }
}
