//! What an application registers for a channel and a topic, and what it gets and gives back.

use core::fmt;
use core::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::headers::HeaderMap;
use fedcell_cell_proto::message::{Message, Payload};
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_fobs::Value;
use fedcell_protocol_defs::cell::{HeaderKey, PayloadEncoding, ReturnCode};

use crate::cell::Cell;
use crate::download::{self, Fetch};
use crate::error::BodyError;
use crate::reply_to::ReplyTo;

/// A request that arrived at this cell.
#[derive(Debug)]
pub struct Request {
    message: Message,
    reply_to: Arc<ReplyTo>,
    cell: Cell,
}

impl Request {
    pub(crate) const fn new(message: Message, reply_to: Arc<ReplyTo>, cell: Cell) -> Self {
        Self { message, reply_to, cell }
    }

    /// The cell that asks.
    #[must_use]
    pub fn origin(&self) -> Fqcn<'_> {
        self.reply_to.origin()
    }

    /// The neighbour that handed the request over.
    #[must_use]
    pub fn neighbour(&self) -> Fqcn<'_> {
        self.reply_to.neighbour()
    }

    /// First half of the key under which the handler was found.
    #[must_use]
    pub fn channel(&self) -> &str {
        self.reply_to.channel()
    }

    /// Second half of it.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.reply_to.topic()
    }

    /// Whether the request came as a stream, and its reply goes as one. To the handler it makes no difference.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        self.reply_to.is_streamed()
    }

    /// Whether the origin waits for a reply. If not, what the handler answers is dropped.
    #[must_use]
    pub fn is_reply_expected(&self) -> bool {
        self.reply_to.is_expected()
    }

    /// All headers, those of the cell layer and those of the application.
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
    /// [`BodyError`] if it is not what its encoding says. As an error of a handler it becomes `invalid_request`.
    pub fn value(&self) -> Result<Value, BodyError> {
        decode(&self.message)
    }

    /// The payload as an object, with the arrays that its sender has left where they were. What a message says is to be
    /// handed on untouched, or the cell for these words, is left as it is.
    pub fn fetch(&self) -> Fetch {
        let words = Some((self.channel(), self.topic()));
        Fetch::of_message(self.cell.downloads(), self.value(), self.headers(), words)
    }

    /// A body that answers this request with an object: its arrays stay here until the origin has fetched them, if the
    /// reply goes as a stream and the cell is configured so.
    ///
    /// # Errors
    ///
    /// [`BodyError::Fobs`] if the object cannot be encoded.
    pub fn body_of(&self, value: &Value) -> Result<Body, BodyError> {
        if !value.has_arrays() {
            return fobs_body(value);
        }
        download::encode(self.cell.endpoint(), value, self.is_streamed(), 1, None)
    }

    /// The same body again, for an echo.
    #[must_use]
    pub fn body(&self) -> Body {
        let payload = self.message.payload.clone();
        match self.message.headers.text(HeaderKey::PAYLOAD_ENCODING) {
            Ok(Some(encoding)) if encoding == PayloadEncoding::FOBS.as_str() => Body::fobs(payload),
            Ok(Some(encoding)) if encoding == PayloadEncoding::NONE.as_str() => Body::none(),
            _ => Body::bytes(payload),
        }
    }

    /// The cell that the request is for, to send requests of one's own. It does not keep the cell running.
    #[must_use]
    pub const fn cell(&self) -> &Cell {
        &self.cell
    }

    /// Where the reply goes, for a handler that answers [`Answer::Nothing`] and later calls
    /// [`Cell::reply`](crate::Cell::reply).
    #[must_use]
    pub fn reply_to(&self) -> &ReplyTo {
        &self.reply_to
    }

    /// The message itself.
    #[must_use]
    pub fn into_message(self) -> Message {
        self.message
    }

    pub(crate) const fn message(&self) -> &Message {
        &self.message
    }
}

