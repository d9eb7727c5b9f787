//! Sending: a draft says what goes where, `send` sends it and, for a request, waits for the answer.

mod each;
mod response;
mod target;
mod waiting;

use core::fmt;
use core::time::Duration;

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::headers::{HeaderMap, HeaderValue};
use fedcell_cell_proto::message::Payload;
use fedcell_cell_proto::request::{Body, Outgoing};
use fedcell_cell_proto::stream::call;
use fedcell_fobs::Value;
use fedcell_protocol_defs::cell::HeaderKey;

pub use self::each::EachDraft;
pub use self::response::Response;
pub use self::target::Target;
use self::waiting::{ask_all, ask_one, fire_all};
use crate::download;
use crate::endpoint::Endpoint;
use crate::error::RequestError;
use crate::handler::fobs_body;
use crate::stream::{Calling, ResponseReader};

/// What a draft becomes.
pub mod kind {
    /// A request to one cell.
    #[derive(Debug)]
    pub struct One;
    /// A request to several cells.
    #[derive(Debug)]
    pub struct Many;
    /// A message to which no reply is expected.
    #[derive(Debug)]
    pub struct Fire;
}

/// A request to one cell, not sent yet.
pub type RequestDraft = Draft<kind::One>;

/// A request to several cells, not sent yet.
pub type BroadcastDraft = Draft<kind::Many>;

/// A message without a reply, not sent yet.
pub type FireDraft = Draft<kind::Fire>;

/// How long each phase of a streamed request may pass without progress if its caller does not say.
const STREAMED_TIMEOUT: Duration = Duration::from_secs(10);

/// In which form a request and its reply travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As the reference decides.
    ByChannel,
    Message,
    Stream,
}

/// Something that is to be sent. Nothing happens before `send` is awaited.
///
/// It travels as one message or as a stream, and its reply in the same form: by default the channel decides, as in the
/// reference ([`is_streamed`](fedcell_cell_proto::stream::call::is_streamed)). A stream is for payloads of any size, keeps
/// out of the way of others, and ends by lack of progress; a message is for what is small and urgent.
#[must_use = "nothing is sent before `send` is awaited"]
pub struct Draft<K> {
    endpoint: Endpoint,
    targets: Result<Vec<FqcnBuf>, RequestError>,
    outgoing: Outgoing,
    form: Form,
    /// An object with arrays, to be encoded when it is certain in which form it travels.
    value: Option<Value>,
    /// Whether its arrays stay here to be fetched; the cell's habit if the caller did not say.
    leaves_arrays: Option<bool>,
    /// What the caller said.
    timeout: Option<Duration>,
    kind: core::marker::PhantomData<K>,
}

impl<K> Draft<K> {
    pub(crate) fn new<T: Target>(
        endpoint: Endpoint,
        targets: impl IntoIterator<Item = T>,
        channel: &str,
        topic: &str,
    ) -> Self {
        let targets = targets.into_iter().map(|target| target.address().map_err(RequestError::Target)).collect();
        Self {
            endpoint,
            targets,
            outgoing: Outgoing::new(channel, topic, Body::none()),
            form: Form::ByChannel,
            value: None,
            leaves_arrays: None,
            timeout: None,
            kind: core::marker::PhantomData,
        }
    }

    /// Sends it as one message, whatever the channel.
    pub const fn direct(mut self) -> Self {
        self.form = Form::Message;
        self
    }

    /// Sends it as a stream, whatever the channel.
    pub const fn streamed(mut self) -> Self {
        self.form = Form::Stream;
        self
    }

    /// Whether it will be sent as a stream.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        match self.form {
            Form::ByChannel => call::is_streamed(&self.outgoing.channel),
            Form::Message => false,
            Form::Stream => true,
        }
    }

    /// Sets a header of the application.
    pub fn header<'v>(mut self, key: impl AsRef<str>, value: impl Into<HeaderValue<'v>>) -> Self {
        self.outgoing.headers.insert(key, value);
        self
    }

    /// Sets all headers of the application.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.outgoing.headers = headers;
        self
    }

    /// Sets the payload: bytes as they are.
    pub fn payload(self, payload: impl Into<Payload>) -> Self {
        self.body(Body::bytes(payload))
    }

    /// Sets the payload: an object. One that cannot be encoded is reported by `send`.
    ///
    /// If it travels as a stream, its arrays stay here until the receivers have fetched them, unless the cell or
    /// [`inline`](Self::inline) says otherwise. What becomes of them is not reported: for that,
    /// [`Downloads::offer_value`](crate::download::Downloads::offer_value) makes a body and an offer.
    pub fn value(mut self, value: &Value) -> Self {
        if value.has_arrays() {
            self.value = Some(value.clone());
            return self;
        }
        self.value = None;
        match fobs_body(value) {
            Ok(body) => self.outgoing.body = body,
            Err(error) => self.targets = Err(error.into()),
        }
        self
    }

    /// Says that arrays travel within the message, whatever its form.
    pub const fn inline(mut self) -> Self {
        self.leaves_arrays = Some(false);
        self
    }

    /// Sets the payload with its encoding.
    pub fn body(mut self, body: Body) -> Self {
        self.value = None;
        self.outgoing.body = body;
        self
    }

    /// Encodes what could not be encoded before; to be called when nothing changes any more.
    pub(crate) fn encode(&mut self) -> Result<(), RequestError> {
        if let Some(value) = self.value.take() {
            let receivers = self.targets.as_ref().map_or(1, Vec::len);
            let is_left = self.is_streamed() && self.leaves_arrays.unwrap_or(true);
            // What belongs to longer work lives as long as that.
            let lifetime = self.outgoing.headers.number(HeaderKey::MSG_ROOT_TTL).ok().flatten();
            self.outgoing.body = download::encode(&self.endpoint, &value, is_left, receivers, lifetime)?;
        }
        Ok(())
    }

    /// Seals the payload from end to end. The reply will be sealed, too.
    pub const fn sealed(mut self) -> Self {
        self.outgoing.secure = true;
        self
    }

    /// Says whether the payload is sealed from end to end.
    pub const fn secure(mut self, secure: bool) -> Self {
        self.outgoing.secure = secure;
        self
    }

    /// Says that failures are not worth a warning to anybody on the way.
    pub const fn optional(mut self) -> Self {
        self.outgoing.optional = true;
        self
    }
}

