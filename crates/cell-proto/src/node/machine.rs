//! The machine of one cell with its connections: one link for each, one exchange of messages for all.

use std::collections::{BTreeSet, VecDeque};

use bytes::Buf;
use fedcell_auth::UnixTime;
use tracing::debug;

use super::event::{Class, Event};
use super::exchange::Exchange;
use super::{ConnectionId, NodeConfig};
use crate::address::FqcnBuf;
use crate::filter::Filters;
use crate::frame::{EncodedFrame, Frame, FrameError};
use crate::identity::ConnectionFacts;
use crate::link::{CertificateProblem, CloseReason, Link, LinkConfig, LinkCounters, LinkEvent};
use crate::message::Message;
use crate::numbers::ByNumber;
use crate::request::{Failure, IdSource};

/// The machine of one cell.
///
/// **Drain contract.** After a verb, or after several in a row, drain [`poll_transmit`](Self::poll_transmit) and
/// [`poll_event`](Self::poll_event) until both are empty, then ask [`poll_timeout`](Self::poll_timeout) when to call
/// [`handle_timeout`](Self::handle_timeout). Draining late loses nothing, and lets what waits grow. What a verb of
/// [`exchange_mut`](Self::exchange_mut) wants to send comes out of `poll_transmit` too.
///
/// It does no input or output, reads no clock, and calls no code of its owner but the filters and the source of ids. No
/// verb takes time in the number of connections or of waiting requests, but goodbyes and messages to many targets.
#[derive(Debug)]
pub struct Node {
    exchange: Exchange,
    connections: ByNumber<ConnectionId, Connection>,
    /// When to look at which connection: never later than its link wants, perhaps earlier.
    timers: BTreeSet<(UnixTime, ConnectionId)>,
    transmits: VecDeque<Transmit>,
    /// What the links of all new connections are told, besides their side.
    link: LinkConfig,
}

#[derive(Debug)]
struct Connection {
    link: Link,
    facts: ConnectionFacts,
    timer: Option<UnixTime>,
    /// Messages that wait until the link has settled; see [`LinkConfig::settle`].
    held: Vec<(EncodedFrame, Class)>,
    /// Bytes of these.
    held_bytes: usize,
}

/// What the owner has to do with a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Transmit {
    /// Write a frame.
    Frame {
        /// On which connection.
        connection: ConnectionId,
        /// The frame.
        frame: EncodedFrame,
        /// How urgent it is. Frames of one class keep their order.
        class: Class,
    },
    /// Count these bytes among those that wait to leave on a connection, in place of what was said before: frames wait
    /// in the node until the link has settled.
    Held {
        /// The connection.
        connection: ConnectionId,
        /// Bytes that wait in the node.
        bytes: usize,
    },
    /// Too many frames wait in the node for a connection to settle: hand this one to
    /// [`handle_not_taken`](Node::handle_not_taken).
    NoRoom {
        /// The connection.
        connection: ConnectionId,
        /// The frame.
        frame: EncodedFrame,
    },
    /// Close the connection, after what was given out for it before. The node has forgotten it already: its number may
    /// still be handed in, and does nothing.
    Close {
        /// The connection.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
}

impl Connection {
    /// Keeps a frame until the link has settled, if there is room.
    fn hold(&mut self, connection: ConnectionId, frame: EncodedFrame, class: Class, limit: usize) -> Transmit {
        let bytes = self.held_bytes.saturating_add(frame.remaining());
        if bytes > limit && !self.held.is_empty() {
            return Transmit::NoRoom { connection, frame };
        }
        self.held_bytes = bytes;
        self.held.push((frame, class));
        Transmit::Held { connection, bytes }
    }
}

impl Node {
    /// A cell without connections. `ids` gives the random part of request ids; `link` is what all its links are told,
    /// of which the address and the side are set here.
    #[must_use]
    pub fn new(config: NodeConfig, filters: Filters, mut link: LinkConfig, ids: Box<dyn IdSource>) -> Self {
        link.local = config.address().clone();
        Self {
            exchange: Exchange::new(config, filters, ids),
            connections: ByNumber::default(),
            timers: BTreeSet::new(),
            transmits: VecDeque::new(),
            link,
        }
    }

    /// The messages of the cell.
    #[must_use]
    pub const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// The messages of the cell, to send some.
    pub const fn exchange_mut(&mut self) -> &mut Exchange {
        &mut self.exchange
    }

    /// A connection stands, TLS done. Its link says HELLO or waits for it. A number that is in use is ignored.
    pub fn handle_connected(&mut self, now: UnixTime, connection: ConnectionId, facts: ConnectionFacts) {
        if self.connections.contains_key(&connection) {
            debug!(connection = connection.number(), "a connection was handed in twice");
            return;
        }
        let mut config = self.link.clone();
        config.side = facts.side;
        config.certified_until = facts.certified_until;
        if !facts.needs_heartbeat {
            (config.heartbeat_interval, config.idle_timeout) = (None, None);
        }
        self.connections.insert(
            connection,
            Connection { link: Link::new(config, now), facts, timer: None, held: Vec::new(), held_bytes: 0 },
        );
        self.pump(now, connection);
    }

