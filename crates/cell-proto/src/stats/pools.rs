//! The pools that a cell keeps of itself.

use core::time::Duration;

use fedcell_protocol_defs::cell::{StatsCounter, StatsPool};

use super::Table;
use super::category::{Categories, CategoryId};
use super::counter::CounterPool;
use super::histogram::{HistogramMode, HistogramPool, Marks};

/// Categories that the pools of messages keep apart.
const MAX_CATEGORIES: usize = 1024;
/// Categories of travel times, which are also kept by origin.
const MAX_TRAVEL_CATEGORIES: usize = 4096;
/// What the reference calls every stream that comes in.
const STREAM: &str = "stream";
/// Bytes in the unit of the size pools.
const MEGABYTE: f64 = 1_048_576.0;

/// What kind a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolKind {
    /// Values in bins.
    Histogram,
    /// Named counts.
    Counter,
}

impl PoolKind {
    /// The word for it in the table of pools.
    #[must_use]
    pub const fn shown(self) -> &'static str {
        match self {
            Self::Histogram => "hist",
            Self::Counter => "counter",
        }
    }
}

/// Messages and payload bytes that went to and came from one neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Traffic {
    /// Messages that came.
    pub messages_in: u64,
    /// Payload bytes that came.
    pub bytes_in: u64,
    /// Messages that went out.
    pub messages_out: u64,
    /// Payload bytes that went out.
    pub bytes_out: u64,
}

/// Statistics of one cell. Counting a message costs a hash of its category, and allocates only with a new category.
#[derive(Debug)]
pub struct CellStats {
    categories: Categories,
    travel_categories: Categories,
    request_response: HistogramPool,
    request_processing: HistogramPool,
    travel: HistogramPool,
    sent_sizes: HistogramPool,
    received_sizes: HistogramPool,
    sent: CounterPool,
    received: CounterPool,
    stream_categories: Categories,
    sent_stream_sizes: HistogramPool,
    received_stream_sizes: HistogramPool,
    sent_streams: CounterPool,
    received_streams: CounterPool,
}

