//! Where the reply to a request goes, in whichever form the request came.

use std::sync::Arc;

use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::node;
use fedcell_cell_proto::stream::StreamHead;

/// Where the reply to a request goes. It can be kept, and used later with [`Cell::reply`](crate::Cell::reply).
#[derive(Debug, Clone)]
pub struct ReplyTo(Form);

#[derive(Debug, Clone)]
enum Form {
    Message(node::ReplyTo),
    Stream { head: Arc<StreamHead>, neighbour: FqcnBuf },
}

impl ReplyTo {
    pub(crate) const fn message(reply_to: node::ReplyTo) -> Self {
        Self(Form::Message(reply_to))
    }

    pub(crate) const fn stream(head: Arc<StreamHead>, neighbour: FqcnBuf) -> Self {
        Self(Form::Stream { head, neighbour })
    }

    pub(crate) const fn of_message(&self) -> Option<&node::ReplyTo> {
        match &self.0 {
            Form::Message(reply_to) => Some(reply_to),
            Form::Stream { .. } => None,
        }
    }

    pub(crate) fn of_stream(&self) -> Option<&StreamHead> {
        match &self.0 {
            Form::Message(_) => None,
            Form::Stream { head, .. } => Some(head),
        }
    }

    /// Whether the request came as a stream, and its reply goes as one.
    #[must_use]
    pub const fn is_streamed(&self) -> bool {
        matches!(self.0, Form::Stream { .. })
    }

    /// Whether the requester waits for a reply. If not, one is not sent.
    #[must_use]
    pub fn is_expected(&self) -> bool {
        match &self.0 {
            Form::Message(reply_to) => reply_to.is_expected(),
            Form::Stream { head, .. } => head.request_id().is_some(),
        }
    }

    /// The cell that asked.
    #[must_use]
    pub fn origin(&self) -> Fqcn<'_> {
        match &self.0 {
            Form::Message(reply_to) => reply_to.origin(),
            Form::Stream { head, .. } => head.origin(),
        }
    }

    /// The neighbour that handed the request over.
    #[must_use]
    pub fn neighbour(&self) -> Fqcn<'_> {
        match &self.0 {
            Form::Message(reply_to) => reply_to.neighbour(),
            Form::Stream { neighbour, .. } => neighbour.as_fqcn(),
        }
    }

    /// Channel of the request.
    #[must_use]
    pub fn channel(&self) -> &str {
        match &self.0 {
            Form::Message(reply_to) => reply_to.channel(),
            Form::Stream { head, .. } => head.channel(),
        }
    }

    /// Topic of the request.
    #[must_use]
    pub fn topic(&self) -> &str {
        match &self.0 {
            Form::Message(reply_to) => reply_to.topic(),
            Form::Stream { head, .. } => head.topic(),
        }
    }
}
