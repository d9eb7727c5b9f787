//! What the lock guards: the node, the queues of its connections, and the callers that wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::headers::HeaderMap;
use fedcell_cell_proto::link::CloseReason;
use fedcell_cell_proto::names::ByName;
use fedcell_cell_proto::node::{Class as NodeClass, ConnectionId, Event, IncomingRequest, Node, Transmit};
use fedcell_cell_proto::request::{Failure, RequestId};
use fedcell_cell_proto::stream::{TransmitSource, turned_back, undeliverable};
use fedcell_protocol_defs::stream::{Channel, HeaderKey};
use tokio::sync::{Notify, Semaphore};

use super::RequestLane;
use super::deliver::Asked;
use super::waiters::{Served, Waiter, Waiters};
use crate::backlog::Backlog;
use crate::connection::{Class, Outbox, Refused, Verdict};
use crate::dispatch::LaneLimits;
use crate::driver::{Facts, Slot};
use crate::events::CellEvent;
use crate::limits::Limits;
use crate::metrics::RequestMeters;
use crate::stream::{Desk, Handlers, StreamEffects};

/// One connection, as the endpoint knows it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) outbox: Arc<Outbox>,
    pub(super) facts: Arc<Facts>,
    /// Its place among the unknown peers; given back when the peer is known.
    pub(super) slot: Option<Slot>,
    /// Wakes the task of the connection when the node closes it.
    pub(super) closed: Arc<Notify>,
    pub(super) peer: Option<FqcnBuf>,
    pub(super) is_closed: bool,
}

/// What came of a verb and is dealt with after the lock.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) served: Vec<Served>,
    pub(super) requests: Vec<(Arc<RequestLane>, Asked)>,
    pub(super) streams: StreamEffects,
    pub(super) events: Vec<Event>,
    pub(super) told: Vec<CellEvent>,
    pub(super) crowded: Vec<Arc<Outbox>>,
    pub(super) filled: Filled,
}

/// The queues that got frames: nearly always one.
#[derive(Debug, Default)]
pub(super) struct Filled {
    first: Option<Arc<Outbox>>,
    others: Vec<Arc<Outbox>>,
}

impl Filled {
    fn note(&mut self, outbox: &Arc<Outbox>) {
        match &self.first {
            None => self.first = Some(outbox.clone()),
            Some(first) if Arc::ptr_eq(first, outbox) => {}
            Some(_) if self.others.iter().any(|known| Arc::ptr_eq(known, outbox)) => {}
            Some(_) => self.others.push(outbox.clone()),
        }
    }

    /// Has the frames leave, while others may be `waiting` to be woken.
    pub(super) fn flush(self, waiting: bool) {
        self.first.into_iter().chain(self.others).for_each(|outbox| outbox.flush(waiting));
    }
}

impl Effects {
    /// Whether callers or handlers have something to do.
    pub(super) fn concern_others(&self) -> bool {
        !(self.served.is_empty() && self.streams.answered.is_empty() && self.requests.is_empty())
    }

    fn note_crowded(&mut self, outbox: &Arc<Outbox>) {
        if !self.crowded.iter().any(|known| Arc::ptr_eq(known, outbox)) {
            self.crowded.push(outbox.clone());
        }
    }
}

/// Under the lock.
pub(crate) struct Core {
    me: FqcnBuf,
    pub(crate) node: Node,
    /// The streams, beside the node: what they send goes by the node's exchange.
    pub(crate) desk: Desk,
    handlers: Arc<Handlers>,
    /// Looked at with every frame: short keys in order are found faster than hashed.
    pub(super) entries: BTreeMap<ConnectionId, Entry>,
    lanes: ByName<FqcnBuf, Arc<RequestLane>>,
    lane_limits: LaneLimits,
    permits: Arc<Semaphore>,
    backlog: Arc<Backlog>,
    /// The connection that bears the name of each peer now.
    named: ByName<FqcnBuf, ConnectionId>,
    waiters: Waiters,
    armed: Option<UnixTime>,
    meters: Arc<RequestMeters>,
    /// Frames that a full queue did not take.
    pub(super) overflowed: u64,
}

