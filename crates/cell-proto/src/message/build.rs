//! How each kind of message is begun: which headers, in which order.
//!
//! The order is the reference's. No receiver depends on it; it makes captures of both comparable line by line. Headers
//! of the application come first, those of authentication are added afterwards, and [`Message::finish`] writes the last.

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::cell::{ErrorText, HeaderKey, MessageType, ReturnCode, ReturnReason};

use super::{Message, Payload};
use crate::address::Fqcn;
use crate::clock;
use crate::headers::{HeaderMap, HeaderValue, Known, Texts};

/// What the sender of a request decides. Its `ids` is the id that replies will bear; none sends and forgets: no reply is
/// expected.
pub type RequestHead<'a> = Head<'a, Option<&'a str>>;

/// What the sender of a reply decides. Its `ids` is the id of the request, or the list of ids that a delayed reply answers
/// at once.
pub type ReplyHead<'a> = Head<'a, HeaderValue<'a>>;

/// What the sender of a request or of a reply decides; the two differ in the ids that they bear.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "these are the headers of a request or a reply")]
pub struct Head<'a, Ids> {
    /// This cell.
    pub origin: Fqcn<'a>,
    /// The cell that is to have the message: for a reply the origin of the request.
    pub destination: Fqcn<'a>,
    /// The neighbour that gets it first: for a reply the one over whose connection the request came.
    pub next_hop: Fqcn<'a>,
    /// First half of the dispatch key; for a reply that of the request, as in all that follows.
    pub channel: &'a str,
    /// Second half of the dispatch key.
    pub topic: &'a str,
    /// Which request it is, or which requests it answers.
    pub ids: Ids,
    /// Whether the payload is to be sealed end to end.
    pub is_secure: bool,
    /// Whether a failure to deliver is not worth a warning.
    pub is_optional: bool,
}

/// What the cell decides that sends a request back.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "these are the headers of a return")]
pub struct ReturnHead<'a> {
    /// This cell.
    pub origin: Fqcn<'a>,
    /// The origin of the request, as its header has it.
    pub destination: &'a str,
    /// The neighbour over whose connection the request came.
    pub next_hop: Fqcn<'a>,
    /// What the request's header of that name holds.
    pub request_ids: Option<Texts<'a>>,
    /// Why it goes back.
    pub reason: ReturnReason<'a>,
}

impl Message {
    /// A request, with the headers of the application first.
    #[must_use]
    pub fn request(mut headers: HeaderMap, head: &RequestHead<'_>, payload: Payload, now: UnixTime) -> Self {
        headers.set(Known::Topic, head.topic);
        headers.set(Known::Channel, head.channel);
        headers.set(Known::Destination, head.destination);
        match head.ids {
            Some(id) => {
                headers.set(Known::ReqId, id);
                headers.set(Known::ReplyExpected, true);
                headers.set(Known::Secure, head.is_secure);
                headers.set(Known::Optional, head.is_optional);
            }
            None => {
                headers.set(Known::ReplyExpected, false);
                headers.set(Known::Optional, head.is_optional);
                headers.set(Known::Secure, head.is_secure);
            }
        }
        headers.set(Known::FromCell, head.origin);
        headers.set(Known::ToCell, head.next_hop);
        headers.set(Known::Origin, head.origin);
        headers.set(Known::MsgType, MessageType::REQ.as_str());
        headers.begin_route(head.origin, clock::seconds(now));
        Self::new(headers, payload)
    }

    /// A reply, with the headers of the application first; a return code among them counts, otherwise it is ok.
    #[must_use]
    pub fn reply(mut headers: HeaderMap, head: &ReplyHead<'_>, payload: Payload, now: UnixTime) -> Self {
        if headers.known(Known::ReturnCode).is_none() {
            headers.set(Known::ReturnCode, ReturnCode::OK.as_str());
        }
        headers.set(Known::Secure, head.is_secure);
        headers.set(Known::Optional, head.is_optional);
        headers.set(Known::Channel, head.channel);
        headers.set(Known::Topic, head.topic);
        headers.set(Known::FromCell, head.origin);
        headers.set(Known::ToCell, head.next_hop);
        headers.set(Known::Origin, head.origin);
        headers.set(Known::Destination, head.destination);
        headers.set(Known::ReqId, head.ids);
        headers.set(Known::MsgType, MessageType::REPLY.as_str());
        headers.begin_route(head.origin, clock::seconds(now));
        Self::new(headers, payload)
    }

    /// The message that takes a request back to its origin because it could not be forwarded: all its headers, no
    /// payload.
    #[must_use]
    pub fn cannot_forward(original: &HeaderMap, head: &ReturnHead<'_>, now: UnixTime) -> Self {
        let mut headers = HeaderMap::new();
        headers.set(Known::ReturnCode, ReturnCode::COMM_ERROR.as_str());
        headers.set(Known::Error, ErrorText::CANNOT_FORWARD.as_str());
        Self::returned(headers, original, head, Payload::empty(), now)
    }

    /// A message that takes a request back to its origin, beginning with the headers of whoever took it out.
    #[must_use]
    pub fn returned(
        mut headers: HeaderMap,
        original: &HeaderMap,
        head: &ReturnHead<'_>,
        payload: Payload,
        now: UnixTime,
    ) -> Self {
        headers.set(Known::OriginalHeaders, original);
        headers.set(Known::FromCell, head.origin);
        headers.set(Known::ToCell, head.next_hop);
        headers.set(Known::Origin, head.origin);
        headers.set(Known::Destination, head.destination);
        let ids: Vec<&str> = match head.request_ids {
            Some(ids) => ids.iter().collect(),
            // The reference sends the empty text for a request without an id.
            None => vec![""],
        };
        headers.set(Known::ReqId, ids.as_slice());
        headers.set(Known::MsgType, MessageType::RETURN.as_str());
        headers.begin_route(head.origin, clock::seconds(now));
        headers.insert(HeaderKey::RETURN_REASON, head.reason.as_str());
        Self::new(headers, payload)
    }
}