    /// A frame came over a connection.
    pub fn handle_frame(&mut self, now: UnixTime, connection: ConnectionId, frame: Frame) {
        let Some(entry) = self.connections.get_mut(&connection) else { return };
        if let Err(error) = entry.link.handle_frame(now, frame) {
            // Links are drained in every verb, so this cannot be but for a closed one.
            debug!(connection = connection.number(), %error, "a frame was not taken");
            return;
        }
        self.pump(now, connection);
    }

    /// The bytes that came over a connection are no frame: it is closed.
    pub fn handle_bad_frame(&mut self, now: UnixTime, connection: ConnectionId, error: FrameError) {
        if let Some(entry) = self.connections.get_mut(&connection) {
            entry.link.handle_bad_frame(error);
            self.pump(now, connection);
        }
    }

    /// A connection is gone.
    pub fn handle_closed(&mut self, now: UnixTime, connection: ConnectionId) {
        self.close(now, connection, CloseReason::Lost);
    }

    /// Closes a connection.
    pub fn close(&mut self, now: UnixTime, connection: ConnectionId, reason: CloseReason) {
        if let Some(entry) = self.connections.get_mut(&connection) {
            entry.link.close(reason);
            self.pump(now, connection);
        }
    }

    /// Closes all connections; requests that wait run into their deadlines.
    pub fn close_all(&mut self, now: UnixTime) {
        let mut all: Vec<ConnectionId> = self.connections.keys().copied().collect();
        all.sort_unstable();
        for connection in all {
            self.close(now, connection, CloseReason::Shutdown);
        }
    }

    /// The certificate of a connection's peer has been verified again; see [`Event::Recheck`].
    pub fn handle_rechecked(
        &mut self,
        now: UnixTime,
        connection: ConnectionId,
        verdict: Result<UnixTime, CertificateProblem>,
    ) {
        if let Some(entry) = self.connections.get_mut(&connection) {
            entry.link.handle_rechecked(now, verdict);
            self.pump(now, connection);
        }
    }

    /// A frame is about to be written to a connection; see [`Link::handle_sending`].
    pub fn handle_sending(&mut self, now: UnixTime, connection: ConnectionId) {
        if let Some(entry) = self.connections.get_mut(&connection) {
            entry.link.handle_sending(now);
            self.schedule(connection);
        }
    }

    /// The transport has taken bytes of the frame that is being written.
    pub fn handle_progress(&mut self, now: UnixTime, connection: ConnectionId) {
        if let Some(entry) = self.connections.get_mut(&connection) {
            entry.link.handle_progress(now);
        }
    }

    /// A frame has been written to a connection.
    pub fn handle_sent(&mut self, connection: ConnectionId) {
        if let Some(entry) = self.connections.get_mut(&connection) {
            entry.link.handle_sent();
        }
    }

    /// A frame of [`Transmit::Frame`] was not taken: the queue of its connection is full. A request of this cell ends with
    /// [`Failure::NotTaken`]; one of others is sent back as if it could not be forwarded. Nothing of the frame may have
    /// been written, and it must not leave afterwards.
    pub fn handle_not_taken(&mut self, now: UnixTime, frame: EncodedFrame) {
        // Frames of the link itself carry no message: there is nobody to tell.
        if let Some(message) = Message::recover(frame) {
            self.exchange.handle_not_taken(now, message, |neighbour| Failure::NotTaken { neighbour });
        }
    }

    /// As [`handle_not_taken`](Self::handle_not_taken), for a connection that is ending: a request of this cell ends with
    /// [`Failure::Disconnected`].
    pub fn handle_undelivered(&mut self, now: UnixTime, frame: EncodedFrame) {
        if let Some(message) = Message::recover(frame) {
            self.exchange.handle_not_taken(now, message, |neighbour| Failure::Disconnected { neighbour });
        }
    }

    /// The moment of [`poll_timeout`](Self::poll_timeout) has come; too early does no harm.
    pub fn handle_timeout(&mut self, now: UnixTime) {
        self.exchange.handle_timeout(now);
        while let Some((at, connection)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            if let Some(entry) = self.connections.get_mut(&connection) {
                entry.timer = None;
                entry.link.handle_timeout(now);
                self.pump(now, connection);
            }
        }
    }

