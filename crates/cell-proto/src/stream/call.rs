//! Requests and replies as streams: which are, and how they look.

use core::time::Duration;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::cell::{Channel, HeaderKey as CellKey, PayloadEncoding, ReturnCode};
use fedcell_protocol_defs::stream::Syntax;

use super::{OpenStream, StreamHead};
use crate::address::FqcnBuf;
use crate::frame::Payload;
use crate::headers::HeaderMap;
use crate::request::{Body, Reply, RequestId};

/// Channels on which requests travel as single messages. All others are streamed, those of applications included.
const DIRECT: [Channel<'static>; 8] = [
    Channel::CLIENT_MAIN,
    Channel::SERVER_MAIN,
    Channel::SERVER_PARENT_LISTENER,
    Channel::CLIENT_COMMAND,
    Channel::CLIENT_SUB_WORKER_COMMAND,
    Channel::MULTI_PROCESS_EXECUTOR,
    Channel::SIMULATOR_RUNNER,
    Channel::RETURN_ONLY,
];

/// Whether requests on this channel are streamed. A receiver takes them in either form.
#[must_use]
pub fn is_streamed(channel: &str) -> bool {
    !channel.is_empty() && DIRECT.iter().all(|direct| *direct != *channel)
}

/// A request as a stream, and what is in it. Without an id no reply is expected.
#[must_use]
pub fn request_stream(
    channel: &str,
    topic: &str,
    id: Option<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> (OpenStream, Payload) {
    let mut stream = OpenStream::new(channel, topic).with_headers(headers);
    stream.request_id = id;
    (stream.with_encoding(body.encoding()), body.into_payload())
}

/// The reply to a streamed request as a stream, where it goes and what is in it. None if no reply is expected.
///
/// It is reliable, and optional because it may outlive whoever waits for it.
#[must_use]
pub fn reply_stream(request: &StreamHead, reply: Reply) -> Option<(FqcnBuf, OpenStream, Payload)> {
    let id = RequestId::from_wire(request.request_id()?);
    let topic = format!("{}{}{}", request.channel(), Syntax::REPLY_TOPIC_SEPARATOR, request.topic());
    let mut headers = reply.headers.clone();
    headers.insert(CellKey::RETURN_CODE, reply.code().as_str());
    if let Some(error) = reply.error() {
        headers.insert(CellKey::ERROR, error);
    }
    // The request has none; the reference copies what is not there.
    let req_id = request.headers().text(CellKey::REQ_ID).ok().flatten().unwrap_or_default();
    headers.insert(CellKey::REQ_ID, req_id);
    let mut stream = OpenStream::new(Channel::RETURN_ONLY.as_str(), topic)
        .with_headers(headers)
        .with_request_id(id)
        .with_encoding(reply.body.encoding())
        .reliable()
        .optional();
    stream.secure = request.is_secure();
    Some((request.origin_buf().clone(), stream, reply.body.into_payload()))
}

/// What the head of a reply stream says.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ReplyFacts<'a> {
    /// The request that it answers.
    pub request_id: &'a str,
    /// How the request went; ok if the reply does not say.
    pub code: ReturnCode<'a>,
    /// Text that explains another code.
    pub error: Option<&'a str>,
    /// How the body is encoded.
    pub encoding: Option<PayloadEncoding<'a>>,
}

impl<'a> ReplyFacts<'a> {
    /// The facts of a reply; none if the stream is no reply to a streamed request.
    #[must_use]
    pub fn of(head: &'a StreamHead) -> Option<Self> {
        if head.channel() != Channel::RETURN_ONLY.as_str() {
            return None;
        }
        let text = |key: CellKey<'_>| head.headers().text(key).ok().flatten();
        let request_id = head.request_id()?;
        let code = text(CellKey::RETURN_CODE).map_or(ReturnCode::OK, ReturnCode::new);
        Some(Self { request_id, code, error: text(CellKey::ERROR), encoding: head.encoding() })
    }
}

/// What a requester waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallPhase {
    /// The request is being sent.
    Sending,
    /// The other end is at work: nothing of the reply has come.
    Waiting,
    /// The reply is coming.
    Receiving,
}

/// The three phases of a streamed request. Each has the whole timeout, and while something is sent or received, progress
/// starts it anew.
#[derive(Debug, Clone, Copy)]
pub struct CallTimer {
    timeout: Duration,
    phase: CallPhase,
    since: UnixTime,
    progress: u64,
}

impl CallTimer {
    /// The request is about to be sent.
    #[must_use]
    pub const fn new(now: UnixTime, timeout: Duration) -> Self {
        Self { timeout, phase: CallPhase::Sending, since: now, progress: 0 }
    }

    /// All of the request is on its way.
    pub fn sent(&mut self, now: UnixTime) {
        if self.phase == CallPhase::Sending {
            self.enter(now, CallPhase::Waiting);
        }
    }

    /// The reply has begun to come; it may overtake the end of the request.
    pub fn began(&mut self, now: UnixTime) {
        if self.phase != CallPhase::Receiving {
            self.enter(now, CallPhase::Receiving);
        }
    }

    /// So many bytes have been sent, or received, altogether.
    pub const fn progress(&mut self, now: UnixTime, bytes: u64) {
        if bytes > self.progress && !matches!(self.phase, CallPhase::Waiting) {
            self.progress = bytes;
            self.since = now;
        }
    }

    /// What is waited for.
    #[must_use]
    pub const fn phase(&self) -> CallPhase {
        self.phase
    }

    /// When it has been waited for too long.
    #[must_use]
    pub const fn deadline(&self) -> UnixTime {
        self.since.saturating_add(self.timeout)
    }

    const fn enter(&mut self, now: UnixTime, phase: CallPhase) {
        self.phase = phase;
        self.since = now;
        self.progress = 0;
    }
}
