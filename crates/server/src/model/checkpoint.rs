//! Models as safetensors files that are there whole or not at all.

use std::io::{self, Read as _};

use bytes::Bytes;
use fedcell_durable::{Storage, replace_file};
use fedcell_fobs::convert::{TensorsError, from_safetensors, to_safetensors};

use super::{Model, ModelError};

/// Why a checkpoint could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The disk does not do what it must.
    #[error("the checkpoint cannot be written")]
    Disk(#[from] fedcell_durable::Error),
    /// The file cannot be read.
    #[error("cannot read the checkpoint {name}")]
    Read {
        /// The file.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// The model has no form as safetensors, or the file is none.
    #[error("the model and the format of safetensors do not go together")]
    Tensors(#[from] TensorsError),
    /// The file holds no model.
    #[error("the checkpoint holds no model")]
    Model(#[from] ModelError),
}

impl Model {
    /// Writes the model as a safetensors file; after a crash there is the old file or the new one.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Disk`], [`CheckpointError::Tensors`].
    pub fn save<S: Storage>(&self, storage: &mut S, name: &str) -> Result<(), CheckpointError> {
        let bytes = to_safetensors(self.iter())?;
        Ok(replace_file(storage, name, &[&bytes])?)
    }

    /// Reads a safetensors file; the arrays are views of its bytes, sorted by what the file sorts them by.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`].
    pub fn load<S: Storage>(storage: &S, name: &str) -> Result<Self, CheckpointError> {
        let mut bytes = Vec::new();
        let mut read = || storage.reader(name)?.read_to_end(&mut bytes);
        read().map_err(|source| CheckpointError::Read { name: name.to_owned(), source })?;
        Ok(Self::new(from_safetensors(&Bytes::from(bytes))?)?)
    }
}

#[cfg(test)]
mod tests {
    use fedcell_durable::SimulatedDisk;
    use fedcell_fobs::array::Array;

    use super::*;

    #[test]
    fn a_model_comes_back() {
        let arrays = [("a", [1.0_f32, 2.0]), ("b", [-0.5, f32::MIN_POSITIVE])];
        let arrays = arrays.map(|(name, values)| (name.to_owned(), Array::from_elements([2], &values).unwrap()));
        let model = Model::new(arrays.to_vec()).unwrap();
        let mut disk = SimulatedDisk::new();
        model.save(&mut disk, "model").unwrap();
        let read = Model::load(&disk, "model").unwrap();
        assert_eq!(read.elements(), 4);
        for (name, array) in model.iter() {
            assert_eq!(read.get(name).unwrap().to_vec::<f32>().unwrap(), array.to_vec::<f32>().unwrap());
        }
        assert!(matches!(Model::load(&disk, "absent"), Err(CheckpointError::Read { .. })));
    }
}
