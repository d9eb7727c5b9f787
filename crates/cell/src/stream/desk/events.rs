//! What has happened to the streams, told to whoever waits; and what has to end when something else does.

use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::request::RequestId;
use fedcell_cell_proto::stream::{StreamError, StreamEvent, StreamId};

use super::{Desk, Incoming, Outgoing};
use crate::error::RequestError;
use crate::stream::calls::Remains;
use crate::stream::register::Handlers;

impl Desk {
    /// Tells whoever waits what has happened to the streams. `neighbour` is where the last message came from.
    pub(crate) fn drain(&mut self, now: UnixTime, neighbour: Option<Fqcn<'_>>, handlers: &Handlers) {
        while let Some(event) = self.streams.poll_event() {
            self.meters.note(&event);
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

    /// Who waits for the end of an outgoing stream, which has come.
    pub(super) fn take_outgoing(&mut self, id: StreamId) -> Option<Outgoing> {
        let outgoing = self.outgoing.remove(&id)?;
        self.effects.is_done_sending |= self.outgoing.is_empty();
        Some(outgoing)
    }

    /// A request fails with its stream or that of its reply.
    pub(super) fn break_call(&mut self, now: UnixTime, id: &RequestId, error: StreamError) {
        let Some(target) = self.calls.target(id).cloned() else { return };
        self.fail_call(now, id, RequestError::Stream { target, error });
    }

    pub(super) fn fail_call(&mut self, now: UnixTime, id: &RequestId, error: RequestError) {
        let reason = StreamError::refused(error.to_string());
        let (remains, answered) = self.calls.fail(id, error);
        self.effects.answered.extend(answered);
        if let Some(Incoming::Reader { inlet, .. }) = remains.reply.and_then(|reply| self.incoming.get(&reply)) {
            self.effects.wakers.extend(inlet.end(Err(reason.clone())));
        }
        self.clean_up(now, remains, &reason);
    }

    /// Ends the streams of a request that has ended before them.
    pub(super) fn clean_up(&mut self, now: UnixTime, remains: Remains, reason: &StreamError) {
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
