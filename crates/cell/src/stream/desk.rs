//! The streams of a cell under the endpoint's lock: the machine, and who waits for which of its streams.

use core::task::Waker;
use std::collections::HashMap;
use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::message::{Message, Payload};
use fedcell_cell_proto::request::{Failure, Reply, RequestId};
use fedcell_cell_proto::stream::call::ReplyFacts;
use fedcell_cell_proto::stream::{
    IncomingId, OpenStream, StreamConfig, StreamError, StreamEvent, StreamHead, StreamId, StreamTransmit, Streams,
    TransmitSource, call,
};
use tokio::sync::oneshot;

use super::blobs::{BlobLimits, Blobs, Collecting};
use super::calls::{Answered, Calls, NewCall, Remains};
use super::head::reply_of;
use super::inlet::Inlet;
use super::outlet::Outlet;
use super::reader::Source;
use super::register::{Handlers, StreamHandler, Taker};
use crate::error::RequestError;

/// Largest reply that nobody waits for any more and that is nevertheless let come: less trouble than an error.
const SMALL_LATE_REPLY: u64 = 1024 * 1024;

/// What came of the streams and is dealt with after the lock.
#[derive(Default)]
pub(crate) struct StreamEffects {
    pub(crate) wakers: Vec<Waker>,
    pub(crate) answered: Vec<Answered>,
    pub(crate) fired: Vec<(FireSender, Result<u64, StreamError>)>,
    pub(crate) requests: Vec<StreamedRequest>,
    pub(crate) readers: Vec<(Arc<dyn StreamHandler>, Source)>,
    /// The last stream that somebody waited for has left.
    pub(crate) is_done_sending: bool,
}

/// A request that came as a stream.
#[derive(Debug)]
pub(crate) struct StreamedRequest {
    pub(crate) neighbour: FqcnBuf,
    pub(crate) head: Arc<StreamHead>,
    pub(crate) payload: Payload,
}

type FireSender = oneshot::Sender<Result<u64, StreamError>>;

/// Who takes an incoming stream.
enum Incoming {
    /// A handler of requests, once it is collected.
    Request { neighbour: FqcnBuf, head: Arc<StreamHead>, blob: Collecting },
    /// A caller, once it is collected.
    Reply { call: RequestId, head: StreamHead, blob: Collecting },
    /// Somebody who reads it.
    Reader { inlet: Arc<Inlet>, call: Option<RequestId> },
    /// Nobody any more.
    Nobody,
}

/// Who waits for the end of an outgoing stream.
enum Outgoing {
    Writer(Arc<Outlet>),
    Call(RequestId),
    Fire(FireSender),
    /// Nobody, unless the cell is to end.
    Reply,
}

/// The streams of one cell.
pub(crate) struct Desk {
    streams: Streams,
    incoming: HashMap<IncomingId, Incoming>,
    outgoing: HashMap<StreamId, Outgoing>,
    calls: Calls,
    blobs: Blobs,
    effects: StreamEffects,
}

impl Desk {
    pub(crate) fn new(config: StreamConfig, first: i64, limits: BlobLimits) -> Self {
        Self {
            streams: Streams::new(config, first),
            incoming: HashMap::new(),
            outgoing: HashMap::new(),
            calls: Calls::default(),
            blobs: Blobs::new(limits),
            effects: StreamEffects::default(),
        }
    }

    /// A message of the streams has come from a neighbour. `note` is told of every stream that begins.
    pub(crate) fn handle_message(
        &mut self,
        now: UnixTime,
        neighbour: Fqcn<'_>,
        message: Message,
        handlers: &Handlers,
        note: impl FnOnce(&StreamHead),
    ) {
        let Self { streams, calls, blobs, .. } = self;
        streams.handle_message(now, message, |head| {
            note(head);
            accept(head, calls, blobs, handlers)
        });
        self.drain(now, Some(neighbour), handlers);
    }

