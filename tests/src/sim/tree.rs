//! Cells in a tree over an emulated network: what can be done to them, and what follows from it.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::node::{ConnectionId, IncomingRequest};
use fedcell_cell_proto::request::{Body, Outgoing, RequestId};
use fedcell_netsim::{LinkId, LinkProfile, Network, NodeId, SimRng};

use super::cell::{Asked, Cell, CellId, Conduct, State};
use super::course::Course;
use super::seals::Order;
use super::way::{Packet, Travel};

/// Channel of all requests here.
pub(super) const CHANNEL: &str = "sim";
/// When a simulation begins, on the clocks of its cells.
pub(super) const BEGINNING: UnixTime = UnixTime::from_secs(1_700_000_000);
/// How much may happen at one moment; more would be a circle in which time stands still.
const AT_ONE_MOMENT: u32 = 100_000;

/// What a request asks its target to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests list them all")]
pub enum Topic {
    /// Answer at once with the payload.
    Echo,
    /// The same, within three seconds.
    Slow,
    /// The same, within a second, with a reply that is routed anew.
    Delayed,
    /// Answer twice.
    Twice,
    /// Never answer.
    Silent,
    /// Say that nobody handles it.
    Nobody,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Echo, Self::Slow, Self::Delayed, Self::Twice, Self::Silent, Self::Nobody];

    /// As it stands in the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Slow => "slow",
            Self::Delayed => "delayed",
            Self::Twice => "twice",
            Self::Silent => "silent",
            Self::Nobody => "nobody",
        }
    }

    pub(super) fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == text)
    }
}

/// A request as a simulation sends it.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "tests make it from its parts")]
pub struct Request {
    /// What the targets are to do.
    pub topic: Topic,
    /// How long to wait.
    pub timeout: Duration,
    /// How many bytes to send, at least the sender's name.
    pub size: usize,
    /// Whether they are sealed on the way.
    pub is_sealed: bool,
}

impl Request {
    /// A small request in clear.
    #[must_use]
    pub const fn new(topic: Topic, timeout: Duration) -> Self {
        Self { topic, timeout, size: 0, is_sealed: false }
    }
}

/// Something that will happen by itself.
#[derive(Debug)]
pub(super) enum Plan {
    /// A cell dials one of its parents.
    Dial { to: CellId },
    /// A cell looks at a frame that has come.
    Look { link: LinkId, packet: Packet },
    /// A cell answers a request; `routed_anew` with a reply that finds its own way.
    Answer { request: Box<IncomingRequest>, routed_anew: bool },
    /// A payload has been sealed or opened, or could not be.
    Done { order: Order, fails: bool },
    /// A cell that has said goodbye closes its connections.
    Leave,
}

/// Cells in a tree, and everything that happens among them.
#[derive(Debug)]
pub struct Tree {
    /// The network between the cells.
    pub(super) network: Network<Packet>,
    /// The cells.
    pub cells: Vec<Cell>,
    /// The course so far.
    pub(super) course: Course,
    pub(super) rng: SimRng,
    profile: LinkProfile,
    plans: BTreeMap<(Duration, u64), (CellId, Plan)>,
    planned: u64,
    pub(super) by_place: HashMap<NodeId, CellId>,
    pub(super) may_dial: bool,
    /// How likely a payload cannot be sealed or opened although everything is in order.
    pub(super) seals_fail: f64,
    pub(super) looked_at: u64,
    pub(super) messages: u64,
    pub(super) transits: u64,
    offers_taken: u64,
    at_this_moment: (Duration, u32),
}

impl Tree {
    /// A tree without cells.
    #[must_use]
    pub fn new(seed: u64, profile: LinkProfile) -> Self {
        let mut rng = SimRng::new(seed);
        Self {
            network: Network::new(rng.bits()),
            cells: Vec::new(),
            course: Course::new(false),
            rng,
            profile,
            plans: BTreeMap::new(),
            planned: 0,
            by_place: HashMap::new(),
            may_dial: true,
            seals_fail: 0.05,
            looked_at: 0,
            messages: 0,
            transits: 0,
            offers_taken: 0,
            at_this_moment: (Duration::ZERO, 0),
        }
    }

    /// Has the course written down, to be printed if the simulation fails.
    pub fn write_course(&mut self) {
        self.course = Course::new(true);
    }

