//! Cells in a tree over an emulated network.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::filter::{FilterContext, Filters, Place, Verdict};
use fedcell_cell_proto::frame::Frame;
use fedcell_cell_proto::identity::{ConnectionFacts, Side};
use fedcell_cell_proto::link::LinkConfig;
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::node::{ConnectionId, Event, IncomingRequest, Node, NodeConfig, Transmit};
use fedcell_cell_proto::request::{Body, Failure, Outgoing, Reply, RequestId};
use fedcell_cell_proto::transit::is_cross_family;
use fedcell_netsim::{Happening, LinkId, LinkProfile, Network, NodeId, SimRng};
use fedcell_protocol_defs::cell::{HeaderKey, Wildcard};
use fedcell_protocol_defs::frame::FrameType;

use super::check::RouteCheck;

/// Channel of all requests here.
const CHANNEL: &str = "sim";
/// When a simulation begins, on the clocks of its cells.
const BEGINNING: UnixTime = UnixTime::from_secs(1_700_000_000);
/// Largest frame that a cell here takes.
const FRAME_LIMIT: usize = 1 << 20;

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
}

/// How one target of a request ended.
#[derive(Debug)]
pub enum Outcome {
    /// A reply or a return came; its return code and its payload.
    Reply(String, Bytes),
    /// The own cell gave up.
    Failed(Failure),
}

/// One cell.
#[derive(Debug)]
pub struct Cell {
    /// Its address.
    pub name: FqcnBuf,
    /// Its machine; a new one after each crash.
    pub node: Node,
    place: NodeId,
    parents: Vec<CellId>,
    conduct: Conduct,
    /// Connections that it dialled, and to whom.
    dialled: HashMap<LinkId, CellId>,
    /// How the targets of its requests ended, since its last crash.
    pub ended: HashMap<(RequestId, FqcnBuf), Vec<Outcome>>,
    /// Requests that it was asked to handle, ever.
    pub handled: u64,
    stopped: bool,
}

/// Something that will happen by itself.
#[derive(Debug)]
enum Plan {
    Dial { from: CellId, to: CellId },
    Look { at: CellId, link: LinkId, frame: Frame },
    Answer { at: CellId, incarnation: u64, request: Box<IncomingRequest> },
}

/// Cells in a tree, and everything that happens among them.
#[derive(Debug)]
pub struct Tree {
    /// The network between the cells.
    pub network: Network<Bytes>,
    /// The cells.
    pub cells: Vec<Cell>,
    rng: SimRng,
    profile: LinkProfile,
    plans: BTreeMap<(Duration, u64), Plan>,
    planned: u64,
    by_place: HashMap<NodeId, CellId>,
    incarnations: HashMap<CellId, u64>,
    looked_at: u64,
    routes: RouteCheck,
}

impl Tree {
    /// A tree without cells.
    pub fn new(seed: u64, profile: LinkProfile) -> Self {
        let mut rng = SimRng::new(seed);
        Self {
            network: Network::new(rng.bits()),
            cells: Vec::new(),
            rng,
            profile,
            plans: BTreeMap::new(),
            planned: 0,
            by_place: HashMap::new(),
            incarnations: HashMap::new(),
            looked_at: 0,
            routes: RouteCheck::default(),
        }
    }

    /// Adds a running cell that dials `parents` and keeps dialling them.
    ///
    /// # Panics
    ///
    /// If `name` is no address.
    pub fn add(&mut self, name: &str, parents: &[CellId], conduct: Conduct) -> CellId {
        let name = FqcnBuf::parse(name).expect("the test names a cell by an address");
        let id = CellId(self.cells.len());
        let place = self.network.add_node();
        self.by_place.insert(place, id);
        let node = make_node(&name, self.rng.split());
        self.cells.push(Cell {
            name,
            node,
            place,
            parents: parents.to_vec(),
            conduct,
            dialled: HashMap::new(),
            ended: HashMap::new(),
            handled: 0,
            stopped: false,
        });
        self.plan_dials(id);
        id
    }

