//! Filters: pure functions over messages, in the six places where the reference has them.
//!
//! ```text
//!            ┌─ Incoming ─ Interceptor ──────────── forward ──┐
//!  frame ────┤                                                ├──► frame
//!            └─ Incoming ─ Interceptor ─ IncomingRequest ─► handler ─► OutgoingReply
//!                                      └ IncomingReply ──► requester
//!               OutgoingRequest ◄── requester
//! ```
//!
//! In each place the list of one registration runs, the first that the look-up of [`Registry`] finds. The payload is as
//! it travels: encoded, and sealed in the first two places and the last.

use core::fmt;
use std::sync::Arc;

use fedcell_auth::UnixTime;

use crate::address::Fqcn;
use crate::message::Message;
use crate::registry::Registry;
use crate::request::Reply;

/// Where a filter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// Every message that comes in, for this cell or to be forwarded. A refused message vanishes: its sender is not
    /// told, unless the filter [wants it](Verdict::Return).
    Incoming,
    /// Every request that comes in, for this cell or to be forwarded. A refusal goes back to the origin as a message of
    /// type `return`.
    Interceptor,
    /// A request to this cell, opened, before its handler. The answer goes back in place of the handler's.
    IncomingRequest,
    /// A reply of this cell. The answer takes its place.
    OutgoingReply,
    /// A request of this cell, for each of its targets. A refused one is not sent.
    OutgoingRequest,
    /// A reply to this cell, opened. Messages of type `return` do not pass here. Refusals are ignored.
    IncomingReply,
}

/// What a filter may know besides the message.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FilterContext<'a> {
    /// The time.
    pub now: UnixTime,
    /// Where the filter stands.
    pub place: Place,
    /// This cell.
    pub me: Fqcn<'a>,
    /// The neighbour over whose connection the message came; this cell for a message to itself. None on the way out.
    pub from: Option<Fqcn<'a>>,
    /// Common name in the certificate of that neighbour, if the connection has proved one.
    pub common_name: Option<&'a str>,
    /// The neighbour to which the message would go next; none on the way in.
    pub next: Option<Fqcn<'a>>,
}

/// What a filter says.
#[derive(Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Go on, with the message as it now is.
    Pass,
    /// Stop here.
    Refuse(Box<Reply>),
    /// Stop here, and in [`Place::Incoming`], where a refused message vanishes, send this back to the origin of a request
    /// that waits for a reply as a message of type `return`, and have the cell tell the sender of a stream. Elsewhere as
    /// [`Refuse`](Self::Refuse).
    Return(Box<Reply>),
}

/// A filter. It must not block, and its verdict should follow from its arguments and its own settings.
pub trait Filter: Send + Sync {
    /// Judges a message; may change its headers.
    fn judge(&self, context: &FilterContext<'_>, message: &mut Message) -> Verdict;
}

impl<F: Fn(&FilterContext<'_>, &mut Message) -> Verdict + Send + Sync> Filter for F {
    fn judge(&self, context: &FilterContext<'_>, message: &mut Message) -> Verdict {
        self(context, message)
    }
}

/// The filters of one cell.
#[derive(Clone, Default)]
pub struct Filters {
    incoming: FilterLists,
    interceptor: FilterLists,
    incoming_request: FilterLists,
    outgoing_reply: FilterLists,
    outgoing_request: FilterLists,
    incoming_reply: FilterLists,
}

type FilterLists = Registry<Vec<Arc<dyn Filter>>>;

impl Filters {
    /// No filter anywhere.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a filter behind those registered for exactly this channel and topic; either may be
    /// [`Wildcard::ANY`](fedcell_protocol_defs::cell::Wildcard::ANY).
    pub fn add(&mut self, place: Place, channel: &str, topic: &str, filter: Arc<dyn Filter>) {
        self.lists_mut(place).append(channel, topic, filter);
    }

    /// Takes out the filters registered for exactly this channel and topic. True if there were any.
    pub fn remove(&mut self, place: Place, channel: &str, topic: &str) -> bool {
        self.lists_mut(place).remove(channel, topic).is_some()
    }

    /// The filters that a message on this channel and topic passes in this place, in order.
    #[must_use]
    pub fn of(&self, place: Place, channel: &str, topic: &str) -> &[Arc<dyn Filter>] {
        self.lists(place).find(channel, topic).map_or(&[], Vec::as_slice)
    }

    /// Whether no filter stands in this place.
    #[must_use]
    pub fn is_empty(&self, place: Place) -> bool {
        self.lists(place).is_empty()
    }

    const fn lists(&self, place: Place) -> &FilterLists {
        match place {
            Place::Incoming => &self.incoming,
            Place::Interceptor => &self.interceptor,
            Place::IncomingRequest => &self.incoming_request,
            Place::OutgoingReply => &self.outgoing_reply,
            Place::OutgoingRequest => &self.outgoing_request,
            Place::IncomingReply => &self.incoming_reply,
        }
    }

    const fn lists_mut(&mut self, place: Place) -> &mut FilterLists {
        match place {
            Place::Incoming => &mut self.incoming,
            Place::Interceptor => &mut self.interceptor,
            Place::IncomingRequest => &mut self.incoming_request,
            Place::OutgoingReply => &mut self.outgoing_reply,
            Place::OutgoingRequest => &mut self.outgoing_request,
            Place::IncomingReply => &mut self.incoming_reply,
        }
    }
}

impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filters").finish_non_exhaustive()
    }
}
