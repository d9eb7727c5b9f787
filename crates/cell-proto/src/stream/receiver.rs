//! One incoming stream: chunks into order, acknowledgements, bounds.
//!
//! ```text
//!   chunk ──► next in order? ── yes ──► reader ──► acknowledged, at every interval
//!                  │ no                    ▲
//!                  └──► parked ────────────┘ when the gap is closed
//!
//!   all chunks in line and the last among them: acknowledged at once, whatever the reader has taken
//! ```

use core::time::Duration;
use std::collections::BTreeMap;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::stream::Limit;

use super::fields::Fields;
use super::{StreamConfig, StreamError};
use crate::address::FqcnBuf;
use crate::frame::Payload;

/// An incoming stream of more than one chunk.
#[derive(Debug)]
pub(super) struct Receiver {
    pub(super) origin: FqcnBuf,
    pub(super) number: i64,
    pub(super) reliable: bool,
    /// What an error to the sender bears.
    pub(super) about: About,
    /// The reader knows of the stream.
    pub(super) has_begun: bool,
    /// An acknowledgement waits to be sent.
    pub(super) owes_ack: bool,
    /// The moment for which it has a timer.
    pub(super) timer: Option<UnixTime>,
    /// How long it is remembered when it has ended.
    pub(super) ttl: Duration,
    next_sequence: u64,
    received: u64,
    consumed: u64,
    acked_offset: u64,
    parked: BTreeMap<u64, (bool, Payload)>,
    parked_bytes: u64,
    chunk_size: u64,
    window: u64,
    ack_interval: u64,
    knows_sender: bool,
    /// Chunks that may wait for a missing one whatever the sender says, and whether it is so by order.
    own_parked: (usize, bool),
    max_unread: u64,
    read_timeout: Duration,
    last_progress: UnixTime,
}

/// What an error about a stream says, so that the sender recognises it.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) channel: Option<Box<str>>,
    pub(super) topic: Option<Box<str>>,
    pub(super) request_id: Option<Box<str>>,
}

impl About {
    pub(super) fn of(fields: &Fields<'_>) -> Self {
        let own = |text: Option<&str>| text.map(Into::into);
        Self { channel: own(fields.channel), topic: own(fields.topic), request_id: own(fields.request_id) }
    }
}

/// What a chunk leads to.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    /// Chunks that are in order now.
    pub(super) data: Vec<Payload>,
    /// The stream is complete.
    pub(super) is_complete: bool,
}

/// Where an acknowledgement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AckPoint {
    pub(super) offset: u64,
    /// The last chunk without a gap before it; -1 before the first one.
    pub(super) sequence: i64,
}

impl Receiver {
    pub(super) fn new(config: &StreamConfig, now: UnixTime, origin: FqcnBuf, fields: &Fields<'_>) -> Self {
        Self {
            origin,
            number: fields.id,
            reliable: fields.reliable,
            about: About::of(fields),
            has_begun: false,
            owes_ack: false,
            timer: None,
            ttl: config.completed_ttl(),
            next_sequence: 0,
            received: 0,
            consumed: 0,
            acked_offset: 0,
            parked: BTreeMap::new(),
            parked_bytes: 0,
            chunk_size: config.chunk_size as u64,
            window: config.window,
            ack_interval: config.ack_interval_fallback,
            knows_sender: false,
            own_parked: config.max_parked_chunks.map_or_else(
                || (chunks_of(config.window, config.chunk_size as u64), false),
                |by_order| (by_order, true),
            ),
            max_unread: config.max_unread,
            read_timeout: config.read_timeout,
            last_progress: now,
        }
    }

