//! Who takes the streams of which channel and topic.

use core::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use fedcell_cell_proto::registry::Registry;
use fedcell_cell_proto::stream::StreamError;

use super::StreamReader;
use crate::handler::{Handler, HandlerError};

/// The future of a handler of streams.
pub type StreamHandlerFuture = Pin<Box<dyn Future<Output = Result<(), StreamError>> + Send>>;

/// Takes the streams of a channel and topic. Asynchronous closures are handlers; each stream has a task of its own.
pub trait StreamHandler: Send + Sync + 'static {
    /// Takes one stream.
    fn call(&self, stream: StreamReader) -> StreamHandlerFuture;
}

/// What a handler of streams may give back: nothing, or an error that the sender is told.
pub trait StreamOutcome {
    /// The error for the sender.
    ///
    /// # Errors
    ///
    /// If the handler failed.
    fn outcome(self) -> Result<(), StreamError>;
}

impl StreamOutcome for () {
    fn outcome(self) -> Result<(), StreamError> {
        Ok(())
    }
}

impl StreamOutcome for Result<(), StreamError> {
    fn outcome(self) -> Result<(), StreamError> {
        self
    }
}

impl StreamOutcome for Result<(), HandlerError> {
    fn outcome(self) -> Result<(), StreamError> {
        self.map_err(|error| StreamError::refused(error.told()))
    }
}

impl<F, R> StreamHandler for F
where
    F: Fn(StreamReader) -> R + Send + Sync + 'static,
    R: Future + Send + 'static,
    R::Output: StreamOutcome,
{
    fn call(&self, stream: StreamReader) -> StreamHandlerFuture {
        let future = self(stream);
        Box::pin(async move { future.await.outcome() })
    }
}

/// Who takes what: handlers of messages, which also get streams in one piece, and handlers of streams.
#[derive(Default)]
pub(crate) struct Handlers {
    messages: RwLock<Registry<Arc<dyn Handler>>>,
    streams: RwLock<Registry<Arc<dyn StreamHandler>>>,
}

/// Who takes a stream.
pub(crate) enum Taker {
    /// A handler that reads it.
    Stream(Arc<dyn StreamHandler>),
    /// A handler of messages, once it is collected.
    Message,
}

impl Handlers {
    /// Registers a handler of messages.
    pub(crate) fn add(&self, channel: &str, topic: &str, handler: Arc<dyn Handler>) {
        self.messages.write().unwrap_or_else(PoisonError::into_inner).insert(channel, topic, handler);
    }

    /// Registers a handler of streams.
    pub(crate) fn add_stream(&self, channel: &str, topic: &str, handler: Arc<dyn StreamHandler>) {
        self.streams.write().unwrap_or_else(PoisonError::into_inner).insert(channel, topic, handler);
    }

    /// Takes out what is registered under exactly these words. Whether there was something.
    pub(crate) fn remove(&self, channel: &str, topic: &str) -> bool {
        let message = self.messages.write().unwrap_or_else(PoisonError::into_inner).remove(channel, topic).is_some();
        let stream = self.streams.write().unwrap_or_else(PoisonError::into_inner).remove(channel, topic).is_some();
        message || stream
    }

    /// Forgets all handlers, and with them what they have captured.
    pub(crate) fn clear(&self) {
        *self.messages.write().unwrap_or_else(PoisonError::into_inner) = Registry::new();
        *self.streams.write().unwrap_or_else(PoisonError::into_inner) = Registry::new();
    }

    /// Who handles messages of this channel and topic.
    pub(crate) fn find(&self, channel: &str, topic: &str) -> Option<Arc<dyn Handler>> {
        self.messages.read().unwrap_or_else(PoisonError::into_inner).find(channel, topic).cloned()
    }

    /// Who takes streams of this channel and topic.
    pub(crate) fn taker(&self, channel: &str, topic: &str) -> Option<Taker> {
        let stream = self.streams.read().unwrap_or_else(PoisonError::into_inner).find(channel, topic).cloned();
        if let Some(handler) = stream {
            return Some(Taker::Stream(handler));
        }
        let messages = self.messages.read().unwrap_or_else(PoisonError::into_inner);
        messages.find(channel, topic).map(|_| Taker::Message)
    }
}
