//! The receiver of object streams: which are open, whose turn it is, and when one ends.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use fedcell_auth::UnixTime;
use fedcell_fobs::typed::Shareable;
use fedcell_fobs::{Map, Text, Value};
use fedcell_protocol_defs::federation::{ObjectStreamHeader, ShareableCode};

use crate::address::{Fqcn, FqcnBuf};

/// Bounds of what comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectLimits {
    /// Streams that are open at a time. Default 4096; more are refused.
    pub open: usize,
    /// How long a stream may be silent. Default one hour; the reference waits for ever.
    pub silence: Duration,
}

impl Default for ObjectLimits {
    fn default() -> Self {
        Self { open: 4096, silence: Duration::from_secs(3600) }
    }
}

/// Names an incoming stream: its id, which is unique for its sender only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StreamKey {
    /// Who sends it.
    pub origin: FqcnBuf,
    /// The id.
    pub id: Text,
}

/// An object whose turn it is. [`IncomingObjects::handle_consumed`] is to be called when it has been used.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Accepted {
    /// Its stream.
    pub key: StreamKey,
    /// The application's channel.
    pub channel: Text,
    /// The application's topic.
    pub topic: Text,
    /// Of the first object: what the application of the sender says beforehand.
    pub context: Option<Map>,
}

/// A stream has ended. Said once of each that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// The stream.
    pub key: StreamKey,
    /// How, one of [`ShareableCode`].
    pub code: Text,
}

#[derive(Debug)]
struct Open {
    /// Number of the last object.
    last: u64,
    /// An object is being used.
    is_busy: bool,
    /// It has been ended meanwhile, so.
    ended: Option<Text>,
    heard: UnixTime,
}

/// The object streams that come to one cell.
///
/// Drain contract: after each verb, [`poll_event`](Self::poll_event) until it has none; [`poll_timeout`](Self::poll_timeout)
/// says when [`handle_timeout`](Self::handle_timeout) is due.
#[derive(Debug, Default)]
pub struct IncomingObjects {
    limits: ObjectLimits,
    open: HashMap<StreamKey, Open>,
    events: VecDeque<Ended>,
}

impl IncomingObjects {
    /// No stream is open.
    #[must_use]
    pub fn new(limits: ObjectLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Streams that are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether no stream is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// An object has come.
    ///
    /// # Errors
    ///
    /// What the sender is to be answered: a header is missing, the number is none that can be next, the object before it
    /// is still being used, or too many streams are open.
    pub fn handle_object(
        &mut self,
        now: UnixTime,
        origin: Fqcn<'_>,
        object: &Shareable,
    ) -> Result<Accepted, ShareableCode<'static>> {
        let text = |header: ObjectStreamHeader<'_>| match object.header(header.as_str()) {
            Some(Value::Str(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        };
        let id = text(ObjectStreamHeader::TX_ID).ok_or(ShareableCode::BAD_REQUEST_DATA)?;
        let key = StreamKey { origin: origin.to_owned(), id };
        let number = match object.header(ObjectStreamHeader::SEQ.as_str()) {
            Some(Value::Int(number)) => u64::try_from(*number).ok(),
            Some(Value::UInt(number)) => Some(*number),
            _ => None,
        };
        let facts = text(ObjectStreamHeader::TOPIC).zip(text(ObjectStreamHeader::CHANNEL)).zip(number);
        let Some(((topic, channel), number)) = facts else {
            self.end(&key, ShareableCode::BAD_REQUEST_DATA.as_str().into());
            return Err(ShareableCode::BAD_REQUEST_DATA);
        };
        if let Some(open) = self.open.get_mut(&key) {
            if open.is_busy || number <= open.last {
                self.end(&key, ShareableCode::BAD_REQUEST_DATA.as_str().into());
                return Err(ShareableCode::BAD_REQUEST_DATA);
            }
            (open.last, open.is_busy, open.heard) = (number, true, now);
            return Ok(Accepted { key, channel, topic, context: None });
        }
        let context = match object.header(ObjectStreamHeader::CTX.as_str()) {
            Some(Value::Map(context)) if number == 0 && !context.is_empty() => context.clone(),
            _ => return Err(ShareableCode::BAD_REQUEST_DATA),
        };
        if self.open.len() >= self.limits.open {
            return Err(ShareableCode::SERVICE_UNAVAILABLE);
        }
        self.open.insert(key.clone(), Open { last: 0, is_busy: true, ended: None, heard: now });
        Ok(Accepted { key, channel, topic, context: Some(context) })
    }

    /// An object has been used. With a code, it was the last one of the stream.
    pub fn handle_consumed(&mut self, now: UnixTime, key: &StreamKey, last: Option<&str>) {
        let Some(open) = self.open.get_mut(key) else { return };
        (open.is_busy, open.heard) = (false, now);
        if let Some(code) = open.ended.take().or_else(|| last.map(Text::from)) {
            self.end(key, code);
        }
    }

    /// The sender ends a stream, or says once more that one has ended.
    ///
    /// # Errors
    ///
    /// What the sender is to be answered: it names no stream.
    pub fn handle_abort(&mut self, origin: Fqcn<'_>, abort: &Shareable) -> Result<(), ShareableCode<'static>> {
        match abort.header(ObjectStreamHeader::TX_ID.as_str()) {
            Some(Value::Str(id)) if !id.is_empty() => {
                let key = StreamKey { origin: origin.to_owned(), id: id.clone() };
                self.end(&key, ShareableCode::TASK_ABORTED.as_str().into());
                Ok(())
            }
            _ => Err(ShareableCode::BAD_REQUEST_DATA),
        }
    }

    /// What happens by itself: streams that have been silent for too long end.
    pub fn handle_timeout(&mut self, now: UnixTime) {
        let silence = self.limits.silence;
        let is_silent = |open: &Open| !open.is_busy && open.heard.saturating_add(silence) <= now;
        let silent: Vec<StreamKey> =
            self.open.iter().filter(|(_, open)| is_silent(open)).map(|(key, _)| key.clone()).collect();
        for key in silent {
            self.end(&key, ShareableCode::TIMEOUT.as_str().into());
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let waiting = self.open.values().filter(|open| !open.is_busy);
        waiting.map(|open| open.heard.saturating_add(self.limits.silence)).min()
    }

    /// A stream that has ended.
    pub fn poll_event(&mut self) -> Option<Ended> {
        self.events.pop_front()
    }

    /// Ends a stream; one whose object is being used ends when that has been done.
    fn end(&mut self, key: &StreamKey, code: Text) {
        match self.open.get_mut(key) {
            Some(open) if open.is_busy => {
                open.ended.get_or_insert(code);
            }
            Some(_) => {
                self.open.remove(key);
                self.events.push_back(Ended { key: key.clone(), code });
            }
            None => {}
        }
    }
}
