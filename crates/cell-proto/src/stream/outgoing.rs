//! Outgoing streams: opened, fed, acknowledged, ended.

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::stream::{ErrorType, Topic};

use super::collect::others;
use super::error::report;
use super::fields::Fields;
use super::memory::Context;
use super::open::{Source, TransmitSource};
use super::sender::{Acknowledged, Sender};
use super::streams::{Aside, Streams};
use super::{OpenStream, StreamError, StreamEvent, StreamId, StreamScope};
use crate::address::{Fqcn, FqcnBuf};
use crate::frame::Payload;
use crate::request::Failure;

/// Longest text of a peer's error that is kept, in bytes.
const MAX_TEXT: usize = 2048;

impl Streams {
    /// Begins a stream to a target. Feed it with [`offer`](Self::offer) and end it with [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// [`StreamError::TooMany`] if as many streams go out as may.
    pub fn open(&mut self, now: UnixTime, target: &FqcnBuf, stream: OpenStream) -> Result<StreamId, StreamError> {
        let limit = self.config.max_outgoing;
        if self.senders.len() >= limit {
            return Err(StreamError::TooMany { scope: StreamScope::Outgoing, limit });
        }
        self.next_id += 1;
        let id = StreamId(self.next_id);
        self.senders.insert(id, Box::new(Sender::new(&self.config, now, id.0, target.clone(), stream)));
        Ok(id)
    }

