//! One outgoing stream: what it may send next, what it waits for, when it gives up.
//!
//! ```text
//!             offer                       window, pace                     acknowledged
//!  producer ────────► segments ── chunk ───────────────► on its way ──────────────────────► done
//!                        ▲                                   │ kept if reliable,
//!             room ──────┘                                   └ sent again after the retry wait
//! ```

use core::time::Duration;
use std::collections::VecDeque;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::stream::{DataType, HeaderKey, Limit};

use super::config::min_retry;
use super::pace::{Least, Pace, WIDEN_AFTER};
use super::path::Path;
use super::segments::Segments;
use super::{OpenStream, StreamConfig, StreamError};
use crate::address::FqcnBuf;
use crate::frame::Payload;
use crate::headers::HeaderMap;

/// Most chunks in a window: one more is sent beyond it, and the last one behind that.
const MOST_CHUNKS: usize = Limit::MAX_PEER_DERIVED_OUT_SEQ_CHUNKS - 2;
/// Most bytes of a stream that counts as small.
const SMALL: usize = 65_536;

/// An outgoing stream.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) target: FqcnBuf,
    pub(super) open: OpenStream,
    id: i64,
    /// Headers that all chunks have in common; made when the first chunk is sent and is not the last.
    template: Option<HeaderMap>,
    chunk_size: usize,
    /// What the receiver is told.
    announced_window: u64,
    /// What counts: receivers take no more chunks ahead of a missing one than their limit, whatever they are told.
    window: u64,
    ack_interval: u64,
    retry_wait: Duration,
    retry_timeout: Duration,
    max_pending: u64,
    progress_timeout: Duration,
    segments: Segments,
    /// The producer has given all.
    is_whole: bool,
    /// The last chunk has been sent.
    is_sent: bool,
    /// The producer was told that there is no room.
    pub(super) is_full: bool,
    next_sequence: u64,
    sent: u64,
    taken: u64,
    /// Chunks before this one have come to the receiver.
    received: u64,
    last_progress: UnixTime,
    widened_at: UnixTime,
    /// Since when there has been something to send that may not be.
    blocked_since: Option<UnixTime>,
    pace: Pace,
    kept: VecDeque<Kept>,
    kept_bytes: u64,
    /// Chunks that are being sent again: numbers from, and up to but without.
    repeating: (u64, u64),
    /// The last chunk that is acknowledged. While the window is full and nothing is kept, it is sent again to hear how
    /// far the reader is: the acknowledgement that said so may be lost.
    question: Option<Kept>,
    is_asking: bool,
    /// Whether the stream waits in the queue of those that have something to send.
    pub(super) is_queued: bool,
    /// The moment for which it has a timer.
    pub(super) timer: Option<UnixTime>,
}

/// A chunk of a reliable stream that is not acknowledged.
#[derive(Debug)]
struct Kept {
    sequence: u64,
    offset: u64,
    payload: Payload,
    is_last: bool,
    sent_at: UnixTime,
    repeated_at: Option<UnixTime>,
    /// Why this cell could not send it, the last time.
    not_sent: Option<StreamError>,
}

/// What goes into one message.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) sequence: u64,
    pub(super) headers: HeaderMap,
    pub(super) payload: Payload,
}

/// What an acknowledgement has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// Nothing.
    Nothing,
    /// The receiver has more than it had.
    More,
    /// The receiver has all: the stream is at its end.
    All,
}

impl Sender {
    pub(super) fn new(config: &StreamConfig, now: UnixTime, id: i64, target: FqcnBuf, open: OpenStream) -> Self {
        let chunk_size = open.chunk_size.unwrap_or(config.chunk_size).max(1);
        let announced_window = open.window.unwrap_or(config.window);
        let window = announced_window.min((MOST_CHUNKS as u64).saturating_mul(chunk_size as u64));
        let ack_interval = open.ack_interval.unwrap_or(config.ack_interval).clamp(1, window.max(1));
        // A receiver acknowledges at the first chunk boundary behind the interval: fewer bytes on their way, and both
        // would wait for each other. The fallback is for receivers before 2.9, which go by their own interval.
        let together = config.least_in_flight.max(ack_interval + chunk_size as u64);
        let least = Least { together, each: ack_interval.max(chunk_size as u64) };
        Self {
            target,
            id,
            template: None,
            chunk_size,
            announced_window,
            window,
            ack_interval,
            retry_wait: open.retry_wait.unwrap_or(config.retry_wait).max(min_retry()),
            retry_timeout: open.retry_timeout.unwrap_or(config.retry_timeout).max(min_retry()),
            max_pending: config.retry_max_pending.max(window.saturating_mul(2)),
            progress_timeout: config.ack_progress_timeout,
            segments: Segments::default(),
            is_whole: false,
            is_sent: false,
            is_full: false,
            next_sequence: 0,
            sent: 0,
            taken: 0,
            received: 0,
            last_progress: now,
            widened_at: now,
            blocked_since: None,
            pace: Pace::new(least, window),
            kept: VecDeque::new(),
            kept_bytes: 0,
            repeating: (0, 0),
            question: None,
            is_asking: false,
            is_queued: false,
            timer: None,
            open,
        }
    }

