//! The service itself: the source's machine with the content beside it, and what is known about other sources.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use fedcell_auth::UnixTime;
use fedcell_auth::rand_core::Rng as _;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::download::failure::{FailedSources, SourceFailure};
use fedcell_cell_proto::download::source::{
    OpenError, Outcome, Receivers, Source, SourceEvent, Transaction, TransactionId,
};
use fedcell_cell_proto::registry::Registry;
use fedcell_fobs::{Blob, DatumId, DownloadRef, Text, Value};
use fedcell_protocol_defs::cell::ReturnCode;
use fedcell_protocol_defs::download::{Channel, IdPrefix, Topic};
use tokio::sync::{Notify, watch};

use super::batch::{Batch, Item, Place, Producer};
use super::config::DownloadConfig;
use super::error::OfferError;
use super::fetch::Fetch;
use super::offer::Offer;
use super::policy;
use super::spill::{Kept, Spill, SpilledArray};
use crate::clock::Clock;
use crate::endpoint::Endpoint;
use crate::error::RequestError;
use crate::random::SystemRandom;
use crate::request::{RequestDraft, Target};

/// What the service of one cell knows.
pub(crate) struct Shared {
    state: Mutex<State>,
    config: RwLock<DownloadConfig>,
    random: Mutex<SystemRandom>,
    timer: Notify,
    clock: Clock,
}

#[derive(Default)]
struct State {
    source: Source,
    held: HashMap<TransactionId, Held>,
    failed: FailedSources,
    running: HashMap<(FqcnBuf, Text), watch::Sender<Option<Text>>>,
    kept: HashMap<Text, Weak<Kept>>,
    pass_through: Registry<()>,
}

/// Content of a transaction, dropped when it is settled.
struct Held {
    batches: HashMap<Text, Arc<Batch>>,
    settled: watch::Sender<Option<Outcome>>,
    given: watch::Sender<u64>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            config: RwLock::default(),
            random: Mutex::new(SystemRandom::new()),
            timer: Notify::new(),
            clock: Clock::start(),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Downloads").finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn configure(&self, config: DownloadConfig) {
        self.lock().source = Source::new(config.source.clone());
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    pub(crate) fn config(&self) -> DownloadConfig {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    pub(crate) fn instant(&self, moment: UnixTime) -> tokio::time::Instant {
        self.clock.instant(moment)
    }

    pub(super) fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.random.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        bytes
    }

    /// A fresh version 4 UUID.
    pub(crate) fn uuid(&self) -> Text {
        let mut bytes = self.random();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        DatumId::from_bytes(bytes).to_text()
    }

    /// Calls a verb of the source, and drains what comes of it.
    pub(super) fn drive<T>(&self, verb: impl FnOnce(&mut Source, UnixTime) -> T) -> T {
        let now = self.now();
        let mut ended = Vec::new();
        let result = {
            let mut state = self.lock();
            let State { source, held, .. } = &mut *state;
            let result = verb(source, now);
            while let Some(event) = source.poll_event() {
                match event {
                    SourceEvent::Settled(outcome) => {
                        ended.extend(held.remove(&outcome.transaction).map(|held| (held, outcome)));
                    }
                    SourceEvent::Progress { transaction, bytes, .. } => {
                        if let Some(held) = held.get(&transaction) {
                            held.given.send_if_modified(|given| core::mem::replace(given, bytes.max(*given)) < bytes);
                        }
                    }
                    _ => {}
                }
            }
            result
        };
        self.timer.notify_one();
        // Content is freed outside of the lock.
        for (held, outcome) in ended {
            tracing::debug!(?outcome.verdict, ?outcome.reason, "an offer has ended");
            drop(held.batches);
            held.settled.send_replace(Some(*outcome));
        }
        result
    }

    /// The content of an object, if it is on offer.
    pub(super) fn batch(&self, transaction: TransactionId, ref_id: &Text) -> Option<Arc<Batch>> {
        self.lock().held.get(&transaction)?.batches.get(ref_id).cloned()
    }

    /// Ends what has been silent for too long, for as long as the cell runs.
    pub(crate) async fn drive_timer(endpoint: Endpoint) {
        let shared = endpoint.downloads();
        loop {
            let armed = shared.timer.notified();
            let due = shared.lock().source.poll_timeout();
            match due {
                None => armed.await,
                Some(due) => tokio::select! {
                    () = armed => {}
                    () = tokio::time::sleep_until(shared.instant(due)) => {
                        shared.drive(Source::handle_timeout);
                    }
                },
            }
        }
    }

    /// A source is gone: downloads from it end.
    pub(super) fn source_failed(&self, failure: &SourceFailure) {
        let mut state = self.lock();
        state.failed.insert(self.now(), failure);
        for ref_id in &failure.ref_ids {
            if let Some(running) = state.running.get(&(failure.source.clone(), ref_id.clone())) {
                running.send_replace(Some(failure.reason.clone()));
            }
        }
    }