    /// Sends a stream that is there as a whole. Its size is set.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn send_whole(
        &mut self,
        now: UnixTime,
        target: &FqcnBuf,
        mut stream: OpenStream,
        payload: &Payload,
    ) -> Result<StreamId, StreamError> {
        stream.size = Some(payload.len() as u64);
        let id = self.open(now, target, stream)?;
        if let Some(sender) = self.senders.get_mut(&id) {
            sender.offer(payload);
        }
        self.finish(now, id);
        Ok(id)
    }

    /// Gives a stream more data. Any number of bytes may be given, [`room`](Self::room) says how many are welcome; what
    /// is not welcome waits. Nothing happens if the stream has ended.
    pub fn offer(&mut self, now: UnixTime, id: StreamId, data: &Payload) {
        let Some(sender) = self.senders.get_mut(&id) else { return };
        sender.offer(data);
        sender.is_full = sender.room() == 0;
        sender.note_blocked(now);
        self.settle_sender(id);
    }

    /// How many more bytes of a stream are welcome now. If none are, [`StreamEvent::Writable`] comes when some are again.
    pub fn room(&mut self, id: StreamId) -> usize {
        let Some(sender) = self.senders.get_mut(&id) else { return 0 };
        let room = sender.room();
        sender.is_full |= room == 0;
        room
    }

    /// All data of a stream has been given.
    pub fn finish(&mut self, now: UnixTime, id: StreamId) {
        let Some(sender) = self.senders.get_mut(&id) else { return };
        sender.finish();
        sender.note_blocked(now);
        self.settle_sender(id);
    }

    /// Gives a stream up and tells the receiver. No event follows.
    pub fn cancel(&mut self, id: StreamId, reason: &str) {
        if let Some(sender) = self.senders.remove(&id) {
            self.tell_receiver(&sender, &StreamError::Cancelled { reason: reason.into() });
            self.prune_timers();
        }
    }

    /// The targets of all streams that are open, in no order.
    pub fn targets(&self) -> impl Iterator<Item = &FqcnBuf> {
        self.senders.values().map(|sender| &sender.target)
    }

    /// How many bytes of a stream have been sent, and how many acknowledged, while it is open.
    #[must_use]
    pub fn progress(&self, id: StreamId) -> Option<(u64, u64)> {
        self.senders.get(&id).map(|sender| (sender.sent(), sender.taken()))
    }

    /// A message of [`poll_transmit`](Self::poll_transmit) could not be sent. A reliable stream tries again; another one
    /// has failed.
    pub fn handle_unsent(&mut self, source: TransmitSource, failure: &Failure) {
        let Source::Chunk { stream, sequence } = source.0 else { return };
        if let Some(sender) = self.senders.get_mut(&stream) {
            let error = StreamError::not_sent(&sender.target, failure);
            if let Err(error) = sender.handle_unsent(sequence, error) {
                self.fail_outgoing(stream, error, true);
            }
        } else if let Some(context) = self.ended.take(stream) {
            let error = StreamError::not_sent(&context.target, failure);
            self.events.push_back(StreamEvent::FailedLate { stream, request: context.request_id, error });
        }
    }

    /// There is a new way to the targets that `concerns` picks: what is not acknowledged of reliable streams to them is
    /// sent again at once.
    pub fn handle_reachable(&mut self, concerns: impl Fn(&FqcnBuf) -> bool) {
        let mut concerned: Vec<StreamId> =
            self.senders.iter().filter(|(_, sender)| concerns(&sender.target)).map(|(id, _)| *id).collect();
        concerned.sort_unstable();
        for id in concerned {
            if let Some(sender) = self.senders.get_mut(&id) {
                sender.hurry();
            }
            self.settle_sender(id);
        }
    }

    /// A receiver says how far it is, or that it wants no more.
    pub(super) fn handle_ack(&mut self, now: UnixTime, fields: &Fields<'_>) {
        if let Some(text) = fields.error {
            return self.handle_error(fields, text);
        }
        let (offset, sequence) = (fields.offset, fields.sequence);
        self.note_ack(now, fields.id, fields.origin, |sender| sender.handle_ack(now, offset, sequence));
        for number in others(fields.collected) {
            self.note_ack(now, number, fields.origin, |sender| sender.handle_whole_ack(now));
        }
    }

    fn note_ack(
        &mut self,
        now: UnixTime,
        number: i64,
        from: Fqcn<'_>,
        acknowledge: impl FnOnce(&mut Sender) -> Result<Acknowledged, StreamError>,
    ) {
        let id = StreamId(number);
        let Some(sender) = self.senders.get_mut(&id).filter(|sender| sender.target == from) else { return };
        match acknowledge(sender) {
            Err(error) => self.fail_outgoing(id, error, true),
            Ok(Acknowledged::Nothing) => {}
            Ok(Acknowledged::More) => {
                let acknowledged = sender.taken();
                self.events.push_back(StreamEvent::Progress { stream: id, acknowledged });
                self.settle_sender(id);
            }
            Ok(Acknowledged::All) => self.end_sent(now, id),
        }
    }

    /// The receiver, or a cell on the way, says that a stream has failed. It is believed if it knows what the stream is
    /// and is, or names, the target.
    pub(super) fn handle_error(&mut self, fields: &Fields<'_>, text: &str) {
        let id = StreamId(fields.id);
        let is_meant = |context: &Context| {
            let is_target = |name: &str| context.target == *name;
            let is_right = match fields.failed_destination {
                Some(failed) => is_target(failed),
                None => is_target(fields.origin.as_str()),
            };
            is_right && context.is_meant(fields.channel, fields.topic, fields.request_id)
        };
        if let Some(sender) = self.senders.get(&id) {
            let context = Context::of(sender.target.clone(), &sender.open);
            // Receivers before 2.9 send nothing but the number and the text, on the topic of acknowledgements.
            let is_old = fields.verb == Topic::ACK.as_str() && fields.channel.is_none();
            if is_meant(&context) || is_old && context.target == fields.origin {
                self.fail_outgoing(id, reported(&context.target, fields, text), false);
            }
        } else if self.ended.find(id).is_some_and(is_meant)
            && let Some(context) = self.ended.take(id)
        {
            let error = reported(&context.target, fields, text);
            self.events.push_back(StreamEvent::FailedLate { stream: id, request: context.request_id, error });
        }
    }

    /// A stream has ended well.
    pub(super) fn end_sent(&mut self, now: UnixTime, id: StreamId) {
        let Some(sender) = self.senders.remove(&id) else { return };
        let bytes = sender.sent();
        let context = Context::of(sender.target.clone(), &sender.open);
        let until = now.saturating_add(self.config.ended_ttl);
        self.ended.remember(until, self.config.max_ended, id, context);
        self.events.push_back(StreamEvent::Sent { stream: id, bytes });
        self.prune_timers();
    }

    /// A stream has failed, and the receiver is told unless it knows.
    pub(super) fn fail_outgoing(&mut self, id: StreamId, error: StreamError, tell: bool) {
        let Some(sender) = self.senders.remove(&id) else { return };
        if tell {
            self.tell_receiver(&sender, &error);
        }
        self.events.push_back(StreamEvent::Failed { stream: id, request: sender.open.request_id.clone(), error });
        self.prune_timers();
    }

    fn tell_receiver(&mut self, sender: &Sender, error: &StreamError) {
        self.asides.push_back(Aside::Ready {
            target: sender.target.clone(),
            topic: Topic::DATA,
            headers: sender.failure_headers(&report(error)),
            optional: true,
            secure: sender.open.secure,
        });
    }
}

/// What a peer reports, as an error of ours.
fn reported(target: &FqcnBuf, fields: &Fields<'_>, text: &str) -> StreamError {
    let by = fields.origin.to_owned();
    let text = clip(text).into();
    match fields.error_type.map(ErrorType::new) {
        Some(ErrorType::TARGET_UNREACHABLE) => {
            StreamError::Unreachable { target: target.clone(), at: by, reason: text }
        }
        Some(ErrorType::UNAUTHENTICATED) => StreamError::Unauthenticated { by, text },
        other => StreamError::Reported { by, text, too_large: other == Some(ErrorType::BLOB_SIZE) },
    }
}

/// The beginning of a text.
pub(super) fn clip(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text)
}
