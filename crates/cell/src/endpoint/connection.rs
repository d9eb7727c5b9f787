//! The life of one connection, from its first byte to the last.

use std::io;
use std::sync::Arc;

use fedcell_cell_proto::frame::Frame;
use fedcell_cell_proto::node::ConnectionId;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::state::{Core, Entry};
use super::{Endpoint, IdleLane, RequestLane};
use crate::connection::{End, Outbox, OutboxLimits, Receiver, Timed, Verdict, read_loop, write_loop};
use crate::driver::{Facts, Link, Side, Slot};
use crate::events::CellEvent;
use crate::security::PeerIdentity;

/// Feeds the frames of one connection to the node.
struct Feed {
    endpoint: Endpoint,
    connection: ConnectionId,
    /// What leaves for this peer, replies to it above all.
    own: Arc<Outbox>,
    /// Queues that got more than they should from the last frames.
    crowded: Vec<Arc<Outbox>>,
    lane: Option<Arc<RequestLane>>,
    /// The last frames concerned others, and the next may be acknowledgements, each of which has a chunk written.
    is_others_turn: bool,
}

impl Receiver for Feed {
    fn receive(&mut self, frames: &mut Vec<Frame>) -> Verdict {
        let id = self.connection;
        self.own.note_read(frames.len());
        let meters = &self.endpoint.inner.meters;
        meters.frames.increment(frames.len() as u64);
        meters.bytes.increment(frames.iter().map(|frame| u64::from(frame.prefix.length)).sum());
        let take = |core: &mut Core, now| {
            for frame in frames.drain(..) {
                core.node.handle_frame(now, id, frame);
            }
        };
        let mut idle = None;
        let (_, left) = self.endpoint.drive_and(take, |lane| {
            // The messages of one neighbour are in one lane; should there be another, a task starts what is in it.
            if let Some(other) = idle.replace(lane) {
                other.start();
            }
        });
        self.crowded = left.crowded;
        let verdict = {
            let core = self.endpoint.lock();
            self.is_others_turn = left.concerns_others && core.desk.is_sending();
            self.lane = core.lane_of(id);
            core.verdict(id)
        };
        idle.into_iter().for_each(IdleLane::start_here);
        verdict
    }

    /// A peer whose messages cannot be passed on or handled fast enough is read more slowly; but one neighbour that
    /// takes nothing, or handlers that never end, hold it up for a while only.
    async fn ready(&mut self) {
        if core::mem::take(&mut self.is_others_turn) {
            // They wait on this thread, and no other takes them from it.
            tokio::task::yield_now().await;
        }
        let patience = self.endpoint.limits().patience;
        // A peer that asks without taking the answers is asked to stop here, and not by its handlers: those wait for
        // nobody, since they are few and there for all peers.
        while self.own.is_flooded() && self.own.idle() < patience {
            let _ = timeout(patience, self.own.room_for_messages()).await;
        }
        for outbox in self.crowded.drain(..) {
            while outbox.is_crowded() && outbox.idle() < patience {
                let _ = timeout(patience, outbox.room()).await;
            }
        }
        if let Some(lane) = self.lane.take() {
            lane.room(patience).await;
        }
    }
}

/// The writer of a connection ends with it, however it ends.
struct Writer(JoinHandle<io::Result<()>>, Arc<Outbox>);

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.abort();
        self.1.break_pen();
    }
}

impl Endpoint {
    /// Runs a connection until it ends.
    pub(crate) async fn run_connection(&self, link: Link, facts: Facts, slot: Option<Slot>) {
        let limits = self.limits();
        let meters = &self.inner.meters;
        let _stands = meters.connection();
        match facts.side {
            Side::Dialled => meters.dialled.increment(1),
            Side::Accepted => meters.accepted.increment(1),
        }
        let id = self.next_connection();
        let bounds =
            OutboxLimits { soft: limits.outgoing_soft, soft_bulk: limits.passing_soft, hard: limits.outgoing_hard };
        let outbox = Arc::new(Outbox::new(bounds, self.inner.budget.clone()));
        let closed = Arc::new(Notify::new());
        let eviction = slot.as_ref().map(Slot::eviction);
        let facts = Arc::new(facts);
        let known = facts.for_node();
        let entry = Entry {
            outbox: outbox.clone(),
            facts: facts.clone(),
            slot,
            closed: closed.clone(),
            peer: None,
            is_closed: false,
        };
        let timed = Timed { times: self.inner.times.clone(), transport: facts.transport };
        let refilled = self.clone();
        // Whatever the lock is taken for, chunks for which there is room are made.
        let refill = move || drop(refilled.drive(|_, _| ()));
        let writing = write_loop(link.writing, outbox.clone(), limits.send_stall, timed, refill);
        let mut writer = Writer(tokio::spawn(writing), outbox.clone());
        self.drive(|core, now| {
            core.entries.insert(id, entry);
            core.node.handle_connected(now, id, known);
        });
        let mut feed = Feed {
            endpoint: self.clone(),
            connection: id,
            own: outbox.clone(),
            crowded: Vec::new(),
            lane: None,
            is_others_turn: false,
        };
        let end = tokio::select! {
            biased;
            end = read_loop(link.reading, limits.frames, &self.inner.slabs, &mut feed) => end,
            () = closed.notified() => End::Stopped,
            () = evicted(eviction.as_deref()) => End::Evicted,
            outcome = &mut writer.0 => End::Failed(outcome.map_or_else(io::Error::other, |written| {
                written.err().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())
            })),
        };
        tracing::debug!(
            me = %self.address(),
            transport = %facts.transport,
            url = %facts.url,
            local = %facts.local_address,
            peer = %facts.peer_address,
            ?end,
            "connection ended"
        );
        let is_orderly = matches!(end, End::Stopped);
        outbox.close(!is_orderly);
        let (entry, _) = self.drive(|core, now| {
            match &end {
                End::Malformed(error) => core.node.handle_bad_frame(now, id, *error),
                _ => core.node.handle_closed(now, id),
            }
            core.forget(id)
        });
        self.note_change();
        if let Some(problem) = end.problem(entry.is_some_and(|entry| entry.peer.is_some())) {
            self.tell(CellEvent::ConnectionRefused { address: facts.peer_address.clone(), reason: problem });
        }
        if !writer.0.is_finished() {
            let _ = timeout(limits.patience, &mut writer.0).await;
        }
    }
}

async fn evicted(eviction: Option<&Notify>) {
    match eviction {
        Some(eviction) => eviction.notified().await,
        None => core::future::pending().await,
    }
}

impl Facts {
    fn for_node(&self) -> fedcell_cell_proto::identity::ConnectionFacts {
        use fedcell_cell_proto::identity;
        let side = match self.side {
            Side::Dialled => identity::Side::Dialer,
            Side::Accepted => identity::Side::Listener,
        };
        let facts = if self.security == crate::security::SecurityMode::Mtls {
            let name = self.identity.as_ref().and_then(|identity| identity.common_name());
            identity::ConnectionFacts::mutual_tls(side, name.map(ToOwned::to_owned))
        } else {
            identity::ConnectionFacts::unproven(side)
        };
        let facts = if self.transport.capabilities().heartbeat { facts } else { facts.without_heartbeat() };
        let facts = match self.identity.as_ref().and_then(PeerIdentity::expires_at) {
            Some(until) => facts.certified_until(until),
            None => facts,
        };
        let facts = if self.admin_listener { facts.through_admin_listener() } else { facts };
        match &self.expected {
            Some(peer) => facts.expecting(peer.clone()),
            None => facts,
        }
    }
}
