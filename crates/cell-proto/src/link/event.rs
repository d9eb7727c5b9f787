//! What a link tells its owner.

use core::time::Duration;

use super::{CloseReason, Handshake};
use crate::headers::{HeaderError, HeaderMap};
use crate::identity::AdmittedName;
use crate::message::Message;

/// What the peer says about itself, before anybody has checked it.
pub type Claim = Handshake;

/// The admitted peer of an open link.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Peer {
    /// Its address, and what it has proved.
    pub admitted: AdmittedName,
    /// What else it said about itself.
    pub properties: HeaderMap,
}

/// Something that has happened on a link.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// The peer has said its name. Answer with [`Link::admit`](super::Link::admit) or
    /// [`Link::close`](super::Link::close).
    Claimed(Box<Claim>),
    /// The peer is admitted; [`Link::encode`](super::Link::encode) works from here on.
    Opened,
    /// A message has come.
    Message(Message),
    /// A message has come whose headers are none; it is dropped, the link goes on.
    Malformed(HeaderError),
    /// The peer's certificate has to be verified again. Answer with
    /// [`Link::handle_rechecked`](super::Link::handle_rechecked); until then the link goes on.
    Recheck,
    /// The link is over, and no other event follows.
    Closed(CloseReason),
}

/// What has passed over a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LinkCounters {
    /// Frames that came, of all types.
    pub frames_received: u64,
    /// Bytes of these frames, prefixes included.
    pub bytes_received: u64,
    /// Frames that were made here to be sent, of all types.
    pub frames_sent: u64,
    /// Bytes of these frames, prefixes included.
    pub bytes_sent: u64,
    /// Frames that were passed over: of a type that nobody sends, or for another application.
    pub frames_ignored: u64,
    /// Messages dropped because their headers were none.
    pub messages_malformed: u64,
    /// From the last PING to its PONG.
    pub round_trip: Option<Duration>,
}
