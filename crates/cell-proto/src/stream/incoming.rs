//! Incoming streams: recognised, put in order, acknowledged, refused.

use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::stream::{DataType, HeaderKey, Limit, Topic};
use tracing::debug;

use super::error::report;
use super::fields::Fields;
use super::memory::{Failed, Known};
use super::outgoing::clip;
use super::receiver::{About, AckPoint, Arrived, Receiver};
use super::streams::{Aside, Streams, ack_headers};
use super::{IncomingId, StreamError, StreamEvent, StreamHead, StreamScope};
use crate::address::{Fqcn, FqcnBuf};
use crate::frame::Payload;
use crate::headers::HeaderMap;
use crate::message::Message;

impl Streams {
    /// A request on the stream channel has come: a chunk, an acknowledgement, an error. Its origin and topic are read from
    /// its headers, which the cell has checked. What is no stream message is dropped.
    ///
    /// `accept` is asked once for every new stream: whether there is a reader for its channel and topic
    /// ([`StreamError::no_handler`] if not), and whether its declared size is small enough
    /// ([`Blob::check_declared`](super::Blob::check_declared)). The sender is told if not.
    pub fn handle_message(
        &mut self,
        now: UnixTime,
        message: Message,
        accept: impl FnOnce(&StreamHead) -> Result<(), StreamError>,
    ) {
        let Message { headers, payload } = message;
        let Some(fields) = Fields::among(&headers) else {
            debug!("dropped a stream message without number or origin");
            return;
        };
        if fields.verb == Topic::DATA.as_str() {
            self.handle_data(now, headers, payload, accept);
        } else if fields.verb == Topic::ACK.as_str() {
            self.handle_ack(now, &fields);
        } else if fields.verb == Topic::ERROR.as_str() {
            self.handle_error(&fields, fields.error.unwrap_or("the stream was rejected"));
        } else {
            debug!(topic = fields.verb, "dropped a stream message on an unknown topic");
        }
    }

    /// The reader of a stream has taken so many bytes of its data.
    pub fn consumed(&mut self, now: UnixTime, id: IncomingId, bytes: usize) {
        let Some(receiver) = self.receivers.get_mut(&id) else { return };
        let (before, owed) = (receiver.unread(), receiver.owes_ack);
        receiver.handle_consumed(now, bytes as u64);
        self.unread -= before - receiver.unread();
        if receiver.owes_ack && !owed {
            self.asides.push_back(Aside::Flow(id));
        }
        self.settle_receiver(id);
    }

    /// The reader does not want more of a stream: the sender is told, the rest is swallowed. No event follows.
    pub fn refuse(&mut self, now: UnixTime, id: IncomingId, error: &StreamError) {
        if let Some(receiver) = self.forget_receiver(id) {
            self.remember_failed(now, &receiver, error, true);
        }
    }

    /// The reader of a stream that has come completely does not want it after all: the sender is told.
    pub fn reject(&mut self, now: UnixTime, head: &StreamHead, error: &StreamError) {
        let about = About {
            channel: Some(head.channel().into()),
            topic: Some(head.topic().into()),
            request_id: head.request_id().map(Into::into),
        };
        let failed = failure(now, head.is_reliable(), about, error);
        self.tell_sender(head.origin_buf(), head.number(), &failed, false);
    }

    fn handle_data(
        &mut self,
        now: UnixTime,
        headers: HeaderMap,
        payload: Payload,
        accept: impl FnOnce(&StreamHead) -> Result<(), StreamError>,
    ) {
        let Some(fields) = Fields::among(&headers) else { return };
        let number = fields.id;
        let known = self.origins.find(fields.origin.as_str(), number);
        if let Some(text) = fields.error {
            if let Known::Open(id) = known {
                let (by, text) = (fields.origin.to_owned(), clip(text).into());
                self.fail_incoming(now, id, StreamError::Reported { by, text, too_large: false }, false);
            }
            return;
        }
        let Some(sequence) = fields.sequence.and_then(|sequence| u64::try_from(sequence).ok()) else {
            debug!(origin = %fields.origin, number, "dropped a chunk without a sequence number");
            return;
        };
        match known {
            Known::New => self.begin(now, headers, sequence, payload, accept),
            Known::Open(id) => self.continue_with(now, id, headers, sequence, payload),
            Known::Complete => {
                if fields.reliable {
                    // Enough for the sender to forget this chunk, and if it is the last one, all of them.
                    let offset = fields.offset.unwrap_or(0).saturating_add(payload.len() as u64);
                    let point = AckPoint { offset, sequence: fields.sequence.unwrap_or(0) };
                    let origin = fields.origin;
                    self.acknowledge(origin, number, point, true);
                }
            }
            Known::Failed(failed) => {
                if failed.should_repeat(now) {
                    let (failed, origin) = (failed.clone(), fields.origin.to_owned());
                    self.tell_sender(&origin, number, &failed, true);
                }
            }
        }
    }

