//! The way of every message over the links, as the network saw it and not as its headers say.

use core::hash::{Hash, Hasher};
use std::hash::DefaultHasher;

use bytes::Bytes;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::frame::Frame;
use fedcell_cell_proto::headers::{HeaderLimits, Texts};
use fedcell_cell_proto::message::{Facts, Message};
use fedcell_protocol_defs::cell::MessageType;

/// What travels over a link: a frame, and what the simulation knows of the message in it.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) frame: Bytes,
    /// None for the frames of the link itself.
    pub(super) travel: Option<Travel>,
}

/// A message on its way.
#[derive(Debug, Clone)]
pub(super) struct Travel {
    /// The cells that have had it, in order: the origin first.
    pub(super) way: Vec<FqcnBuf>,
    pub(super) destination: FqcnBuf,
    pub(super) kind: Kind,
    /// How many requests it answers.
    pub(super) answers: u64,
    pub(super) is_sealed: bool,
    must_cross_server: bool,
    /// What stays the same on the whole way of a message and tells it from others.
    pub(super) identity: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Request,
    Reply,
    Return,
}

impl Travel {
    /// The message in a frame that `sender` sends now because of what it has just been given.
    ///
    /// # Panics
    ///
    /// If the message is malformed, was made up by a cell that is not its origin, or says that it has been elsewhere.
    pub(super) fn depart(sender: &FqcnBuf, frame: &Bytes, cause: Option<&Self>) -> Self {
        let frame = Frame::decode_whole(frame.clone(), usize::MAX).expect("cells send whole frames");
        let message = Message::decode(frame, &HeaderLimits::default()).expect("cells send proper headers");
        let facts = message.facts().expect("cells send proper messages");
        let identity = identity(&facts);
        let way = if facts.origin == *sender {
            vec![sender.clone()]
        } else {
            let cause = cause.filter(|cause| cause.identity == identity);
            let before = cause.unwrap_or_else(|| panic!("{sender} sends what nobody gave it: {facts:?}"));
            before.way.iter().chain([sender]).cloned().collect()
        };
        let hops: Vec<_> = facts.route.hops().map(|hop| hop.cell).collect();
        assert!(way.iter().map(FqcnBuf::as_str).eq(hops.iter().copied()), "went {way:?}, its route says {hops:?}");
        Self {
            way,
            destination: facts.destination.to_owned(),
            kind: match facts.message_type {
                MessageType::REQ => Kind::Request,
                MessageType::REPLY => Kind::Reply,
                MessageType::RETURN => Kind::Return,
                other => panic!("{sender} sends a message of type {other:?}"),
            },
            answers: facts.request_ids.filter(|_| !facts.is_request()).map_or(0, |ids| ids.iter().count() as u64),
            is_sealed: facts.is_encrypted,
            must_cross_server: facts.is_transit_required,
            identity,
        }
    }

    /// Holds the way against the rule when the message reaches a cell.
    ///
    /// # Panics
    ///
    /// If a cell has had the message twice, but for one that must cross the server and comes down the way it went up; or
    /// if it must cross the server, has arrived, and has not.
    pub(super) fn arrive(&self, at: &FqcnBuf) {
        let whole: Vec<Fqcn<'_>> = self.way.iter().chain([at]).map(FqcnBuf::as_fqcn).collect();
        let server = whole.iter().position(|cell| cell.is_server());
        let turn = server.filter(|_| self.must_cross_server).unwrap_or(0);
        let (up, down) = whole.split_at(turn);
        for part in [up, down] {
            let is_first = |at: usize| !part[..at].contains(&part[at]);
            assert!((0..part.len()).all(is_first), "a cell has it twice: {whole:?} {self:?}");
        }
        assert!(!up.iter().any(|cell| cell.is_on_server()), "left the server and came back: {whole:?} {self:?}");
        if self.must_cross_server && self.has_come(at) && self.kind != Kind::Return {
            // One whose destination lies on the way to the server has no need to go on.
            let is_on_the_way = whole.first().is_some_and(|origin| at.as_fqcn().is_ancestor_of(*origin));
            assert!(server.is_some() || is_on_the_way, "went past the server: {whole:?} {self:?}");
        }
    }

    /// Whether the cell is where the message was to go.
    pub(super) fn has_come(&self, at: &FqcnBuf) -> bool {
        self.destination == *at
    }

    /// Whether the message has been down again from the server where it went up.
    pub(super) fn is_transit(&self) -> bool {
        self.must_cross_server && self.way.iter().skip(1).any(|cell| cell.as_fqcn().is_server())
    }
}

fn identity(facts: &Facts<'_>) -> u64 {
    let mut digest = DefaultHasher::new();
    let kind = facts.message_type.as_str();
    (kind, facts.origin.as_str(), facts.destination.as_str(), facts.channel, facts.topic).hash(&mut digest);
    facts.request_ids.into_iter().flat_map(Texts::iter).for_each(|id| id.hash(&mut digest));
    digest.finish()
}
