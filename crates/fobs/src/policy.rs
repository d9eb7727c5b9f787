//! What becomes of arrays: whether they travel in the container or are offered for download.

use std::sync::Arc;

use crate::array::Array;
use crate::{ArrayRef, DownloadRef, Text};

/// Where an array goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// Into the container: into the main body, or into a datum if it is as large as the encoder's threshold.
    Native,
    /// Nowhere: its place is taken by an item id, and the receiver downloads it.
    Reference,
}

/// An array that is offered for download, wherever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offered {
    /// It is in the object.
    Array(Array),
    /// The object has a reference to it, and the policy has said that the array is here all the same.
    Kept(ArrayRef),
}

/// Decides for each array of a container where it goes, and offers those that are to be downloaded.
///
/// The download service lives above this crate; an implementation is the bridge to it.
pub trait ArrayPolicy {
    /// Where this array goes.
    fn place(&mut self, array: &Array) -> Placement;

    /// Whether the array behind this reference is here, in a file for example, and is to be offered with the others.
    /// References to what is elsewhere are passed on as they are, which is the default.
    fn keeps(&mut self, reference: &ArrayRef) -> bool {
        let _ = reference;
        false
    }

    /// Offers the arrays that were placed by reference, with their item ids, and says where they are to be had. Called
    /// once per container, after everything else has been encoded, and only if there are any.
    ///
    /// # Errors
    ///
    /// They cannot be offered; the encoding fails with [`ErrorKind::Policy`](crate::ErrorKind::Policy).
    fn publish(
        &mut self,
        items: Vec<(Text, Offered)>,
    ) -> Result<Arc<DownloadRef>, Box<dyn core::error::Error + Send + Sync>>;
}

/// Every array travels in the container: what the reference does on channels without a download service.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Inline;

impl ArrayPolicy for Inline {
    fn place(&mut self, _array: &Array) -> Placement {
        Placement::Native
    }

    fn publish(
        &mut self,
        _items: Vec<(Text, Offered)>,
    ) -> Result<Arc<DownloadRef>, Box<dyn core::error::Error + Send + Sync>> {
        Err("an inline policy places no array by reference".into())
    }
}

/// Every array is offered for download, whatever its size: what the reference does on streamed channels.
#[derive(Clone, Debug)]
pub struct ByReference {
    source: Arc<DownloadRef>,
    items: Vec<(Text, Array)>,
}

impl ByReference {
    /// Offers arrays as this batch; the caller puts the collected [`items`](Self::into_items) into the service that
    /// serves it.
    pub fn new(source: DownloadRef) -> Self {
        Self { source: Arc::new(source), items: Vec::new() }
    }

    /// The arrays of the container that was encoded, by item id.
    pub fn into_items(self) -> Vec<(Text, Array)> {
        self.items
    }
}

impl ArrayPolicy for ByReference {
    fn place(&mut self, _array: &Array) -> Placement {
        Placement::Reference
    }

    fn publish(
        &mut self,
        items: Vec<(Text, Offered)>,
    ) -> Result<Arc<DownloadRef>, Box<dyn core::error::Error + Send + Sync>> {
        // No reference is kept, so all of them are arrays.
        self.items.extend(items.into_iter().filter_map(|(item, offered)| match offered {
            Offered::Array(array) => Some((item, array)),
            Offered::Kept(_) => None,
        }));
        Ok(Arc::clone(&self.source))
    }
}
