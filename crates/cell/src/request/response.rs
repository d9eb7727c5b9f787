//! What comes back.

use bytes::Bytes;
use fedcell_cell_proto::headers::HeaderMap;
use fedcell_cell_proto::message::{Message, Payload};
use fedcell_fobs::Value;
use fedcell_protocol_defs::cell::{HeaderKey, ReturnCode};

use crate::cell::Cell;
use crate::download::Fetch;
use crate::error::{BodyError, RequestError};
use crate::handler::decode;

/// The answer to a request.
#[derive(Debug, Clone)]
pub struct Response {
    message: Message,
}

impl Response {
    pub(super) const fn of(message: Message) -> Self {
        Self { message }
    }

    /// How the target says it went; absent means ok.
    #[must_use]
    pub fn return_code(&self) -> ReturnCode<'_> {
        self.message.headers.text(HeaderKey::RETURN_CODE).ok().flatten().map_or(ReturnCode::OK, ReturnCode::new)
    }

    /// The text with which the target explains its return code.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.message.headers.text(HeaderKey::ERROR).ok().flatten()
    }

    /// This response, if its return code is ok.
    ///
    /// # Errors
    ///
    /// [`RequestError::Answered`] if it is another.
    pub fn success(self) -> Result<Self, RequestError> {
        if self.return_code() == ReturnCode::OK {
            return Ok(self);
        }
        let (code, text) = (self.return_code().as_str().into(), self.error().unwrap_or_default().into());
        Err(RequestError::Answered { code, text })
    }

    /// All headers.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.message.headers
    }

    /// The payload, opened and still encoded.
    #[must_use]
    pub const fn payload(&self) -> &Payload {
        &self.message.payload
    }

    /// The payload in one piece; free unless it came in several.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.message.payload.clone().into_bytes()
    }

    /// The payload as an object.
    ///
    /// # Errors
    ///
    /// [`BodyError`] if it is not what its encoding says.
    pub fn value(&self) -> Result<Value, BodyError> {
        decode(&self.message)
    }

    /// The payload as an object, with the arrays that its sender has left where they were. `cell` is the one that asked.
    pub fn fetch(&self, cell: &Cell) -> Fetch {
        Fetch::of_message(cell.downloads(), self.value(), self.headers(), None)
    }

    /// The message itself.
    #[must_use]
    pub fn into_message(self) -> Message {
        self.message
    }
}