    /// The next thing to do with a connection.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(transmit) = self.transmits.pop_front() {
            return Some(transmit);
        }
        while let Some(outbound) = self.exchange.poll_outbound() {
            let (connection, class) = (outbound.connection, outbound.class);
            let Some(entry) = self.connections.get_mut(&connection) else { continue };
            match entry.link.encode(outbound.message) {
                Ok(frame) if entry.link.is_settled() => return Some(Transmit::Frame { connection, frame, class }),
                Ok(frame) => return Some(entry.hold(connection, frame, class, self.exchange.limits().held_bytes)),
                Err(error) => debug!(connection = connection.number(), %error, "a message was not sent"),
            }
        }
        None
    }

    /// The next thing that the owner has to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.exchange.poll_event()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let link = self.timers.first().map(|(at, _)| *at);
        self.exchange.poll_timeout().into_iter().chain(link).min()
    }

    /// Whether the handshake of a connection is over: its frames may be large now.
    #[must_use]
    pub fn is_open(&self, connection: ConnectionId) -> bool {
        self.connections.get(&connection).is_some_and(|entry| entry.link.peer().is_some())
    }

    /// What has passed over a connection.
    #[must_use]
    pub fn counters(&self, connection: ConnectionId) -> Option<&LinkCounters> {
        self.connections.get(&connection).map(|entry| entry.link.counters())
    }

    /// How many connections there are, those without a name included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Drains one link: its frames go out, its messages in.
    fn pump(&mut self, now: UnixTime, connection: ConnectionId) {
        loop {
            let Some(entry) = self.connections.get_mut(&connection) else { return };
            while let Some(frame) = entry.link.poll_transmit() {
                self.transmits.push_back(Transmit::Frame { connection, frame, class: Class::Control });
            }
            match entry.link.poll_event() {
                None => break,
                Some(LinkEvent::Message(message)) => self.exchange.handle_message(now, connection, message),
                Some(LinkEvent::Malformed(error)) => {
                    debug!(connection = connection.number(), %error, "dropped a message without proper headers");
                    self.exchange.note_malformed();
                }
                Some(LinkEvent::Claimed(claim)) => self.decide(now, connection, &claim.name),
                Some(LinkEvent::Opened) => {}
                Some(LinkEvent::Recheck) => self.exchange.events.push_back(Event::Recheck { connection }),
                Some(LinkEvent::Closed(reason)) => {
                    self.forget(now, connection, reason);
                    return;
                }
            }
        }
        if let Some(entry) = self.connections.get_mut(&connection)
            && !entry.held.is_empty()
            && entry.link.is_settled()
        {
            entry.held_bytes = 0;
            self.transmits.push_back(Transmit::Held { connection, bytes: 0 });
            let held = core::mem::take(&mut entry.held).into_iter();
            self.transmits.extend(held.map(|(frame, class)| Transmit::Frame { connection, frame, class }));
        }
        self.schedule(connection);
    }

    /// Admits or refuses the name that the peer of a connection claims.
    fn decide(&mut self, now: UnixTime, connection: ConnectionId, claimed: &FqcnBuf) {
        let Some(entry) = self.connections.get_mut(&connection) else { return };
        let admitted = match self.exchange.identities().admit(claimed, &entry.facts) {
            Ok(admitted) => admitted,
            Err(error) => return entry.link.refuse(error),
        };
        match self.exchange.handle_peer_up(connection, &admitted) {
            Ok(replaced) => {
                if let Err(error) = entry.link.admit(now, admitted) {
                    // The link has just said this name and nothing else has happened since.
                    debug!(connection = connection.number(), %error, "a link did not take the name that it claimed");
                    entry.link.close(CloseReason::Shutdown);
                }
                if let Some(older) = replaced {
                    self.close(now, older, CloseReason::Replaced { peer: claimed.clone() });
                }
            }
            Err(error) => entry.link.refuse(error),
        }
    }

    fn forget(&mut self, now: UnixTime, connection: ConnectionId, reason: CloseReason) {
        let held = self.connections.remove(&connection).map(|entry| {
            if let Some(timer) = entry.timer {
                self.timers.remove(&(timer, connection));
            }
            entry.held
        });
        self.exchange.handle_peer_down(connection);
        // What has never left need not run into its deadline.
        for message in held.into_iter().flatten().filter_map(|(frame, _)| Message::recover(frame)) {
            self.exchange.handle_not_taken(now, message, |neighbour| Failure::Disconnected { neighbour });
        }
        self.transmits.push_back(Transmit::Close { connection, reason });
    }

    /// Sees to it that a link is looked at in time. A timer that would be early enough is left alone: most frames only
    /// put the time off.
    fn schedule(&mut self, connection: ConnectionId) {
        let Some(entry) = self.connections.get_mut(&connection) else { return };
        let Some(wanted) = entry.link.poll_timeout() else { return };
        if entry.timer.is_some_and(|timer| timer <= wanted) {
            return;
        }
        if let Some(timer) = entry.timer.replace(wanted) {
            self.timers.remove(&(timer, connection));
        }
        self.timers.insert((wanted, connection));
    }
}
