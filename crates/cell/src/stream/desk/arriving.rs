//! Streams that come in: whose they are, what they bring, how they end.

use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::message::Payload;
use fedcell_cell_proto::request::RequestId;
use fedcell_cell_proto::stream::call::ReplyFacts;
use fedcell_cell_proto::stream::{IncomingId, StreamError, StreamHead};

use super::{Desk, Incoming, StreamedRequest};
use crate::error::RequestError;
use crate::stream::blobs::Blobs;
use crate::stream::calls::{Calls, Remains};
use crate::stream::head::reply_of;
use crate::stream::reader::Source;
use crate::stream::register::{Handlers, Taker};

/// Largest reply that nobody waits for any more and that is nevertheless let come: less trouble than an error.
const SMALL_LATE_REPLY: u64 = 1024 * 1024;

impl Desk {
    /// A stream that is there at once.
    pub(super) fn take_whole(
        &mut self,
        now: UnixTime,
        neighbour: Option<Fqcn<'_>>,
        head: StreamHead,
        payload: Payload,
        handlers: &Handlers,
    ) {
        if ReplyFacts::of(&head).is_some() {
            let Some((id, found)) = self.calls.find(head.request_id().unwrap_or_default(), head.origin()) else {
                tracing::debug!(origin = %head.origin(), "a reply came late or to nothing");
                return;
            };
            let id = id.clone();
            let remains = if Calls::wants_whole(found) {
                let payload = self.blobs.whole(&head, payload);
                self.take_reply(&id, head, payload)
            } else {
                let source = Source::whole(head, &payload);
                self.effects.answered.extend(self.calls.opened(now, &id, source));
                self.calls.end(&id)
            };
            self.clean_up(now, remains, &StreamError::refused("answered"));
            return;
        }
        match handlers.taker(head.channel(), head.topic()) {
            Some(Taker::Message) => match self.blobs.whole(&head, payload) {
                Ok(payload) => {
                    let neighbour = neighbour.map_or_else(|| head.origin().to_owned(), Fqcn::to_owned);
                    self.effects.requests.push(StreamedRequest { neighbour, head: Arc::new(head), payload });
                }
                Err(error) => self.streams.reject(now, &head, &error),
            },
            Some(Taker::Stream(handler)) => self.effects.readers.push((handler, Source::whole(head, &payload))),
            None => self.streams.reject(now, &head, &StreamError::no_handler(&head)),
        }
    }

    /// A reply that its caller wants in one piece is there, or has another size than was said.
    fn take_reply(&mut self, id: &RequestId, head: StreamHead, payload: Result<Payload, StreamError>) -> Remains {
        let (remains, answered) = match payload {
            Ok(payload) => self.calls.answer(id, reply_of(head, payload)),
            Err(error) => {
                let target = head.origin().to_owned();
                self.calls.fail(id, RequestError::Stream { target, error })
            }
        };
        self.effects.answered.extend(answered);
        remains
    }

    pub(super) fn begin(
        &mut self,
        now: UnixTime,
        neighbour: Option<Fqcn<'_>>,
        stream: IncomingId,
        head: StreamHead,
        handlers: &Handlers,
    ) {
        let incoming = if ReplyFacts::of(&head).is_some() {
            match self.calls.find(head.request_id().unwrap_or_default(), head.origin()) {
                None => Ok(Incoming::Nobody),
                Some((id, found)) => {
                    let id = id.clone();
                    if Calls::wants_whole(found) {
                        self.calls.began(now, &id, stream);
                        let begun = self.blobs.begin(&head);
                        begun.map(|blob| Incoming::Reply { call: id, head, blob })
                    } else {
                        let source = Source::open(stream, head, Some(id.clone()));
                        let inlet = source.inlet.clone();
                        self.effects.answered.extend(self.calls.opened(now, &id, source));
                        Ok(Incoming::Reader { inlet, call: Some(id) })
                    }
                }
            }
        } else {
            match handlers.taker(head.channel(), head.topic()) {
                Some(Taker::Message) => {
                    let neighbour = neighbour.map_or_else(|| head.origin().to_owned(), Fqcn::to_owned);
                    let begun = self.blobs.begin(&head);
                    begun.map(|blob| Incoming::Request { neighbour, head: Arc::new(head), blob })
                }
                Some(Taker::Stream(handler)) => {
                    let source = Source::open(stream, head, None);
                    let inlet = source.inlet.clone();
                    self.effects.readers.push((handler, source));
                    Ok(Incoming::Reader { inlet, call: None })
                }
                None => Err(StreamError::no_handler(&head)),
            }
        };
        match incoming {
            Ok(incoming) => drop(self.incoming.insert(stream, incoming)),
            Err(error) => self.streams.refuse(now, stream, &error),
        }
    }

