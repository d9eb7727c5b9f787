//! What comes of a verb once the lock is free: callers wake, handlers start, payloads are sealed and opened.

use core::future::poll_fn;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::node::{ConnectionId, Event, IncomingRequest};
use fedcell_cell_proto::request::Reply;
use fedcell_protocol_defs::cell::ReturnCode;
use tokio::time::Instant;

use super::state::Effects;
use super::{Endpoint, IdleLane, Incoming};
use crate::backbone::{ConnectorInfo, ConnectorUse, Planned};
use crate::cell::Cell;
use crate::connection::Outbox;
use crate::dispatch::{Waiting, Work};
use crate::error::RequestError;
use crate::events::CellEvent;
use crate::handler::{Answer, HandlerFuture, Request};
use crate::reply_to::ReplyTo;
use crate::stream::{StreamEffects, StreamReader, StreamedRequest, message_of};

/// A request for a handler, in either form.
#[derive(Debug)]
pub(crate) enum Asked {
    /// One message.
    Message(Incoming),
    /// A stream that has been collected.
    Stream(StreamedRequest),
}

/// About what a request that waits takes in memory beside its bytes: where its headers lie, and where its reply goes.
const BESIDE: usize = 1024;

/// A request with the cell that it is for, waiting for its handler.
#[derive(Debug)]
pub(crate) struct Arrived {
    request: Asked,
    endpoint: Endpoint,
}

impl Waiting for Arrived {
    fn size(&self) -> usize {
        let (payload, headers) = match &self.request {
            Asked::Message(request) => (&request.message.payload, &request.message.headers),
            Asked::Stream(request) => (&request.payload, request.head.headers()),
        };
        payload.len() + headers.size_hint() + BESIDE
    }

    fn start(self, context: &mut Context<'_>) -> Option<Work> {
        let Self { request, endpoint } = self;
        let (message, reply_to) = request.open();
        endpoint.handle(message, reply_to, context)
    }
}

impl Asked {
    /// The request as its handler sees it, and where the reply goes.
    fn open(self) -> (Message, ReplyTo) {
        match self {
            Self::Message(request) => {
                let IncomingRequest { message, reply_to, .. } = *request;
                (message, ReplyTo::message(reply_to))
            }
            Self::Stream(StreamedRequest { neighbour, head, payload }) => {
                (message_of(&head, payload), ReplyTo::stream(head, neighbour))
            }
        }
    }
}

impl Endpoint {
    pub(super) fn deliver(&self, effects: Effects, mut start: impl FnMut(IdleLane)) {
        for served in effects.served {
            served.wake();
        }
        self.deliver_streams(effects.streams);
        for event in effects.told {
            self.tell(event);
        }
        for event in effects.events {
            self.deliver_event(event);
        }
        for (lane, request) in effects.requests {
            if lane.is_refusing() {
                self.refuse(request);
            } else {
                lane.push(Arrived { request, endpoint: self.clone() }).into_iter().for_each(&mut start);
            }
        }
    }

    fn deliver_streams(&self, effects: StreamEffects) {
        for waker in effects.wakers {
            waker.wake();
        }
        for answered in effects.answered {
            self.inner.requests.note_sent(answered.failure());
            answered.wake();
        }
        for (sender, outcome) in effects.fired {
            // Whoever sent it may have left.
            let _ = sender.send(outcome);
        }
        for (handler, source) in effects.readers {
            let reader = StreamReader::new(self.clone(), source);
            let (endpoint, head) = (self.clone(), reader.shared_head());
            self.spawn(async move {
                if let Err(error) = handler.call(reader).await {
                    tracing::debug!(origin = %head.origin(), %error, "the handler of a stream failed");
                    endpoint.drive(|core, now| core.desk.reject(now, &head, &error));
                }
            });
        }
        if effects.is_done_sending {
            self.note_change();
        }
    }