impl Core {
    pub(super) fn new(
        node: Node,
        desk: Desk,
        handlers: Arc<Handlers>,
        meters: Arc<RequestMeters>,
        limits: &Limits,
    ) -> Self {
        Self {
            me: node.exchange().address().to_owned(),
            node,
            desk,
            handlers,
            entries: BTreeMap::new(),
            lanes: ByName::default(),
            lane_limits: LaneLimits { requests: limits.waiting_requests, bytes: limits.waiting_bytes },
            permits: Arc::new(Semaphore::new(limits.handlers)),
            backlog: Arc::new(Backlog::new(limits.waiting_total)),
            named: ByName::default(),
            waiters: Waiters::default(),
            armed: None,
            meters,
            overflowed: 0,
        }
    }

    /// A caller waits for that request; to be called under the same lock that sent it.
    pub(crate) fn wait(&mut self, id: RequestId, waiter: Waiter) {
        self.waiters.insert(id, waiter);
    }

    /// Nobody waits for that request any more.
    pub(crate) fn give_up(&mut self, id: &RequestId) {
        self.waiters.remove(id);
        self.node.exchange_mut().cancel(id);
    }

    /// The drain contract of the node and the streams: frames to their queues, callers and requests to `effects`.
    pub(super) fn drain(&mut self, now: UnixTime, effects: &mut Effects) {
        loop {
            self.drain_node(now, effects);
            if !self.drain_streams(now, effects) {
                break;
            }
        }
        effects.streams = self.desk.take_effects();
        for request in effects.streams.requests.drain(..) {
            let lane = self.lane(request.neighbour.as_fqcn());
            effects.requests.push((lane, Asked::Stream(request)));
        }
    }

    /// Sends what the streams have to send, as far as there is room for it. Whether the node has got something to do.
    fn drain_streams(&mut self, now: UnixTime, effects: &mut Effects) -> bool {
        let mut has_sent = false;
        loop {
            let Self { desk, node, entries, .. } = self;
            let exchange = node.exchange();
            let has_room = |target: &FqcnBuf| {
                let carrier = exchange.carrier(target.as_fqcn()).and_then(|connection| entries.get(&connection));
                // Where there is no way the stream is to be told, and not held.
                carrier.is_none_or(|entry| entry.outbox.has_room_for_chunk())
            };
            let Some(transmit) = desk.poll_transmit(now, has_room) else { break };
            has_sent = true;
            if transmit.source.is_first() {
                self.note_stream(&transmit.message.headers);
            }
            let sent = self.node.exchange_mut().fire_one(now, &transmit.target, transmit.message);
            if let Err(failure) = sent {
                self.desk.handle_unsent(transmit.source, &failure);
            }
            // Each chunk is queued before the next is asked for: only so is it known whether there is room.
            while let Some(transmit) = self.node.poll_transmit() {
                self.transmit(now, transmit, Class::Stream, effects);
            }
        }
        self.desk.drain(now, None, &self.handlers);
        has_sent
    }

    /// Whether a stream of this cell is on its way to where there is one.
    pub(super) fn is_sending_somewhere(&self) -> bool {
        let exchange = self.node.exchange();
        self.desk.targets().any(|target| exchange.carrier(target.as_fqcn()).is_some())
    }

    /// Counts a stream of this cell.
    fn note_stream(&mut self, headers: &HeaderMap) {
        let text = |key: HeaderKey<'_>| headers.text(key).ok().flatten();
        let kind = if text(HeaderKey::FILE_NAME).is_some() {
            "file"
        } else if text(HeaderKey::PAYLOAD_ENCODING).is_some() {
            "blob"
        } else {
            "byte"
        };
        let size = headers.integer(HeaderKey::SIZE).ok().flatten().and_then(|size| u64::try_from(size).ok());
        let (channel, topic) = (text(HeaderKey::CHANNEL), text(HeaderKey::TOPIC));
        self.node.exchange_mut().stats_mut().note_stream_sent(
            self.me.as_str(),
            kind,
            channel.unwrap_or_default(),
            topic.unwrap_or_default(),
            size.unwrap_or_default(),
        );
    }

