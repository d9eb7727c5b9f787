//! The messages of one cell: who is connected, what waits, what has to be said. Knows nothing of frames.

use std::collections::VecDeque;
use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::cell::StatsCounter;
use tracing::debug;

use super::event::{Class, Event, Outbound};
use super::inbound::Arrival;
use super::keys::Keys;
use super::templates::Templates;
use super::{ConnectionId, NodeConfig, NodeLimits};
use crate::address::{Fqcn, FqcnBuf};
use crate::filter::Filters;
use crate::identity::{AdmittedName, IdentityError, IdentityPolicy, LiveNames, PeerIdentity};
use crate::message::Message;
use crate::names::ByName;
use crate::numbers::ByNumber;
use crate::request::bulk::BulkQueue;
use crate::request::{Failure, IdSource, PendingRequests, RequestId};
use crate::route::{Hop, Neighbours, next_hop};
use crate::stats::{CellStats, Traffic};

/// The messages of one cell.
///
/// **Drain contract.** After every verb, drain [`poll_outbound`](Self::poll_outbound) and
/// [`poll_event`](Self::poll_event) until both are empty, then ask [`poll_timeout`](Self::poll_timeout) when to call
/// [`handle_timeout`](Self::handle_timeout). Nothing is lost if draining is late; it only waits.
///
/// Calls no code of its owner but the filters that it was given. No verb takes time in the number of neighbours or of
/// waiting requests, but the goodbye and messages to many targets.
pub struct Exchange {
    pub(super) config: NodeConfig,
    pub(super) filters: Filters,
    pub(super) ids: Box<dyn IdSource>,
    /// Connections that bear a name, whether or not messages are routed to them.
    connections: ByNumber<ConnectionId, Arc<Arrival>>,
    live: LiveNames<ConnectionId>,
    /// Neighbours to which messages are routed: handshake done, no goodbye said.
    neighbours: ByName<FqcnBuf, Traffic>,
    pub(super) pending: PendingRequests,
    pub(super) bulks: BulkQueue,
    pub(super) stats: CellStats,
    pub(super) keys: Keys,
    pub(super) templates: Templates,
    pub(super) drops: DropCounts,
    /// Messages of this cell to itself.
    loopback: VecDeque<Message>,
    outbound: VecDeque<Outbound>,
    pub(super) events: VecDeque<Event>,
    pub(super) offered_url: Option<String>,
}

/// Messages that came and went no further, by reason. Nobody is told but the owner of the cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DropCounts {
    /// Kind, origin or destination is missing or malformed, or a header of the cell layer has the wrong type.
    pub malformed: u64,
    /// The neighbour may not speak for the origin.
    pub forged_origin: u64,
    /// The route is longer than this cell takes.
    pub too_many_hops: u64,
    /// A filter for incoming messages refused it.
    pub filtered: u64,
    /// It came over a connection that bears no name (any more).
    pub nameless: u64,
    /// No way on from here.
    pub undeliverable: u64,
    /// The queue of its connection took no more, or the connection ended before it could leave.
    pub not_taken: u64,
    /// A reply for which nobody waited any more.
    pub late: u64,
    /// A reply from a cell that was not asked.
    pub unexpected: u64,
    /// A reply to a target that had been answered for.
    pub second: u64,
    /// Opened, and not as long as its sender said.
    pub wrong_clear_length: u64,
}

/// Why a message went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    Malformed,
    ForgedOrigin,
    TooManyHops,
    Filtered,
    Nameless,
    Undeliverable,
    NotTaken,
    Late,
    Unexpected,
    Second,
    WrongClearLength,
}

impl Exchange {
    /// A cell without neighbours. `ids` gives the random part of request ids.
    #[must_use]
    pub fn new(config: NodeConfig, filters: Filters, ids: Box<dyn IdSource>) -> Self {
        let pending = PendingRequests::new(config.limits.pending_requests);
        Self {
            config,
            filters,
            ids,
            connections: ByNumber::default(),
            live: LiveNames::new(),
            neighbours: ByName::default(),
            pending,
            bulks: BulkQueue::default(),
            stats: CellStats::new(),
            keys: Keys::default(),
            templates: Templates::default(),
            drops: DropCounts::default(),
            loopback: VecDeque::new(),
            outbound: VecDeque::new(),
            events: VecDeque::new(),
            offered_url: None,
        }
    }

