//! The machine of a receiver: which piece is asked for next, when again, and how the download ends.
//!
//! It holds no content. The caller keeps what a reply brought until the machine says that it is its turn, so that at
//! most two pieces are in memory: one that is being used and one that has come meanwhile.
//!
//! A piece that was asked for and did not come, because its request timed out or the way to the source broke, or that
//! came damaged, is asked for again *with the same state*: what has been received stays received.
//!
//! Drain contract: after each verb, [`Consumer::poll_transmit`] and [`Consumer::poll_event`] until they have none;
//! [`Consumer::poll_timeout`] says when [`Consumer::handle_timeout`] is due.

use core::time::Duration;
use std::collections::VecDeque;

use fedcell_auth::{DigestKind, UnixTime};
use fedcell_fobs::{Map, Text};
use fedcell_protocol_defs::download::Defaults;

use super::body::{Confirm, End, FromReceiver, Pull, confirm_word};

/// Patience and habits of a receiver.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ConsumerConfig {
    /// How long one request may take. Default 600 s.
    pub request_timeout: Duration,
    /// How often in a row a request that timed out, or a piece that came damaged, is asked for again. Default 3.
    pub retries: u32,
    /// How long to wait before the first repetition; doubled for each further one in a row. Default 2 s.
    pub backoff: Duration,
    /// The longest such wait. Default 8 s.
    pub max_backoff: Duration,
    /// How long the way to the source may be broken without any progress. Default 600 s: as long as a request may take.
    pub patience: Duration,
    /// Whether the outcome is confirmed to a source that asks for it. Default yes.
    pub confirmations: bool,
    /// The digests of the content that the source is asked for, and with them all that are slower. Sources of the
    /// reference give none. Default BLAKE3.
    pub digests: Option<DigestKind>,
    /// Bytes of a piece that the source is asked to make, for fewer requests. Sources of the reference do not look at it.
    /// Default 8 MiB.
    pub piece: Option<u64>,
    /// Whether the next piece is asked for while one is being used. Default yes.
    pub pipelining: bool,
    /// Most bytes of one object. Default 1 TiB.
    pub max_bytes: u64,
    /// Pieces without a byte that are taken in a row. Default 1000.
    pub empty_pieces: u32,
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        let backoff = Duration::from_secs_f64(Defaults::RETRY_BACKOFF);
        Self {
            request_timeout: Duration::from_secs_f64(Defaults::PER_REQUEST_TIMEOUT),
            retries: Defaults::MAX_RETRIES,
            backoff,
            max_backoff: backoff * 4,
            patience: Duration::from_secs_f64(Defaults::PER_REQUEST_TIMEOUT),
            confirmations: true,
            digests: Some(DigestKind::Blake3),
            piece: Some(8 << 20),
            pipelining: true,
            max_bytes: 1 << 40,
            empty_pieces: 1000,
        }
    }
}

/// Names a request within one download, and the piece that it brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PullId(u64);

/// What is to be sent to the source.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transmit {
    /// A request. Its end is to be told by [`Consumer::handle_reply`] or [`Consumer::handle_failure`].
    Pull {
        /// Its name.
        id: PullId,
        /// Its body.
        body: FromReceiver,
    },
    /// Something to which no reply is expected.
    Tell(FromReceiver),
}

/// What a reply has in it, but for the content, which the caller keeps under the name of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arrived {
    /// A piece.
    Piece {
        /// State for the next request.
        state: Map,
        /// Bytes of content.
        bytes: u64,
        /// Whether the source understands a cancel.
        cancels: bool,
    },
    /// Nothing follows.
    End(End),
}

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lost {
    /// Nothing came in time.
    TimedOut,
    /// The way to the source is broken.
    Unreachable,
    /// The source answered and means it: there is no use in asking again.
    Refused(Text),
}

/// Why a piece could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unusable {
    /// It is not what the source sent: it is asked for again.
    Damaged(Text),
    /// It is, and of no use: the download fails.
    Wrong(Text),
}

/// What the caller is to do, or may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumerEvent {
    /// It is this piece's turn. [`Consumer::handle_consumed`] is to be called when it has been used.
    Consume(PullId),
    /// This piece will never be used: what the caller keeps of it can be dropped.
    Discard(PullId),
    /// This request will not be waited for any longer.
    Abandon(PullId),
    /// Everything has been used. [`Consumer::handle_finished`] is to be called when the object is complete.
    Finish,
    /// The request is being repeated, for this reason.
    Retrying {
        /// Why.
        reason: Text,
        /// How many repetitions in a row this makes.
        attempt: u32,
        /// After how long.
        after: Duration,
    },
    /// The download has failed. Nothing follows.
    Failed(Text),
}

