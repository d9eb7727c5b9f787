//! The states of a link and the one table of its transitions.

use crate::identity::Side;

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkState {
    /// Waits for the peer's name: for HELLO as listener, for READY as dialer.
    Expecting,
    /// The peer has said its name; the owner has to admit or refuse it.
    Claimed,
    /// The peer is admitted; messages flow.
    Open,
    /// Over.
    Closed,
}

/// What can happen to a link, as far as its state is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Hello,
    Ready,
    /// DATA, PING, PONG.
    Traffic,
    /// A frame of a type that nobody sends, or that is not known here.
    Unknown,
    Admit,
    Close,
}

/// All transitions: side (none: both), from, step, to. Whatever is not here is a fault of the peer, or of the owner.
const TRANSITIONS: &[(Option<Side>, LinkState, Step, LinkState)] = &[
    (Some(Side::Listener), LinkState::Expecting, Step::Hello, LinkState::Claimed),
    (Some(Side::Dialer), LinkState::Expecting, Step::Ready, LinkState::Claimed),
    (None, LinkState::Claimed, Step::Admit, LinkState::Open),
    (None, LinkState::Open, Step::Traffic, LinkState::Open),
    (None, LinkState::Open, Step::Unknown, LinkState::Open),
    (None, LinkState::Expecting, Step::Close, LinkState::Closed),
    (None, LinkState::Claimed, Step::Close, LinkState::Closed),
    (None, LinkState::Open, Step::Close, LinkState::Closed),
];

impl LinkState {
    /// The state after a step, if the table has it.
    pub(super) fn after(self, side: Side, step: Step) -> Option<Self> {
        // Nearly every step there ever is.
        if self == Self::Open && step == Step::Traffic {
            return Some(Self::Open);
        }
        TRANSITIONS
            .iter()
            .find(|(only, from, known, _)| only.is_none_or(|only| only == side) && *from == self && *known == step)
            .map(|(.., to)| *to)
    }
}
