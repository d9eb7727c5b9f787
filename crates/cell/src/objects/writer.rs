//! Sending an object stream.

use core::fmt;
use core::time::Duration;

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::objects::OutgoingObjects;
use fedcell_fobs::typed::{FobsType as _, Shareable};
use fedcell_fobs::{Map, Text, Value};
use fedcell_protocol_defs::cell::Channel;
use fedcell_protocol_defs::federation::{ContextKey, ObjectStreamHeader, ObjectStreamTopic, ShareableCode};

use crate::cell::Cell;
use crate::download::FetchError;
use crate::error::RequestError;
use crate::request::{FireDraft, Response, Target};

/// An object stream to some cells, not opened yet.
#[must_use = "nothing is sent before the stream is opened and written to"]
pub struct ObjectsDraft {
    cell: Cell,
    targets: Result<Vec<FqcnBuf>, RequestError>,
    channel: Text,
    topic: Text,
    context: Map,
    peer_props: Map,
    is_sealed: bool,
    is_optional: bool,
}

impl ObjectsDraft {
    pub(super) fn new<T: Target>(cell: Cell, targets: impl IntoIterator<Item = T>, channel: &str, topic: &str) -> Self {
        let targets = targets.into_iter().map(|target| target.address().map_err(RequestError::Target)).collect();
        let identity = (ContextKey::IDENTITY_NAME.as_str(), Value::from(cell.address().as_str()));
        Self {
            targets,
            channel: channel.into(),
            topic: topic.into(),
            context: Map::new(),
            peer_props: [identity].into_iter().collect(),
            is_sealed: false,
            is_optional: false,
            cell,
        }
    }

    /// What the consumers are told beforehand.
    pub fn context(mut self, context: Map) -> Self {
        self.context = context;
        self
    }

    /// The public properties of this site, which receivers of the reference insist on. Default its address as its name.
    pub fn peer_props(mut self, props: Map) -> Self {
        self.peer_props = props;
        self
    }

    /// Seals every object from end to end.
    pub const fn sealed(mut self) -> Self {
        self.is_sealed = true;
        self
    }

    /// Says that failures are not worth a warning.
    pub const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// Opens the stream. Nothing is sent before the first object is.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if a target is no address.
    pub fn open(self) -> Result<ObjectWriter, RequestError> {
        let id = self.cell.endpoint().downloads().uuid();
        Ok(ObjectWriter {
            targets: self.targets?,
            machine: OutgoingObjects::new(id, self.channel, self.topic, self.context),
            peer_props: self.peer_props,
            is_sealed: self.is_sealed,
            is_optional: self.is_optional,
            cell: self.cell,
        })
    }
}

impl fmt::Debug for ObjectsDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectsDraft")
            .field("targets", &self.targets)
            .field("channel", &self.channel)
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// What a receiver answers to an object.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ObjectReply {
    /// The answer of its consumer.
    pub reply: Shareable,
}

impl ObjectReply {
    /// Whether the receiver wants more, or has had all it wanted.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.reply.return_code() == ShareableCode::OK
    }

    /// With the last reply: what the consumer makes of the whole stream.
    #[must_use]
    pub fn end_result(&self) -> Option<&Value> {
        self.reply.header(ObjectStreamHeader::END_RESULT.as_str()).filter(|value| !matches!(value, Value::Null))
    }
}

/// A receiver has not answered an object, or not as it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The request brought no answer.
    #[error("the object was not answered")]
    Request(#[from] RequestError),
    /// The answer cannot be read, or its arrays not be fetched.
    #[error("the answer to the object cannot be fetched")]
    Fetch(#[from] FetchError),
    /// The answer is no shareable. The receiver's fault.
    #[error("the answer to the object is no shareable")]
    NoShareable(#[source] fedcell_fobs::Error),
}

/// An object stream to some cells.
///
/// The receivers are told of its end by [`end`](Self::end), or when this is dropped.
pub struct ObjectWriter {
    cell: Cell,
    targets: Vec<FqcnBuf>,
    machine: OutgoingObjects,
    peer_props: Map,
    is_sealed: bool,
    is_optional: bool,
}

impl ObjectWriter {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &Text {
        self.machine.id()
    }

    /// Objects that have been sent.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.machine.sent()
    }

    /// Sends an object to all receivers and waits for what each answers.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if nothing was sent; what became of it at each receiver is in its own result.
    ///
    /// # Cancel safety
    ///
    /// A dropped future may have sent the object: the next one follows it, and a receiver that is still at work on it
    /// refuses the next.
    pub async fn send(
        &mut self,
        mut object: Shareable,
        timeout: Duration,
    ) -> Result<Vec<(FqcnBuf, Result<ObjectReply, ObjectError>)>, RequestError> {
        // Only `end` ends the stream, and takes it.
        let Ok(()) = self.machine.handle_object(&mut object) else { return Ok(Vec::new()) };
        object.set_peer_props(self.peer_props.clone());
        let (channel, topic) = (Channel::AUX_COMMUNICATION, ObjectStreamTopic::REQUEST);
        let mut request = self.cell.broadcast(&self.targets, channel, topic).timeout(timeout).secure(self.is_sealed);
        if self.is_optional {
            request = request.optional();
        }
        let mut replies = Vec::with_capacity(self.targets.len());
        for (target, outcome) in request.value(&object.into_value()).send().await? {
            let reply = self.reply(outcome).await;
            replies.push((target, reply));
        }
        Ok(replies)
    }

    async fn reply(&self, outcome: Result<Response, RequestError>) -> Result<ObjectReply, ObjectError> {
        let value = outcome?.success()?.fetch(&self.cell).await?;
        Ok(ObjectReply { reply: Shareable::from_value(value).map_err(ObjectError::NoShareable)? })
    }

    /// Ends the stream: tells the receivers, whether they have ended it themselves or not.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if that could not be sent.
    ///
    /// # Cancel safety
    ///
    /// The receivers are told by the first poll.
    pub async fn end(mut self) -> Result<(), RequestError> {
        match self.ending() {
            Some(abort) => abort.send().await,
            None => Ok(()),
        }
    }

    fn ending(&mut self) -> Option<FireDraft> {
        let mut abort = self.machine.handle_end()?;
        abort.set_peer_props(self.peer_props.clone());
        let (channel, topic) = (Channel::AUX_COMMUNICATION, ObjectStreamTopic::ABORT);
        Some(
            self.cell
                .fire_all(&self.targets, channel, topic)
                .secure(self.is_sealed)
                .optional()
                .value(&abort.into_value()),
        )
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        if let Some(abort) = self.ending() {
            self.cell.endpoint().spawn(async move {
                if let Err(error) = abort.send().await {
                    tracing::debug!(%error, "the receivers of an object stream could not be told of its end");
                }
            });
        }
    }
}

impl fmt::Debug for ObjectWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectWriter")
            .field("id", self.id())
            .field("targets", &self.targets)
            .field("sent", &self.sent())
            .finish_non_exhaustive()
    }
}