    /// Calls the machines whose time has come.
    pub(super) fn handle_timeout(&mut self, now: UnixTime) {
        self.node.handle_timeout(now);
        self.desk.handle_timeout(now);
    }

    fn drain_node(&mut self, now: UnixTime, effects: &mut Effects) {
        loop {
            while let Some(transmit) = self.node.poll_transmit() {
                self.transmit(now, transmit, Class::Bulk, effects);
            }
            // What comes of an event may have to be sent.
            let Some(event) = self.node.poll_event() else { break };
            match event {
                Event::Reply { id, target, outcome, open, .. } => {
                    self.meters.note_sent(outcome.as_ref().err().map(Failure::return_code));
                    effects.served.extend(self.waiters.serve(&id, target, outcome, open));
                }
                Event::Request(request) if request.reply_to.channel() == Channel::STREAM.as_str() => {
                    let IncomingRequest { message, reply_to, .. } = *request;
                    let (stats, me) = (self.node.exchange_mut().stats_mut(), self.me.as_str());
                    self.desk.handle_message(now, reply_to.neighbour(), message, &self.handlers, |head| {
                        let size = head.size().unwrap_or_default();
                        stats.note_stream_received(me, head.channel(), head.topic(), size);
                    });
                }
                Event::Request(request) => {
                    let lane = self.lane(request.reply_to.neighbour());
                    effects.requests.push((lane, Asked::Message(request)));
                }
                Event::NotTaken { message, failure } if message.facts().is_ok_and(|facts| facts.origin == self.me) => {
                    if let Some(source) = TransmitSource::of_message(&message) {
                        self.desk.handle_unsent(source, &failure);
                    }
                }
                Event::Undeliverable { ref message, .. } => {
                    if let Some((origin, error)) = undeliverable(message) {
                        self.node.exchange_mut().fire(now, &[origin], &error);
                    }
                    effects.events.push(event);
                }
                Event::TurnedBack { message, reply } => {
                    if let Some((origin, error)) = turned_back(&message, &reply) {
                        self.node.exchange_mut().fire(now, &[origin], &error);
                    }
                }
                Event::PeerUp { ref peer, connection, .. } => {
                    if let Some(entry) = self.entries.get_mut(&connection) {
                        entry.slot = None;
                        entry.peer = Some(peer.clone());
                        self.named.insert(peer.clone(), connection);
                    }
                    let exchange = self.node.exchange();
                    let concerns = |target: &FqcnBuf| exchange.carrier(target.as_fqcn()) == Some(connection);
                    self.desk.handle_reachable(concerns);
                    effects.events.push(event);
                }
                Event::PeerDown { ref peer, .. } => {
                    self.lanes.remove(peer);
                    effects.events.push(event);
                }
                other => effects.events.push(other),
            }
        }
    }

