//! Going through an object for the arrays that are elsewhere.

use crate::array::Array;
use crate::error::Error;
use crate::{ArrayRef, Value};

impl Value {
    /// Calls `visit` for each array of the object that is to be downloaded, in the order of the wire.
    pub fn for_each_remote(&self, visit: &mut dyn FnMut(&ArrayRef)) {
        match self {
            Self::Remote(reference) => visit(reference),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => {
                items.iter().for_each(|item| item.for_each_remote(visit));
            }
            Self::Map(map) | Self::OrderedDict(map) => {
                map.iter().for_each(|(_, value)| value.for_each_remote(visit));
            }
            Self::Object(object) => object.data.for_each_remote(visit),
            _ => {}
        }
    }

    /// Whether an array of the object is to be downloaded.
    pub fn has_remote(&self) -> bool {
        let mut found = false;
        self.for_each_remote(&mut |_| found = true);
        found
    }

    /// Puts a downloaded array in the place of each reference. Other arrays are left as they are.
    ///
    /// # Errors
    ///
    /// The first that `fetch` returns, with the path to the reference; what has been put in place until then stays.
    pub fn resolve(&mut self, fetch: &mut dyn FnMut(&ArrayRef) -> Result<Array, Error>) -> Result<(), Error> {
        match self {
            Self::Remote(reference) => *self = fetch(reference)?.into(),
            Self::List(items) | Self::Tuple(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    item.resolve(fetch).map_err(|error| error.in_item(at))?;
                }
            }
            Self::Map(map) | Self::OrderedDict(map) => {
                for (key, value) in map.entries_mut() {
                    value.resolve(fetch).map_err(|error| match key {
                        Self::Str(name) => error.in_field(name.clone()),
                        other => error.in_field(other.kind()),
                    })?;
                }
            }
            Self::Object(object) => object.data.resolve(fetch)?,
            _ => {}
        }
        Ok(())
    }
}