    /// The first chunk of a stream has come, whatever its number.
    fn begin(
        &mut self,
        now: UnixTime,
        headers: HeaderMap,
        sequence: u64,
        payload: Payload,
        accept: impl FnOnce(&StreamHead) -> Result<(), StreamError>,
    ) {
        let Some(fields) = Fields::among(&headers) else { return };
        let number = fields.id;
        let is_whole = sequence == 0 && is_last(&fields);
        let (takes_collected, no_ack) = (fields.takes_collected && fields.reliable, fields.no_ack && !fields.reliable);
        let origin = self.origins.name(fields.origin.as_str()).unwrap_or_else(|| fields.origin.to_owned());
        let head = StreamHead::new(origin, number, headers);
        let allowed = if is_whole { Ok(()) } else { self.check_number(head.origin()) };
        if let Err(error) = allowed.and_then(|()| accept(&head)) {
            return self.turn_away(now, &head, &error);
        }
        if is_whole {
            // Most streams are requests and replies of one chunk: they never become a receiver.
            let point = AckPoint { offset: payload.len() as u64, sequence: 0 };
            self.origins.complete(now, head.origin_buf(), number, self.config.completed_ttl());
            let wait = self.config.ack_delay;
            if takes_collected && !wait.is_zero() {
                self.collected.add(now, wait, head.origin(), number, point);
            } else if !no_ack {
                self.acknowledge(head.origin(), number, point, !head.is_reliable());
            }
            self.events.push_back(StreamEvent::Whole { head, payload });
            return;
        }
        let Some(fields) = Fields::among(head.headers()) else { return };
        self.next_incoming += 1;
        let id = IncomingId(self.next_incoming);
        let mut receiver = Box::new(Receiver::new(&self.config, now, head.origin_buf().clone(), &fields));
        let arrived = receiver.handle_chunk(now, sequence, &fields, is_last(&fields), payload);
        receiver.has_begun = sequence == 0;
        self.unread += receiver.unread();
        self.origins.open(head.origin_buf(), number, id);
        self.receivers.insert(id, receiver);
        let head = (sequence == 0).then_some(head);
        self.advance(now, id, head, arrived);
    }

    fn continue_with(&mut self, now: UnixTime, id: IncomingId, headers: HeaderMap, sequence: u64, payload: Payload) {
        let Some(fields) = Fields::among(&headers) else { return };
        let Some(receiver) = self.receivers.get_mut(&id) else { return };
        let (before, owed) = (receiver.unread(), receiver.owes_ack);
        let arrived = receiver.handle_chunk(now, sequence, &fields, is_last(&fields), payload);
        self.unread = self.unread - before + receiver.unread();
        if receiver.owes_ack && !owed {
            self.asides.push_back(Aside::Flow(id));
        }
        let begins = sequence == 0 && !receiver.has_begun;
        let head = begins.then(|| {
            receiver.has_begun = true;
            StreamHead::new(receiver.origin.clone(), receiver.number, headers)
        });
        self.advance(now, id, head, arrived);
    }

    /// A chunk has come to an open stream: the reader gets what is in order now.
    fn advance(
        &mut self,
        now: UnixTime,
        id: IncomingId,
        head: Option<StreamHead>,
        arrived: Result<Arrived, StreamError>,
    ) {
        if let Some(head) = head {
            self.events.push_back(StreamEvent::Began { stream: id, head });
        }
        let arrived = match arrived {
            Ok(arrived) => arrived,
            Err(error) => return self.fail_incoming(now, id, error, true),
        };
        for payload in arrived.data {
            self.events.push_back(StreamEvent::Data { stream: id, payload });
        }
        if arrived.is_complete {
            let Some(receiver) = self.forget_receiver(id) else { return };
            self.origins.complete(now, &receiver.origin, receiver.number, receiver.ttl);
            self.acknowledge(receiver.origin.as_fqcn(), receiver.number, receiver.final_ack(), !receiver.reliable);
            self.events.push_back(StreamEvent::Finished { stream: id });
            return;
        }
        let limit = self.config.max_unread_in_all;
        if self.unread > limit {
            return self.fail_incoming(now, id, StreamError::WindowOverrun { bytes: self.unread, limit }, true);
        }
        self.settle_receiver(id);
    }