    pub(super) fn offer(&mut self, data: &Payload) {
        if !self.is_whole {
            self.segments.push(data);
        }
    }

    /// Bytes that the producer may give now: two chunks wait at most, besides what is on its way.
    pub(super) fn room(&self) -> usize {
        if self.is_whole { 0 } else { self.chunk_size.saturating_mul(2).saturating_sub(self.segments.len()) }
    }

    pub(super) const fn finish(&mut self) {
        self.is_whole = true;
    }

    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) const fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether the owner need not wait any more: the last chunk has been sent and none is kept.
    pub(super) fn is_done(&self) -> bool {
        self.is_sent && self.kept.is_empty()
    }

    /// Whether it is not known yet which path the stream takes; none is needed for one of a single small chunk.
    pub(super) const fn wants_path(&self) -> bool {
        self.pace.wants_path()
    }

    pub(super) fn join(&mut self, path: Path) {
        self.pace.join(path);
    }

    /// Whether there is a chunk that may be sent now, for the first time or again.
    pub(super) fn may_send(&self) -> bool {
        self.has_fresh() && self.is_open() || self.first_repeated().is_some() || self.is_asking
    }

    /// The next chunk to send: repetitions first.
    pub(super) fn next_chunk(&mut self, now: UnixTime) -> Option<Chunk> {
        self.repeat(now).or_else(|| self.fresh(now)).or_else(|| self.ask(now))
    }

    /// The receiver has said how far it is: chunks before `received` have come, `taken` bytes were consumed.
    pub(super) fn handle_ack(
        &mut self,
        now: UnixTime,
        taken: Option<u64>,
        sequence: Option<i64>,
    ) -> Result<Acknowledged, StreamError> {
        if self.open.reliable && sequence.is_none() {
            return Err(StreamError::NotReliable { target: self.target.clone() });
        }
        let mut outcome = Acknowledged::Nothing;
        // What was never sent cannot have come.
        let sequence = sequence.and_then(|sequence| u64::try_from(sequence).ok());
        if let Some(sequence) = sequence.filter(|sequence| (self.received..self.next_sequence).contains(sequence)) {
            self.received = sequence + 1;
            outcome = Acknowledged::More;
        }
        if let Some(taken) = taken.map(|taken| taken.min(self.sent))
            && taken > self.taken
        {
            self.taken = taken;
            self.pace.handle_delivered(now, taken);
            outcome = Acknowledged::More;
        }
        while self.kept.front().is_some_and(|kept| kept.sequence < self.received) {
            if let Some(kept) = self.kept.pop_front() {
                self.kept_bytes -= kept.payload.len() as u64;
                self.question = Some(kept);
            }
        }
        if outcome == Acknowledged::More {
            self.last_progress = now;
            self.blocked_since = None;
        }
        self.note_blocked(now);
        Ok(if self.is_done() { Acknowledged::All } else { outcome })
    }

    /// The receiver has all of a stream of one chunk.
    pub(super) fn handle_whole_ack(&mut self, now: UnixTime) -> Result<Acknowledged, StreamError> {
        if !self.is_sent || self.next_sequence != 1 {
            return Ok(Acknowledged::Nothing);
        }
        self.handle_ack(now, Some(self.sent), Some(0))
    }

    /// A chunk was not sent. A reliable stream tries again; another has failed.
    pub(super) fn handle_unsent(&mut self, sequence: u64, error: StreamError) -> Result<(), StreamError> {
        if !self.open.reliable {
            return Err(error);
        }
        if let Some(kept) = self.kept.iter_mut().find(|kept| kept.sequence == sequence) {
            kept.not_sent = Some(error);
        }
        Ok(())
    }

    /// There may be a way again: what is not acknowledged is sent at once.
    pub(super) fn hurry(&mut self) {
        self.repeating = (self.received, self.next_sequence);
    }

    /// The way to the target takes no chunk now.
    pub(super) fn note_held(&mut self, now: UnixTime) {
        self.blocked_since.get_or_insert(now);
    }

    /// When the stream wants to be looked at.
    pub(super) fn deadline(&self) -> Option<UnixTime> {
        let give_up = self.blocked_since.map(|since| {
            let end = since.max(self.last_progress).saturating_add(self.progress_timeout);
            if self.waits_for_pace() { end.min(self.last_look().saturating_add(WIDEN_AFTER)) } else { end }
        });
        // Chunks were sent in their order, so the first one decides; those that are being sent again wait in the queue.
        let retry = self.kept.front().filter(|_| self.first_repeated().is_none());
        let retry = retry.map(|kept| kept.sent_at.saturating_add(self.retry_wait));
        give_up.into_iter().chain(retry).chain(self.question_due()).min()
    }

    /// The moment of [`deadline`](Self::deadline) may have come.
    pub(super) fn handle_timeout(&mut self, now: UnixTime) -> Result<(), StreamError> {
        if let Some(since) = self.blocked_since {
            let idle = now.saturating_since(since.max(self.last_progress));
            if idle >= self.progress_timeout {
                return Err(self.stalled(idle));
            }
            if self.waits_for_pace() {
                if now.saturating_since(self.last_look()) >= WIDEN_AFTER {
                    self.pace.widen();
                    self.widened_at = now;
                }
                self.note_blocked(now);
            }
        }
        self.is_asking |= self.question_due().is_some_and(|due| due <= now);
        let Some(kept) = self.kept.front() else { return Ok(()) };
        if let Some(repeated_at) = kept.repeated_at {
            let idle = now.saturating_since(repeated_at.max(self.last_progress));
            if idle > self.retry_timeout {
                return Err(kept.not_sent.clone().unwrap_or_else(|| self.stalled(idle)));
            }
        }
        if self.first_repeated().is_none() {
            let due = self.kept.iter().take_while(|kept| now.saturating_since(kept.sent_at) >= self.retry_wait).count();
            self.repeating = (kept.sequence, kept.sequence + due as u64);
        }
        Ok(())
    }

    /// Headers of the message that tells the receiver that the stream has failed here.
    pub(super) fn failure_headers(&self, text: &str) -> HeaderMap {
        let mut headers = self.own_headers();
        headers.insert(HeaderKey::STREAM_ID, self.id);
        headers.insert(HeaderKey::DATA_TYPE, i64::from(DataType::ERROR.get()));
        headers.insert(HeaderKey::OFFSET, self.sent);
        headers.insert(HeaderKey::ERROR_MSG, text);
        headers
    }

    /// Whether the next chunk is a whole small stream, which need not wait behind chunks of others.
    pub(super) fn is_small(&self) -> bool {
        let is_first = |kept: &Kept| kept.sequence == 0 && kept.is_last;
        match self.kept.front() {
            Some(kept) => is_first(kept) && kept.payload.len() <= SMALL,
            None => self.next_sequence == 0 && self.is_whole && self.segments.len() <= SMALL.min(self.chunk_size),
        }
    }

    const fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.taken)
    }

    /// Whether a chunk is complete that was not sent: a full one only if there is more, or certainly no more.
    const fn has_fresh(&self) -> bool {
        !self.is_sent && (self.is_whole || self.segments.len() > self.chunk_size)
    }

    /// Whether window, pace and the room for kept chunks allow one more.
    fn is_open(&self) -> bool {
        let in_flight = self.in_flight();
        let may_keep = self.kept.is_empty() || self.kept_bytes + self.chunk_size as u64 <= self.max_pending;
        in_flight <= self.window && (in_flight < self.pace.limit() || in_flight == 0) && may_keep
    }

    fn waits_for_pace(&self) -> bool {
        self.in_flight() <= self.window && self.in_flight() >= self.pace.limit() && !self.pace.is_widest()
    }

    /// When the pace was last looked at, or last had no reason to be.
    fn last_look(&self) -> UnixTime {
        self.blocked_since.unwrap_or(self.last_progress).max(self.last_progress).max(self.widened_at)
    }

    /// The first chunk that is to be sent again.
    fn first_repeated(&self) -> Option<u64> {
        let (from, end) = self.repeating;
        Some(from.max(self.received)).filter(|first| *first < end)
    }

    fn repeat(&mut self, now: UnixTime) -> Option<Chunk> {
        let sequence = self.first_repeated()?;
        let first = self.kept.front()?.sequence;
        let kept = self.kept.get_mut(usize::try_from(sequence.checked_sub(first)?).ok()?)?;
        kept.sent_at = now;
        kept.repeated_at.get_or_insert(now);
        let (offset, is_last, payload) = (kept.offset, kept.is_last, kept.payload.clone());
        self.repeating.0 = sequence + 1;
        self.pace.handle_repeated();
        Some(Chunk { sequence, headers: self.headers(sequence, offset, is_last), payload })
    }

    /// When to ask how far the reader is.
    fn question_due(&self) -> Option<UnixTime> {
        let question = self.question.as_ref().filter(|_| self.kept.is_empty() && !self.is_asking)?;
        let since = self.blocked_since?.max(self.last_progress).max(question.sent_at);
        Some(since.saturating_add(self.retry_wait))
    }

    fn ask(&mut self, now: UnixTime) -> Option<Chunk> {
        let question = self.question.as_mut().filter(|_| core::mem::take(&mut self.is_asking))?;
        question.sent_at = now;
        let (sequence, offset, payload) = (question.sequence, question.offset, question.payload.clone());
        self.pace.handle_repeated();
        Some(Chunk { sequence, headers: self.headers(sequence, offset, false), payload })
    }

    fn fresh(&mut self, now: UnixTime) -> Option<Chunk> {
        if !self.has_fresh() || !self.is_open() {
            return None;
        }
        let payload = self.segments.take(self.chunk_size);
        let is_last = self.is_whole && self.segments.len() == 0;
        let (sequence, offset) = (self.next_sequence, self.sent);
        if offset == 0 {
            // The clock of an idle stream does not run.
            self.last_progress = now;
        }
        self.next_sequence += 1;
        self.sent += payload.len() as u64;
        self.is_sent = is_last;
        if !is_last {
            self.pace.handle_sent(now, self.sent);
        }
        if self.open.reliable {
            self.kept_bytes += payload.len() as u64;
            let payload = payload.clone();
            let (sent_at, repeated_at, not_sent) = (now, None, None);
            self.kept.push_back(Kept { sequence, offset, payload, is_last, sent_at, repeated_at, not_sent });
        }
        self.note_blocked(now);
        Some(Chunk { sequence, headers: self.headers(sequence, offset, is_last), payload })
    }

    /// Remembers since when missing acknowledgements hold the stream up.
    pub(super) fn note_blocked(&mut self, now: UnixTime) {
        if !self.has_fresh() || self.is_open() {
            self.blocked_since = None;
        } else if self.blocked_since.is_none() {
            self.blocked_since = Some(now);
        }
    }

    fn headers(&mut self, sequence: u64, offset: u64, is_last: bool) -> HeaderMap {
        let mut headers = match &self.template {
            Some(template) => template.clone(),
            None => {
                let headers = self.common_headers();
                // Nothing else will be sent of a stream of one chunk, unless it may have to be sent again.
                if !(is_last && sequence == 0) || self.open.reliable {
                    self.template = Some(headers.clone());
                }
                headers
            }
        };
        let data_type = if is_last { DataType::FINAL } else { DataType::CHUNK };
        headers.insert(HeaderKey::DATA_TYPE, i64::from(data_type.get()));
        headers.insert(HeaderKey::SEQUENCE, sequence);
        headers.insert(HeaderKey::OFFSET, offset);
        if sequence == 0 && is_last {
            headers.insert(if self.open.reliable { HeaderKey::COLLECTED_ACKS } else { HeaderKey::NO_ACK }, true);
        }
        if sequence == 0 {
            headers.insert(HeaderKey::ACK_INTERVAL, self.ack_interval);
            if self.open.reliable {
                headers.insert(HeaderKey::RETRY_WAIT, self.retry_wait.as_secs_f64());
                headers.insert(HeaderKey::RETRY_TIMEOUT, self.retry_timeout.as_secs_f64());
            }
        }
        headers
    }

    /// The application's headers and those of the whole stream.
    fn own_headers(&self) -> HeaderMap {
        let mut headers = self.open.headers.clone();
        if let Some(id) = &self.open.request_id {
            headers.insert(HeaderKey::STREAM_REQ_ID, id.as_str());
        }
        if let Some(encoding) = self.open.encoding {
            headers.insert(HeaderKey::PAYLOAD_ENCODING, encoding);
        }
        headers
    }

    fn common_headers(&self) -> HeaderMap {
        let mut headers = self.own_headers();
        headers.insert(HeaderKey::CHANNEL, &*self.open.channel);
        headers.insert(HeaderKey::TOPIC, &*self.open.topic);
        headers.insert(HeaderKey::SIZE, self.open.size.unwrap_or(0));
        headers.insert(HeaderKey::STREAM_ID, self.id);
        headers.insert(HeaderKey::RELIABLE, self.open.reliable);
        headers.insert(HeaderKey::OPTIONAL, self.open.optional);
        headers.insert(HeaderKey::CHUNK_SIZE, self.chunk_size);
        headers.insert(HeaderKey::WINDOW_SIZE, self.announced_window);
        headers
    }

    fn stalled(&self, idle: Duration) -> StreamError {
        StreamError::Stalled { target: self.target.clone(), idle, acknowledged: self.taken, sent: self.sent }
    }
}