    /// A chunk with this number has come.
    pub(super) fn handle_chunk(
        &mut self,
        now: UnixTime,
        sequence: u64,
        fields: &Fields<'_>,
        is_last: bool,
        payload: Payload,
    ) -> Result<Arrived, StreamError> {
        if sequence == 0 || !self.knows_sender {
            self.learn(fields, sequence == 0);
        }
        let mut arrived = Arrived::default();
        if sequence < self.next_sequence || self.parked.contains_key(&sequence) {
            // Sent again because our acknowledgement was lost, or twice by somebody on the way.
            self.owes_ack |= self.reliable;
            return Ok(arrived);
        }
        let (len, unread) = (payload.len() as u64, self.unread());
        if unread + len > self.unread_limit() {
            let bytes = unread + len;
            return Err(match self.parked.is_empty() && sequence == self.next_sequence {
                true => StreamError::WindowOverrun { bytes, limit: self.unread_limit() },
                false => StreamError::OutOfOrder { chunks: self.parked_limit(), bytes: self.unread_limit() },
            });
        }
        if sequence > self.next_sequence {
            if self.parked.len() >= self.parked_limit() {
                return Err(StreamError::OutOfOrder { chunks: self.parked_limit(), bytes: self.unread_limit() });
            }
            self.parked_bytes += len;
            self.parked.insert(sequence, (is_last, payload));
            return Ok(arrived);
        }
        self.last_progress = now;
        let mut next = Some((is_last, payload));
        while let Some((is_last, payload)) = next {
            self.next_sequence += 1;
            self.received += payload.len() as u64;
            if !payload.is_empty() {
                arrived.data.push(payload);
            }
            if is_last {
                // What a sender numbers behind its last chunk is none of the stream.
                arrived.is_complete = true;
                break;
            }
            next = self.parked.remove(&self.next_sequence);
            if let Some((_, payload)) = &next {
                self.parked_bytes -= payload.len() as u64;
            }
        }
        Ok(arrived)
    }

    /// The reader has taken so many bytes.
    pub(super) fn handle_consumed(&mut self, now: UnixTime, bytes: u64) {
        self.consumed = (self.consumed + bytes).min(self.received);
        self.last_progress = now;
        self.owes_ack |= self.consumed - self.acked_offset >= self.ack_interval;
    }

    /// How far the stream is, for an acknowledgement that is being sent.
    pub(super) fn acknowledge(&mut self) -> AckPoint {
        self.owes_ack = false;
        self.acked_offset = self.consumed;
        AckPoint { offset: self.consumed, sequence: last(self.next_sequence) }
    }

    /// The acknowledgement of a stream that is complete.
    pub(super) fn final_ack(&self) -> AckPoint {
        AckPoint { offset: self.received, sequence: last(self.next_sequence) }
    }

    /// Bytes that wait for the reader or for a missing chunk.
    pub(super) const fn unread(&self) -> u64 {
        self.received - self.consumed + self.parked_bytes
    }

    /// When the stream wants to be looked at. While the reader has something to read, the sender need not send.
    pub(super) fn deadline(&self) -> Option<UnixTime> {
        (self.received == self.consumed).then(|| self.last_progress.saturating_add(self.read_timeout))
    }

    /// The moment of [`deadline`](Self::deadline) may have come.
    pub(super) fn handle_timeout(&self, now: UnixTime) -> Result<(), StreamError> {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return Ok(());
        }
        let idle = now.saturating_since(self.last_progress);
        Err(StreamError::Silent { origin: self.origin.clone(), idle, received: self.received })
    }

    /// Takes from the headers of a chunk how its sender works. What makes no sense has been left out already.
    fn learn(&mut self, fields: &Fields<'_>, is_first: bool) {
        self.chunk_size = fields.chunk_size.unwrap_or(self.chunk_size);
        self.window = fields.window.unwrap_or(self.window);
        self.ack_interval = fields.ack_interval.unwrap_or(self.ack_interval).min(self.window.max(1));
        self.knows_sender = fields.chunk_size.is_some() && fields.window.is_some();
        if is_first && let (Some(wait), Some(timeout)) = (fields.retry_wait, fields.retry_timeout) {
            let asked = (wait + timeout).min(Limit::MAX_COMPLETED_TASK_TTL);
            self.ttl = self.ttl.max(Duration::from_secs_f64(asked));
        }
    }

    /// How many chunks may wait for a missing one.
    fn parked_limit(&self) -> usize {
        match self.own_parked {
            (by_order, true) => by_order,
            (own, false) => own.max(chunks_of(self.window, self.chunk_size)),
        }
    }

    /// How many bytes may be unread: what the sender's window explains. It sends a chunk beyond it, and the last one
    /// whatever its window says.
    fn unread_limit(&self) -> u64 {
        self.window.saturating_add(self.chunk_size.saturating_mul(2)).min(self.max_unread)
    }
}

/// How many chunks of a window can wait for a missing one: all of them, and the one that goes beyond it.
fn chunks_of(window: u64, chunk_size: u64) -> usize {
    let chunks = usize::try_from(window.div_ceil(chunk_size.max(1)).saturating_add(1)).unwrap_or(usize::MAX);
    chunks.clamp(Limit::MIN_OUT_SEQ_CHUNKS, Limit::MAX_PEER_DERIVED_OUT_SEQ_CHUNKS)
}

/// The number before this one, as an acknowledgement has it.
fn last(next_sequence: u64) -> i64 {
    i64::try_from(next_sequence).map_or(i64::MAX, |next| next - 1)
}