#[derive(Debug)]
struct Held {
    id: PullId,
    /// The state with which it was asked for.
    asked: Option<Map>,
    bytes: u64,
}

#[derive(Debug)]
enum Next {
    /// Ask as soon as there is room.
    Ask,
    /// A request is out.
    Waiting(PullId),
    /// Ask at this time.
    At(UnixTime),
    /// Everything has been asked for.
    Ended(End),
    /// The caller makes the object complete.
    Finishing(End),
    Over,
}

/// One object that is being downloaded.
#[derive(Debug)]
pub struct Consumer {
    config: ConsumerConfig,
    ref_id: Text,
    /// The state with which the next piece is asked for.
    state: Option<Map>,
    next: Next,
    held: VecDeque<Held>,
    is_consuming: bool,
    cancels: bool,
    timeouts: u32,
    breaks: u32,
    damages: u32,
    empty: u32,
    progress_at: UnixTime,
    bytes: u64,
    pieces: u64,
    last_id: u64,
    transmits: VecDeque<Transmit>,
    events: VecDeque<ConsumerEvent>,
}

impl Consumer {
    /// Begins to download an object.
    #[must_use]
    pub fn new(now: UnixTime, ref_id: Text, config: ConsumerConfig) -> Self {
        let mut consumer = Self {
            config,
            ref_id,
            state: None,
            next: Next::Ask,
            held: VecDeque::new(),
            is_consuming: false,
            cancels: false,
            timeouts: 0,
            breaks: 0,
            damages: 0,
            empty: 0,
            progress_at: now,
            bytes: 0,
            pieces: 0,
            last_id: 0,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        };
        consumer.advance();
        consumer
    }

