//! One cell of a simulation: its machine, and a ledger of what it asked and heard.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use core::time::Duration;
use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::adhoc::AdhocPolicy;
use fedcell_cell_proto::filter::{FilterContext, Filters, Place, Verdict};
use fedcell_cell_proto::identity::Side;
use fedcell_cell_proto::link::LinkConfig;
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::node::{Node, NodeConfig};
use fedcell_cell_proto::request::{Failure, Reply, RequestId};
use fedcell_cell_proto::transit::is_cross_family;
use fedcell_netsim::{LinkId, NodeId, SimRng};
use fedcell_protocol_defs::cell::{HeaderKey, ReturnCode, Wildcard};
use fedcell_protocol_defs::federation::AuthHeaderKey;

use super::seals::Seals;
use super::tree::Topic;

/// A cell of the tree, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellId(pub usize);

/// What the URL of a cell here begins with; its number follows.
const URL: &str = "sim://";

impl CellId {
    /// Where others would dial it.
    pub(super) fn url(self) -> String {
        format!("{URL}{}", self.0)
    }

    /// The cell at a URL.
    pub(super) fn at(url: &str) -> Option<Self> {
        url.strip_prefix(URL)?.parse().ok().map(Self)
    }
}

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
    /// Whether it offers direct connections and takes offers up. Its messages to other clients need not cross the server
    /// then: those that must make no such connections.
    pub adhoc: bool,
    /// Whether its requests carry nothing by which the server would know its client.
    pub is_stranger: bool,
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
    /// Cells whose offers of a direct connection it has taken up.
    pub(super) offers: BTreeSet<CellId>,
    pub(super) conduct: Conduct,
    /// What it seals and opens with.
    pub(super) seals: Seals,
    /// Cells that it has asked for their certificates, by request.
    pub(super) exchanges: BTreeMap<RequestId, FqcnBuf>,
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
    pub(super) fn new(
        id: CellId,
        name: FqcnBuf,
        place: NodeId,
        parents: &[CellId],
        conduct: Conduct,
        generator: SimRng,
    ) -> Self {
        let mut node = make_node(&name, conduct, generator);
        node.exchange_mut().set_offered_url(conduct.adhoc.then(|| id.url()));
        Self {
            node,
            seals: Seals::new(&name),
            exchanges: BTreeMap::new(),
            name,
            state: State::Up,
            asked: BTreeMap::new(),
            handled: HashMap::new(),
            answers_given: 0,
            answers_taken: 0,
            place,
            parents: parents.to_vec(),
            offers: BTreeSet::new(),
            conduct,
            dialled: BTreeMap::new(),
            open: BTreeSet::new(),
            due: None,
            woke_at: UnixTime::from_secs(0),
        }
    }

    /// Forgets everything, as a process that dies.
    pub(super) fn forget(&mut self, id: CellId, generator: SimRng) {
        let (name, parents) = (self.name.clone(), core::mem::take(&mut self.parents));
        *self = Self::new(id, name, self.place, &parents, self.conduct, generator);
        self.state = State::Down;
    }

    /// The cells that it dials, and keeps dialling.
    pub(super) fn dials(&self) -> impl Iterator<Item = CellId> + '_ {
        self.parents.iter().chain(&self.offers).copied()
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

/// The machine of a cell, with the filters that a federation has: [`mark`], [`prove`] and, on the server, [`ask_proof`].
fn make_node(name: &FqcnBuf, conduct: Conduct, mut generator: SimRng) -> Node {
    let mut filters = Filters::new();
    let any = Wildcard::ANY.as_str();
    if !conduct.adhoc {
        filters.add(Place::OutgoingRequest, any, any, Arc::new(mark));
        filters.add(Place::OutgoingReply, any, any, Arc::new(mark));
    }
    if !conduct.is_stranger {
        filters.add(Place::OutgoingRequest, any, any, Arc::new(prove));
    }
    if name.as_fqcn().is_server() {
        filters.add(Place::Interceptor, any, any, Arc::new(ask_proof));
    }
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
    let mut config = NodeConfig::new(name.clone());
    config.adhoc = if conduct.adhoc { AdhocPolicy::On } else { AdhocPolicy::Off };
    Node::new(config, filters, link, ids)
}

/// Marks what goes from the cells of one client to those of another: it must cross the server.
fn mark(context: &FilterContext<'_>, message: &mut Message) -> Verdict {
    let address = |key: HeaderKey<'_>| message.headers.text(key).ok().flatten().and_then(|text| Fqcn::parse(text).ok());
    let ends = address(HeaderKey::ORIGIN).zip(address(HeaderKey::DESTINATION));
    if ends.is_some_and(|(origin, destination)| is_cross_family(origin, destination, client_of(context.me))) {
        message.headers.insert(HeaderKey::SERVER_TRANSIT_REQUIRED, true);
    }
    Verdict::Pass
}

/// Says whose cell sends. What makes a token hard to forge is shown elsewhere.
fn prove(context: &FilterContext<'_>, message: &mut Message) -> Verdict {
    message.headers.insert(AuthHeaderKey::TOKEN, client_of(context.me).unwrap_or_default());
    Verdict::Pass
}

/// Sends requests back of which the server does not know whose they are; its own cells need to say nothing.
fn ask_proof(_: &FilterContext<'_>, message: &mut Message) -> Verdict {
    let origin = message.headers.text(HeaderKey::ORIGIN).ok().flatten().and_then(|text| Fqcn::parse(text).ok());
    let token = message.headers.text(AuthHeaderKey::TOKEN).ok().flatten();
    match origin {
        Some(origin) if origin.is_on_server() || client_of(origin) == token => Verdict::Pass,
        _ => Verdict::Refuse(Box::new(Reply::failed(ReturnCode::UNAUTHENTICATED, "whose cell is it?"))),
    }
}

/// Whose cell it is: in these trees the first segment that is no relay names the client, and relays are their own.
pub(super) fn client_of(cell: Fqcn<'_>) -> Option<&str> {
    cell.segments().find(|segment| !segment.starts_with("relay")).or_else(|| Some(cell.leaf()))
}
