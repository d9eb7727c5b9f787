//! What an owner holds of what it offers.

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::download::source::{Outcome, TransactionId};
use fedcell_fobs::{DownloadRef, Text};
use tokio::sync::watch;

use super::service::Downloads;

/// Objects that are on offer. Dropping it changes nothing: what is offered ends when everybody has it, when nobody asks
/// for it any more, or by [`withdraw`](Self::withdraw).
#[derive(Debug, Clone)]
pub struct Offer {
    pub(super) downloads: Downloads,
    pub(super) transaction: TransactionId,
    pub(super) ref_ids: Vec<Text>,
    pub(super) settled: watch::Receiver<Option<Outcome>>,
    pub(super) given: watch::Receiver<u64>,
}

impl Offer {
    /// Ids of the objects, in the order in which they were offered.
    #[must_use]
    pub fn ref_ids(&self) -> &[Text] {
        &self.ref_ids
    }

    /// Where a batch of arrays is to be had, for a reference of one's own making.
    #[must_use]
    pub fn download_ref(&self, index: usize) -> Option<DownloadRef> {
        let address = self.downloads.address();
        self.ref_ids.get(index).map(|ref_id| DownloadRef::arrays(address.as_str(), ref_id.clone()))
    }

    /// Bytes that receivers have been given so far, repetitions included.
    #[must_use]
    pub fn bytes_given(&self) -> u64 {
        *self.given.borrow()
    }

    /// Receivers that have asked for something.
    #[must_use]
    pub fn acquired(&self) -> Vec<FqcnBuf> {
        self.downloads.acquired(self.transaction)
    }

    /// Waits until the offer has ended, and says how; none if the cell ended before.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn outcome(&self) -> Option<Outcome> {
        let mut settled = self.settled.clone();
        settled.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Ends the offer: who has not got everything will not.
    pub fn withdraw(&self) {
        self.downloads.withdraw(self.transaction);
    }
}
