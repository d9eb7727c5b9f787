//! What requests and replies carry: a payload with its encoding, and for a reply how the request went.

use std::borrow::Cow;

use fedcell_protocol_defs::cell::{ErrorText, PayloadEncoding, ReturnCode};

use crate::frame::Payload;
use crate::headers::HeaderMap;

/// A payload, and how it is to be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    encoding: &'static str,
    payload: Payload,
}

impl Body {
    /// No payload.
    #[must_use]
    pub const fn none() -> Self {
        Self { encoding: PayloadEncoding::NONE.as_str(), payload: Payload::empty() }
    }

    /// Bytes as they are.
    #[must_use]
    pub fn bytes(payload: impl Into<Payload>) -> Self {
        Self { encoding: PayloadEncoding::BYTES.as_str(), payload: payload.into() }
    }

    /// One encoded FOBS document.
    #[must_use]
    pub fn fobs(payload: impl Into<Payload>) -> Self {
        Self { encoding: PayloadEncoding::FOBS.as_str(), payload: payload.into() }
    }

    /// How the payload is to be decoded.
    #[must_use]
    pub const fn encoding(&self) -> PayloadEncoding<'static> {
        PayloadEncoding::new(self.encoding)
    }

    /// The payload.
    #[must_use]
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The payload, taken out.
    #[must_use]
    pub fn into_payload(self) -> Payload {
        self.payload
    }
}

/// The answer to a request.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Headers of the application. The headers of the cell layer are set when the reply is sent, over these.
    pub headers: HeaderMap,
    /// The payload.
    pub body: Body,
    code: Cow<'static, str>,
    error: Option<Box<str>>,
}

impl Reply {
    /// The request was handled.
    #[must_use]
    pub fn ok(body: Body) -> Self {
        Self { headers: HeaderMap::new(), body, code: Cow::Borrowed(ReturnCode::OK.as_str()), error: None }
    }

    /// The request was not handled: a code for the peer, and a text for its log.
    #[must_use]
    pub fn failed(code: ReturnCode<'_>, error: impl AsRef<str>) -> Self {
        let error = Some(error.as_ref()).filter(|text| !text.is_empty()).map(Into::into);
        Self { headers: HeaderMap::new(), body: Body::none(), code: code.as_str().to_owned().into(), error }
    }

    /// Nothing is registered for the channel and topic of the request.
    #[must_use]
    pub fn no_handler() -> Self {
        Self::failed(ReturnCode::PROCESS_EXCEPTION, ErrorText::NO_CALLBACK)
    }

    /// The same with headers of the application.
    #[must_use]
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// How the request went.
    #[must_use]
    pub fn code(&self) -> ReturnCode<'_> {
        ReturnCode::new(&self.code)
    }

    /// Text that explains a code other than ok.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}
