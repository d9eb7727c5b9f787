//! Nodes, the links between them, and what happens to them in virtual time.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::pipe::Pipe;
use crate::profile::LinkProfile;
use crate::rng::SimRng;

/// A node of the network, numbered in the order of [`Network::add_node`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

impl NodeId {
    /// The number of the node, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// A link between two nodes; an id is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u64);

impl LinkId {
    /// The number of the link.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

/// What a node notices, in the order of virtual time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening<P> {
    /// A link stands; the side that dialled hears of it too.
    Opened {
        /// The node that notices.
        at: NodeId,
        /// The link.
        link: LinkId,
        /// The node at its other end.
        peer: NodeId,
        /// Whether this node dialled.
        dialled: bool,
    },
    /// A packet arrived.
    Delivered {
        /// The node that got it.
        at: NodeId,
        /// Over which link.
        link: LinkId,
        /// The packet.
        packet: P,
    },
    /// A link is gone, or could not be set up.
    Closed {
        /// The node that notices.
        at: NodeId,
        /// The link.
        link: LinkId,
    },
}

#[derive(Debug)]
struct Link {
    ends: [NodeId; 2],
    /// Whether the end still takes part: false before it has heard of the opening and after it has heard of the end.
    open: [bool; 2],
    profile: LinkProfile,
    /// Index 0: from the side that dialled.
    pipes: [Pipe; 2],
}

#[derive(Debug)]
enum Due<P> {
    Open { side: usize },
    Deliver { side: usize, packet: P },
    Close { side: usize },
    Break,
}

/// A network of nodes. Time passes only in [`step`](Self::step).
///
/// The whole course follows from the seed and the calls.
#[derive(Debug)]
pub struct Network<P> {
    now: Duration,
    rng: SimRng,
    /// Whether each node runs.
    nodes: Vec<bool>,
    links: BTreeMap<LinkId, Link>,
    due: BTreeMap<(Duration, u64), (LinkId, Due<P>)>,
    /// What cannot arrive because a partition lies between; in order.
    held: VecDeque<(LinkId, Due<P>)>,
    /// Pairs of nodes between which nothing passes.
    cut: BTreeSet<(NodeId, NodeId)>,
    sequence: u64,
    next_link: u64,
}

impl<P: Clone> Network<P> {
    /// A network without nodes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Duration::ZERO,
            rng: SimRng::new(seed),
            nodes: Vec::new(),
            links: BTreeMap::new(),
            due: BTreeMap::new(),
            held: VecDeque::new(),
            cut: BTreeSet::new(),
            sequence: 0,
            next_link: 0,
        }
    }

    /// Time since the start of the simulation.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// Adds a running node.
    pub fn add_node(&mut self) -> NodeId {
        self.nodes.push(true);
        NodeId(self.nodes.len() - 1)
    }

    /// Dials from one node to another. Both learn of the link when it stands; where it cannot stand, because the other
    /// node is down or a partition lies between, the side that dialled learns that it is closed.
    pub fn dial(&mut self, from: NodeId, to: NodeId, profile: LinkProfile) -> LinkId {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(
            link,
            Link { ends: [from, to], open: [true, false], profile, pipes: [Pipe::default(), Pipe::default()] },
        );
        let arrives = self.now.saturating_add(profile.latency);
        if !self.is_up(to) || self.is_cut(from, to) {
            self.schedule(arrives, link, Due::Close { side: 0 });
            return link;
        }
        self.schedule(arrives, link, Due::Open { side: 1 });
        self.schedule(arrives.saturating_add(profile.latency), link, Due::Open { side: 0 });
        if let Some(mean) = profile.mean_lifetime {
            let lifetime = self.rng.exponential(mean);
            self.schedule(arrives.saturating_add(lifetime), link, Due::Break);
        }
        link
    }

    /// Sends a packet of `size` bytes from one end of a link. False if that end is closed: nothing is sent.
    pub fn send(&mut self, link: LinkId, from: NodeId, size: usize, packet: P) -> bool {
        let Some(entry) = self.links.get_mut(&link) else { return false };
        let Some(side) = entry.side(from) else { return false };
        if !entry.open[side] {
            return false;
        }
        let profile = entry.profile;
        let at = entry.pipes[side].arrival(self.now, size, &profile, &mut self.rng);
        if self.rng.chance(profile.duplicate) {
            let again = at.saturating_add(self.rng.span(profile.latency.max(Duration::from_millis(1))));
            self.schedule(again, link, Due::Deliver { side: 1 - side, packet: packet.clone() });
        }
        self.schedule(at, link, Due::Deliver { side: 1 - side, packet });
        true
    }

    /// Closes one end of a link in good order: what was sent before still arrives, then the other end learns of it.
    pub fn close(&mut self, link: LinkId, by: NodeId) {
        let Some(entry) = self.links.get_mut(&link) else { return };
        let Some(side) = entry.side(by) else { return };
        if !core::mem::replace(&mut entry.open[side], false) {
            return;
        }
        let at = entry.pipes[side].end(self.now, &entry.profile);
        self.schedule(at, link, Due::Close { side: 1 - side });
    }

    /// Breaks a link: what is under way is lost, both ends learn of it at once.
    pub fn break_link(&mut self, link: LinkId) {
        self.due.retain(|_, (of, _)| *of != link);
        self.held.retain(|(of, _)| *of != link);
        for side in 0..2 {
            self.schedule(self.now, link, Due::Close { side });
        }
    }

    /// Stops a node: its links break, and its neighbours learn of it. It notices nothing itself.
    pub fn crash(&mut self, node: NodeId) {
        self.set_up(node, false);
        let lost: Vec<_> = self.links.iter().filter(|(_, link)| link.ends.contains(&node)).map(|(id, _)| *id).collect();
        for link in lost {
            self.break_link(link);
        }
    }

    /// Starts a node again, without links.
    pub fn restart(&mut self, node: NodeId) {
        self.set_up(node, true);
    }

    /// Whether the node runs.
    #[must_use]
    pub fn is_up(&self, node: NodeId) -> bool {
        self.nodes.get(node.0).copied().unwrap_or(false)
    }

    /// Puts a partition between two nodes: what is under way waits, nothing new passes, neither end is told.
    pub fn cut(&mut self, one: NodeId, other: NodeId) {
        self.cut.insert(pair(one, other));
    }

    /// Takes the partition between two nodes away: what waited arrives now, in order.
    pub fn heal(&mut self, one: NodeId, other: NodeId) {
        self.cut.remove(&pair(one, other));
        for (link, due) in core::mem::take(&mut self.held) {
            self.schedule(self.now, link, due);
        }
    }

    /// Whether a partition lies between two nodes.
    #[must_use]
    pub fn is_cut(&self, one: NodeId, other: NodeId) -> bool {
        self.cut.contains(&pair(one, other))
    }

    /// The id of the link with this number, whether or not there is one.
    #[must_use]
    pub const fn link(&self, number: u64) -> LinkId {
        LinkId(number)
    }

    /// Links of which at least one end is open.
    #[must_use]
    pub fn links(&self) -> Vec<LinkId> {
        self.links.keys().copied().collect()
    }

    /// When the next thing happens by itself, if anything will.
    #[must_use]
    pub fn next_at(&self) -> Option<Duration> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// The next thing that happens not later than `until`; the clock goes to its time. None, and the clock at `until`,
    /// if nothing does.
    pub fn step(&mut self, until: Duration) -> Option<Happening<P>> {
        while let Some(entry) = self.due.first_entry() {
            let at = entry.key().0;
            if at > until {
                break;
            }
            let (link, due) = entry.remove();
            self.now = self.now.max(at);
            if let Some(happening) = self.happen(link, due) {
                return Some(happening);
            }
        }
        self.now = self.now.max(until);
        None
    }

    fn happen(&mut self, id: LinkId, due: Due<P>) -> Option<Happening<P>> {
        let link = self.links.get(&id)?;
        if self.is_cut(link.ends[0], link.ends[1]) && !matches!(due, Due::Break) {
            self.held.push_back((id, due));
            return None;
        }
        let link = self.links.get_mut(&id)?;
        match due {
            Due::Open { side } => {
                let up = self.nodes.get(link.ends[side].0).copied().unwrap_or(false);
                if !up {
                    self.break_link(id);
                    return None;
                }
                // The side that dialled may have closed before it heard of the opening.
                if side == 0 && !link.open[0] {
                    return None;
                }
                link.open[side] = true;
                Some(Happening::Opened { at: link.ends[side], link: id, peer: link.ends[1 - side], dialled: side == 0 })
            }
            Due::Deliver { side, packet } => {
                link.open[side].then(|| Happening::Delivered { at: link.ends[side], link: id, packet })
            }
            Due::Close { side } => {
                let was_open = core::mem::replace(&mut link.open[side], false);
                let at = link.ends[side];
                if !link.open[0] && !link.open[1] {
                    self.links.remove(&id);
                    // What is still under way cannot arrive, and what was to break it is spared the trouble.
                    self.due.retain(|_, (of, _)| *of != id);
                }
                (was_open && self.is_up(at)).then_some(Happening::Closed { at, link: id })
            }
            Due::Break => {
                self.break_link(id);
                None
            }
        }
    }

    fn schedule(&mut self, at: Duration, link: LinkId, due: Due<P>) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), (link, due));
    }

    fn set_up(&mut self, node: NodeId, up: bool) {
        if let Some(slot) = self.nodes.get_mut(node.0) {
            *slot = up;
        }
    }
}

impl Link {
    fn side(&self, node: NodeId) -> Option<usize> {
        self.ends.iter().position(|end| *end == node)
    }
}

/// The two nodes in a fixed order.
fn pair(one: NodeId, other: NodeId) -> (NodeId, NodeId) {
    (one.min(other), one.max(other))
}
