//! The streams of a cell under the endpoint's lock: the machine, and who waits for which of its streams.

mod arriving;
mod events;

use core::task::Waker;
use std::collections::HashMap;
use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::message::{Message, Payload};
use fedcell_cell_proto::request::{Failure, Reply, RequestId};
use fedcell_cell_proto::stream::call::ReplyFacts;
use fedcell_cell_proto::stream::{
    IncomingId, OpenStream, StreamConfig, StreamError, StreamHead, StreamId, StreamTransmit, Streams, TransmitSource,
    call,
};
use tokio::sync::oneshot;

use self::arriving::accept;
use super::blobs::{BlobLimits, Blobs, Collecting};
use super::calls::{Answered, Calls, NewCall};
use super::inlet::Inlet;
use super::outlet::Outlet;
use super::reader::Source;
use super::register::{Handlers, StreamHandler};
use crate::metrics::StreamMeters;

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
    meters: StreamMeters,
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
            meters: StreamMeters::new(),
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
        let mut unwanted = None;
        streams.handle_message(now, message, |head| {
            note(head);
            accept(head, calls, blobs, handlers).inspect_err(|error| {
                let call = ReplyFacts::of(head).and_then(|reply| calls.find(reply.request_id, head.origin()));
                unwanted = call.map(|(id, _)| (id.clone(), error.clone()));
            })
        });
        self.drain(now, Some(neighbour), handlers);
        if let Some((id, error)) = unwanted {
            // It waits for nothing else.
            self.break_call(now, &id, error);
        }
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
    pub(crate) fn handle_reachable(&mut self, concerns: impl Fn(&FqcnBuf) -> bool) {
        self.streams.handle_reachable(concerns);
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

    /// What has to be done once the lock is free.
    pub(crate) fn take_effects(&mut self) -> StreamEffects {
        let counts = self.streams.counts();
        self.meters.open.set(counts.outgoing + counts.incoming);
        core::mem::take(&mut self.effects)
    }

    /// Streamed requests that wait for their reply.
    pub(crate) fn open_calls(&self) -> usize {
        self.calls.len()
    }

    /// Where streams of this cell go that are on their way.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &FqcnBuf> {
        self.streams.targets()
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
}