    /// Tells a download when its source is gone; it may be gone already.
    pub(super) fn watch_source(&self, source: &FqcnBuf, ref_id: &Text) -> watch::Receiver<Option<Text>> {
        let mut state = self.lock();
        let reason = state.failed.reason(self.now(), source, ref_id);
        state.running.retain(|_, running| running.receiver_count() > 0);
        let running = state.running.entry((source.clone(), ref_id.clone()));
        running.or_insert_with(|| watch::Sender::new(reason)).subscribe()
    }

    /// Remembers arrays on disk for as long as somebody holds them.
    pub(super) fn keep(&self, kept: &Arc<Kept>) {
        let mut state = self.lock();
        state.kept.retain(|_, kept| kept.strong_count() > 0);
        state.kept.insert(kept.source.ref_id.clone(), Arc::downgrade(kept));
    }

    /// Arrays on disk under this id of ours.
    pub(super) fn kept(&self, ref_id: &Text) -> Option<Arc<Kept>> {
        self.lock().kept.get(ref_id)?.upgrade()
    }

    pub(super) fn passes_through(&self, channel: &str, topic: &str) -> bool {
        self.lock().pass_through.find(channel, topic).is_some()
    }

    /// Puts an object on offer.
    pub(super) fn offer(
        &self,
        downloads: Downloads,
        terms: Transaction,
        objects: Vec<(Text, Batch)>,
    ) -> Result<Offer, OpenError> {
        let config = self.config();
        let (settled, given) = (watch::Sender::new(None), watch::Sender::new(0));
        let (settled_at, given_at) = (settled.subscribe(), given.subscribe());
        let now = self.now();
        let mut state = self.lock();
        let transaction = state.source.open(now, terms);
        let mut held = Held { batches: HashMap::new(), settled, given };
        let mut ref_ids = Vec::with_capacity(objects.len());
        for (ref_id, batch) in objects {
            let parts = batch.parts(config.array_piece, config.byte_piece);
            if let Err(error) = state.source.add(transaction, ref_id.clone(), parts) {
                state.source.delete(now, transaction);
                return Err(error);
            }
            held.batches.insert(ref_id.clone(), Arc::new(batch));
            ref_ids.push(ref_id);
        }
        state.held.insert(transaction, held);
        drop(state);
        self.timer.notify_one();
        Ok(Offer { downloads, transaction, ref_ids, settled: settled_at, given: given_at })
    }
}

/// The download service of a cell. Clones are the same; none keeps the cell running.
#[derive(Clone)]
pub struct Downloads {
    endpoint: Endpoint,
}

