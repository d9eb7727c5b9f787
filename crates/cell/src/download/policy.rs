//! Values that leave their arrays here.

use core::time::Duration;
use std::sync::Arc;

use fedcell_cell_proto::download::source::{Receivers, Transaction};
use fedcell_cell_proto::frame::Payload;
use fedcell_cell_proto::request::Body;
use fedcell_fobs::array::Array;
use fedcell_fobs::{ArrayPolicy, ArrayRef, DownloadRef, Encoder, Offered, Placement, Text, Value};

use super::batch::{Batch, Item, Place};
use super::error::OfferError;
use super::offer::Offer;
use super::service::{Downloads, Shared};
use crate::endpoint::Endpoint;
use crate::error::BodyError;
use crate::handler::fobs_body;

/// Places every array by reference, and collects them.
struct Leave<'a> {
    shared: &'a Shared,
    source: Arc<DownloadRef>,
    items: Vec<(Text, Offered)>,
}

impl ArrayPolicy for Leave<'_> {
    fn place(&mut self, _array: &Array) -> Placement {
        Placement::Reference
    }

    fn keeps(&mut self, reference: &ArrayRef) -> bool {
        on_disk(self.shared, &self.source, reference).is_some()
    }

    fn publish(
        &mut self,
        items: Vec<(Text, Offered)>,
    ) -> Result<Arc<DownloadRef>, Box<dyn core::error::Error + Send + Sync>> {
        self.items = items;
        Ok(Arc::clone(&self.source))
    }
}

/// Where the array behind a reference of ours is, if it is one that was fetched to disk.
fn on_disk(shared: &Shared, own: &DownloadRef, reference: &ArrayRef) -> Option<Place> {
    if reference.source.fqcn != own.fqcn || reference.source.dot != own.dot {
        return None;
    }
    let kept = shared.kept(&reference.source.ref_id)?;
    kept.arrays.get(&reference.item).cloned().map(Place::Disk)
}

/// Encodes a value whose arrays stay here.
pub(super) fn leave(
    downloads: &Downloads,
    value: &Value,
    terms: Transaction,
) -> Result<(Body, Option<Offer>), OfferError> {
    let shared = downloads.shared();
    let source = downloads.batch_of_arrays();
    let mut policy = Leave { shared, source: Arc::clone(&source), items: Vec::new() };
    let encoded = Encoder::new().encode_with(value, &mut policy).map_err(BodyError::Fobs)?;
    let body = Body::fobs(encoded.into_segments().into_iter().collect::<Payload>());
    if policy.items.is_empty() {
        return Ok((body, None));
    }
    let mut items = Vec::with_capacity(policy.items.len());
    for (id, offered) in policy.items {
        let place = match offered {
            Offered::Array(array) => Some(Place::Memory(array)),
            Offered::Kept(reference) => on_disk(shared, &source, &reference),
            _ => None,
        };
        // Somebody let go of the arrays on disk in this very moment.
        let place = place.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "the array is not kept"))?;
        items.push(Item::new(&id, place));
    }
    let offer = shared.offer(downloads.clone(), terms, vec![(source.ref_id.clone(), Batch::Arrays(items))])?;
    Ok((body, Some(offer)))
}

/// The body of a message with a value: its arrays stay here if it goes as a stream and the cell is configured so, for at
/// least that many seconds without anybody asking.
pub(crate) fn encode(
    endpoint: &Endpoint,
    value: &Value,
    is_streamed: bool,
    receivers: usize,
    lifetime: Option<f64>,
) -> Result<Body, BodyError> {
    if !is_streamed || !endpoint.downloads().config().arrays {
        return fobs_body(value);
    }
    let downloads = Downloads::new(endpoint.clone());
    let mut terms = downloads.terms(Receivers::Count(receivers.max(1)));
    let lifetime = lifetime.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    terms.timeout = lifetime.map_or(terms.timeout, |lifetime| lifetime.max(terms.timeout));
    match leave(&downloads, value, terms) {
        Ok((body, _)) => Ok(body),
        Err(OfferError::Body(error)) => Err(error),
        // Too much is on offer, or was let go: arrays travel inside, which every peer understands too.
        Err(OfferError::Refused(_) | OfferError::File(_)) => fobs_body(value),
    }
}