impl<K> Draft<K> {
    fn into_calling(self) -> Calling {
        Calling { endpoint: self.endpoint, outgoing: self.outgoing, timeout: self.timeout.unwrap_or(STREAMED_TIMEOUT) }
    }
}

/// The target of a request to one cell.
impl<K> fmt::Debug for Draft<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("targets", &self.targets)
            .field("outgoing", &self.outgoing)
            .finish_non_exhaustive()
    }
}

impl Draft<kind::One> {
    /// Sets how long to wait: as a message, for the reply, by default 3600 s; as a stream, in each of three phases
    /// (sending, waiting for the reply, receiving it) without any progress, by default 10 s, as in the reference.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.outgoing.timeout = timeout;
        self.timeout = Some(timeout);
        self
    }

    /// Sends the request and waits for the beginning of the answer, to read the rest as it comes: for answers that are to
    /// be written somewhere and not to be held in memory.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if there is no answer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the request up: it may have been sent, and its reply is dropped.
    pub async fn receive(mut self) -> Result<ResponseReader, RequestError> {
        self.encode()?;
        let target = self.target()?;
        if self.is_streamed() {
            return self.into_calling().receive(target).await;
        }
        let response = self.ask(&target).await?;
        Ok(ResponseReader::message(target, response.into_message()))
    }

    /// Sends the request and waits for the answer, whatever its return code; [`Response::success`] looks at that.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if there is no answer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the request up: it may have been sent, and its reply is dropped. Streams of it end.
    pub async fn send(mut self) -> Result<Response, RequestError> {
        self.encode()?;
        let target = self.target()?;
        if self.is_streamed() {
            return self.into_calling().send(target).await.map(Response::of);
        }
        self.ask(&target).await
    }

    fn target(&mut self) -> Result<FqcnBuf, RequestError> {
        let targets = core::mem::replace(&mut self.targets, Ok(Vec::new()))?;
        targets.into_iter().next().ok_or(RequestError::Stopped)
    }

    async fn ask(&self, target: &FqcnBuf) -> Result<Response, RequestError> {
        let targets = core::slice::from_ref(target);
        ask_one(&self.endpoint, |exchange, now| exchange.send_request(now, targets, &self.outgoing)).await
    }
}

impl Draft<kind::Many> {
    /// Sets how long to wait: as messages, for all replies together, by default 3600 s; as streams, for each target as
    /// for a request to one cell.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.outgoing.timeout = timeout;
        self.timeout = Some(timeout);
        self
    }

    /// Sends the request to all targets and waits until each has answered or failed.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if nothing was sent; what happened to each target is in its own result.
    ///
    /// # Cancel safety
    ///
    /// As [`Draft::send`] of a request to one cell.
    pub async fn send(mut self) -> Result<Vec<(FqcnBuf, Result<Response, RequestError>)>, RequestError> {
        self.encode()?;
        if self.is_streamed() {
            let targets = core::mem::replace(&mut self.targets, Ok(Vec::new()))?;
            let outcomes = self.into_calling().send_all(targets).await;
            return Ok(outcomes.into_iter().map(|(target, outcome)| (target, outcome.map(Response::of))).collect());
        }
        let targets = self.targets?;
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        ask_all(&self.endpoint, |exchange, now| exchange.send_request(now, &targets, &self.outgoing)).await
    }
}

impl Draft<kind::Fire> {
    /// Sends the message. As one message, waits only while its connection has more to send than it should; as a stream,
    /// until all of it has left. Whether it arrives is not known.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if it could not be sent to one of the targets: the first such error.
    ///
    /// # Cancel safety
    ///
    /// The message is sent by the first poll; dropping the future later does not take it back.
    pub async fn send(mut self) -> Result<(), RequestError> {
        self.encode()?;
        if self.is_streamed() {
            let targets = core::mem::replace(&mut self.targets, Ok(Vec::new()))?;
            return self.into_calling().fire(targets).await;
        }
        let targets = self.targets?;
        fire_all(&self.endpoint, |exchange, now| exchange.fire(now, &targets, &self.outgoing)).await
    }

    /// Puts the message behind others for the same targets, to be sent with them as one within half a second.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if a target or the body is wrong.
    pub fn queue(mut self) -> Result<(), RequestError> {
        self.form = Form::Message;
        self.encode()?;
        let targets = self.targets?;
        self.endpoint.drive(|core, now| {
            for target in &targets {
                core.node.exchange_mut().queue(now, target, self.outgoing.clone());
            }
        });
        Ok(())
    }
}