    /// The next message that a stream has to send, if `has_room` says so of its target.
    pub(crate) fn poll_transmit(
        &mut self,
        now: UnixTime,
        has_room: impl FnMut(&FqcnBuf) -> bool,
    ) -> Option<StreamTransmit> {
        let transmit = self.streams.poll_transmit(now, has_room)?;
        if let Some(stream) = transmit.source.stream()
            && let Some(Outgoing::Call(id)) = self.outgoing.get(&stream)
        {
            self.calls.progress(now, id, transmit.message.body.payload().len());
        }
        Some(transmit)
    }

    /// A message of the streams could not be sent.
    pub(crate) fn handle_unsent(&mut self, source: TransmitSource, failure: &Failure) {
        self.streams.handle_unsent(source, failure);
    }

    /// There is a new way to some targets: what was lost on the old one is sent again.
    pub(crate) fn handle_reachable(&mut self, now: UnixTime, concerns: impl Fn(&FqcnBuf) -> bool) {
        self.streams.handle_reachable(now, concerns);
    }

    pub(crate) fn poll_timeout(&self) -> Option<UnixTime> {
        self.streams.poll_timeout().into_iter().chain(self.calls.next_deadline()).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: UnixTime) {
        self.streams.handle_timeout(now);
        while let Some((id, error)) = self.calls.expire(now) {
            self.fail_call(now, &id, error);
        }
    }

    /// Opens a stream for a writer.
    pub(crate) fn open(
        &mut self,
        now: UnixTime,
        target: &FqcnBuf,
        stream: OpenStream,
    ) -> Result<(StreamId, Arc<Outlet>), StreamError> {
        let id = self.streams.open(now, target, stream)?;
        let outlet = Arc::new(Outlet::default());
        self.outgoing.insert(id, Outgoing::Writer(outlet.clone()));
        Ok((id, outlet))
    }

    /// Bytes that an outgoing stream takes now.
    pub(crate) fn room(&mut self, id: StreamId) -> usize {
        self.streams.room(id)
    }

    pub(crate) fn offer(&mut self, now: UnixTime, id: StreamId, data: &Payload) {
        self.streams.offer(now, id, data);
    }

    pub(crate) fn finish(&mut self, now: UnixTime, id: StreamId) {
        self.streams.finish(now, id);
    }

    /// The writer gives its stream up.
    pub(crate) fn cancel(&mut self, id: StreamId, reason: &str) {
        self.take_outgoing(id);
        self.streams.cancel(id, reason);
    }

    /// Sends a request as a stream.
    pub(crate) fn call(
        &mut self,
        now: UnixTime,
        id: RequestId,
        stream: OpenStream,
        payload: &Payload,
        new: NewCall,
    ) -> Result<(), StreamError> {
        let stream = self.streams.send_whole(now, &new.target, stream, payload)?;
        self.outgoing.insert(stream, Outgoing::Call(id.clone()));
        self.calls.insert(now, id, stream, new);
        Ok(())
    }

    /// Nobody waits for that request any more.
    pub(crate) fn give_up(&mut self, now: UnixTime, id: &RequestId) {
        let remains = self.calls.end(id);
        self.clean_up(now, remains, &StreamError::refused("nobody waits for this reply any more"));
    }

    /// Sends a message as a stream. `sender` is told when it has left.
    pub(crate) fn fire(
        &mut self,
        now: UnixTime,
        target: &FqcnBuf,
        stream: OpenStream,
        payload: &Payload,
        sender: FireSender,
    ) -> Result<StreamId, StreamError> {
        let id = self.streams.send_whole(now, target, stream, payload)?;
        self.outgoing.insert(id, Outgoing::Fire(sender));
        Ok(id)
    }

    /// Answers a request that came as a stream. Nothing is sent if no reply is expected.
    pub(crate) fn reply(&mut self, now: UnixTime, head: &StreamHead, reply: Reply) -> Result<(), StreamError> {
        let Some((target, stream, payload)) = call::reply_stream(head, reply) else { return Ok(()) };
        let id = self.streams.send_whole(now, &target, stream, &payload)?;
        self.outgoing.insert(id, Outgoing::Reply);
        Ok(())
    }

