//! What the streams of a cell are told when they are made: defaults of the protocol, and bounds.

use core::time::Duration;

use fedcell_protocol_defs::stream::{Defaults, Limit};

/// Defaults and bounds of all streams of one cell. All times are idle times: progress starts them anew.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StreamConfig {
    /// Bytes in a chunk; `streaming_chunk_size`, 1 MiB.
    pub chunk_size: usize,
    /// Bytes that may be on their way without an acknowledgement; `streaming_window_size`, 64 MiB.
    pub window: u64,
    /// How often a receiver is asked to acknowledge, in bytes; `streaming_ack_interval`. 1 MiB, where the reference
    /// says 16: the frequent acknowledgements keep the queue between sender and receiver short.
    pub ack_interval: u64,
    /// The same for a sender that asks for nothing; 4 MiB.
    pub ack_interval_fallback: u64,
    /// How long the acknowledgement of a reliable stream of one chunk may wait for others, if its sender takes several in
    /// one message, as those of this implementation do. Zero: not at all. 5 ms.
    pub ack_delay: Duration,
    /// Least number of bytes that a sender keeps on their way, where the path holds less than that. 2 MiB.
    pub least_in_flight: u64,
    /// Time without new acknowledgements until a sender gives up; `streaming_ack_progress_timeout`, 60 s.
    pub ack_progress_timeout: Duration,
    /// Time without a new chunk until a receiver gives up; `streaming_read_timeout`, 300 s.
    pub read_timeout: Duration,
    /// Time until a chunk of a reliable stream is sent again; `streaming_retry_wait`, 5 s.
    pub retry_wait: Duration,
    /// Time from the first repetition, without progress, until a reliable sender gives up; `streaming_retry_timeout`,
    /// 60 s.
    pub retry_timeout: Duration,
    /// Bytes that a reliable sender keeps for repetition, at least twice the window;
    /// `streaming_retry_max_pending_bytes`, 128 MiB.
    pub retry_max_pending: u64,
    /// Chunks that may wait for a missing one, whatever the sender's window; `streaming_max_out_seq_chunks`. Not set:
    /// derived from the window.
    pub max_parked_chunks: Option<usize>,
    /// Most bytes of one incoming stream that wait for the reader or for a missing chunk, whatever window the sender
    /// announces. 256 MiB.
    pub max_unread: u64,
    /// Most such bytes of all incoming streams together. 4 GiB.
    pub max_unread_in_all: u64,
    /// Streams that this cell may send at a time. 16 384.
    pub max_outgoing: usize,
    /// Streams that may come in at a time, of those with more than one chunk. 16 384.
    pub max_incoming: usize,
    /// The same from one origin. 4096.
    pub max_incoming_per_origin: usize,
    /// Failed incoming streams that are remembered, so that what still comes of them is swallowed. 4096.
    pub max_failed: usize,
    /// Ended outgoing streams that are remembered for errors that come late; 10 000.
    pub max_ended: usize,
    /// How long they are; 300 s.
    pub ended_ttl: Duration,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            chunk_size: Defaults::CHUNK_SIZE,
            window: Defaults::WINDOW_SIZE as u64,
            ack_interval: Defaults::CHUNK_SIZE as u64,
            ack_interval_fallback: Defaults::ACK_INTERVAL_FALLBACK as u64,
            ack_delay: Duration::from_millis(5),
            least_in_flight: 2 * Defaults::CHUNK_SIZE as u64,
            ack_progress_timeout: Duration::from_secs_f64(Defaults::ACK_PROGRESS_TIMEOUT),
            read_timeout: Duration::from_secs(Defaults::READ_TIMEOUT),
            retry_wait: Duration::from_secs_f64(Defaults::RETRY_WAIT),
            retry_timeout: Duration::from_secs_f64(Defaults::RETRY_TIMEOUT),
            retry_max_pending: Defaults::RETRY_MAX_PENDING_BYTES as u64,
            max_parked_chunks: None,
            max_unread: 4 * Defaults::WINDOW_SIZE as u64,
            max_unread_in_all: Defaults::MAX_BLOB_SIZE,
            max_outgoing: 16_384,
            max_incoming: 16_384,
            max_incoming_per_origin: 4096,
            max_failed: 4096,
            max_ended: Limit::MAX_STREAM_ERROR_CONTEXTS,
            ended_ttl: Duration::from_secs(Limit::STREAM_ERROR_CONTEXT_TTL),
        }
    }
}

impl StreamConfig {
    /// How long a finished reliable stream is remembered, so as to acknowledge repetitions, if its sender does not ask
    /// for longer.
    pub(super) fn completed_ttl(&self) -> Duration {
        Duration::from_secs_f64(Limit::COMPLETED_TASK_TTL).max(self.retry_timeout).saturating_add(self.retry_wait)
    }
}

/// Shortest wait and shortest timeout of a reliable sender.
pub(super) fn min_retry() -> Duration {
    Duration::from_secs_f64(Limit::MIN_RETRY_WAIT)
}
