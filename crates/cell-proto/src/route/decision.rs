//! Which neighbour gets a message next: a pure function of where we are, who is connected, and what the message is.

use thiserror::Error;

use crate::address::{Fqcn, FqcnBuf};
use crate::headers::Route;

/// Who is connected to this cell: handshake done, and no goodbye said.
pub trait Neighbours {
    /// Whether the cell with exactly this address is a neighbour.
    fn is_neighbour(&self, cell: Fqcn<'_>) -> bool;
}

/// The cells that a message has passed: what its route header says. The sender controls it.
pub trait Visited {
    /// Whether the cell stands on the route.
    fn has_visited(&self, cell: Fqcn<'_>) -> bool;
}

/// The route of a message that has been nowhere yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unvisited;

impl Visited for Unvisited {
    fn has_visited(&self, _: Fqcn<'_>) -> bool {
        false
    }
}

impl Visited for Route<'_> {
    fn has_visited(&self, cell: Fqcn<'_>) -> bool {
        self.contains(cell)
    }
}

impl<T: AsRef<str>> Visited for [T] {
    fn has_visited(&self, cell: Fqcn<'_>) -> bool {
        self.iter().any(|hop| hop.as_ref() == cell.as_str())
    }
}

/// What routing needs to know about a message.
#[derive(Debug, Clone, Copy)]
pub struct MessageFacts<'a, V: Visited + ?Sized = Unvisited> {
    /// Whether the message must cross the server: it goes from the cells of one client to those of another.
    pub transit_required: bool,
    /// Where it has been.
    pub route: &'a V,
    /// The neighbour over whose connection it came, by the connection and not by a header. None for a message that
    /// starts here.
    pub arrived_from: Option<Fqcn<'a>>,
}

impl MessageFacts<'static> {
    /// A plain message that starts here.
    pub const FRESH: Self = MessageFacts { transit_required: false, route: &Unvisited, arrived_from: None };
}

impl<V: Visited + ?Sized> MessageFacts<'_, V> {
    /// Whether the message has been to the server and comes back from there: it must cross the server, its route says
    /// that it has, and the neighbour that handed it over is the server or our own parent.
    ///
    /// The route alone proves nothing, because its sender wrote it. A cell on the server never trusts it.
    #[must_use]
    pub fn is_return_from_server(&self, me: Fqcn<'_>) -> bool {
        self.transit_required
            && !me.is_on_server()
            && self.route.has_visited(Fqcn::SERVER)
            && self.arrived_from.is_some_and(|from| from.is_server() || from.is_parent_of(me))
    }

    /// Whether a message may go to a neighbour where it has been already: only for the way through the server and down
    /// again.
    fn may_revisit(&self, me: Fqcn<'_>, next: Fqcn<'_>) -> bool {
        if !self.transit_required {
            return false;
        }
        if me.is_server() {
            return !self.route.has_visited(Fqcn::SERVER);
        }
        self.is_return_from_server(me) && me.is_ancestor_of(next)
    }
}

/// Where a message goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop<'a> {
    /// The target is this cell.
    Here,
    /// To this neighbour; the target itself, or one on the way.
    Neighbour(Fqcn<'a>),
}

/// Why there is no next hop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// The target is right below this cell and not connected.
    ChildAbsent,
    /// The target is below this cell, and nobody towards it is connected.
    BranchAbsent,
    /// The message must cross the server, and neither the server nor a cell above this one is connected.
    NoWayToServer,
    /// Neither the target, nor anybody above it, nor the server, nor our parent is connected.
    NoConnection,
    /// The only way leads to a cell where the message has been: passing it on would go round in circles.
    Loop {
        /// That cell.
        next: FqcnBuf,
    },
}

/// A message that cannot go on from here. Nobody's fault: the network is not, or not yet, whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no way from {at} to {target}: {}", .obstacle.explain())]
#[non_exhaustive]
pub struct Unreachable {
    /// The cell that found no way: this one.
    pub at: FqcnBuf,
    /// Where the message was to go.
    pub target: FqcnBuf,
    /// Why.
    pub obstacle: Obstacle,
}