    /// The handlers of this neighbour have not kept up for a while.
    fn refuse(&self, request: Asked) {
        let (_, reply_to) = request.open();
        self.inner.requests.refused.increment(1);
        tracing::warn!(origin = %reply_to.origin(), "refused a request: too many wait for their handler");
        if reply_to.is_expected() {
            let reply = Reply::failed(ReturnCode::SERVICE_UNAVAILABLE, "too many requests wait for their handler");
            self.answer_or_log(&reply_to, reply, None);
        }
    }

    fn deliver_event(&self, event: Event) {
        match event {
            Event::PeerUp { peer, connection, identity } => {
                let address = self.lock().entries.get(&connection).map(|entry| entry.facts.peer_address.clone());
                tracing::info!(me = %self.address(), %peer, "connected");
                self.tell(CellEvent::PeerUp {
                    peer,
                    identity: identity.common_name().map(ToOwned::to_owned),
                    address: address.unwrap_or_default(),
                });
                self.note_change();
            }
            Event::PeerDown { peer } => {
                tracing::info!(me = %self.address(), %peer, "disconnected");
                self.tell(CellEvent::PeerDown { peer });
                self.note_change();
            }
            Event::Seal(work) => self.sealing().seal(self, *work),
            Event::Open(work) => self.sealing().open(self, *work),
            Event::Recheck { connection } => self.recheck(connection),
            Event::DialOffered { peer, url } => self.dial_offered(peer, url),
            other => tracing::debug!(event = ?other, "not handled"),
        }
    }

    /// Verifies the certificate of a connected peer again. It takes a fraction of a millisecond.
    fn recheck(&self, connection: ConnectionId) {
        let facts = self.lock().entries.get(&connection).map(|entry| entry.facts.clone());
        // A connection that is gone needs no verdict, and one without a certificate is not asked about.
        let Some(identity) = facts.as_ref().and_then(|facts| facts.identity.as_ref()) else { return };
        let verdict = identity.recheck(self.wall_clock());
        self.drive(|core, now| core.node.handle_rechecked(now, connection, verdict));
    }

    /// A cell with which this one talks over others can be dialled. The node asks only if the policy allows it.
    fn dial_offered(&self, peer: FqcnBuf, url: String) {
        // One that is dialled already, if only in vain just now, shall not be dialled twice.
        let parent = self.backbone().dialled.parent.as_ref();
        let is_dialled = |info: &ConnectorInfo| info.url == url || info.purpose.dials(parent).as_ref() == Some(&peer);
        if self.backbone().connectors().iter().any(is_dialled) {
            return;
        }
        let purpose = ConnectorUse::AdhocConnector(peer);
        let (running, planned) = (self.clone(), Planned { purpose, url, security: None });
        self.spawn(async move {
            let url = planned.url.clone();
            if let Err(error) = running.backbone().start(&running, planned).await {
                tracing::warn!(%url, %error, "an offered connection cannot be dialled");
            }
        });
    }

    /// From a request to its reply, or to where its handler has to wait: then gives what is left to do.
    fn handle(self, message: Message, reply_to: ReplyTo, context: &mut Context<'_>) -> Option<Work> {
        let reply_to = Arc::new(reply_to);
        let Some(handler) = self.handlers().find(reply_to.channel(), reply_to.topic()) else {
            tracing::debug!(channel = reply_to.channel(), topic = reply_to.topic(), "no handler");
            self.inner.requests.no_handler.increment(1);
            self.answer_or_log(&reply_to, Reply::no_handler(), None);
            return None;
        };
        let started = Instant::now();
        let replying = Replying::begin(&self, &reply_to);
        let request = Request::new(message, reply_to.clone(), Cell::of(self.clone()));
        let Some(mut future) = guarded(|| handler.call(request)) else {
            self.conclude(&reply_to, None, started.elapsed());
            return None;
        };
        if let Poll::Ready(answer) = poll_guarded(&mut future, context) {
            self.conclude(&reply_to, answer, started.elapsed());
            return None;
        }
        Some(Box::pin(async move {
            let answer = poll_fn(|context| poll_guarded(&mut future, context)).await;
            self.conclude(&reply_to, answer, started.elapsed());
            drop(replying);
        }))
    }