    /// The cell with this address.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn find(&self, name: &str) -> CellId {
        let at = self.cells.iter().position(|cell| cell.name.as_str() == name);
        CellId(at.expect("the test names a cell of the tree"))
    }

    /// A cell.
    pub fn cell(&self, id: CellId) -> &Cell {
        &self.cells[id.0]
    }

    /// The clock of the cells.
    pub fn now(&self) -> UnixTime {
        BEGINNING.saturating_add(self.network.now())
    }

    /// Has a cell send a request to each of the targets.
    ///
    /// # Panics
    ///
    /// If there are no targets.
    pub fn request(&mut self, from: CellId, targets: &[CellId], topic: &str, timeout: Duration) -> RequestId {
        let targets: Vec<FqcnBuf> = targets.iter().map(|target| self.cell(*target).name.clone()).collect();
        let body = Body::bytes(Bytes::from(format!("from {}", self.cell(from).name)));
        let request = Outgoing::new(CHANNEL, topic, body).with_timeout(timeout);
        let now = self.now();
        let sent = self.cells[from.0].node.exchange_mut().send_request(now, &targets, &request);
        let id = sent.expect("a request has a target and room to wait");
        self.drain(from);
        id
    }

    /// Has a cell send something that nobody answers.
    pub fn fire(&mut self, from: CellId, target: CellId) {
        let target = self.cell(target).name.clone();
        let message = Outgoing::new(CHANNEL, "fire", Body::none());
        let now = self.now();
        self.cells[from.0].node.exchange_mut().fire(now, &[target], &message);
        self.drain(from);
    }

    /// A cell dies without a word.
    pub fn crash(&mut self, id: CellId) {
        self.network.crash(self.cells[id.0].place);
        let name = self.cells[id.0].name.clone();
        let generator = self.rng.split();
        let cell = &mut self.cells[id.0];
        cell.node = make_node(&name, generator);
        cell.dialled.clear();
        cell.ended.clear();
        cell.stopped = true;
        *self.incarnations.entry(id).or_default() += 1;
        self.plans.retain(|_, plan| match plan {
            Plan::Dial { from, .. } => *from != id,
            Plan::Look { at, .. } => *at != id,
            Plan::Answer { .. } => true,
        });
    }

    /// A cell that was stopped comes back, with an empty memory.
    pub fn restart(&mut self, id: CellId) {
        self.network.restart(self.cells[id.0].place);
        self.cells[id.0].stopped = false;
        self.plan_dials(id);
    }

    /// A cell says goodbye. It goes on running.
    pub fn goodbye(&mut self, id: CellId) -> Option<RequestId> {
        let now = self.now();
        let said = self.cells[id.0].node.exchange_mut().goodbye(now);
        self.drain(id);
        said
    }

    /// Whether the cell runs.
    pub fn is_up(&self, id: CellId) -> bool {
        !self.cells[id.0].stopped
    }

    /// A partition between two cells, or its end.
    pub fn cut(&mut self, one: CellId, other: CellId, is_cut: bool) {
        let (one, other) = (self.cells[one.0].place, self.cells[other.0].place);
        if is_cut {
            self.network.cut(one, other);
        } else {
            self.network.heal(one, other);
        }
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Duration) {
        let end = self.network.now() + span;
        while self.step(end) {}
    }

    /// The next thing that happens by then; false if nothing does any more, and then it is that late.
    ///
    /// # Panics
    ///
    /// If a cell does what no cell may do: such as sending half a frame, or a message that goes in circles.
    pub fn step(&mut self, end: Duration) -> bool {
        let plan = self.plans.keys().next().map(|(at, _)| *at);
        let timer = self.cells.iter().filter(|cell| !cell.stopped).filter_map(|cell| cell.node.poll_timeout()).min();
        let timer = timer.map(|at| at.saturating_since(BEGINNING));
        let until = plan.into_iter().chain(timer).min().unwrap_or(end).min(end);
        if let Some(happening) = self.network.step(until) {
            self.happen(happening);
            return true;
        }
        if plan.is_some_and(|at| at <= until) {
            let (_, plan) = self.plans.pop_first().expect("a plan is due");
            self.carry_out(plan);
            return true;
        }
        if timer.is_some_and(|at| at <= until) {
            let now = self.now();
            for id in (0..self.cells.len()).map(CellId) {
                if !self.cells[id.0].stopped && self.cells[id.0].node.poll_timeout().is_some_and(|at| at <= now) {
                    self.cells[id.0].node.handle_timeout(now);
                    self.drain(id);
                }
            }
            return true;
        }
        false
    }

    fn happen(&mut self, happening: Happening<Bytes>) {
        let now = self.now();
        match happening {
            Happening::Opened { at, link, dialled, .. } => {
                let id = self.by_place[&at];
                let side = if dialled { Side::Dialer } else { Side::Listener };
                self.cells[id.0].node.handle_connected(now, connection(link), ConnectionFacts::unproven(side));
                self.drain(id);
            }
            Happening::Delivered { at, link, packet } => {
                let id = self.by_place[&at];
                let frame = Frame::decode_whole(packet, FRAME_LIMIT).expect("cells send whole frames");
                if frame.prefix.frame_type == FrameType::DATA {
                    self.routes.inspect(&frame);
                    self.receive(id, link, frame);
                } else {
                    self.look(id, link, frame);
                }
            }
            Happening::Closed { at, link } => {
                let id = self.by_place[&at];
                self.cells[id.0].node.handle_closed(now, connection(link));
                self.drain(id);
            }
            other => panic!("unknown happening {other:?}"),
        }
    }

    /// A DATA frame came; the cell may look at it late, or twice.
    fn receive(&mut self, id: CellId, link: LinkId, frame: Frame) {
        let conduct = self.cells[id.0].conduct;
        self.looked_at += 1;
        let repeats = conduct.repeat_every > 0 && self.looked_at.is_multiple_of(conduct.repeat_every);
        if repeats {
            let again = conduct.scatter + Duration::from_millis(3);
            self.plan(again, Plan::Look { at: id, link, frame: frame.clone() });
        }
        if conduct.scatter.is_zero() {
            self.look(id, link, frame);
        } else {
            let after = self.rng.span(conduct.scatter);
            self.plan(after, Plan::Look { at: id, link, frame });
        }
    }

    fn look(&mut self, id: CellId, link: LinkId, frame: Frame) {
        let now = self.now();
        self.cells[id.0].node.handle_frame(now, connection(link), frame);
        self.drain(id);
    }

    fn carry_out(&mut self, plan: Plan) {
        match plan {
            Plan::Dial { from, to } => {
                if self.cells[from.0].stopped {
                    return;
                }
                let link = self.network.dial(self.cells[from.0].place, self.cells[to.0].place, self.profile);
                self.cells[from.0].dialled.insert(link, to);
            }
            Plan::Look { at, link, frame } => self.look(at, link, frame),
            Plan::Answer { at, incarnation, request } => {
                if !self.cells[at.0].stopped && self.incarnations.get(&at).copied().unwrap_or_default() == incarnation {
                    self.answer(at, &request);
                }
            }
        }
    }

    /// Does what a cell wants done, until it wants nothing more.
    fn drain(&mut self, id: CellId) {
        loop {
            let mut idle = true;
            while let Some(transmit) = self.cells[id.0].node.poll_transmit() {
                idle = false;
                self.transmit(id, transmit);
            }
            while let Some(event) = self.cells[id.0].node.poll_event() {
                idle = false;
                self.note(id, event);
            }
            if idle {
                return;
            }
        }
    }

    fn transmit(&mut self, id: CellId, transmit: Transmit) {
        let place = self.cells[id.0].place;
        match transmit {
            Transmit::Frame { connection, frame, .. } => {
                let bytes = frame.into_bytes();
                // False if the link is gone and the cell does not know it yet: then the frame is lost.
                self.network.send(link_of(&self.network, connection), place, bytes.len(), bytes);
            }
            Transmit::Close { connection, .. } => {
                let link = link_of(&self.network, connection);
                self.network.close(link, place);
                if let Some(to) = self.cells[id.0].dialled.remove(&link) {
                    let wait = Duration::from_millis(200) + self.rng.span(Duration::from_millis(800));
                    self.plan(wait, Plan::Dial { from: id, to });
                }
            }
            other => panic!("unknown transmit {other:?}"),
        }
    }

    fn note(&mut self, id: CellId, event: Event) {
        match event {
            Event::Request(request) => self.handle(id, request),
            Event::Reply { id: request, target, outcome, .. } => {
                let outcome = match outcome {
                    Ok(message) => Outcome::Reply(return_code(&message), message.payload.clone().into_bytes()),
                    Err(failure) => Outcome::Failed(failure),
                };
                self.cells[id.0].ended.entry((request, target)).or_default().push(outcome);
            }
            Event::PeerUp { .. } | Event::PeerDown { .. } | Event::Undeliverable { .. } => {}
            other => panic!("{} did not expect {other:?}", self.cells[id.0].name),
        }
    }

    /// Handlers by topic: `echo` answers at once, `slow` within three seconds, anything else never.
    fn handle(&mut self, id: CellId, request: Box<IncomingRequest>) {
        self.cells[id.0].handled += 1;
        match request.reply_to.topic() {
            "echo" => self.answer(id, &request),
            "slow" => {
                let after = self.rng.span(Duration::from_secs(3));
                let incarnation = self.incarnations.get(&id).copied().unwrap_or_default();
                self.plan(after, Plan::Answer { at: id, incarnation, request });
            }
            _ => self.cells[id.0].node.exchange_mut().note_no_reply(&request.reply_to),
        }
    }

    fn answer(&mut self, id: CellId, request: &IncomingRequest) {
        let now = self.now();
        let reply = Reply::ok(Body::bytes(request.message.payload.clone()));
        // The neighbour may be gone by now; then the requester runs into its deadline.
        let _ = self.cells[id.0].node.exchange_mut().send_reply(now, &request.reply_to, reply);
        self.drain(id);
    }

    fn plan_dials(&mut self, from: CellId) {
        for to in self.cells[from.0].parents.clone() {
            let wait = self.rng.span(Duration::from_millis(100));
            self.plan(wait, Plan::Dial { from, to });
        }
    }

    fn plan(&mut self, after: Duration, plan: Plan) {
        self.planned += 1;
        self.plans.insert((self.network.now() + after, self.planned), plan);
    }

    /// How many messages were seen on links, and how many of them crossed the server by order.
    pub fn messages_seen(&self) -> (u64, u64) {
        self.routes.seen()
    }
}

