//! All streams of one cell: what goes out next, and when.

use std::collections::VecDeque;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::stream::{Channel, DataType, HeaderKey, Topic};

use super::collect::Collected;
use super::memory::{Ended, Origins};
use super::open::{Source, TransmitSource};
use super::path::Paths;
use super::receiver::{AckPoint, Receiver};
use super::sender::Sender;
use super::timers::{Timers, Waiter};
use super::{IncomingId, StreamConfig, StreamEvent, StreamId, StreamTransmit};
use crate::address::FqcnBuf;
use crate::headers::HeaderMap;
use crate::numbers::ByNumber;
use crate::request::{Body, Outgoing};

/// All streams of one cell, those that go out and those that come in.
///
/// **Drain contract.** After every verb, drain [`poll_transmit`](Self::poll_transmit) until it gives none and
/// [`poll_event`](Self::poll_event) until it is empty, then ask [`poll_timeout`](Self::poll_timeout) when to call
/// [`handle_timeout`](Self::handle_timeout). Nothing is lost if draining is late; it only waits.
///
/// Knows neither routes nor connections: what it sends goes to a target by
/// [`Exchange::fire`](crate::node::Exchange::fire), and what comes on the stream channel is given to it.
pub struct Streams {
    pub(super) config: StreamConfig,
    pub(super) next_id: i64,
    pub(super) senders: ByNumber<StreamId, Box<Sender>>,
    /// Outgoing streams that have something to send, the one whose turn it is first.
    pub(super) queue: VecDeque<StreamId>,
    pub(super) paths: Paths,
    pub(super) ended: Ended,
    pub(super) next_incoming: u64,
    pub(super) receivers: ByNumber<IncomingId, Box<Receiver>>,
    pub(super) origins: Origins,
    /// Bytes of all incoming streams that wait.
    pub(super) unread: u64,
    pub(super) asides: VecDeque<Aside>,
    pub(super) collected: Collected,
    pub(super) events: VecDeque<StreamEvent>,
    pub(super) timers: Timers,
}

/// How much there is of everything; for metrics, and to see that nothing stays behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StreamCounts {
    /// Streams that go out.
    pub outgoing: usize,
    /// Streams that come in.
    pub incoming: usize,
    /// Bytes of them that wait for their readers or for missing chunks.
    pub unread: u64,
    /// What is remembered of streams that have ended.
    pub remembered: usize,
    /// Messages and events that wait to be fetched.
    pub waiting: usize,
}

/// A small message that goes before all chunks.
#[derive(Debug)]
pub(super) enum Aside {
    /// How far an open stream is, when it is sent.
    Flow(IncomingId),
    /// Anything else.
    Ready { target: FqcnBuf, topic: Topic<'static>, headers: HeaderMap, optional: bool, secure: bool },
}

impl Streams {
    /// No streams yet. The first that goes out bears the number behind `first_number`: to be unique, it is the time in
    /// microseconds since the epoch plus up to a second of chance.
    #[must_use]
    pub fn new(config: StreamConfig, first_number: i64) -> Self {
        Self {
            config,
            next_id: first_number,
            senders: ByNumber::default(),
            queue: VecDeque::new(),
            paths: Paths::default(),
            ended: Ended::default(),
            next_incoming: 0,
            receivers: ByNumber::default(),
            origins: Origins::default(),
            unread: 0,
            asides: VecDeque::new(),
            collected: Collected::default(),
            events: VecDeque::new(),
            timers: Timers::default(),
        }
    }

    /// The next message to send: acknowledgements and errors first, then one chunk of each stream in turn. `ready` says
    /// whether the way to a target takes another chunk now; it is not asked for small messages. Say yes if there is no
    /// way at all, and then [`handle_unsent`](Self::handle_unsent).
    pub fn poll_transmit(&mut self, now: UnixTime, mut ready: impl FnMut(&FqcnBuf) -> bool) -> Option<StreamTransmit> {
        while let Some(aside) = self.asides.pop_front() {
            if let Some(transmit) = self.speak(aside) {
                return Some(transmit);
            }
        }
        if let Some((target, headers)) = self.collected.take(now) {
            return Some(small(target, Topic::ACK, headers, false, false));
        }
        // Most streams that are held have the target of the one before.
        let mut held: Option<FqcnBuf> = None;
        for _ in 0..self.queue.len() {
            let id = self.queue.pop_front()?;
            let Some(sender) = self.senders.get_mut(&id) else { continue };
            sender.is_queued = false;
            if !sender.may_send() {
                self.settle_sender(id);
                continue;
            }
            let is_small = sender.is_small();
            let is_held = !is_small && (held.as_ref() == Some(&sender.target) || !ready(&sender.target));
            if is_held {
                held = Some(sender.target.clone());
                sender.note_held(now);
                self.settle_sender(id);
                continue;
            }
            if !is_small && sender.wants_path() {
                sender.join(self.paths.to(&sender.target));
            }
            let Some(chunk) = sender.next_chunk(now) else { continue };
            let (channel, topic) = (Channel::STREAM, Topic::DATA);
            let mut message = Outgoing::new(channel, topic, Body::bytes(chunk.payload)).with_headers(chunk.headers);
            (message.secure, message.optional) = (sender.open.secure, sender.open.optional);
            let source = TransmitSource(Source::Chunk { stream: id, sequence: chunk.sequence });
            let target = sender.target.clone();
            if sender.is_full && sender.room() > 0 {
                sender.is_full = false;
                self.events.push_back(StreamEvent::Writable { stream: id });
            }
            if sender.is_done() {
                self.end_sent(now, id);
            } else {
                self.settle_sender(id);
            }
            return Some(StreamTransmit { target, message, is_small, source });
        }
        None
    }

