//! The machine of a receiver: which piece is asked for next, when again, and how the download ends.
//!
//! It holds no content. The caller keeps what a reply brought until the machine says that it is its turn; pieces are used
//! in the order of the object, in whichever order they come.
//!
//! ```text
//!   used │ being used │ has come │ asked for │ asked for │ known: the source has told its state
//!        └─────────── at most as many as are configured ─┘
//! ```
//!
//! A reply brings the state of the next piece, and from a source of ours the states of some behind it, each of which is
//! sure to bring a piece: those are asked for while others are on their way. A state that may bring the end is sent when
//! everything before it has come, so that the end means the same as to a receiver that asks for one piece at a time.
//!
//! A piece that was asked for and did not come, because its request timed out or the way to the source broke, or that
//! came damaged, is asked for again *with the same state*: what has been received stays received. What came behind a
//! damaged piece is not believed and asked for again too.
//!
//! Drain contract: after each verb, [`Consumer::poll_transmit`] and [`Consumer::poll_event`] until they have none;
//! [`Consumer::poll_timeout`] says when [`Consumer::handle_timeout`] is due.

use core::time::Duration;
use std::collections::VecDeque;

use fedcell_auth::UnixTime;
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
    /// Whether the source is asked for digests of the content. Sources of the reference give none. Default yes.
    pub digests: bool,
    /// Bytes of a piece that the source is asked to make, for fewer requests. Sources of the reference do not look at it.
    /// Default 4 MiB.
    pub piece: Option<u64>,
    /// Pieces that may be in memory at a time: asked for, waiting for their turn, or being used. With one, a piece is asked
    /// for when that before it has been used; with more, while it is being used, and from sources of ours while others are
    /// on their way. Default 8.
    pub pieces: usize,
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
            digests: true,
            piece: Some(4 << 20),
            pieces: 8,
            max_bytes: 1 << 40,
            empty_pieces: 1000,
        }
    }
}