impl Obstacle {
    fn explain(&self) -> String {
        match self {
            Self::ChildAbsent => "the target is a child of this cell and is not connected".to_owned(),
            Self::BranchAbsent => "no cell towards the target is connected below this one".to_owned(),
            Self::NoWayToServer => {
                "the message must cross the server, and neither it nor a cell above this one is connected".to_owned()
            }
            Self::NoConnection => "neither the target nor a cell that could know it is connected".to_owned(),
            Self::Loop { next } => format!("the next hop would be {next}, where the message has been already"),
        }
    }
}

/// Decides the next hop.
///
/// | # | if | then |
/// |---|---|---|
/// | 1 | the target is this cell | here |
/// | 2 | the message must cross the server, this cell is not on it, and the message is not on its way back | the server, else the nearest connected ancestor, else none |
/// | 3 | the target is a neighbour | the target |
/// | 4 | same family: the target is our child | none |
/// | | same family: the target is below us | the nearest connected cell above the target, else none |
/// | | same family: anywhere else | our parent, else go on |
/// | 5 | a cell above the target is a neighbour | the nearest such cell |
/// | 6 | the server is a neighbour, and we are not the server | the server |
/// | 7 | our parent is a neighbour | our parent |
/// | 8 | otherwise | none |
///
/// A next hop other than the target where the message has been already is refused, with one exception: a message that
/// must cross the server may go back down the way it came up.
///
/// # Errors
///
/// [`Unreachable`], with the row that failed as its obstacle.
pub fn next_hop<'a, V: Visited + ?Sized>(
    me: Fqcn<'a>,
    neighbours: &(impl Neighbours + ?Sized),
    target: Fqcn<'a>,
    facts: &MessageFacts<'_, V>,
) -> Result<Hop<'a>, Unreachable> {
    if target == me {
        return Ok(Hop::Here);
    }
    let refuse = |obstacle| Unreachable { at: me.to_owned(), target: target.to_owned(), obstacle };
    let next = candidate(me, neighbours, target, facts).map_err(refuse)?;
    if next != target && facts.route.has_visited(next) && !facts.may_revisit(me, next) {
        return Err(refuse(Obstacle::Loop { next: next.to_owned() }));
    }
    Ok(Hop::Neighbour(next))
}

/// Rows 2 to 8 of the table, without the guard against loops.
fn candidate<'a, V: Visited + ?Sized>(
    me: Fqcn<'a>,
    neighbours: &(impl Neighbours + ?Sized),
    target: Fqcn<'a>,
    facts: &MessageFacts<'_, V>,
) -> Result<Fqcn<'a>, Obstacle> {
    let connected = |cell: &Fqcn<'_>| neighbours.is_neighbour(*cell);
    if facts.transit_required && !me.is_on_server() && !facts.is_return_from_server(me) {
        return core::iter::once(Fqcn::SERVER)
            .chain(me.ancestors())
            .find(|cell| connected(cell))
            .ok_or(Obstacle::NoWayToServer);
    }
    if connected(&target) {
        return Ok(target);
    }
    if me.is_same_family(target) {
        if me.is_parent_of(target) {
            return Err(Obstacle::ChildAbsent);
        }
        if me.is_ancestor_of(target) {
            return target.ancestors().find(connected).ok_or(Obstacle::BranchAbsent);
        }
        if let Some(parent) = me.parent().filter(connected) {
            return Ok(parent);
        }
    }
    if let Some(above) = target.ancestors().find(connected) {
        return Ok(above);
    }
    if !me.is_server() && connected(&Fqcn::SERVER) {
        return Ok(Fqcn::SERVER);
    }
    me.parent().filter(connected).ok_or(Obstacle::NoConnection)
}