    /// Adds a running cell that dials `parents` and keeps dialling them.
    ///
    /// # Panics
    ///
    /// If the name is no address.
    pub fn add(&mut self, name: &str, parents: &[CellId], conduct: Conduct) -> CellId {
        let name = FqcnBuf::parse(name).expect("the test names a cell by an address");
        let id = CellId(self.cells.len());
        let place = self.network.add_node();
        self.by_place.insert(place, id);
        let generator = self.rng.split();
        self.note(id, &name, || format!("{name} starts, dials {parents:?}, {conduct:?}"));
        self.cells.push(Cell::new(id, name, place, parents, conduct, generator));
        self.plan_dials(id);
        id
    }

    /// A cell.
    #[must_use]
    pub fn cell(&self, id: CellId) -> &Cell {
        &self.cells[id.0]
    }

    /// All cells.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = CellId> + use<> {
        (0..self.cells.len()).map(CellId)
    }

    /// The clock of the cells.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        BEGINNING.saturating_add(self.network.now())
    }

    /// A number that differs if anything in the course differed.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.course.digest()
    }

    /// Has a cell send a request to each of the targets; the ledger of the cell says how each ends.
    ///
    /// # Panics
    ///
    /// If there is no target, or a target is no address.
    pub fn request(&mut self, from: CellId, targets: &[&str], request: &Request) -> RequestId {
        let now = self.now();
        let cell = &mut self.cells[from.0];
        let targets: Vec<FqcnBuf> = targets.iter().map(|name| name.parse().expect("an address")).collect();
        let mut payload = cell.name.as_str().as_bytes().to_vec();
        payload.resize(payload.len().max(request.size), b'.');
        let payload = Bytes::from(payload);
        let body = Body::bytes(payload.clone());
        let mut outgoing = Outgoing::new(CHANNEL, request.topic.as_str(), body).with_timeout(request.timeout);
        outgoing.secure = request.is_sealed;
        let id = cell.node.exchange_mut().send_request(now, &targets, &outgoing).expect("a target, and room to wait");
        let asked = Asked {
            topic: request.topic,
            payload,
            deadline: now.saturating_add(request.timeout),
            outcomes: targets.iter().map(|target| (target.clone(), None)).collect(),
        };
        cell.asked.insert(id.clone(), asked);
        self.note(from, id.as_str(), || format!("asks {targets:?} to {request:?}: {id}"));
        self.drain(from, None);
        id
    }

    /// Has a cell stop to wait for a request.
    pub fn cancel(&mut self, from: CellId, id: &RequestId) {
        self.note(from, id.as_str(), || format!("cancels {id}"));
        self.cells[from.0].node.exchange_mut().cancel(id);
        self.drain(from, None);
    }

    /// Has a cell send something that nobody answers, at once or with others in a bulk.
    pub fn fire(&mut self, from: CellId, target: &FqcnBuf, in_bulk: bool) {
        let now = self.now();
        let message = Outgoing::new(CHANNEL, Topic::Echo.as_str(), Body::bytes(Bytes::from_static(b"fired")));
        self.note(from, target.as_str(), || format!("fires at {target}, in bulk {in_bulk}"));
        let exchange = self.cells[from.0].node.exchange_mut();
        if in_bulk {
            exchange.queue(now, target, message);
        } else {
            exchange.fire(now, core::slice::from_ref(target), &message);
        }
        self.drain(from, None);
    }

    /// A cell says goodbye to its neighbours, and half a second later closes its connections. It comes back by itself.
    pub fn goodbye(&mut self, id: CellId) -> Option<RequestId> {
        let now = self.now();
        let cell = &mut self.cells[id.0];
        let targets: Vec<FqcnBuf> = cell.node.exchange().neighbours().map(|(name, _)| name.clone()).collect();
        let said = cell.node.exchange_mut().goodbye(now);
        if let Some(id) = &said {
            let outcomes = targets.into_iter().map(|target| (target, None)).collect();
            // As long as the reference waits for the answers.
            let deadline = now.saturating_add(Duration::from_millis(500));
            cell.asked.insert(id.clone(), Asked { topic: Topic::Nobody, payload: Bytes::new(), deadline, outcomes });
        }
        self.note(id, "goodbye", || format!("says goodbye: {said:?}"));
        self.drain(id, None);
        self.plan(id, Duration::from_millis(500), Plan::Leave);
        said
    }

    /// A cell dies without a word, and what it knew is gone.
    pub fn crash(&mut self, id: CellId) {
        self.note(id, "crash", || "dies".to_owned());
        self.network.crash(self.cells[id.0].place);
        let generator = self.rng.split();
        self.cells[id.0].forget(id, generator);
        self.plans.retain(|_, (at, _)| *at != id);
    }

    /// A cell stands still, and its connections break; it will know what it knew.
    pub fn suspend(&mut self, id: CellId) {
        self.note(id, "suspend", || "falls asleep".to_owned());
        self.network.crash(self.cells[id.0].place);
        self.cells[id.0].state = State::Asleep;
        // Handlers are asleep too; they answer late or not at all.
        self.plans.retain(|_, (at, plan)| *at != id || matches!(plan, Plan::Answer { .. } | Plan::Done { .. }));
    }

    /// A cell that was stopped comes back.
    pub fn restart(&mut self, id: CellId) {
        self.note(id, "restart", || "comes back".to_owned());
        let now = self.now();
        let cell = &mut self.cells[id.0];
        cell.state = State::Up;
        cell.woke_at = now;
        self.network.restart(cell.place);
        let gone = core::mem::take(&mut cell.open);
        cell.dialled.clear();
        for link in gone {
            self.cells[id.0].node.handle_closed(now, connection(link));
            self.drain(id, None);
        }
        self.plan_dials(id);
    }

    /// Whether the cell runs.
    #[must_use]
    pub fn is_up(&self, id: CellId) -> bool {
        self.cell(id).state == State::Up
    }

    /// A partition between two cells, or its end.
    pub fn cut(&mut self, one: CellId, other: CellId, is_cut: bool) {
        self.note(one, (other, is_cut), || format!("partition to {other:?}: {is_cut}"));
        let (one, other) = (self.cells[one.0].place, self.cells[other.0].place);
        if is_cut {
            self.network.cut(one, other);
        } else {
            self.network.heal(one, other);
        }
    }

    /// Breaks all connections; those that are made from now on are like this.
    pub fn change_links(&mut self, profile: LinkProfile) {
        self.profile = profile;
        for link in self.network.links() {
            self.network.break_link(link);
        }
    }

    /// Every cell closes its connections, and none dials any more.
    pub fn close_all(&mut self) {
        self.may_dial = false;
        let now = self.now();
        for id in self.ids() {
            self.cells[id.0].node.close_all(now);
            self.drain(id, None);
        }
    }

    /// Whether every cell is the neighbour of all that it dials or is dialled by, and of nobody else.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let neighbours = |id: CellId| self.cell(id).node.exchange().neighbours().map(|(name, _)| name.as_str());
        let is_neighbour =
            |one: CellId, other: CellId| neighbours(one).any(|name| self.cell(other).name.as_str() == name);
        let links = self.cells.iter().map(|cell| cell.dials().count()).sum::<usize>();
        let ends: usize = self.ids().map(|id| neighbours(id).count()).sum();
        ends == 2 * links
            && self
                .ids()
                .all(|id| self.cell(id).dials().all(|other| is_neighbour(id, other) && is_neighbour(other, id)))
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Duration) {
        let end = self.network.now() + span;
        while self.step(end) {}
    }

    /// Lets time pass until something is so, as looked at ten times a second; false if it is not after that span.
    pub fn run_until(&mut self, span: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let end = self.network.now() + span;
        while !is_so(self) {
            if self.network.now() >= end {
                return false;
            }
            self.run(Duration::from_millis(100));
        }
        true
    }

    /// Whether every target of every request has ended.
    #[must_use]
    pub fn has_heard_all(&self) -> bool {
        let has_heard = |asked: &Asked| asked.outcomes.values().all(Option::is_some);
        self.cells.iter().all(|cell| cell.exchanges.is_empty() && cell.asked.values().all(has_heard))
    }

    /// The next thing that happens by then; false if nothing does any more, and then it is that late.
    ///
    /// # Panics
    ///
    /// If something must hold and does not, or time stands still.
    pub fn step(&mut self, end: Duration) -> bool {
        let plan = self.plans.keys().next().map(|(at, _)| *at);
        let up = self.cells.iter().filter(|cell| cell.state == State::Up);
        let timer = up.filter_map(|cell| cell.due).min().map(|at| at.saturating_since(BEGINNING));
        let until = plan.into_iter().chain(timer).min().unwrap_or(end).min(end);
        let happening = self.network.step(until);
        self.watch_time();
        if let Some(happening) = happening {
            self.happen(happening);
            return true;
        }
        if let Some(entry) = self.plans.first_entry().filter(|entry| entry.key().0 <= until) {
            let (id, plan) = entry.remove();
            self.carry_out(id, plan);
            return true;
        }
        if timer.is_some_and(|at| at <= until) {
            let now = self.now();
            for id in self.ids() {
                if self.is_up(id) && self.cell(id).due.is_some_and(|at| at <= now) {
                    self.cells[id.0].node.handle_timeout(now);
                    self.drain(id, None);
                }
            }
            return true;
        }
        false
    }

    fn watch_time(&mut self) {
        let now = self.network.now();
        let (at, count) = &mut self.at_this_moment;
        *count = if *at == now { *count + 1 } else { 0 };
        *at = now;
        assert!(*count < AT_ONE_MOMENT, "time stands still at {now:?}");
    }

    /// A cell takes up the offer of another to be dialled, unless it dials it already.
    pub(super) fn take_offer(&mut self, id: CellId, peer: &FqcnBuf, url: &str) {
        let to = CellId::at(url).expect("cells offer URLs of cells");
        assert_eq!(&self.cell(to).name, peer, "{} offers the URL of another", peer);
        self.note(id, url, || format!("is offered a connection to {peer}"));
        if self.cell(id).dials().all(|other| other != to) {
            self.cells[id.0].offers.insert(to);
            self.offers_taken += 1;
            self.plan(id, Duration::ZERO, Plan::Dial { to });
        }
    }

    /// How many offers of direct connections were taken up.
    #[must_use]
    pub const fn offers_taken(&self) -> u64 {
        self.offers_taken
    }

    /// Messages that arrived over links, and how many of them had been to the server because they had to.
    #[must_use]
    pub const fn messages_seen(&self) -> (u64, u64) {
        (self.messages, self.transits)
    }

    /// Dials those to which there is neither a connection nor an attempt.
    pub(super) fn plan_dials(&mut self, id: CellId) {
        for to in self.cells[id.0].dials().collect::<Vec<_>>() {
            let wait = self.rng.span(Duration::from_millis(100));
            self.plan(id, wait, Plan::Dial { to });
        }
    }

    /// A connection that a cell dialled is over: it dials again soon.
    pub(super) fn dial_again(&mut self, id: CellId, link: LinkId) {
        if let Some(to) = self.cells[id.0].dialled.remove(&link) {
            let wait = Duration::from_millis(200) + self.rng.span(Duration::from_millis(800));
            self.plan(id, wait, Plan::Dial { to });
        }
    }

    pub(super) fn dial(&mut self, id: CellId, to: CellId) {
        if self.may_dial {
            let (from, at) = (self.cells[id.0].place, self.cells[to.0].place);
            let link = self.network.dial(from, at, self.profile);
            self.note(id, link, || format!("dials {to:?}: {link}"));
            self.cells[id.0].dialled.insert(link, to);
        }
    }

    pub(super) fn plan(&mut self, id: CellId, after: Duration, plan: Plan) {
        self.planned += 1;
        self.plans.insert((self.network.now() + after, self.planned), (id, plan));
    }

    pub(super) fn note(&mut self, id: CellId, facts: impl core::hash::Hash, words: impl FnOnce() -> String) {
        let at = self.network.now();
        let name = self.cells.get(id.0).map_or("", |cell| cell.name.as_str());
        self.course.note(at, (id, facts), || format!("{name}: {}", words()));
    }

    /// What a message that is sent now has behind it, by the frame that made the cell send it.
    pub(super) fn departure(&self, id: CellId, frame: Bytes, is_data: bool, cause: Option<&Travel>) -> Packet {
        let travel = is_data.then(|| Travel::depart(&self.cell(id).name, &frame, cause));
        Packet { frame, travel }
    }
}

/// Links are numbered from 0 and never reused; so are connections.
pub(super) const fn connection(link: LinkId) -> ConnectionId {
    ConnectionId::new(link.number())
}