    /// An incoming stream has failed, and the sender is told unless it knows.
    pub(super) fn fail_incoming(&mut self, now: UnixTime, id: IncomingId, error: StreamError, tell: bool) {
        let Some(receiver) = self.forget_receiver(id) else { return };
        self.remember_failed(now, &receiver, &error, tell);
        if receiver.has_begun {
            self.events.push_back(StreamEvent::Broken { stream: id, error });
        }
    }

    fn forget_receiver(&mut self, id: IncomingId) -> Option<Box<Receiver>> {
        let receiver = self.receivers.remove(&id)?;
        self.unread -= receiver.unread();
        self.origins.close(&receiver.origin, receiver.number);
        self.prune_timers();
        Some(receiver)
    }

    fn remember_failed(&mut self, now: UnixTime, receiver: &Receiver, error: &StreamError, tell: bool) {
        let failed = failure(now, receiver.reliable, receiver.about.clone(), error);
        if tell {
            self.tell_sender(&receiver.origin, receiver.number, &failed, false);
        }
        let ttl = if receiver.reliable {
            receiver.ttl
        } else {
            core::time::Duration::from_secs_f64(Limit::FAILED_NON_RELIABLE_TASK_TTL)
        };
        let (until, limit) = (now.saturating_add(ttl), self.config.max_failed);
        self.origins.fail(until, limit, &receiver.origin, receiver.number, failed);
    }

    /// A new stream is not wanted, or there are too many.
    fn turn_away(&mut self, now: UnixTime, head: &StreamHead, error: &StreamError) {
        if let Some(fields) = Fields::among(head.headers()) {
            let receiver = Receiver::new(&self.config, now, head.origin_buf().clone(), &fields);
            self.remember_failed(now, &receiver, error, true);
        }
    }

    fn check_number(&self, origin: Fqcn<'_>) -> Result<(), StreamError> {
        let limit = self.config.max_incoming;
        if self.receivers.len() >= limit {
            return Err(StreamError::TooMany { scope: StreamScope::Incoming, limit });
        }
        let limit = self.config.max_incoming_per_origin;
        if self.origins.open_from(origin.as_str()) >= limit {
            return Err(StreamError::TooMany { scope: StreamScope::FromOneOrigin, limit });
        }
        Ok(())
    }

    fn acknowledge(&mut self, origin: Fqcn<'_>, number: i64, point: AckPoint, optional: bool) {
        let target = self.origins.name(origin.as_str()).unwrap_or_else(|| origin.to_owned());
        let headers = ack_headers(number, point);
        self.asides.push_back(Aside::Ready { target, topic: Topic::ACK, headers, optional, secure: false });
    }

    /// Tells the sender of a stream that it has failed: twice, because senders before 2.9 listen on another topic.
    fn tell_sender(&mut self, origin: &FqcnBuf, number: i64, failed: &Failed, again: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderKey::STREAM_ID, number);
        headers.insert(HeaderKey::DATA_TYPE, i64::from(DataType::ERROR.get()));
        headers.insert(HeaderKey::ERROR_MSG, &*failed.text);
        let texts = [
            (HeaderKey::CHANNEL, &failed.about.channel),
            (HeaderKey::TOPIC, &failed.about.topic),
            (HeaderKey::STREAM_REQ_ID, &failed.about.request_id),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                headers.insert(key, &**text);
            }
        }
        headers.insert(HeaderKey::ERROR_TYPE, failed.error_type.as_str());
        for topic in [Topic::ERROR, Topic::ACK] {
            let headers = headers.clone();
            self.asides.push_back(Aside::Ready {
                target: origin.clone(),
                topic,
                headers,
                optional: again,
                secure: false,
            });
        }
    }
}

fn is_last(fields: &Fields<'_>) -> bool {
    fields.data_type == Some(i64::from(DataType::FINAL.get()))
}

fn failure(now: UnixTime, reliable: bool, about: About, error: &StreamError) -> Failed {
    let text = Arc::from(clip(&report(error)));
    Failed { reliable, about, text, error_type: error.error_type(), told_at: now }
}