    /// A connection has got its name. Gives the older connection of the same peer, which has to be closed.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Taken`] if a peer of another identity holds the name; the new connection has to be closed.
    pub fn handle_peer_up(
        &mut self,
        connection: ConnectionId,
        admitted: &AdmittedName,
    ) -> Result<Option<ConnectionId>, IdentityError> {
        let replaced = self.live.take(admitted, connection)?;
        let peer = admitted.name().clone();
        let identity = admitted.identity().clone();
        if let Some(older) = replaced {
            self.connections.remove(&older);
        }
        if self.neighbours.remove(&peer).is_some() {
            self.events.push_back(Event::PeerDown { peer: peer.clone() });
        }
        let arrival = Arrival { from: peer.clone(), identity: identity.clone() };
        self.connections.insert(connection, Arc::new(arrival));
        self.neighbours.insert(peer.clone(), Traffic::default());
        self.events.push_back(Event::PeerUp { peer, connection, identity });
        Ok(replaced)
    }

    /// A connection is gone. Harmless for one that never had a name or that was replaced.
    pub fn handle_peer_down(&mut self, connection: ConnectionId) {
        let Some(arrival) = self.connections.remove(&connection) else { return };
        if self.live.release(&arrival.from, connection) {
            self.forget_neighbour(&arrival.from);
        }
    }

    /// A message came over a connection.
    pub fn handle_message(&mut self, now: UnixTime, connection: ConnectionId, message: Message) {
        let Some(arrival) = self.connections.get(&connection).cloned() else {
            self.drop_message(Dropped::Nameless);
            return;
        };
        if let Some(traffic) = self.neighbours.get_mut(&arrival.from) {
            traffic.messages_in += 1;
            traffic.bytes_in += message.payload.len() as u64;
        }
        self.arrive(now, &arrival, message);
        self.settle(now);
    }

    /// Time has passed: requests whose deadline has come end, and bulks go out.
    pub fn handle_timeout(&mut self, now: UnixTime) {
        if self.bulks.due().is_some_and(|due| due <= now) {
            self.flush_bulks(now);
        }
        for expired in self.pending.expire(now) {
            let target = expired.target;
            debug!(request = %expired.id, %target, "no reply in time");
            let outcome = Err(Failure::Timeout { target: target.clone() });
            self.events.push_back(Event::Reply { id: expired.id, target, outcome, open: expired.open });
        }
    }

    /// The next message for a neighbour.
    pub fn poll_outbound(&mut self) -> Option<Outbound> {
        self.outbound.pop_front()
    }