    /// The reader of a stream has taken so much of it.
    pub(crate) fn consumed(&mut self, now: UnixTime, id: IncomingId, bytes: usize) {
        self.streams.consumed(now, id, bytes);
    }

    /// The reader of a stream does not want the rest.
    pub(crate) fn refuse(&mut self, now: UnixTime, id: IncomingId, error: &StreamError) {
        if self.incoming.remove(&id).is_some() {
            self.streams.refuse(now, id, error);
        }
    }

    /// A handler does not want a stream that has come to its end.
    pub(crate) fn reject(&mut self, now: UnixTime, head: &StreamHead, error: &StreamError) {
        self.streams.reject(now, head, error);
    }

    /// Ends all streams of this cell's users; nothing is sent.
    pub(crate) fn abandon(&mut self) {
        let ended = || StreamError::refused("the cell has been shut down");
        for (_, incoming) in self.incoming.drain() {
            if let Incoming::Reader { inlet, .. } = incoming {
                self.effects.wakers.extend(inlet.end(Err(ended())));
            }
        }
        for (_, outgoing) in self.outgoing.drain() {
            if let Outgoing::Writer(outlet) = outgoing {
                self.effects.wakers.extend(outlet.end(Err(ended())));
            }
        }
        self.calls.clear();
    }

    /// Who waits for the end of an outgoing stream, which has come.
    fn take_outgoing(&mut self, id: StreamId) -> Option<Outgoing> {
        let outgoing = self.outgoing.remove(&id)?;
        self.effects.is_done_sending |= self.outgoing.is_empty();
        Some(outgoing)
    }

    /// What has to be done once the lock is free.
    pub(crate) fn take_effects(&mut self) -> StreamEffects {
        core::mem::take(&mut self.effects)
    }

    /// Streamed requests that wait for their reply.
    pub(crate) fn open_calls(&self) -> usize {
        self.calls.len()
    }

