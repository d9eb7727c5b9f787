//! What a cell tells its owner.

use std::sync::Arc;

use fedcell_protocol_defs::cell::{Channel, Topic};
use fedcell_protocol_defs::stream;

use crate::address::{Fqcn, FqcnBuf};
use crate::identity::PeerIdentity;
use crate::message::Message;
use crate::request::{Failure, Reply, RequestId};
use crate::route::Unreachable;
use crate::stats::CategoryId;

use super::ConnectionId;
use super::keys::DispatchKey;
use super::sealing::{OpenWork, SealWork};

/// How urgent a message is among those for one neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Frames of the link itself and goodbyes: before all others.
    Control,
    /// Requests, replies, acknowledgements.
    Message,
    /// Chunks of streams; others may overtake them.
    Bulk,
}

impl Class {
    /// The class of messages on this channel and topic: chunks of streams give way to everything else.
    #[must_use]
    pub fn of(channel: &str, topic: &str) -> Self {
        if channel == stream::Channel::STREAM.as_str() && topic == stream::Topic::DATA.as_str() {
            Self::Bulk
        } else if channel == Channel::CELLNET.as_str() && topic == Topic::BYE.as_str() {
            Self::Control
        } else {
            Self::Message
        }
    }

    /// The class of this message, of which the class by channel and topic is this. A small stream of one chunk has no
    /// order to keep with others and delays nobody: it travels with the messages.
    pub(super) fn refined(self, message: &Message) -> Self {
        let integer = |key: stream::HeaderKey<'_>| message.headers.integer(key).ok().flatten();
        let is_lone = self == Self::Bulk
            && message.payload.len() <= Self::SMALL
            && integer(stream::HeaderKey::SEQUENCE) == Some(0)
            && integer(stream::HeaderKey::DATA_TYPE) == Some(i64::from(stream::DataType::FINAL.get()));
        if is_lone { Self::Message } else { self }
    }

    /// Largest stream of one chunk that travels with the messages, in bytes.
    pub const SMALL: usize = 64 * 1024;
}

/// Something that has happened to a cell.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A neighbour is connected, and messages go to it from now on.
    PeerUp {
        /// Its address.
        peer: FqcnBuf,
        /// Its connection.
        connection: ConnectionId,
        /// What it has proved.
        identity: PeerIdentity,
    },
    /// A neighbour has said goodbye or its connection is gone; no message is routed to it any more.
    PeerDown {
        /// Its address.
        peer: FqcnBuf,
    },
    /// A request for this cell, to be handled. Whoever handles it answers with
    /// [`send_reply`](super::Exchange::send_reply), or not at all.
    Request(Box<IncomingRequest>),
    /// One target of a request of this cell has answered or failed. Comes exactly once for each target.
    Reply {
        /// The request.
        id: RequestId,
        /// The target.
        target: FqcnBuf,
        /// The reply, which may itself say that something failed, or a message of type `return`; or what kept it from
        /// coming.
        outcome: Result<Box<Message>, Failure>,
        /// How many targets of the request have not ended yet.
        open: usize,
    },
    /// A payload has to be sealed before its message can go on. The work comes back with
    /// [`handle_sealed`](super::Exchange::handle_sealed) or [`handle_seal_failed`](super::Exchange::handle_seal_failed).
    Seal(Box<SealWork>),
    /// A payload has to be opened before its message can be handled. The work comes back with
    /// [`handle_opened`](super::Exchange::handle_opened), or not at all if it cannot be opened.
    Open(Box<OpenWork>),
    /// A message of others could not be passed on. The origin of a request that expects a reply has been told; a stream
    /// whose frame this is can be told with an error of the stream.
    Undeliverable {
        /// The message, as it came.
        message: Box<Message>,
        /// Why.
        reason: Unreachable,
    },
    /// A filter has had a message [sent back](crate::filter::Verdict::Return) for whose reply nobody waits. A stream whose
    /// frame this is can be told with an error of the stream.
    TurnedBack {
        /// The message, without its payload.
        message: Box<Message>,
        /// What its origin is to hear.
        reply: Box<Reply>,
    },
    /// A message that had its place on a connection did not leave by it. Comes for all but the requests of this cell,
    /// which end with [`Reply`](Self::Reply); the origin of a request of others has been told.
    NotTaken {
        /// The message, as it was to leave.
        message: Box<Message>,
        /// Why.
        failure: Failure,
    },
    /// The certificate of a connection's peer has to be verified again, because some time has passed or its own is over.
    /// The verdict comes back with [`Node::handle_rechecked`](super::Node::handle_rechecked).
    Recheck {
        /// The connection.
        connection: ConnectionId,
    },
    /// Another cell offers a direct connection, and the policy is to take offers up.
    DialOffered {
        /// The cell at the other end.
        peer: FqcnBuf,
        /// Its URL. A peer chose it.
        url: String,
    },
}