    /// Carries out what the node wants; `bulk` is the class of chunks.
    fn transmit(&mut self, now: UnixTime, transmit: Transmit, bulk: Class, effects: &mut Effects) {
        match transmit {
            Transmit::Frame { connection, frame, class } => {
                let Some(entry) = self.entries.get(&connection) else {
                    return self.node.handle_undelivered(now, frame);
                };
                let class = match class {
                    NodeClass::Control => Class::Control,
                    NodeClass::Bulk => bulk,
                    _ => Class::Message,
                };
                effects.filled.note(&entry.outbox);
                match entry.outbox.push(class, frame) {
                    Ok(false) => {}
                    Ok(true) => effects.note_crowded(&entry.outbox),
                    Err(Refused::Closed(frame)) => self.node.handle_undelivered(now, *frame),
                    Err(Refused::Full(frame)) => {
                        self.overflowed += 1;
                        let peer = entry.peer.as_ref().map(FqcnBuf::as_str);
                        tracing::warn!(peer, overflowed = self.overflowed, "a peer takes too little, dropped a frame");
                        self.node.handle_not_taken(now, *frame);
                    }
                }
            }
            Transmit::Held { connection, bytes } => {
                let Some(entry) = self.entries.get(&connection) else { return };
                if entry.outbox.hold(bytes) {
                    effects.note_crowded(&entry.outbox);
                }
            }
            Transmit::NoRoom { frame, .. } => {
                self.overflowed += 1;
                self.node.handle_not_taken(now, frame);
            }
            Transmit::Close { connection, reason } => {
                let Some(entry) = self.entries.get_mut(&connection) else { return };
                let (address, cause) = (&entry.facts.peer_address, core::error::Error::source(&reason));
                tracing::debug!(peer = %address, %reason, cause, "closing a connection");
                if !matches!(reason, CloseReason::Lost | CloseReason::Shutdown) {
                    let (address, peer) = (address.clone(), entry.peer.clone());
                    effects.told.push(CellEvent::Closed { address, peer, reason });
                }
                entry.is_closed = true;
                entry.outbox.close(false);
                entry.closed.notify_one();
            }
            _ => {}
        }
    }

    fn lane(&mut self, neighbour: Fqcn<'_>) -> Arc<RequestLane> {
        if let Some(lane) = self.lanes.get(neighbour.as_str()) {
            return lane.clone();
        }
        let lane = Arc::new(RequestLane::new(self.lane_limits, self.permits.clone(), self.backlog.clone()));
        self.lanes.insert(neighbour.to_owned(), lane.clone());
        lane
    }

    /// The lane of the peer of a connection, if there is one yet.
    pub(super) fn lane_of(&self, connection: ConnectionId) -> Option<Arc<RequestLane>> {
        let peer = self.entries.get(&connection)?.peer.as_ref()?;
        self.lanes.get(peer).cloned()
    }

    /// Bytes that wait for handlers.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.backlog.used()
    }

    pub(super) const fn permits(&self) -> &Arc<Semaphore> {
        &self.permits
    }

    /// Forgets all callers and everything that waits for a handler.
    pub(super) fn abandon(&mut self) {
        self.waiters = Waiters::default();
        self.desk.abandon();
        for (_, lane) in self.lanes.drain() {
            lane.clear();
        }
    }

    /// Closes the connections that `choose` picks by the name of their peer, once what is queued has left.
    pub(super) fn close(&mut self, choose: impl Fn(Option<&FqcnBuf>) -> bool) {
        for entry in self.entries.values_mut().filter(|entry| choose(entry.peer.as_ref())) {
            entry.is_closed = true;
            entry.outbox.close(false);
            entry.closed.notify_one();
        }
    }

    /// What the reader of a connection does next.
    pub(super) fn verdict(&self, connection: ConnectionId) -> Verdict {
        match self.entries.get(&connection) {
            Some(entry) if entry.is_closed => Verdict::Stop,
            Some(entry) if entry.peer.is_some() => Verdict::Admitted,
            Some(_) => Verdict::Unknown,
            None => Verdict::Stop,
        }
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) -> Option<Entry> {
        let entry = self.entries.remove(&connection)?;
        // Another connection of the same peer may have taken over.
        if let Some(peer) = &entry.peer
            && self.named.get(peer) == Some(&connection)
        {
            self.named.remove(peer);
            self.lanes.remove(peer);
        }
        Some(entry)
    }

    pub(super) const fn armed(&self) -> Option<UnixTime> {
        self.armed
    }

    pub(super) const fn disarm(&mut self) {
        self.armed = None;
    }

    /// Arms the timer for what the node wants next. Whether that is earlier than what it was armed for.
    pub(super) fn rearm(&mut self) -> bool {
        let streams = self.desk.poll_timeout();
        let Some(wanted) = self.node.poll_timeout().into_iter().chain(streams).min() else { return false };
        let is_earlier = self.armed.is_none_or(|armed| wanted < armed);
        if is_earlier {
            self.armed = Some(wanted);
        }
        is_earlier
    }
}