/// The payload of a message as an object; byte strings become [`Value::Bytes`].
pub(crate) fn decode(message: &Message) -> Result<Value, BodyError> {
    let encoding = message.headers.text(HeaderKey::PAYLOAD_ENCODING).map_err(BodyError::Header)?;
    match encoding.map(PayloadEncoding::new) {
        Some(PayloadEncoding::FOBS) => {
            let segments: Vec<Bytes> = message.payload.segments().cloned().collect();
            fedcell_fobs::decode(&segments).map_err(BodyError::Fobs)
        }
        Some(PayloadEncoding::NONE) => Ok(Value::Null),
        _ => Ok(Value::Bytes(message.payload.clone().into_bytes().into())),
    }
}

/// A body that holds an object.
///
/// # Errors
///
/// [`BodyError::Fobs`] if the object cannot be encoded.
pub fn fobs_body(value: &Value) -> Result<Body, BodyError> {
    let encoded = fedcell_fobs::encode(value).map_err(BodyError::Fobs)?;
    Ok(Body::fobs(encoded.into_segments().into_iter().collect::<Payload>()))
}

/// What a handler answers.
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer {
    /// This, if a reply is expected.
    Reply(Box<Reply>),
    /// Nothing, now: either nothing at all, or a reply that comes later.
    Nothing,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Reply(Box::new(reply))
    }
}

impl From<Body> for Answer {
    fn from(body: Body) -> Self {
        Reply::ok(body).into()
    }
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Self::Nothing
    }
}

impl<T: Into<Self>> From<Option<T>> for Answer {
    fn from(answer: Option<T>) -> Self {
        answer.map_or(Self::Nothing, Into::into)
    }
}

impl<T: Into<Self>> From<Result<T, HandlerError>> for Answer {
    fn from(outcome: Result<T, HandlerError>) -> Self {
        match outcome {
            Ok(answer) => answer.into(),
            Err(error) => error.into_reply().into(),
        }
    }
}

/// Why a handler does not do what it was asked: a return code for the peer, and perhaps a text.
///
/// Any error turns into one by `?` as `process_exception`; its text goes to this cell's log and not to the peer.
pub struct HandlerError {
    code: ReturnCode<'static>,
    text: String,
}

impl HandlerError {
    /// A return code with a text for the peer's log.
    #[must_use]
    pub fn new(code: ReturnCode<'static>, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// The peer asked for something that makes no sense here.
    #[must_use]
    pub fn invalid_request(text: impl Into<String>) -> Self {
        Self::new(ReturnCode::INVALID_REQUEST, text)
    }

    /// This cell is alive and not ready; the peer may ask again.
    #[must_use]
    pub fn service_unavailable(text: impl Into<String>) -> Self {
        Self::new(ReturnCode::SERVICE_UNAVAILABLE, text)
    }

    /// The return code that the peer will get.
    #[must_use]
    pub const fn code(&self) -> ReturnCode<'static> {
        self.code
    }

    /// What the sender of a stream is told.
    pub(crate) fn told(&self) -> &str {
        if self.text.is_empty() { self.code.as_str() } else { &self.text }
    }

    fn into_reply(self) -> Reply {
        Reply::failed(self.code, self.text)
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HandlerError({}, {:?})", self.code.as_str(), self.text)
    }
}

impl<E: core::error::Error + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        if let Some(bad) = (&error as &dyn core::any::Any).downcast_ref::<BodyError>() {
            return Self::invalid_request(bad.to_string());
        }
        tracing::warn!(error = &error as &dyn core::error::Error, "a handler failed");
        Self::new(ReturnCode::PROCESS_EXCEPTION, String::new())
    }
}

/// The future of a handler.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Handles the requests of a channel and topic.
///
/// Asynchronous closures are handlers. The handlers for one neighbour are *started* in the order of its requests; from
/// the first point at which one waits, the next ones go on beside it. A handler that computes for long without waiting
/// should move that to [`tokio::task::spawn_blocking`].
pub trait Handler: Send + Sync + 'static {
    /// Handles one request.
    fn call(&self, request: Request) -> HandlerFuture;
}

impl<F, R> Handler for F
where
    F: Fn(Request) -> R + Send + Sync + 'static,
    R: Future + Send + 'static,
    R::Output: Into<Answer>,
{
    fn call(&self, request: Request) -> HandlerFuture {
        let future = self(request);
        Box::pin(async move { future.await.into() })
    }
}
