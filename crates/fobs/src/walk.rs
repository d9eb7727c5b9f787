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

    /// Calls `visit` for each such reference, which it may replace by another one.
    pub fn for_each_remote_mut(&mut self, visit: &mut dyn FnMut(&mut ArrayRef)) {
        match self {
            Self::Remote(reference) => visit(reference),
            Self::List(items) | Self::Tuple(items) => {
                items.iter_mut().for_each(|item| item.for_each_remote_mut(visit));
            }
            Self::Map(map) | Self::OrderedDict(map) => {
                map.values_mut().for_each(|value| value.for_each_remote_mut(visit));
            }
            Self::Object(object) => object.data.for_each_remote_mut(visit),
            _ => {}
        }
    }

    /// Whether there is an array in the object, here or elsewhere.
    pub fn has_arrays(&self) -> bool {
        match self {
            Self::Remote(_) | Self::Array(_) => true,
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => items.iter().any(Self::has_arrays),
            Self::Map(map) | Self::OrderedDict(map) => map.iter().any(|(_, value)| value.has_arrays()),
            Self::Object(object) => object.data.has_arrays(),
            _ => false,
        }
    }

    /// Puts a downloaded array in the place of each reference. Other arrays are left as they are.
    ///
    /// # Errors
    ///
    /// The first that `fetch` returns, with the path to the reference; what has been put in place until then stays.
    pub fn resolve(&mut self, fetch: &mut dyn FnMut(&ArrayRef) -> Result<Array, Error>) -> Result<(), Error> {
        self.resolve_some(&mut |reference| fetch(reference).map(Some))
    }

    /// The same, and leaves references as they are for which `fetch` has none.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub fn resolve_some(
        &mut self,
        fetch: &mut dyn FnMut(&ArrayRef) -> Result<Option<Array>, Error>,
    ) -> Result<(), Error> {
        match self {
            Self::Remote(reference) => {
                if let Some(array) = fetch(reference)? {
                    *self = array.into();
                }
            }
            Self::List(items) | Self::Tuple(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    item.resolve_some(fetch).map_err(|error| error.in_item(at))?;
                }
            }
            Self::Map(map) | Self::OrderedDict(map) => {
                for (key, value) in map.entries_mut() {
                    value.resolve_some(fetch).map_err(|error| match key {
                        Self::Str(name) => error.in_field(name.clone()),
                        other => error.in_field(other.kind()),
                    })?;
                }
            }
            Self::Object(object) => object.data.resolve_some(fetch)?,
            _ => {}
        }
        Ok(())
    }
}