    /// What a handler has answered, after so long; none if it panicked.
    fn conclude(&self, reply_to: &ReplyTo, answer: Option<Answer>, took: Duration) {
        let reply = match answer {
            Some(Answer::Reply(reply)) => *reply,
            Some(Answer::Nothing) => {
                self.inner.requests.ok.increment(1);
                if let Some(reply_to) = reply_to.of_message() {
                    let mut core = self.lock();
                    core.node.exchange_mut().note_handled(reply_to, took);
                    core.node.exchange_mut().note_no_reply(reply_to);
                }
                return;
            }
            None => Reply::failed(ReturnCode::PROCESS_EXCEPTION, ""),
        };
        self.inner.requests.note_handled(&reply);
        self.answer_or_log(reply_to, reply, Some(took));
    }

    /// Sends the reply of a handler; the reader of the connection sees to it that not too many are on their way.
    fn answer_or_log(&self, reply_to: &ReplyTo, reply: Reply, took: Option<Duration>) {
        if let Err(error) = self.send_answer(reply_to, reply, took).0 {
            tracing::debug!(to = %reply_to.origin(), %error, "a reply could not be sent");
        }
    }

    /// Sends a reply, if one is expected, and waits while its connection has more to send than it should.
    pub(crate) async fn answer(&self, reply_to: &ReplyTo, reply: Reply) -> Result<(), RequestError> {
        let (sent, crowded) = self.send_answer(reply_to, reply, None);
        for outbox in crowded {
            outbox.room().await;
        }
        sent
    }

    /// `took` is how long the handler took, for the statistics.
    fn send_answer(
        &self,
        reply_to: &ReplyTo,
        reply: Reply,
        took: Option<Duration>,
    ) -> (Result<(), RequestError>, Vec<Arc<Outbox>>) {
        self.drive(|core, now| match (reply_to.of_message(), reply_to.of_stream()) {
            (Some(reply_to), _) => {
                let exchange = core.node.exchange_mut();
                if let Some(took) = took {
                    exchange.note_handled(reply_to, took);
                }
                exchange.send_reply(now, reply_to, reply).map_err(RequestError::from)
            }
            (None, Some(head)) => core
                .desk
                .reply(now, head, reply)
                .map_err(|error| RequestError::Stream { target: head.origin().to_owned(), error }),
            (None, None) => Ok(()),
        })
    }
}

/// Stands for a handler that will answer with a stream, so that the cell does not end before.
struct Replying(Endpoint);

impl Replying {
    fn begin(endpoint: &Endpoint, reply_to: &ReplyTo) -> Option<Self> {
        (reply_to.is_streamed() && reply_to.is_expected()).then(|| {
            endpoint.inner.replying.fetch_add(1, Ordering::AcqRel);
            Self(endpoint.clone())
        })
    }
}

impl Drop for Replying {
    fn drop(&mut self) {
        if self.0.inner.replying.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.note_change();
        }
    }
}

/// Runs a step of a handler; `None` if it panicked, which must not end the task that starts the others.
fn guarded<T>(step: impl FnOnce() -> T) -> Option<T> {
    let caught = |panic: Box<dyn core::any::Any + Send>| {
        let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(said, "a handler panicked");
    };
    std::panic::catch_unwind(AssertUnwindSafe(step)).map_err(caught).ok()
}

fn poll_guarded(future: &mut HandlerFuture, context: &mut Context<'_>) -> Poll<Option<Answer>> {
    match guarded(|| future.as_mut().poll(context)) {
        Some(poll) => poll.map(Some),
        None => Poll::Ready(None),
    }
}