/// A request that is to be handled here.
#[derive(Debug)]
#[non_exhaustive]
pub struct IncomingRequest {
    /// The request, its payload opened and still encoded.
    pub message: Message,
    /// Where the reply goes.
    pub reply_to: ReplyTo,
}

/// Where the reply to a request goes: back over the neighbour that handed the request over.
#[derive(Debug, Clone)]
pub struct ReplyTo {
    pub(super) neighbour: FqcnBuf,
    pub(super) origin: FqcnBuf,
    pub(super) key: Arc<DispatchKey>,
    /// The id as it came, to be echoed.
    pub(super) id: Box<str>,
    pub(super) expected: bool,
    pub(super) secure: bool,
    pub(super) optional: bool,
    pub(super) offer_url: bool,
    /// The category of the request in the statistics.
    pub(super) category: CategoryId,
}

impl ReplyTo {
    /// Whether the requester waits for a reply. If not, one is not sent.
    #[must_use]
    pub const fn is_expected(&self) -> bool {
        self.expected
    }

    /// The cell that asked.
    #[must_use]
    pub fn origin(&self) -> Fqcn<'_> {
        self.origin.as_fqcn()
    }

    /// The neighbour that handed the request over.
    #[must_use]
    pub fn neighbour(&self) -> Fqcn<'_> {
        self.neighbour.as_fqcn()
    }

    /// Channel of the request.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.key.channel
    }

    /// Topic of the request.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.key.topic
    }
}

/// A message on its way to a neighbour.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outbound {
    /// The connection that carries it.
    pub connection: ConnectionId,
    /// The message, complete.
    pub message: Message,
    /// How urgent it is.
    pub class: Class,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::HeaderMap;

    #[track_caller]
    fn check(topic: stream::Topic<'_>, sequence: i64, kind: stream::DataType, size: usize, expected: Class) {
        let mut headers = HeaderMap::new();
        headers.insert(stream::HeaderKey::SEQUENCE, sequence);
        headers.insert(stream::HeaderKey::DATA_TYPE, i64::from(kind.get()));
        let message = Message { headers, payload: vec![0; size].into() };
        let class = Class::of(stream::Channel::STREAM.as_str(), topic.as_str());
        assert_eq!(class.refined(&message), expected, "{kind:?} {sequence} with {size} bytes");
    }

    #[test]
    fn only_a_small_stream_of_one_chunk_travels_with_the_messages() {
        use stream::{DataType, Topic};
        check(Topic::DATA, 0, DataType::FINAL, 0, Class::Message);
        check(Topic::DATA, 0, DataType::FINAL, Class::SMALL, Class::Message);
        check(Topic::DATA, 0, DataType::FINAL, Class::SMALL + 1, Class::Bulk);
        check(Topic::DATA, 0, DataType::CHUNK, 10, Class::Bulk);
        check(Topic::DATA, 1, DataType::FINAL, 10, Class::Bulk);
        check(Topic::ACK, 7, DataType::ACK, 0, Class::Message);
    }
}