    /// Bytes of content that have been used.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Pieces that have been used.
    #[must_use]
    pub const fn pieces(&self) -> u64 {
        self.pieces
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.next, Next::Over)
    }

    /// A reply has come. One to a request that is not waited for is dropped, and the caller told to.
    pub fn handle_reply(&mut self, now: UnixTime, id: PullId, arrived: Arrived) {
        if !self.is_waiting_for(id) {
            self.events.push_back(ConsumerEvent::Discard(id));
            return;
        }
        (self.timeouts, self.breaks) = (0, 0);
        self.progress_at = now;
        match arrived {
            Arrived::Piece { state, bytes, cancels } => {
                self.cancels |= cancels;
                self.empty = if bytes == 0 { self.empty + 1 } else { 0 };
                let coming = self.held.iter().fold(self.bytes, |sum, held| sum.saturating_add(held.bytes));
                if self.empty > self.config.empty_pieces || coming.saturating_add(bytes) > self.config.max_bytes {
                    self.events.push_back(ConsumerEvent::Discard(id));
                    let reason = if self.empty > 0 {
                        "the source sends nothing and no end"
                    } else {
                        "the object is larger than it may be"
                    };
                    self.abort(reason.into());
                    return;
                }
                let asked = self.state.replace(state);
                self.held.push_back(Held { id, asked, bytes });
                self.next = Next::Ask;
            }
            Arrived::End(end) => self.next = Next::Ended(end),
        }
        self.advance();
    }

    /// A request has brought nothing.
    pub fn handle_failure(&mut self, now: UnixTime, id: PullId, lost: Lost) {
        if !self.is_waiting_for(id) {
            return;
        }
        match lost {
            Lost::TimedOut if self.timeouts < self.config.retries => {
                self.timeouts += 1;
                self.retry(now, "the request timed out".into(), self.timeouts);
            }
            Lost::Unreachable if now.saturating_since(self.progress_at) < self.config.patience => {
                self.breaks = self.breaks.saturating_add(1);
                self.retry(now, "the source cannot be reached".into(), self.breaks);
            }
            Lost::TimedOut => self.abort("the source does not answer".into()),
            Lost::Unreachable => self.abort("the source cannot be reached".into()),
            Lost::Refused(reason) => self.abort(reason),
        }
    }

    /// The piece whose turn it was has been used, or could not be.
    pub fn handle_consumed(&mut self, now: UnixTime, outcome: Result<(), Unusable>) {
        if !core::mem::take(&mut self.is_consuming) {
            return;
        }
        let Some(held) = self.held.pop_front() else { return };
        match outcome {
            Ok(()) => {
                self.progress_at = now;
                self.damages = 0;
                self.bytes = self.bytes.saturating_add(held.bytes);
                self.pieces += 1;
                self.advance();
            }
            Err(Unusable::Wrong(reason)) => self.abort(reason),
            Err(Unusable::Damaged(reason)) if self.damages >= self.config.retries => self.abort(reason),
            Err(Unusable::Damaged(reason)) => {
                self.damages += 1;
                self.drop_pending();
                self.state = held.asked;
                self.retry(now, reason, self.damages);
            }
        }
    }

    /// After [`ConsumerEvent::Finish`]: the object is complete, or could not be completed.
    pub fn handle_finished(&mut self, is_success: bool) {
        if let Next::Finishing(end) = core::mem::replace(&mut self.next, Next::Over) {
            self.confirm(&end, is_success);
        }
    }

    /// The way to the source is there again: a repetition need not wait any longer.
    pub fn handle_reachable(&mut self) {
        if matches!(self.next, Next::At(_)) {
            self.next = Next::Ask;
            self.advance();
        }
    }

    /// What happens by itself: a repetition is due.
    pub fn handle_timeout(&mut self, now: UnixTime) {
        if matches!(self.next, Next::At(due) if due <= now) {
            self.next = Next::Ask;
            self.advance();
        }
    }

    /// Gives the object up and tells the source, if it understands that.
    pub fn cancel(&mut self, reason: Text) {
        if !self.is_over() {
            self.abort(reason);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<UnixTime> {
        match self.next {
            Next::At(due) => Some(due),
            _ => None,
        }
    }

    /// What is to be sent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// What is to be done.
    pub fn poll_event(&mut self) -> Option<ConsumerEvent> {
        self.events.pop_front()
    }

    const fn is_waiting_for(&self, id: PullId) -> bool {
        matches!(self.next, Next::Waiting(waited) if waited.0 == id.0)
    }

    /// Goes on as far as possible: the next piece's turn, the next request, the end.
    fn advance(&mut self) {
        if !self.is_consuming
            && let Some(held) = self.held.front()
        {
            self.is_consuming = true;
            self.events.push_back(ConsumerEvent::Consume(held.id));
        }
        let room = usize::from(self.config.pipelining);
        match core::mem::replace(&mut self.next, Next::Over) {
            Next::Ask if self.held.len() <= room => {
                self.last_id += 1;
                let id = PullId(self.last_id);
                let body = FromReceiver::Pull(Pull {
                    ref_id: self.ref_id.clone(),
                    state: self.state.clone(),
                    confirms: self.config.confirmations,
                    digests: self.config.digests,
                    piece: self.config.piece,
                });
                self.transmits.push_back(Transmit::Pull { id, body });
                self.next = Next::Waiting(id);
            }
            Next::Ended(end) if self.held.is_empty() => {
                if end.is_complete {
                    self.events.push_back(ConsumerEvent::Finish);
                    self.next = Next::Finishing(end);
                } else {
                    self.confirm(&end, false);
                    self.events.push_back(ConsumerEvent::Failed("the source could not go on".into()));
                }
            }
            other => self.next = other,
        }
    }

    fn retry(&mut self, now: UnixTime, reason: Text, attempt: u32) {
        let factor = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        let after = self.config.backoff.saturating_mul(factor).min(self.config.max_backoff);
        self.next = Next::At(now.saturating_add(after));
        self.events.push_back(ConsumerEvent::Retrying { reason, attempt, after });
    }

    /// Forgets everything behind a piece that is to be asked for again.
    fn drop_pending(&mut self) {
        if let Next::Waiting(id) = self.next {
            self.events.push_back(ConsumerEvent::Abandon(id));
        }
        let discarded = self.held.drain(..).map(|held| ConsumerEvent::Discard(held.id));
        self.events.extend(discarded);
    }

    fn abort(&mut self, reason: Text) {
        self.drop_pending();
        self.is_consuming = false;
        self.next = Next::Over;
        if self.cancels {
            self.transmits.push_back(Transmit::Tell(FromReceiver::Cancel { ref_id: self.ref_id.clone() }));
        }
        self.events.push_back(ConsumerEvent::Failed(reason));
    }

    fn confirm(&mut self, end: &End, is_success: bool) {
        if let Some(nonce) = end.nonce.clone().filter(|_| self.config.confirmations) {
            let (ref_id, status) = (self.ref_id.clone(), Text::from_static(confirm_word(is_success)));
            self.transmits.push_back(Transmit::Tell(FromReceiver::Confirm(Confirm {
                ref_id,
                status,
                nonce: Some(nonce),
            })));
        }
    }
}
