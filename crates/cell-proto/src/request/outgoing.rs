//! What a caller asks to be sent.

use core::time::Duration;

use fedcell_protocol_defs::cell::CellLimit;

use super::Body;
use crate::address::FqcnBuf;
use crate::headers::HeaderMap;

/// A request, or a message to which no reply is expected, before it has a target.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outgoing {
    /// First half of the dispatch key.
    pub channel: Box<str>,
    /// Second half of the dispatch key.
    pub topic: Box<str>,
    /// Headers of the application. The headers of the cell layer are set when the request is sent, over these.
    pub headers: HeaderMap,
    /// The payload.
    pub body: Body,
    /// How long to wait for replies. Default 3600 s.
    pub timeout: Duration,
    /// Whether the payload is to be sealed from end to end. The reply will be, too.
    pub secure: bool,
    /// Whether failures are not worth a warning.
    pub optional: bool,
}

impl Outgoing {
    /// A request on this channel and topic.
    #[must_use]
    pub fn new(channel: impl AsRef<str>, topic: impl AsRef<str>, body: Body) -> Self {
        Self {
            channel: channel.as_ref().into(),
            topic: topic.as_ref().into(),
            headers: HeaderMap::new(),
            body,
            timeout: Duration::from_secs_f64(CellLimit::MAX_TIMEOUT),
            secure: false,
            optional: false,
        }
    }

    /// The same with headers of the application.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// The same with another timeout.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same, sealed from end to end.
    #[must_use]
    pub const fn sealed(mut self) -> Self {
        self.secure = true;
        self
    }

    /// The same, with failures not worth a warning.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// One of several messages, each with its own target.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "a pair with names")]
pub struct TargetMessage {
    /// Where it goes.
    pub target: FqcnBuf,
    /// What goes there. Its timeout does not count where a timeout for all is given.
    pub message: Outgoing,
}
