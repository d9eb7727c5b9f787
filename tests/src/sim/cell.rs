//! One cell of a simulation: its machine, and a ledger of what it asked and heard.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use core::time::Duration;
use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::filter::{FilterContext, Filters, Place, Verdict};
use fedcell_cell_proto::identity::Side;
use fedcell_cell_proto::link::LinkConfig;
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::node::{Node, NodeConfig};
use fedcell_cell_proto::request::{Failure, RequestId};
use fedcell_cell_proto::transit::is_cross_family;
use fedcell_netsim::{LinkId, NodeId, SimRng};
use fedcell_protocol_defs::cell::{HeaderKey, Wildcard};

use super::tree::Topic;

/// A cell of the tree, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellId(pub usize);

/// How a cell treats what comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Conduct {
    /// Up to this long a message waits before it is looked at, each its own time: as in a peer that hands every frame to
    /// a pool of threads. Zero keeps the order.
    pub scatter: Duration,
    /// Every so many messages one is looked at twice; 0 never.
    pub repeat_every: u64,
    /// After how long a silence a neighbour is asked whether it lives; it is taken for dead after four times that.
    pub heartbeat: Option<Duration>,
}

/// Whether a cell runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Up,
    /// It stands still, its connections are gone, and it will know what it knew.
    Asleep,
    /// It is dead, and what it knew is gone.
    Down,
}

/// How one target of a request ended.
#[derive(Debug)]
pub enum Outcome {
    /// A reply or a return came; its return code and its payload.
    Reply(String, Bytes),
    /// The own cell gave up.
    Failed(Failure),
}

/// A request that a cell has sent.
#[derive(Debug)]
pub struct Asked {
    /// What the targets were asked to do.
    pub topic: Topic,
    /// What was sent.
    pub payload: Bytes,
    /// When the cell stops to wait.
    pub deadline: UnixTime,
    /// How each target ended, once it has.
    pub outcomes: BTreeMap<FqcnBuf, Option<Outcome>>,
}

/// One cell.
#[derive(Debug)]
pub struct Cell {
    /// Its address.
    pub name: FqcnBuf,
    /// Its machine; a new one after each crash.
    pub node: Node,
    /// Whether it runs.
    pub state: State,
    /// What it asked since its last crash.
    pub asked: BTreeMap<RequestId, Asked>,
    /// How often each request was handled here, since the last crash, by its id as it came.
    pub handled: HashMap<String, u64>,
    /// Requests that were answered by replies and returns which the machine was given, since the last crash. One that
    /// answers two requests counts twice.
    pub answers_given: u64,
    /// Those of them that ended a target.
    pub answers_taken: u64,
    pub(super) place: NodeId,
    pub(super) parents: Vec<CellId>,
    pub(super) conduct: Conduct,
    /// Connections that it dialled and that are not over, and to whom.
    pub(super) dialled: BTreeMap<LinkId, CellId>,
    /// Connections of which the machine knows.
    pub(super) open: BTreeSet<LinkId>,
    /// When its machine has something to do, as of its last draining.
    pub(super) due: Option<UnixTime>,
    /// When it last woke up or came back: what was due before is late.
    pub(super) woke_at: UnixTime,
}

impl Cell {
    pub(super) fn new(name: FqcnBuf, place: NodeId, parents: &[CellId], conduct: Conduct, generator: SimRng) -> Self {
        Self {
            node: make_node(&name, conduct, generator),
            name,
            state: State::Up,
            asked: BTreeMap::new(),
            handled: HashMap::new(),
            answers_given: 0,
            answers_taken: 0,
            place,
            parents: parents.to_vec(),
            conduct,
            dialled: BTreeMap::new(),
            open: BTreeSet::new(),
            due: None,
            woke_at: UnixTime::from_secs(0),
        }
    }

    /// Forgets everything, as a process that dies.
    pub(super) fn forget(&mut self, generator: SimRng) {
        let (name, parents) = (self.name.clone(), core::mem::take(&mut self.parents));
        *self = Self::new(name, self.place, &parents, self.conduct, generator);
        self.state = State::Down;
    }

    /// One target of a request has ended.
    ///
    /// # Panics
    ///
    /// If it had ended, was never asked, or ends too late or too early.
    pub(super) fn end(&mut self, now: UnixTime, id: &RequestId, target: &FqcnBuf, outcome: Outcome) {
        let name = &self.name;
        let asked = self.asked.get_mut(id).unwrap_or_else(|| panic!("{name} never sent {id}"));
        let slot = asked.outcomes.get_mut(target).unwrap_or_else(|| panic!("{name} never asked {target}: {id}"));
        assert!(slot.is_none(), "{name} heard twice from {target} on {id}: {slot:?}, then {outcome:?}");
        let latest = asked.deadline.max(self.woke_at);
        assert!(now <= latest, "{name} waited {:?} too long for {target}: {outcome:?}", now.saturating_since(latest));
        match &outcome {
            Outcome::Failed(Failure::Timeout { .. }) => {
                assert!(now >= asked.deadline, "{name} gave {target} up before the deadline");
            }
            Outcome::Failed(_) => {}
            Outcome::Reply(..) => self.answers_taken += 1,
        }
        *slot = Some(outcome);
    }
}

/// A cell whose requests and replies are marked when they go from the cells of one client to those of another.
fn make_node(name: &FqcnBuf, conduct: Conduct, mut generator: SimRng) -> Node {
    let mut filters = Filters::new();
    let mark = Arc::new(|context: &FilterContext<'_>, message: &mut Message| {
        let address =
            |key: HeaderKey<'_>| message.headers.text(key).ok().flatten().and_then(|text| Fqcn::parse(text).ok());
        let ends = address(HeaderKey::ORIGIN).zip(address(HeaderKey::DESTINATION));
        if ends.is_some_and(|(origin, destination)| is_cross_family(origin, destination, client_of(context.me))) {
            message.headers.insert(HeaderKey::SERVER_TRANSIT_REQUIRED, true);
        }
        Verdict::Pass
    });
    let any = Wildcard::ANY.as_str();
    filters.add(Place::OutgoingRequest, any, any, mark.clone());
    filters.add(Place::OutgoingReply, any, any, mark);
    let ids = Box::new(move || {
        let [a, b, c, d, e, f, g, h] = generator.bits().to_le_bytes();
        let [i, j, k, l, m, n, o, p] = generator.bits().to_le_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    });
    let mut link = LinkConfig::new(name.clone(), Side::Listener);
    if let Some(interval) = conduct.heartbeat {
        link.heartbeat_interval = Some(interval);
        link.heartbeat_tick = interval / 4;
        link.idle_timeout = Some(4 * interval);
    }
    Node::new(NodeConfig::new(name.clone()), filters, link, ids)
}

/// Whose cell it is: in these trees the first segment that is no relay names the client, and relays are their own.
fn client_of(cell: Fqcn<'_>) -> Option<&str> {
    cell.segments().find(|segment| !segment.starts_with("relay")).or_else(|| Some(cell.leaf()))
}