    pub(super) fn take_data(&mut self, now: UnixTime, stream: IncomingId, payload: &Payload) {
        let Some(incoming) = self.incoming.get_mut(&stream) else { return };
        let length = payload.len();
        let pushed = match incoming {
            Incoming::Request { blob, .. } => self.blobs.push(blob, payload),
            Incoming::Reply { blob, call, .. } => {
                self.calls.progress(now, call, length);
                self.blobs.push(blob, payload)
            }
            Incoming::Reader { inlet, call } => {
                if let Some(call) = call {
                    self.calls.progress(now, call, length);
                }
                self.effects.wakers.extend(inlet.push(payload));
                return;
            }
            Incoming::Nobody => Ok(()),
        };
        match pushed {
            Ok(()) => self.streams.consumed(now, stream, length),
            Err(error) => {
                self.streams.refuse(now, stream, &error);
                self.take_break(now, stream, error);
            }
        }
    }

    pub(super) fn take_end(&mut self, now: UnixTime, stream: IncomingId) {
        match self.incoming.remove(&stream) {
            Some(Incoming::Request { neighbour, head, blob }) => match self.blobs.finish(blob) {
                Ok(payload) => self.effects.requests.push(StreamedRequest { neighbour, head, payload }),
                Err(error) => self.streams.reject(now, &head, &error),
            },
            Some(Incoming::Reply { call, head, blob }) => {
                let payload = self.blobs.finish(blob);
                let remains = self.take_reply(&call, head, payload);
                self.clean_up(now, Remains { reply: None, ..remains }, &StreamError::refused("answered"));
            }
            Some(Incoming::Reader { inlet, call }) => {
                self.effects.wakers.extend(inlet.end(Ok(())));
                if let Some(call) = call {
                    let remains = self.calls.end(&call);
                    self.clean_up(now, Remains { reply: None, ..remains }, &StreamError::refused("answered"));
                }
            }
            Some(Incoming::Nobody) | None => {}
        }
    }

    pub(super) fn take_break(&mut self, now: UnixTime, stream: IncomingId, error: StreamError) {
        match self.incoming.remove(&stream) {
            Some(Incoming::Request { head, blob, .. }) => {
                tracing::debug!(origin = %head.origin(), %error, "a request broke off");
                self.blobs.give_up(&blob);
            }
            Some(Incoming::Reply { call, blob, .. }) => {
                self.blobs.give_up(&blob);
                self.break_call(now, &call, error);
            }
            Some(Incoming::Reader { inlet, call }) => {
                if let Some(call) = call {
                    let remains = self.calls.end(&call);
                    self.clean_up(now, Remains { reply: None, ..remains }, &error);
                }
                self.effects.wakers.extend(inlet.end(Err(error)));
            }
            Some(Incoming::Nobody) | None => {}
        }
    }
}

/// Whether a stream that begins is welcome.
pub(super) fn accept(head: &StreamHead, calls: &Calls, blobs: &Blobs, handlers: &Handlers) -> Result<(), StreamError> {
    if ReplyFacts::of(head).is_some() {
        return match calls.find(head.request_id().unwrap_or_default(), head.origin()) {
            Some((_, call)) if Calls::wants_whole(call) => blobs.check(head),
            Some(_) => Ok(()),
            None if head.size().is_some_and(|size| size <= SMALL_LATE_REPLY) => Ok(()),
            None => Err(StreamError::refused("nobody waits for this reply any more")),
        };
    }
    match handlers.taker(head.channel(), head.topic()) {
        Some(Taker::Message) => blobs.check(head),
        Some(Taker::Stream(_)) => Ok(()),
        None => Err(StreamError::no_handler(head)),
    }
}