/// Name, kind and description of each pool, by name.
const POOLS: [(StatsPool<'static>, PoolKind, &str); 11] = [
    (StatsPool::MSG_TRAVEL, PoolKind::Histogram, "seconds that messages took from their origin to this cell"),
    (StatsPool::RECEIVED_MSG_COUNTERS, PoolKind::Counter, "messages received, by outcome"),
    (StatsPool::RECEIVED_MSG_SIZES, PoolKind::Histogram, "sizes of messages received, MiB"),
    (StatsPool::RECEIVED_STREAM_COUNTERS, PoolKind::Counter, "streams received"),
    (StatsPool::RECEIVED_STREAM_SIZES, PoolKind::Histogram, "sizes of streams received, MiB"),
    (StatsPool::REQUEST_PROCESSING, PoolKind::Histogram, "seconds that handlers of requests took"),
    (StatsPool::REQUEST_RESPONSE, PoolKind::Histogram, "seconds from a request to its reply, seen by the requester"),
    (StatsPool::SENT_MSG_COUNTERS, PoolKind::Counter, "messages sent, by outcome"),
    (StatsPool::SENT_MSG_SIZES, PoolKind::Histogram, "sizes of messages sent, MiB"),
    (StatsPool::SENT_STREAM_COUNTERS, PoolKind::Counter, "streams sent"),
    (StatsPool::SENT_STREAM_SIZES, PoolKind::Histogram, "sizes of streams sent, MiB"),
];

impl CellStats {
    /// Statistics without a value.
    #[must_use]
    pub fn new() -> Self {
        Self {
            categories: Categories::new(MAX_CATEGORIES),
            travel_categories: Categories::new(MAX_TRAVEL_CATEGORIES),
            request_response: HistogramPool::new(Marks::SECONDS),
            request_processing: HistogramPool::new(Marks::SECONDS),
            travel: HistogramPool::new(Marks::SECONDS),
            sent_sizes: HistogramPool::new(Marks::MEGABYTES),
            received_sizes: HistogramPool::new(Marks::MEGABYTES),
            sent: CounterPool::new(),
            received: CounterPool::new(),
            stream_categories: Categories::new(MAX_CATEGORIES),
            sent_stream_sizes: HistogramPool::new(Marks::MEGABYTES),
            received_stream_sizes: HistogramPool::new(Marks::MEGABYTES),
            sent_streams: CounterPool::new(),
            received_streams: CounterPool::new(),
        }
    }

    /// The category of messages of a kind on a channel and topic; `forwarded` if neither end is this cell.
    pub fn category(&mut self, forwarded: bool, kind: &str, channel: &str, topic: &str) -> CategoryId {
        self.categories.of(None, forwarded, kind, channel, topic)
    }

    /// Counts an outcome of a message that this cell sent.
    pub fn count_sent(&mut self, category: CategoryId, outcome: StatsCounter<'_>) {
        self.sent.increment(category, outcome.as_str());
    }

    /// Counts an outcome of a message that this cell received.
    pub fn count_received(&mut self, category: CategoryId, outcome: StatsCounter<'_>) {
        self.received.increment(category, outcome.as_str());
    }

    /// Records the payload size of a message that was sent, in bytes.
    pub fn record_sent_size(&mut self, category: CategoryId, bytes: usize) {
        self.sent_sizes.record(category, megabytes(bytes));
    }

    /// Records the payload size of a message that was received, in bytes.
    pub fn record_received_size(&mut self, category: CategoryId, bytes: usize) {
        self.received_sizes.record(category, megabytes(bytes));
    }

    /// Records how long a reply took to come.
    pub fn record_response(&mut self, category: CategoryId, took: Duration) {
        self.request_response.record(category, took.as_secs_f64());
    }

    /// Records how long the handler of a request took.
    pub fn record_processing(&mut self, category: CategoryId, took: Duration) {
        self.request_processing.record(category, took.as_secs_f64());
    }

    /// Records how many seconds a message took to get here, by the clocks of both ends: may be below zero.
    pub fn record_travel(
        &mut self,
        origin: &str,
        forwarded: bool,
        kind: &str,
        channel: &str,
        topic: &str,
        seconds: f64,
    ) {
        let category = self.travel_categories.of(Some(origin), forwarded, kind, channel, topic);
        self.travel.record(category, seconds);
    }

    /// Counts a stream that cell `me` begins to send, of so many bytes. `kind` is what the application streams: `byte`,
    /// `blob` or `file` in the reference.
    pub fn note_stream_sent(&mut self, me: &str, kind: &str, channel: &str, topic: &str, bytes: u64) {
        let category = self.stream_categories.named(&format!("{me}:{kind}:{channel}:{topic}"));
        self.sent_streams.increment(category, StatsCounter::SENT.as_str());
        self.sent_stream_sizes.record(category, megabytes(usize::try_from(bytes).unwrap_or(usize::MAX)));
    }

    /// Counts a stream that begins to come in at cell `me`, of so many bytes as its sender says.
    pub fn note_stream_received(&mut self, me: &str, channel: &str, topic: &str, bytes: u64) {
        let category = self.stream_categories.named(&format!("{me}:{STREAM}:{channel}:{topic}"));
        self.received_streams.increment(category, StatsCounter::RECEIVED.as_str());
        self.received_stream_sizes.record(category, megabytes(usize::try_from(bytes).unwrap_or(usize::MAX)));
    }

    /// How many categories are kept apart: of messages, of travel times, of streams. Peers choose them; each number has a
    /// bound.
    #[must_use]
    pub fn categories(&self) -> [usize; 3] {
        [self.categories.len(), self.travel_categories.len(), self.stream_categories.len()]
    }

    /// How often an outcome was counted for messages sent, in all categories.
    #[must_use]
    pub fn sent_total(&self, outcome: StatsCounter<'_>) -> u64 {
        self.sent.total(outcome.as_str())
    }

    /// How often an outcome was counted for messages received, in all categories.
    #[must_use]
    pub fn received_total(&self, outcome: StatsCounter<'_>) -> u64 {
        self.received.total(outcome.as_str())
    }

    /// The pools with their kinds and descriptions, as the network command `list_pools` shows them.
    #[must_use]
    pub fn list(&self) -> Table {
        let headers = ["pool", "type", "description"].map(str::to_owned).to_vec();
        let row = |(name, kind, about): &(StatsPool<'_>, PoolKind, &str)| {
            vec![name.as_str().to_owned(), kind.shown().to_owned(), (*about).to_owned()]
        };
        Table { headers, rows: POOLS.iter().map(row).collect() }
    }

    /// One pool as a table, or none if there is no pool with that name. Letter case of the name does not matter.
    #[must_use]
    pub fn table(&self, pool: &str, mode: HistogramMode) -> Option<Table> {
        let pool = pool.to_lowercase();
        let is = |name: StatsPool<'_>| pool == name.as_str();
        let table = match () {
            () if is(StatsPool::REQUEST_RESPONSE) => self.request_response.table(&self.categories, mode),
            () if is(StatsPool::REQUEST_PROCESSING) => self.request_processing.table(&self.categories, mode),
            () if is(StatsPool::MSG_TRAVEL) => self.travel.table(&self.travel_categories, mode),
            () if is(StatsPool::SENT_MSG_SIZES) => self.sent_sizes.table(&self.categories, mode),
            () if is(StatsPool::RECEIVED_MSG_SIZES) => self.received_sizes.table(&self.categories, mode),
            () if is(StatsPool::SENT_MSG_COUNTERS) => self.sent.table(&self.categories),
            () if is(StatsPool::SENT_STREAM_SIZES) => self.sent_stream_sizes.table(&self.stream_categories, mode),
            () if is(StatsPool::RECEIVED_STREAM_SIZES) => {
                self.received_stream_sizes.table(&self.stream_categories, mode)
            }
            () if is(StatsPool::SENT_STREAM_COUNTERS) => self.sent_streams.table(&self.stream_categories),
            () if is(StatsPool::RECEIVED_STREAM_COUNTERS) => self.received_streams.table(&self.stream_categories),
            () if is(StatsPool::RECEIVED_MSG_COUNTERS) => self.received.table(&self.categories),
            () => return None,
        };
        Some(table)
    }
}

impl Default for CellStats {
    fn default() -> Self {
        Self::new()
    }
}

fn megabytes(bytes: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "sorted into bins")]
    let bytes = bytes as f64;
    bytes / MEGABYTE
}
