//! The cells, the cell in the middle, and the network between them.

use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::hash::DefaultHasher;

use bytes::Bytes;
use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::headers::{HeaderLimits, HeaderMap};
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::request::{Failure, Outgoing};
use fedcell_cell_proto::stream::undeliverable;
use fedcell_netsim::{Happening, LinkProfile, Network, NodeId, SimRng};
use fedcell_protocol_defs::cell::HeaderKey;

use super::flow::{Fate, Plan};
use super::peer::{Ledger, Peer};

/// Every cell of the simulation knows the time since then.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);
/// A cell is not given another chunk while it would take longer than this for it to leave.
const BACKLOG: Duration = Duration::from_millis(30);

/// A message on its way.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    to: FqcnBuf,
    headers: Bytes,
    payload: Bytes,
}

pub(super) struct World {
    pub(super) rng: SimRng,
    network: Network<Packet>,
    middle: NodeId,
    middle_name: FqcnBuf,
    pub(super) peers: Vec<Peer>,
    profile: LinkProfile,
    /// How likely the cell in the middle loses a message.
    pub(super) loss: f64,
    /// Whether cells say that a way is there again.
    pub(super) hurries: bool,
    pub(super) ledger: Ledger,
    /// The most that may wait of a stream.
    pub(super) largest: u64,
    pub(super) lost: u64,
    pub(super) messages: u64,
    digest: DefaultHasher,
}

impl World {
    pub(super) fn new(mut rng: SimRng, peers: usize, profile: LinkProfile) -> Self {
        let mut network = Network::new(rng.bits());
        let middle = network.add_node();
        let peers =
            (0..peers).map(|at| Peer::new(&format!("site-{at}"), network.add_node(), &mut rng.split())).collect();
        Self {
            rng,
            network,
            middle,
            middle_name: FqcnBuf::server(),
            peers,
            profile,
            loss: 0.0,
            hurries: false,
            ledger: Ledger::new(),
            largest: 0,
            lost: 0,
            messages: 0,
            digest: DefaultHasher::new(),
        }
    }

    pub(super) fn clock(&self) -> Duration {
        self.network.now()
    }

    fn now(&self) -> UnixTime {
        UnixTime::since_epoch(EPOCH + self.network.now())
    }

    pub(super) fn digest(&self) -> u64 {
        self.digest.finish()
    }

    pub(super) fn begin(&mut self, from: usize, plan: Plan) {
        self.largest = self.largest.max(plan.most_waiting());
        assert!(self.ledger.insert(plan.key, (plan.clone(), Fate::default())).is_none(), "keys are unique");
        let (now, target) = (self.now(), self.peers[plan.to].name.clone());
        self.peers[from].write(now, &target, plan);
        self.drain(from);
    }

    pub(super) fn cancel(&mut self, at: usize) {
        self.peers[at].cancel(&mut self.ledger);
        self.drain(at);
    }

    pub(super) fn crash(&mut self, at: usize) {
        for (_, fate) in self.ledger.values_mut().filter(|(plan, _)| plan.to == at) {
            fate.lost_reader = true;
        }
        (at, self.clock()).hash(&mut self.digest);
        self.peers[at].crash(&mut self.ledger);
        self.network.crash(self.peers[at].node);
        self.network.restart(self.peers[at].node);
        self.peers[at].link = None;
        self.peers[at].redial_at = Some(self.clock() + Duration::from_millis(200));
    }

    pub(super) fn break_link(&mut self, at: usize) {
        if let Some(link) = self.peers[at].link {
            self.network.break_link(link);
        }
    }

    pub(super) fn cut(&mut self, at: usize, is_cut: bool) {
        if is_cut {
            self.network.cut(self.peers[at].node, self.middle);
        } else {
            self.network.heal(self.peers[at].node, self.middle);
        }
    }

    pub(super) fn is_cut(&self, at: usize) -> bool {
        self.network.is_cut(self.peers[at].node, self.middle)
    }

    /// Links are like this from here on.
    pub(super) fn change_links(&mut self, profile: LinkProfile) {
        self.profile = profile;
        (0..self.peers.len()).for_each(|at| self.break_link(at));
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, span: Duration) {
        self.run_until(span, |_| false);
    }

    /// Lets time pass until something holds, and says whether it does.
    pub(super) fn run_until(&mut self, span: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.clock() + span;
        loop {
            if holds(self) {
                return true;
            }
            if self.clock() >= end {
                return false;
            }
            let wake = (0..self.peers.len()).filter_map(|at| self.wake(at)).min().unwrap_or(end);
            match self.network.step(wake.clamp(self.clock(), end)) {
                Some(happening) => self.happen(happening),
                None => (0..self.peers.len()).for_each(|at| self.tick(at)),
            }
        }
    }

    /// When a cell wants to be looked at.
    fn wake(&self, at: usize) -> Option<Duration> {
        let peer = &self.peers[at];
        let timeout = peer.streams.poll_timeout().map(|at| at.saturating_since(UnixTime::since_epoch(EPOCH)));
        // Chunks that were held back want to leave as soon as there is room.
        let room = peer.link.map(|_| peer.busy_until.saturating_sub(BACKLOG)).filter(|room| *room > self.clock());
        timeout.into_iter().chain(peer.redial_at).chain(peer.reads_at).chain(room).min()
    }