    /// The next thing that the owner has to know.
    pub fn poll_event(&mut self) -> Option<StreamEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let memories = self.ended.next().into_iter().chain(self.origins.next());
        memories.chain(self.timers.next()).chain(self.collected.due()).min()
    }

    /// Time has passed: chunks are sent again, streams without progress fail, ended ones are forgotten. Too early does no
    /// harm.
    pub fn handle_timeout(&mut self, now: UnixTime) {
        while let Some((at, waiter)) = self.timers.pop_due(now) {
            match waiter {
                Waiter::Outgoing(id) => {
                    let Some(sender) = self.senders.get_mut(&id).filter(|sender| sender.timer == Some(at)) else {
                        continue;
                    };
                    sender.timer = None;
                    match sender.handle_timeout(now) {
                        Ok(()) => self.settle_sender(id),
                        Err(error) => self.fail_outgoing(id, error, true),
                    }
                }
                Waiter::Incoming(id) => {
                    let Some(receiver) = self.receivers.get_mut(&id).filter(|receiver| receiver.timer == Some(at))
                    else {
                        continue;
                    };
                    receiver.timer = None;
                    match receiver.handle_timeout(now) {
                        Ok(()) => self.settle_receiver(id),
                        Err(error) => self.fail_incoming(now, id, error, true),
                    }
                }
            }
        }
        self.ended.expire(now);
        self.origins.expire(now);
    }

    /// How much there is of everything.
    #[must_use]
    pub fn counts(&self) -> StreamCounts {
        StreamCounts {
            outgoing: self.senders.len(),
            incoming: self.receivers.len(),
            unread: self.unread,
            remembered: self.ended.len() + self.origins.remembered(),
            waiting: self.asides.len() + self.events.len() + self.collected.len(),
        }
    }

    /// Puts an outgoing stream into the queue if it may send, and sees to its timer.
    pub(super) fn settle_sender(&mut self, id: StreamId) {
        let Some(sender) = self.senders.get_mut(&id) else { return };
        if !sender.is_queued && sender.may_send() {
            sender.is_queued = true;
            self.queue.push_back(id);
        }
        let deadline = sender.deadline();
        self.timers.arm(&mut sender.timer, deadline, Waiter::Outgoing(id));
    }

    /// Sees to the timer of an incoming stream.
    pub(super) fn settle_receiver(&mut self, id: IncomingId) {
        let Some(receiver) = self.receivers.get_mut(&id) else { return };
        let deadline = receiver.deadline();
        self.timers.arm(&mut receiver.timer, deadline, Waiter::Incoming(id));
    }

    /// Timers of streams that are gone need not be waited for.
    pub(super) fn prune_timers(&mut self) {
        let (senders, receivers) = (&self.senders, &self.receivers);
        self.timers.prune(|waiter| match waiter {
            Waiter::Outgoing(id) => senders.contains_key(&id),
            Waiter::Incoming(id) => receivers.contains_key(&id),
        });
    }

    fn speak(&mut self, aside: Aside) -> Option<StreamTransmit> {
        let (target, topic, headers, optional, secure) = match aside {
            Aside::Ready { target, topic, headers, optional, secure } => (target, topic, headers, optional, secure),
            Aside::Flow(id) => {
                let receiver = self.receivers.get_mut(&id).filter(|receiver| receiver.owes_ack)?;
                let headers = ack_headers(receiver.number, receiver.acknowledge());
                (receiver.origin.clone(), Topic::ACK, headers, false, false)
            }
        };
        Some(small(target, topic, headers, optional, secure))
    }
}

fn small(target: FqcnBuf, topic: Topic<'_>, headers: HeaderMap, optional: bool, secure: bool) -> StreamTransmit {
    let mut message = Outgoing::new(Channel::STREAM, topic, Body::none()).with_headers(headers);
    (message.secure, message.optional) = (secure, optional);
    StreamTransmit { target, message, is_small: true, source: TransmitSource(Source::Aside) }
}

/// Headers of an acknowledgement.
pub(super) fn ack_headers(number: i64, point: AckPoint) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(HeaderKey::STREAM_ID, number);
    headers.insert(HeaderKey::DATA_TYPE, i64::from(DataType::ACK.get()));
    headers.insert(HeaderKey::OFFSET, point.offset);
    headers.insert(HeaderKey::SEQUENCE, point.sequence);
    headers
}

impl core::fmt::Debug for Streams {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Streams").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