impl ConsumerConfig {
    /// How long to wait before this repetition in a row.
    fn wait(&self, attempt: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        self.backoff.saturating_mul(factor).min(self.max_backoff)
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
        /// States for the requests behind that, in order: each brings a piece.
        ahead: Vec<Map>,
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

/// What a source has told of a piece that has not been asked for.
#[derive(Debug)]
struct Known {
    state: Option<Map>,
    /// Whether there is a piece for sure, and not the end.
    is_piece: bool,
}

/// A piece that has been asked for and not been used.
#[derive(Debug)]
struct Coming {
    /// The state with which it is asked for.
    state: Option<Map>,
    stage: Stage,
    timeouts: u32,
    breaks: u32,
    damages: u32,
}

#[derive(Debug)]
enum Stage {
    /// A request is out.
    Asked(PullId),
    /// Ask again at this time.
    At(UnixTime),
    /// It has come.
    Here { id: PullId, bytes: u64 },
}

impl Coming {
    const fn here(&self) -> Option<(PullId, u64)> {
        match self.stage {
            Stage::Here { id, bytes } => Some((id, bytes)),
            _ => None,
        }
    }
}

#[derive(Debug)]
enum Phase {
    /// Pieces are asked for as far as they are known.
    Asking,
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
    phase: Phase,
    /// In the order of the object, as `known` behind it.
    coming: VecDeque<Coming>,
    known: VecDeque<Known>,
    /// Whether the first of `coming` is being used.
    is_consuming: bool,
    cancels: bool,
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
            phase: Phase::Asking,
            coming: VecDeque::new(),
            known: VecDeque::from([Known { state: None, is_piece: false }]),
            is_consuming: false,
            cancels: false,
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
        matches!(self.phase, Phase::Over)
    }

    /// A reply has come. One to a request that is not waited for is dropped, and the caller told to.
    pub fn handle_reply(&mut self, now: UnixTime, id: PullId, arrived: Arrived) {
        let Some(at) = self.place_of(id) else {
            self.events.push_back(ConsumerEvent::Discard(id));
            return;
        };
        self.progress_at = now;
        match arrived {
            Arrived::Piece { state, ahead, bytes, cancels } => {
                self.cancels |= cancels;
                self.empty = if bytes == 0 { self.empty + 1 } else { 0 };
                let here = self.coming.iter().filter_map(Coming::here);
                let all = here.fold(self.bytes.saturating_add(bytes), |sum, (_, bytes)| sum.saturating_add(bytes));
                if let Some(coming) = self.coming.get_mut(at) {
                    coming.stage = Stage::Here { id, bytes };
                    (coming.timeouts, coming.breaks) = (0, 0);
                }
                if self.empty > self.config.empty_pieces {
                    return self.abort("the source sends nothing and no end".into());
                }
                if all > self.config.max_bytes {
                    return self.abort("the object is larger than it may be".into());
                }
                if !self.learn(at + 1, state, ahead) {
                    return self.abort("the source contradicts what it said of the next pieces".into());
                }
            }
            Arrived::End(end) => {
                self.forget_from(at);
                self.phase = Phase::Ended(end);
            }
        }
        self.advance();
    }

    /// A request has brought nothing.
    pub fn handle_failure(&mut self, now: UnixTime, id: PullId, lost: Lost) {
        let Some(coming) = self.place_of(id).and_then(|at| self.coming.get_mut(at)) else { return };
        let (reason, attempt) = match lost {
            Lost::TimedOut if coming.timeouts < self.config.retries => {
                coming.timeouts += 1;
                ("the request timed out", coming.timeouts)
            }
            Lost::Unreachable if now.saturating_since(self.progress_at) < self.config.patience => {
                coming.breaks = coming.breaks.saturating_add(1);
                ("the source cannot be reached", coming.breaks)
            }
            Lost::TimedOut => return self.abort("the source does not answer".into()),
            Lost::Unreachable => return self.abort("the source cannot be reached".into()),
            Lost::Refused(reason) => return self.abort(reason),
        };
        coming.stage = Stage::At(now.saturating_add(self.config.wait(attempt)));
        self.retrying(reason.into(), attempt);
    }

    /// The piece whose turn it was has been used, or could not be.
    pub fn handle_consumed(&mut self, now: UnixTime, outcome: Result<(), Unusable>) {
        if !core::mem::take(&mut self.is_consuming) {
            return;
        }
        let Some(mut used) = self.coming.pop_front() else { return };
        match outcome {
            Ok(()) => {
                self.progress_at = now;
                self.bytes = self.bytes.saturating_add(used.here().map_or(0, |(_, bytes)| bytes));
                self.pieces += 1;
                self.advance();
            }
            Err(Unusable::Wrong(reason)) => self.abort(reason),
            Err(Unusable::Damaged(reason)) if used.damages >= self.config.retries => self.abort(reason),
            Err(Unusable::Damaged(reason)) => {
                self.forget_from(0);
                self.phase = Phase::Asking;
                used.damages += 1;
                used.stage = Stage::At(now.saturating_add(self.config.wait(used.damages)));
                self.retrying(reason, used.damages);
                self.coming.push_front(used);
            }
        }
    }

    /// After [`ConsumerEvent::Finish`]: the object is complete, or could not be completed.
    pub fn handle_finished(&mut self, is_success: bool) {
        if let Phase::Finishing(end) = core::mem::replace(&mut self.phase, Phase::Over) {
            self.confirm(&end, is_success);
        }
    }

    /// The way to the source is there again: repetitions need not wait any longer.
    pub fn handle_reachable(&mut self) {
        self.ask_again(|_| true);
    }

    /// What happens by itself: a repetition is due.
    pub fn handle_timeout(&mut self, now: UnixTime) {
        self.ask_again(|due| due <= now);
    }

    /// Gives the object up and tells the source, if it understands that.
    pub fn cancel(&mut self, reason: Text) {
        if !self.is_over() {
            self.abort(reason);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let due = |coming: &Coming| if let Stage::At(due) = coming.stage { Some(due) } else { None };
        self.coming.iter().filter_map(due).min()
    }

    /// What is to be sent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// What is to be done.
    pub fn poll_event(&mut self) -> Option<ConsumerEvent> {
        self.events.pop_front()
    }

    /// Where the piece of a request stands that is waited for.
    fn place_of(&self, id: PullId) -> Option<usize> {
        self.coming.iter().position(|coming| matches!(coming.stage, Stage::Asked(asked) if asked == id))
    }

    /// The source has told the states from this place on, the first of which may bring the end. Whether that agrees with
    /// what it had told before.
    fn learn(&mut self, from: usize, state: Map, ahead: Vec<Map>) -> bool {
        for (place, state) in (from..).zip([state].into_iter().chain(ahead)).take(self.config.pieces.max(1)) {
            let (state, is_piece) = (Some(state), place > from);
            if let Some(coming) = self.coming.get(place) {
                if coming.state != state {
                    return false;
                }
                continue;
            }
            match self.known.get_mut(place - self.coming.len()) {
                Some(known) if known.state != state => return false,
                Some(known) => known.is_piece |= is_piece,
                None => self.known.push_back(Known { state, is_piece }),
            }
        }
        true
    }

    /// Goes on as far as possible: the next piece's turn, the next requests, the end.
    fn advance(&mut self) {
        if !self.is_consuming
            && let Some((id, _)) = self.coming.front().and_then(Coming::here)
        {
            self.is_consuming = true;
            self.events.push_back(ConsumerEvent::Consume(id));
        }
        while self.coming.len() < self.config.pieces.max(1)
            && let Some(next) = self
                .known
                .pop_front_if(|next| next.is_piece || self.coming.iter().all(|coming| coming.here().is_some()))
        {
            let stage = Stage::Asked(self.pull(next.state.clone()));
            self.coming.push_back(Coming { state: next.state, stage, timeouts: 0, breaks: 0, damages: 0 });
        }
        match core::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Ended(end) if self.coming.is_empty() => {
                if end.is_complete {
                    self.events.push_back(ConsumerEvent::Finish);
                    self.phase = Phase::Finishing(end);
                } else {
                    self.confirm(&end, false);
                    self.events.push_back(ConsumerEvent::Failed("the source could not go on".into()));
                }
            }
            other => self.phase = other,
        }
    }

    /// Sends a request.
    fn pull(&mut self, state: Option<Map>) -> PullId {
        self.last_id += 1;
        let id = PullId(self.last_id);
        let body = FromReceiver::Pull(Pull {
            ref_id: self.ref_id.clone(),
            state,
            confirms: self.config.confirmations,
            digests: self.config.digests,
            piece: self.config.piece,
            ahead: self.config.pieces.saturating_sub(1),
        });
        self.transmits.push_back(Transmit::Pull { id, body });
        id
    }

    /// Repeats requests that wait for such a time.
    fn ask_again(&mut self, is_due: impl Fn(UnixTime) -> bool) {
        for at in 0..self.coming.len() {
            let state = match self.coming.get(at) {
                Some(Coming { stage: Stage::At(due), state, .. }) if is_due(*due) => state.clone(),
                _ => continue,
            };
            let stage = Stage::Asked(self.pull(state));
            if let Some(coming) = self.coming.get_mut(at) {
                coming.stage = stage;
            }
        }
    }

    fn retrying(&mut self, reason: Text, attempt: u32) {
        let after = self.config.wait(attempt);
        self.events.push_back(ConsumerEvent::Retrying { reason, attempt, after });
    }

    /// Forgets all pieces from this place on, and what is known behind them.
    fn forget_from(&mut self, place: usize) {
        self.known.clear();
        let forgotten = self.coming.drain(place.min(self.coming.len())..).filter_map(|coming| match coming.stage {
            Stage::Asked(id) => Some(ConsumerEvent::Abandon(id)),
            Stage::Here { id, .. } => Some(ConsumerEvent::Discard(id)),
            Stage::At(_) => None,
        });
        self.events.extend(forgotten);
    }

    fn abort(&mut self, reason: Text) {
        self.forget_from(0);
        self.is_consuming = false;
        self.phase = Phase::Over;
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
