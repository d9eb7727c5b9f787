//! What the owner of an outgoing stream says about it, and what goes out.

use core::time::Duration;
use std::sync::Arc;

use fedcell_protocol_defs::cell::{HeaderKey as CellKey, PayloadEncoding};
use fedcell_protocol_defs::stream::{Channel, HeaderKey, Topic};

use crate::address::FqcnBuf;
use crate::headers::HeaderMap;
use crate::message::Message;
use crate::request::{Outgoing, RequestId};

/// An outgoing stream. Unique in the process that gave the first number; with the origin, unique in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(super) i64);

impl StreamId {
    /// The number, as it stands in `sm__id`.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }
}

/// An outgoing stream before it has a target. What is not set is taken from the [`StreamConfig`](super::StreamConfig).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenStream {
    /// The application's channel.
    pub channel: Arc<str>,
    /// The application's topic.
    pub topic: Arc<str>,
    /// Headers of the application, repeated in every chunk.
    pub headers: HeaderMap,
    /// Size of the whole stream in bytes, if it is known.
    pub size: Option<u64>,
    /// Whether chunks are sent again until they are acknowledged.
    pub reliable: bool,
    /// Whether failures are not worth a warning. Cells on the way report them back.
    pub optional: bool,
    /// Whether every chunk is to be sealed from end to end.
    pub secure: bool,
    /// The request that this stream is, or is the reply to.
    pub request_id: Option<RequestId>,
    /// How the whole stream is encoded.
    pub encoding: Option<&'static str>,
    /// Bytes in a chunk.
    pub chunk_size: Option<usize>,
    /// Bytes that may be on their way without an acknowledgement.
    pub window: Option<u64>,
    /// How often the receiver is to acknowledge, in bytes.
    pub ack_interval: Option<u64>,
    /// Time until a chunk is sent again.
    pub retry_wait: Option<Duration>,
    /// Time from the first repetition, without progress, until the stream is given up.
    pub retry_timeout: Option<Duration>,
}

impl OpenStream {
    /// A stream on this channel and topic, of unknown size, neither reliable nor optional nor sealed.
    #[must_use]
    pub fn new(channel: impl Into<Arc<str>>, topic: impl Into<Arc<str>>) -> Self {
        Self {
            channel: channel.into(),
            topic: topic.into(),
            headers: HeaderMap::new(),
            size: None,
            reliable: false,
            optional: false,
            secure: false,
            request_id: None,
            encoding: None,
            chunk_size: None,
            window: None,
            ack_interval: None,
            retry_wait: None,
            retry_timeout: None,
        }
    }

    /// The same with headers of the application.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// The same with a size in bytes.
    #[must_use]
    pub const fn with_size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }

    /// The same, sent again until acknowledged.
    #[must_use]
    pub const fn reliable(mut self) -> Self {
        self.reliable = true;
        self
    }

    /// The same, with failures not worth a warning.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The same, sealed from end to end.
    #[must_use]
    pub const fn sealed(mut self) -> Self {
        self.secure = true;
        self
    }

    /// The same as (the reply to) a request.
    #[must_use]
    pub fn with_request_id(mut self, id: RequestId) -> Self {
        self.request_id = Some(id);
        self
    }

    /// The same with an encoding of the whole stream.
    #[must_use]
    pub const fn with_encoding(mut self, encoding: PayloadEncoding<'static>) -> Self {
        self.encoding = Some(encoding.as_str());
        self
    }

    /// The same with so many bytes in a chunk; at least one.
    #[must_use]
    pub const fn with_chunk_size(mut self, bytes: usize) -> Self {
        self.chunk_size = Some(bytes);
        self
    }

    /// The same with another window in bytes.
    #[must_use]
    pub const fn with_window(mut self, bytes: u64) -> Self {
        self.window = Some(bytes);
        self
    }

    /// The same with other times of repetition.
    #[must_use]
    pub const fn with_retries(mut self, wait: Duration, timeout: Duration) -> Self {
        self.retry_wait = Some(wait);
        self.retry_timeout = Some(timeout);
        self
    }
}

/// A message that a stream has to send.
#[derive(Debug)]
#[non_exhaustive]
pub struct StreamTransmit {
    /// Where it goes.
    pub target: FqcnBuf,
    /// The message, complete, to be sent without waiting for a reply.
    pub message: Outgoing,
    /// Whether it is small and in a hurry: an acknowledgement, an error, or a stream of one chunk up to 64 KiB. It need
    /// not wait behind chunks of other streams.
    pub is_small: bool,
    /// What it belongs to; give it back if the message cannot be sent.
    pub source: TransmitSource,
}

/// What a message of the streams belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransmitSource(pub(super) Source);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A chunk of an outgoing stream.
    Chunk { stream: StreamId, sequence: u64 },
    /// An acknowledgement or an error, which nobody waits for.
    Aside,
}

impl TransmitSource {
    /// What a message of this cell belongs to that came back from its connection; none if it is no chunk.
    #[must_use]
    pub fn of_message(message: &Message) -> Option<Self> {
        let headers = &message.headers;
        let is = |key: CellKey<'_>, expected: &str| headers.text(key).ok().flatten() == Some(expected);
        if !is(CellKey::CHANNEL, Channel::STREAM.as_str()) || !is(CellKey::TOPIC, Topic::DATA.as_str()) {
            return None;
        }
        let integer = |key: HeaderKey<'_>| headers.integer(key).ok().flatten();
        let stream = StreamId(integer(HeaderKey::STREAM_ID)?);
        let sequence = u64::try_from(integer(HeaderKey::SEQUENCE)?).ok()?;
        Some(Self(Source::Chunk { stream, sequence }))
    }

    /// Whether it is the first chunk of a stream.
    #[must_use]
    pub const fn is_first(self) -> bool {
        matches!(self.0, Source::Chunk { sequence: 0, .. })
    }

    /// The stream whose chunk it is; none for acknowledgements and errors.
    #[must_use]
    pub const fn stream(self) -> Option<StreamId> {
        match self.0 {
            Source::Chunk { stream, .. } => Some(stream),
            Source::Aside => None,
        }
    }
}