    fn tick(&mut self, at: usize) {
        let (now, clock) = (self.now(), self.clock());
        let (node, middle, profile) = (self.peers[at].node, self.middle, self.profile);
        let peer = &mut self.peers[at];
        if peer.redial_at.is_some_and(|redial| redial <= clock) {
            peer.redial_at = Some(clock + Duration::from_secs(3));
            if peer.link.is_none() {
                self.network.dial(node, middle, profile);
            } else {
                peer.redial_at = None;
            }
        }
        if peer.streams.poll_timeout().is_some_and(|timeout| timeout <= now) {
            peer.streams.handle_timeout(now);
        }
        peer.read(now, clock);
        self.drain(at);
    }

    fn happen(&mut self, happening: Happening<Packet>) {
        let (now, clock) = (self.now(), self.clock());
        match happening {
            Happening::Opened { at, link, peer, .. } => {
                let node = if at == self.middle { peer } else { at };
                let index = self.peers.iter().position(|peer| peer.node == node).unwrap();
                if at != self.middle {
                    let peer = &mut self.peers[index];
                    (peer.link, peer.redial_at, peer.busy_until) = (Some(link), None, clock);
                    if self.hurries {
                        peer.streams.handle_reachable(|_| true);
                    }
                    self.drain(index);
                }
            }
            Happening::Closed { at, link } => {
                if let Some(peer) = self.peers.iter_mut().find(|peer| peer.node == at && peer.link == Some(link)) {
                    peer.link = None;
                    peer.redial_at = Some(clock + Duration::from_millis(100));
                }
            }
            Happening::Delivered { at, packet, .. } => {
                (clock, at.index(), packet.headers.len(), packet.payload.len()).hash(&mut self.digest);
                self.messages += 1;
                if at == self.middle {
                    return self.pass_on(&packet);
                }
                let index = self.peers.iter().position(|peer| peer.node == at).unwrap();
                let message = unpack(&packet);
                self.peers[index].handle_message(now, message, &self.ledger);
                self.drain(index);
            }
            _ => {}
        }
    }

    /// The cell in the middle does what a relay does.
    fn pass_on(&mut self, packet: &Packet) {
        if self.rng.chance(self.loss) {
            self.lost += 1;
            return;
        }
        if self.forward(packet.clone()) {
            return;
        }
        self.lost += 1;
        if let Some((origin, report)) = undeliverable(&unpack(packet)) {
            let report = pack(&self.middle_name, &origin, &report);
            self.forward(report);
        }
    }

    /// Whether there is a way on.
    fn forward(&mut self, packet: Packet) -> bool {
        let Some(link) = self.peers.iter().find(|peer| peer.name == packet.to).and_then(|peer| peer.link) else {
            return false;
        };
        let size = packet.headers.len() + packet.payload.len();
        self.network.send(link, self.middle, size, packet)
    }

    /// Everything that a cell has to say and to send.
    fn drain(&mut self, at: usize) {
        let (now, clock) = (self.now(), self.clock());
        let bandwidth = self.profile.bandwidth;
        let peer = &mut self.peers[at];
        loop {
            peer.hear(now, clock, &mut self.ledger);
            let is_ready = peer.link.is_none() || peer.busy_until <= clock + BACKLOG;
            let Some(transmit) = peer.streams.poll_transmit(now, |_| is_ready) else { break };
            let packet = pack(&peer.name, &transmit.target, &transmit.message);
            let size = packet.headers.len() + packet.payload.len();
            let is_sent = peer.link.is_some_and(|link| self.network.send(link, peer.node, size, packet));
            if !is_sent {
                let neighbour = self.middle_name.clone();
                peer.streams.handle_unsent(transmit.source, &Failure::Disconnected { neighbour });
            } else if let Some(bandwidth) = bandwidth {
                let takes = Duration::from_secs_f64(size as f64 / bandwidth as f64);
                peer.busy_until = peer.busy_until.max(clock) + takes;
            }
        }
        peer.check_bounds(self.largest);
    }
}

fn pack(from: &FqcnBuf, to: &FqcnBuf, message: &Outgoing) -> Packet {
    let mut headers = message.headers.clone();
    headers.insert(HeaderKey::CHANNEL, &*message.channel);
    headers.insert(HeaderKey::TOPIC, &*message.topic);
    headers.insert(HeaderKey::ORIGIN, from.as_fqcn());
    headers.insert(HeaderKey::DESTINATION, to.as_fqcn());
    headers.insert(HeaderKey::OPTIONAL, message.optional);
    let mut bytes = Vec::new();
    headers.write_to(&mut bytes);
    Packet { to: to.clone(), headers: bytes.into(), payload: message.body.payload().clone().into_bytes() }
}

fn unpack(packet: &Packet) -> Message {
    let headers = HeaderMap::decode(packet.headers.clone(), &HeaderLimits::default()).expect("proper headers");
    Message::new(headers, packet.payload.clone().into())
}
