//! What is remembered of streams that have ended, for a while and in bounded number.
//!
//! ```text
//!   outgoing, ended         context, for errors that come late
//!   incoming, complete      one bit, so that repetitions are recognised
//!   incoming, failed        the error, so that what still comes is swallowed and the sender is told again
//! ```

use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::stream::ErrorType;

use super::receiver::About;
use super::{IncomingId, OpenStream, StreamId};
use crate::address::FqcnBuf;
use crate::request::RequestId;

/// Words of 64 stream numbers that are remembered of all origins.
const MAX_WORDS: usize = 65_536;
/// How often a failed stream says so again.
const REPEAT_ERROR: Duration = Duration::from_secs(1);

/// Outgoing streams that ended well.
#[derive(Debug, Default)]
pub(super) struct Ended {
    contexts: HashMap<StreamId, Context>,
    order: VecDeque<(UnixTime, StreamId)>,
}

/// By what an error about a stream is recognised.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) target: FqcnBuf,
    channel: Arc<str>,
    topic: Arc<str>,
    pub(super) request_id: Option<RequestId>,
}

impl Context {
    pub(super) fn of(target: FqcnBuf, open: &OpenStream) -> Self {
        let (channel, topic) = (Arc::clone(&open.channel), Arc::clone(&open.topic));
        Self { target, channel, topic, request_id: open.request_id.clone() }
    }

    /// Whether an error with these marks is about this stream.
    pub(super) fn is_meant(&self, channel: Option<&str>, topic: Option<&str>, request_id: Option<&str>) -> bool {
        channel == Some(&*self.channel)
            && topic == Some(&*self.topic)
            && request_id == self.request_id.as_ref().map(RequestId::as_str)
    }
}

impl Ended {
    pub(super) fn remember(&mut self, until: UnixTime, limit: usize, stream: StreamId, context: Context) {
        self.contexts.insert(stream, context);
        self.order.push_back((until, stream));
        while self.order.len() > limit
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.contexts.remove(&oldest);
        }
    }

    pub(super) fn find(&self, stream: StreamId) -> Option<&Context> {
        self.contexts.get(&stream)
    }

    pub(super) fn take(&mut self, stream: StreamId) -> Option<Context> {
        self.contexts.remove(&stream)
    }

    pub(super) fn next(&self) -> Option<UnixTime> {
        self.order.front().map(|(until, _)| *until)
    }

    pub(super) fn expire(&mut self, now: UnixTime) {
        while let Some((until, stream)) = self.order.front()
            && *until <= now
        {
            self.contexts.remove(stream);
            self.order.pop_front();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.contexts.len()
    }
}

/// What is known of the streams of each origin.
#[derive(Debug, Default)]
pub(super) struct Origins {
    origins: HashMap<FqcnBuf, Origin>,
    /// When to look whether a word or a failure may be forgotten.
    order: VecDeque<(UnixTime, FqcnBuf, Remembered)>,
    words: usize,
    failures: usize,
}

#[derive(Debug, Default)]
struct Origin {
    open: HashMap<i64, IncomingId>,
    complete: HashMap<i64, Word>,
    failed: HashMap<i64, Failed>,
}

/// The streams of 64 numbers, one behind the other, that are complete.
#[derive(Debug)]
struct Word {
    bits: u64,
    until: UnixTime,
}

/// A stream that failed here.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    pub(super) reliable: bool,
    pub(super) about: About,
    pub(super) text: Arc<str>,
    pub(super) error_type: ErrorType<'static>,
    pub(super) told_at: UnixTime,
}

#[derive(Debug, Clone, Copy)]
enum Remembered {
    Word(i64),
    Failed(i64),
}

/// What a stream is, here and now.
#[derive(Debug)]
pub(super) enum Known<'a> {
    New,
    Open(IncomingId),
    Complete,
    Failed(&'a mut Failed),
}

impl Failed {
    /// Whether the sender should hear it again.
    pub(super) fn should_repeat(&mut self, now: UnixTime) -> bool {
        let should = self.reliable && now.saturating_since(self.told_at) >= REPEAT_ERROR;
        if should {
            self.told_at = now;
        }
        should
    }
}

/// The word that has the bit of a number, and the bit.
const fn place(number: i64) -> (i64, u64) {
    (number >> 6, 1 << (number & 63))
}

