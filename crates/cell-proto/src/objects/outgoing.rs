//! The sender of an object stream: what it writes on each object.

use fedcell_fobs::typed::Shareable;
use fedcell_fobs::{Map, Text};
use fedcell_protocol_defs::federation::{
    ObjectStreamContextKey, ObjectStreamHeader, ObjectStreamTopic, ShareableCode, ShareableHeader,
};

/// Something was to be sent in a stream that has ended. The caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the object stream has ended: open another one")]
#[non_exhaustive]
pub struct StreamOver;

/// One object stream, as its sender counts it.
#[derive(Debug, Clone)]
pub struct OutgoingObjects {
    id: Text,
    channel: Text,
    topic: Text,
    /// For the first object.
    context: Option<Map>,
    next: u64,
    is_over: bool,
}

impl OutgoingObjects {
    /// A stream under this id, a fresh UUID, for consumers registered under this channel and topic, with what the
    /// application tells them beforehand.
    #[must_use]
    pub fn new(id: Text, channel: impl Into<Text>, topic: impl Into<Text>, context: Map) -> Self {
        let (channel, topic, mut context) = (channel.into(), topic.into(), context);
        context.insert(Text::from_static(ObjectStreamContextKey::TOPIC.as_str()), topic.clone());
        context.insert(Text::from_static(ObjectStreamContextKey::CHANNEL.as_str()), channel.clone());
        Self { id, channel, topic, context: Some(context), next: 0, is_over: false }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &Text {
        &self.id
    }

    /// Objects that have been sent.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.next
    }

    /// Makes a shareable the next object of the stream.
    ///
    /// # Errors
    ///
    /// [`StreamOver`] after the end.
    pub fn handle_object(&mut self, object: &mut Shareable) -> Result<(), StreamOver> {
        if self.is_over {
            return Err(StreamOver);
        }
        object.set_header(word(ShareableHeader::TOPIC.as_str()), ObjectStreamTopic::REQUEST.as_str());
        object.set_header(word(ObjectStreamHeader::CHANNEL.as_str()), self.channel.clone());
        object.set_header(word(ObjectStreamHeader::TOPIC.as_str()), self.topic.clone());
        object.set_header(word(ObjectStreamHeader::TX_ID.as_str()), self.id.clone());
        object.set_header(word(ObjectStreamHeader::SEQ.as_str()), self.next);
        if let Some(context) = self.context.take() {
            object.set_header(word(ObjectStreamHeader::CTX.as_str()), context);
        }
        self.next += 1;
        Ok(())
    }

    /// Ends the stream. What is to be sent to the receivers without waiting for a reply, whether they have ended it
    /// themselves or not; nothing if they have never heard of it.
    pub fn handle_end(&mut self) -> Option<Shareable> {
        if core::mem::replace(&mut self.is_over, true) || self.next == 0 {
            return None;
        }
        let mut abort = Shareable::reply(ShareableCode::TASK_ABORTED);
        abort.set_header(word(ShareableHeader::TOPIC.as_str()), ObjectStreamTopic::ABORT.as_str());
        abort.set_header(word(ObjectStreamHeader::TX_ID.as_str()), self.id.clone());
        Some(abort)
    }
}

const fn word(name: &'static str) -> Text {
    Text::from_static(name)
}