/// Two cells: a server and one site.
#[derive(Debug)]
pub struct Pair {
    /// The tree that they are.
    pub tree: Tree,
    /// The server.
    pub server: CellId,
    /// The site.
    pub site: CellId,
}

impl Pair {
    /// Two connected cells, with so good a link between them.
    pub fn connected(seed: u64, profile: LinkProfile) -> Self {
        let mut tree = Tree::new(seed, profile);
        let server = tree.add("server", &[], Conduct::default());
        let site = tree.add("site-1", &[server], Conduct::default());
        tree.run(Duration::from_secs(5));
        Self { tree, server, site }
    }
}

/// Links are numbered from 0 and never reused; so are connections.
fn connection(link: LinkId) -> ConnectionId {
    ConnectionId::new(link.number())
}

fn link_of(network: &Network<Bytes>, connection: ConnectionId) -> LinkId {
    network.link(connection.number())
}

fn return_code(message: &Message) -> String {
    message.headers.text(HeaderKey::RETURN_CODE).ok().flatten().unwrap_or_default().to_owned()
}

/// A cell whose requests and replies are marked when they go from the cells of one client to those of another.
fn make_node(name: &FqcnBuf, mut generator: SimRng) -> Node {
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
        let mut bytes = [0; 16];
        for (slot, byte) in
            bytes.iter_mut().zip([generator.bits(), generator.bits()].iter().flat_map(|n| n.to_le_bytes()))
        {
            *slot = byte;
        }
        bytes
    });
    let link = LinkConfig::new(name.clone(), Side::Listener);
    Node::new(NodeConfig::new(name.clone()), filters, link, ids)
}

/// In these trees the first segment that is no relay is the client.
fn client_of(cell: Fqcn<'_>) -> Option<&str> {
    cell.segments().find(|segment| !segment.starts_with("relay"))
}