    /// Whether something of this cell still has to leave.
    pub(crate) fn is_sending(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Streams that go out and come in, and bytes that are being collected.
    pub(crate) fn counts(&self) -> (usize, usize, u64) {
        let counts = self.streams.counts();
        (counts.outgoing, counts.incoming, self.blobs.bytes())
    }

    /// Tells whoever waits what has happened to the streams. `neighbour` is where the last message came from.
    pub(crate) fn drain(&mut self, now: UnixTime, neighbour: Option<Fqcn<'_>>, handlers: &Handlers) {
        while let Some(event) = self.streams.poll_event() {
            match event {
                StreamEvent::Whole { head, payload } => self.take_whole(now, neighbour, head, payload, handlers),
                StreamEvent::Began { stream, head } => self.begin(now, neighbour, stream, head, handlers),
                StreamEvent::Data { stream, payload } => self.take_data(now, stream, &payload),
                StreamEvent::Finished { stream } => self.take_end(now, stream),
                StreamEvent::Broken { stream, error } => self.take_break(now, stream, error),
                StreamEvent::Writable { stream } => {
                    if let Some(Outgoing::Writer(outlet)) = self.outgoing.get(&stream) {
                        self.effects.wakers.extend(outlet.writable());
                    }
                }
                StreamEvent::Progress { stream, acknowledged } => match self.outgoing.get(&stream) {
                    Some(Outgoing::Writer(outlet)) => outlet.acknowledge(acknowledged),
                    Some(Outgoing::Call(id)) => self.calls.progress(now, id, 1),
                    _ => {}
                },
                StreamEvent::Sent { stream, bytes } => match self.take_outgoing(stream) {
                    Some(Outgoing::Writer(outlet)) => self.effects.wakers.extend(outlet.end(Ok(bytes))),
                    Some(Outgoing::Call(id)) => self.calls.sent(now, &id),
                    Some(Outgoing::Fire(sender)) => self.effects.fired.push((sender, Ok(bytes))),
                    Some(Outgoing::Reply) | None => {}
                },
                StreamEvent::Failed { stream, error, .. } => match self.take_outgoing(stream) {
                    Some(Outgoing::Writer(outlet)) => self.effects.wakers.extend(outlet.end(Err(error))),
                    Some(Outgoing::Call(id)) => self.break_call(now, &id, error),
                    Some(Outgoing::Fire(sender)) => self.effects.fired.push((sender, Err(error))),
                    Some(Outgoing::Reply) | None => {
                        tracing::debug!(stream = stream.number(), %error, "a reply could not be sent");
                    }
                },
                StreamEvent::FailedLate { stream, request, error } => match request {
                    Some(id) => self.break_call(now, &id, error),
                    None => tracing::debug!(stream = stream.number(), %error, "a stream failed after it had left"),
                },
                other => tracing::debug!(event = ?other, "not handled"),
            }
        }
    }

    /// A stream that is there at once.
    fn take_whole(
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
                let (remains, answered) = self.calls.answer(&id, reply_of(head, payload));
                self.effects.answered.extend(answered);
                remains
            } else {
                let source = Source::whole(head, &payload);
                self.effects.answered.extend(self.calls.opened(now, &id, source));
                self.calls.end(&id)
            };
            self.clean_up(now, remains, &StreamError::refused("answered"));
            return;
        }
        match handlers.taker(head.channel(), head.topic()) {
            Some(Taker::Message) => {
                let neighbour = neighbour.map_or_else(|| head.origin().to_owned(), Fqcn::to_owned);
                self.effects.requests.push(StreamedRequest { neighbour, head: Arc::new(head), payload });
            }
            Some(Taker::Stream(handler)) => self.effects.readers.push((handler, Source::whole(head, &payload))),
            None => self.streams.reject(now, &head, &StreamError::no_handler(&head)),
        }
    }

    fn begin(
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

    fn take_data(&mut self, now: UnixTime, stream: IncomingId, payload: &Payload) {
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

    fn take_end(&mut self, now: UnixTime, stream: IncomingId) {
        match self.incoming.remove(&stream) {
            Some(Incoming::Request { neighbour, head, blob }) => match self.blobs.finish(blob) {
                Ok(payload) => self.effects.requests.push(StreamedRequest { neighbour, head, payload }),
                Err(error) => self.streams.reject(now, &head, &error),
            },
            Some(Incoming::Reply { call, head, blob }) => {
                let (remains, answered) = match self.blobs.finish(blob) {
                    Ok(payload) => self.calls.answer(&call, reply_of(head, payload)),
                    Err(error) => {
                        let target = head.origin().to_owned();
                        self.calls.fail(&call, RequestError::Stream { target, error })
                    }
                };
                self.effects.answered.extend(answered);
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

    fn take_break(&mut self, now: UnixTime, stream: IncomingId, error: StreamError) {
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

    /// A request fails with its stream or that of its reply.
    fn break_call(&mut self, now: UnixTime, id: &RequestId, error: StreamError) {
        let Some(target) = self.calls.target(id).cloned() else { return };
        self.fail_call(now, id, RequestError::Stream { target, error });
    }

    fn fail_call(&mut self, now: UnixTime, id: &RequestId, error: RequestError) {
        let reason = StreamError::refused(error.to_string());
        let (remains, answered) = self.calls.fail(id, error);
        self.effects.answered.extend(answered);
        if let Some(Incoming::Reader { inlet, .. }) = remains.reply.and_then(|reply| self.incoming.get(&reply)) {
            self.effects.wakers.extend(inlet.end(Err(reason.clone())));
        }
        self.clean_up(now, remains, &reason);
    }

    /// Ends the streams of a request that has ended before them.
    fn clean_up(&mut self, now: UnixTime, remains: Remains, reason: &StreamError) {
        if let Some(stream) = remains.stream {
            self.cancel(stream, &reason.to_string());
        }
        if let Some(reply) = remains.reply
            && let Some(incoming) = self.incoming.remove(&reply)
        {
            if let Incoming::Reply { blob, .. } = &incoming {
                self.blobs.give_up(blob);
            }
            self.streams.refuse(now, reply, reason);
        }
    }
}

/// Whether a stream that begins is welcome.
fn accept(head: &StreamHead, calls: &Calls, blobs: &Blobs, handlers: &Handlers) -> Result<(), StreamError> {
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