impl fmt::Debug for Downloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Downloads").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Downloads {
    pub(crate) const fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }

    pub(super) fn shared(&self) -> &Shared {
        self.endpoint.downloads()
    }

    pub(super) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Address of the cell.
    #[must_use]
    pub fn address(&self) -> Fqcn<'_> {
        self.endpoint.address()
    }

    /// Terms for these receivers, with the lifetime that the cell is configured with.
    #[must_use]
    pub fn terms(&self, receivers: Receivers) -> Transaction {
        let mut terms = Transaction::new(receivers);
        terms.timeout = self.shared().config().lifetime;
        terms
    }

    /// Encodes a value whose arrays stay here, on these terms. No offer is made if it has none.
    ///
    /// # Errors
    ///
    /// [`OfferError`] if the value cannot be encoded, or the service refuses.
    pub fn offer_value(
        &self,
        value: &Value,
        terms: Transaction,
    ) -> Result<(fedcell_cell_proto::request::Body, Option<Offer>), OfferError> {
        policy::leave(self, value, terms)
    }

    /// Offers arrays by name, each in memory or in a file.
    ///
    /// # Errors
    ///
    /// [`OfferError`] if the service refuses.
    pub fn offer_arrays<A: Into<Place>>(
        &self,
        arrays: impl IntoIterator<Item = (Text, A)>,
        terms: Transaction,
    ) -> Result<Offer, OfferError> {
        let items = arrays.into_iter().map(|(id, array)| Item::new(&id, array.into())).collect();
        self.offer_one(Batch::Arrays(items), terms)
    }

    /// Takes arrays in files, so that values may have [references](Spill::reference) to them in the place of arrays. They
    /// are offered when such a value is sent, and never in memory as a whole if they are large.
    #[must_use]
    pub fn keep(&self, arrays: impl IntoIterator<Item = (Text, SpilledArray)>) -> Spill {
        let kept = Arc::new(Kept { source: self.batch_of_arrays(), arrays: arrays.into_iter().collect() });
        self.shared().keep(&kept);
        Spill::new(kept)
    }

    /// A reference of its own to arrays that are here.
    pub(super) fn batch_of_arrays(&self) -> Arc<DownloadRef> {
        Arc::new(DownloadRef::arrays(self.address().as_str(), self.shared().uuid()))
    }

    /// Offers a long byte string.
    ///
    /// # Errors
    ///
    /// [`OfferError`] if the service refuses.
    pub fn offer_bytes(&self, bytes: impl Into<Blob>, terms: Transaction) -> Result<Offer, OfferError> {
        self.offer_one(Batch::Bytes(bytes.into()), terms)
    }

    /// Offers a file, which must not change as long as it is on offer.
    ///
    /// # Errors
    ///
    /// [`OfferError`] if it is no file, or the service refuses.
    pub fn offer_file(&self, path: impl AsRef<Path>, terms: Transaction) -> Result<Offer, OfferError> {
        let about = std::fs::metadata(path.as_ref())?;
        if !about.is_file() {
            return Err(OfferError::File(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no file")));
        }
        let path = std::path::absolute(path.as_ref())?;
        self.offer_one(Batch::File { path, length: about.len() }, terms)
    }

    /// Offers something that only the application knows how to cut.
    ///
    /// # Errors
    ///
    /// [`OfferError`] if the service refuses.
    pub fn offer_with(&self, producer: impl Producer, terms: Transaction) -> Result<Offer, OfferError> {
        self.offer_one(Batch::Other(Box::new(producer)), terms)
    }

    fn offer_one(&self, batch: Batch, terms: Transaction) -> Result<Offer, OfferError> {
        let ref_id = format!("{}{}", IdPrefix::REF.as_str(), self.shared().uuid().as_str());
        Ok(self.shared().offer(self.clone(), terms, vec![(ref_id.into(), batch)])?)
    }

    /// Begins to fetch what a value refers to.
    pub fn fetch_value(&self, value: Value) -> Fetch {
        Fetch::new(self.clone(), Ok(value))
    }

    /// Leaves references in requests with these words untouched when they are fetched, as for a message that says so
    /// itself; either word may be [`Wildcard::ANY`](fedcell_protocol_defs::cell::Wildcard::ANY).
    pub fn pass_through(&self, channel: &str, topic: &str) {
        self.shared().lock().pass_through.insert(channel, topic, ());
    }

    /// Tells receivers that a child of this cell is gone, and with it what it offered. Each is asked up to four times
    /// within ten seconds; those that did not accept it are returned.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if a target is no address.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves some receivers untold.
    pub async fn tell_source_failure<T: Target>(
        &self,
        targets: impl IntoIterator<Item = T>,
        failure: SourceFailure,
    ) -> Result<Vec<FqcnBuf>, RequestError> {
        use fedcell_protocol_defs::download::Defaults;
        let (mut waiting, mut refused) = (Vec::new(), Vec::new());
        for target in targets {
            waiting.push(target.address().map_err(RequestError::Target)?);
        }
        let body = failure.into_value();
        let end = tokio::time::Instant::now() + Duration::from_secs_f64(Defaults::SOURCE_FAILURE_NOTIFY_TOTAL_TIMEOUT);
        for attempt in 0..Defaults::SOURCE_FAILURE_NOTIFY_ATTEMPTS {
            let mut left = Vec::new();
            for target in waiting {
                let patience = end.saturating_duration_since(tokio::time::Instant::now());
                let patience = patience.min(Duration::from_secs_f64(Defaults::SOURCE_FAILURE_NOTIFY_TIMEOUT));
                let draft = RequestDraft::new(
                    self.endpoint.clone(),
                    [&target],
                    Channel::DOWNLOAD_SERVICE.as_str(),
                    Topic::SOURCE_FAILURE.as_str(),
                );
                let request = draft.timeout(patience).optional().value(&body).send();
                let told = tokio::time::timeout_at(end, request).await;
                match told {
                    Ok(Ok(response)) if response.return_code() == ReturnCode::OK => {}
                    // It means it: there is no use in telling it again.
                    Ok(Ok(response)) if response.return_code() == ReturnCode::INVALID_REQUEST => refused.push(target),
                    _ => left.push(target),
                }
            }
            waiting = left;
            if waiting.is_empty() || tokio::time::Instant::now() >= end {
                break;
            }
            tokio::time::sleep_until(end.min(tokio::time::Instant::now() + Duration::from_millis(250 << attempt)))
                .await;
        }
        waiting.extend(refused);
        Ok(waiting)
    }

    pub(super) fn acquired(&self, transaction: TransactionId) -> Vec<FqcnBuf> {
        self.shared().lock().source.acquired(transaction).cloned().collect()
    }

    pub(super) fn withdraw(&self, transaction: TransactionId) {
        self.shared().drive(|source, now| source.delete(now, transaction));
    }

    /// Offers that have not ended.
    #[must_use]
    pub fn open_offers(&self) -> usize {
        self.shared().lock().source.open_transactions()
    }
}