impl Origins {
    pub(super) fn find(&mut self, origin: &str, number: i64) -> Known<'_> {
        let Some(known) = self.origins.get_mut(origin) else { return Known::New };
        if let Some(stream) = known.open.get(&number) {
            return Known::Open(*stream);
        }
        let (word, bit) = place(number);
        if known.failed.is_empty() {
            return match known.complete.get(&word) {
                Some(word) if word.bits & bit != 0 => Known::Complete,
                _ => Known::New,
            };
        }
        match known.failed.get_mut(&number) {
            Some(failed) => Known::Failed(failed),
            None if known.complete.get(&word).is_some_and(|word| word.bits & bit != 0) => Known::Complete,
            None => Known::New,
        }
    }

    /// The name of an origin that is known, so that it need not be copied.
    pub(super) fn name(&self, origin: &str) -> Option<FqcnBuf> {
        self.origins.get_key_value(origin).map(|(name, _)| name.clone())
    }

    /// How many streams of an origin are open.
    pub(super) fn open_from(&self, origin: &str) -> usize {
        self.origins.get(origin).map_or(0, |origin| origin.open.len())
    }

    pub(super) fn open(&mut self, origin: &FqcnBuf, number: i64, stream: IncomingId) {
        self.origins.entry(origin.clone()).or_default().open.insert(number, stream);
    }

    /// A stream is open no more.
    pub(super) fn close(&mut self, origin: &FqcnBuf, number: i64) {
        if let Some(known) = self.origins.get_mut(origin) {
            known.open.remove(&number);
            if known.is_empty() {
                self.origins.remove(origin);
            }
        }
    }

    /// A stream is complete.
    pub(super) fn complete(&mut self, now: UnixTime, origin: &FqcnBuf, number: i64, ttl: Duration) {
        let known = match self.origins.get_mut(origin.as_str()) {
            Some(known) => known,
            None => self.origins.entry(origin.clone()).or_default(),
        };
        let (at, bit) = place(number);
        let until = now.saturating_add(ttl);
        let mut is_new = false;
        let word = known.complete.entry(at).or_insert_with(|| {
            is_new = true;
            Word { bits: 0, until }
        });
        word.bits |= bit;
        word.until = word.until.max(until);
        if is_new {
            self.words += 1;
            self.order.push_back((until, origin.clone(), Remembered::Word(at)));
            while self.words > MAX_WORDS {
                self.forget_oldest();
            }
        }
    }

    /// A stream has failed.
    pub(super) fn fail(&mut self, until: UnixTime, limit: usize, origin: &FqcnBuf, number: i64, failed: Failed) {
        if self.origins.entry(origin.clone()).or_default().failed.insert(number, failed).is_none() {
            self.failures += 1;
        }
        self.order.push_back((until, origin.clone(), Remembered::Failed(number)));
        while self.failures > limit {
            self.forget_oldest();
        }
    }

    /// When something may be forgotten.
    pub(super) fn next(&self) -> Option<UnixTime> {
        self.order.front().map(|(until, ..)| *until)
    }

    pub(super) fn expire(&mut self, now: UnixTime) {
        while self.order.front().is_some_and(|(until, ..)| *until <= now) {
            let Some((_, origin, what)) = self.order.pop_front() else { return };
            if let Remembered::Word(at) = what
                && let Some(word) = self.origins.get(&origin).and_then(|known| known.complete.get(&at))
                && word.until > now
            {
                let until = word.until;
                self.order.push_back((until, origin, what));
                continue;
            }
            self.forget(&origin, what);
        }
    }

    pub(super) const fn remembered(&self) -> usize {
        self.words + self.failures
    }

    fn forget_oldest(&mut self) {
        match self.order.pop_front() {
            Some((_, origin, what)) => self.forget(&origin, what),
            None => (self.words, self.failures) = (0, 0),
        }
    }

    fn forget(&mut self, origin: &FqcnBuf, what: Remembered) {
        let Some(known) = self.origins.get_mut(origin) else { return };
        match what {
            Remembered::Word(at) => self.words -= usize::from(known.complete.remove(&at).is_some()),
            Remembered::Failed(number) => self.failures -= usize::from(known.failed.remove(&number).is_some()),
        }
        if known.is_empty() {
            self.origins.remove(origin);
        }
    }
}

impl Origin {
    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.complete.is_empty() && self.failed.is_empty()
    }
}