    /// The next thing that the owner has to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        self.pending.next_deadline().into_iter().chain(self.bulks.due()).min()
    }

    /// This cell's address.
    #[must_use]
    pub fn address(&self) -> Fqcn<'_> {
        self.config.address().as_fqcn()
    }

    /// The filters, to add to them or to take from them.
    pub const fn filters_mut(&mut self) -> &mut Filters {
        &mut self.filters
    }

    /// The neighbours to which messages are routed, with what went to and came from each, in no order.
    pub fn neighbours(&self) -> impl Iterator<Item = (&FqcnBuf, Traffic)> {
        self.neighbours.iter().map(|(name, traffic)| (name, *traffic))
    }

    /// How many names are in use by connections, and how many connections bear one: equal, unless one is being replaced.
    #[must_use]
    pub fn named_connections(&self) -> (usize, usize) {
        (self.live.len(), self.connections.len())
    }

    /// How many messages wait to be sent in bulks.
    #[must_use]
    pub fn waiting_in_bulks(&self) -> usize {
        self.bulks.len()
    }

    /// Messages that went no further, by reason.
    #[must_use]
    pub const fn drops(&self) -> DropCounts {
        self.drops
    }

    /// Statistics.
    #[must_use]
    pub const fn stats(&self) -> &CellStats {
        &self.stats
    }

    /// Statistics, for what the owner measures.
    pub const fn stats_mut(&mut self) -> &mut CellStats {
        &mut self.stats
    }

    /// How many requests wait for replies.
    #[must_use]
    pub fn pending_requests(&self) -> usize {
        self.pending.len()
    }

    /// The URL of a listener that this cell offers for direct connections, if the policy allows them.
    pub fn set_offered_url(&mut self, url: Option<String>) {
        self.offered_url = url;
    }

    /// Which certificate name may claim which address.
    #[must_use]
    pub const fn identities(&self) -> &IdentityPolicy {
        &self.config.identities
    }

    /// Bounds of this cell.
    pub(super) const fn limits(&self) -> &NodeLimits {
        &self.config.limits
    }

    /// The connection that a message of this cell to `target` would take now. None if the target cannot be reached, or
    /// is this cell.
    #[must_use]
    pub fn carrier(&self, target: Fqcn<'_>) -> Option<ConnectionId> {
        match next_hop(self.address(), self, target, &self.fresh()) {
            Ok(Hop::Neighbour(next)) => self.live.holder(next.as_str()),
            _ => None,
        }
    }

    /// Counts a message that was dropped before it came here.
    pub(super) const fn note_malformed(&mut self) {
        self.drops.malformed += 1;
    }

    /// Delivers what this cell has sent to itself.
    pub(super) fn settle(&mut self, now: UnixTime) {
        while let Some(message) = self.loopback.pop_front() {
            let me = Arrival { from: self.config.address().clone(), identity: PeerIdentity::Unproven };
            self.arrive(now, &me, message);
        }
    }

    /// The address of a neighbour to which messages are routed, as an owned value.
    pub(super) fn owned_neighbour(&self, name: Fqcn<'_>) -> FqcnBuf {
        self.neighbours.get_key_value(name.as_str()).map_or_else(|| name.to_owned(), |(known, _)| known.clone())
    }

    /// Gives a complete message to the neighbour that has the name now, or to this cell itself.
    pub(super) fn enqueue(&mut self, next: &FqcnBuf, message: Message, class: Class) -> Result<(), Failure> {
        if next == self.config.address() {
            self.loopback.push_back(message);
            return Ok(());
        }
        let Some(connection) = self.live.holder(next.as_str()) else {
            return Err(Failure::Disconnected { neighbour: next.clone() });
        };
        let class = class.refined(&message);
        if let Some(traffic) = self.neighbours.get_mut(next) {
            traffic.messages_out += 1;
            traffic.bytes_out += message.payload.len() as u64;
        }
        self.outbound.push_back(Outbound { connection, message, class });
        Ok(())
    }

    /// Stops routing messages to a neighbour.
    pub(super) fn forget_neighbour(&mut self, peer: &FqcnBuf) {
        if self.neighbours.remove(peer).is_some() {
            self.events.push_back(Event::PeerDown { peer: peer.clone() });
        }
    }

    /// Ends one target of a request, if there is a request.
    pub(super) fn fail(&mut self, request: Option<&RequestId>, target: &FqcnBuf, failure: Failure) {
        let Some(id) = request else {
            debug!(%target, %failure, "a message was not sent");
            return;
        };
        if let Some(open) = self.pending.fail(id, target.as_fqcn()) {
            let (id, target, outcome) = (id.clone(), target.clone(), Err(failure));
            self.events.push_back(Event::Reply { id, target, outcome, open });
        }
    }

    pub(super) fn drop_message(&mut self, why: Dropped) {
        let counter = match why {
            Dropped::Malformed => &mut self.drops.malformed,
            Dropped::ForgedOrigin => &mut self.drops.forged_origin,
            Dropped::TooManyHops => &mut self.drops.too_many_hops,
            Dropped::Filtered => &mut self.drops.filtered,
            Dropped::Nameless => &mut self.drops.nameless,
            Dropped::Undeliverable => &mut self.drops.undeliverable,
            Dropped::NotTaken => &mut self.drops.not_taken,
            Dropped::Late => &mut self.drops.late,
            Dropped::Unexpected => &mut self.drops.unexpected,
            Dropped::Second => &mut self.drops.second,
            Dropped::WrongClearLength => &mut self.drops.wrong_clear_length,
        };
        *counter += 1;
    }
}

impl Neighbours for Exchange {
    fn is_neighbour(&self, cell: Fqcn<'_>) -> bool {
        self.neighbours.contains_key(cell.as_str())
    }
}

impl core::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Exchange")
            .field("address", self.config.address())
            .field("neighbours", &self.neighbours.len())
            .field("pending", &self.pending.len())
            .field("drops", &self.drops)
            .field("sent", &self.stats.sent_total(StatsCounter::SENT))
            .finish_non_exhaustive()
    }
}
