//! What comes of a verb once the lock is free: callers wake, handlers start, payloads are sealed and opened.

use core::future::poll_fn;
use core::panic::AssertUnwindSafe;
use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::node::{ConnectionId, Event, IncomingRequest, ReplyTo};
use fedcell_cell_proto::request::{Failure, Reply};
use fedcell_protocol_defs::cell::ReturnCode;
use tokio::time::Instant;

use super::state::Effects;
use super::{Endpoint, Incoming};
use crate::backbone::{ConnectorUse, Planned};
use crate::cell::Cell;
use crate::connection::Outbox;
use crate::dispatch::{Waiting, Work};
use crate::events::CellEvent;
use crate::handler::{Answer, HandlerFuture, Request};

/// A request with the cell that it is for, waiting for its handler.
#[derive(Debug)]
pub(crate) struct Arrived {
    request: Incoming,
    endpoint: Endpoint,
}

impl Waiting for Arrived {
    fn size(&self) -> usize {
        self.request.message.payload.len() + self.request.message.headers.size_hint()
    }

    fn start(self) -> Work {
        let Self { request, endpoint } = self;
        Box::pin(endpoint.handle(*request))
    }
}

impl Endpoint {
    pub(super) fn deliver(&self, effects: Effects) {
        for served in effects.served {
            served.wake();
        }
        for event in effects.told {
            self.tell(event);
        }
        for event in effects.events {
            self.deliver_event(event);
        }
        for (lane, request) in effects.requests {
            if lane.is_refusing() {
                self.refuse(&request);
            } else {
                lane.push(Arrived { request, endpoint: self.clone() });
            }
        }
    }

    /// The handlers of this neighbour have not kept up for a while.
    fn refuse(&self, request: &IncomingRequest) {
        tracing::warn!(origin = %request.reply_to.origin(), "refused a request: too many wait for their handler");
        if request.reply_to.is_expected() {
            let reply = Reply::failed(ReturnCode::SERVICE_UNAVAILABLE, "too many requests wait for their handler");
            // Nobody waits for the outcome.
            let _ = self.drive(|core, now| core.node.exchange_mut().send_reply(now, &request.reply_to, reply)).0;
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
        let purpose = ConnectorUse::AdhocConnector(peer);
        let backbone = self.backbone();
        if backbone.connectors().iter().any(|info| info.purpose == purpose || info.url == url) {
            return;
        }
        let (running, planned) = (self.clone(), Planned { purpose, url, security: None });
        self.spawn(async move {
            let url = planned.url.clone();
            if let Err(error) = running.backbone().start(&running, planned).await {
                tracing::warn!(%url, %error, "an offered connection cannot be dialled");
            }
        });
    }

    /// From a request to its reply.
    async fn handle(self, incoming: IncomingRequest) {
        let IncomingRequest { message, reply_to, .. } = incoming;
        let reply_to = Arc::new(reply_to);
        let Some(handler) = self.handler(reply_to.channel(), reply_to.topic()) else {
            tracing::debug!(channel = reply_to.channel(), topic = reply_to.topic(), "no handler");
            self.answer_or_log(&reply_to, Reply::no_handler(), None);
            return;
        };
        let started = Instant::now();
        let request = Request::new(message, reply_to.clone(), Cell::of(self.clone()));
        let answer = guarded(|| handler.call(request)).await;
        let took = started.elapsed();
        let reply = match answer {
            Some(Answer::Reply(reply)) => *reply,
            Some(Answer::Nothing) => {
                let mut core = self.lock();
                core.node.exchange_mut().note_handled(&reply_to, took);
                core.node.exchange_mut().note_no_reply(&reply_to);
                return;
            }
            None => Reply::failed(ReturnCode::PROCESS_EXCEPTION, ""),
        };
        self.answer_or_log(&reply_to, reply, Some(took));
    }

    /// Sends the reply of a handler; the reader of the connection sees to it that not too many are on their way.
    fn answer_or_log(&self, reply_to: &ReplyTo, reply: Reply, took: Option<Duration>) {
        if let Err(failure) = self.send_answer(reply_to, reply, took).0 {
            tracing::debug!(to = %reply_to.origin(), %failure, "a reply could not be sent");
        }
    }

    /// Sends a reply, if one is expected, and waits while its connection has more to send than it should.
    pub(crate) async fn answer(&self, reply_to: &ReplyTo, reply: Reply) -> Result<(), Failure> {
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
    ) -> (Result<(), Failure>, Vec<Arc<Outbox>>) {
        self.drive(|core, now| {
            let exchange = core.node.exchange_mut();
            if let Some(took) = took {
                exchange.note_handled(reply_to, took);
            }
            exchange.send_reply(now, reply_to, reply)
        })
    }
}

/// Runs a handler; `None` if it panicked, which must not end the task that starts the others.
async fn guarded(call: impl FnOnce() -> HandlerFuture) -> Option<Answer> {
    let caught = |panic: Box<dyn core::any::Any + Send>| {
        let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(said, "a handler panicked");
    };
    let mut future = std::panic::catch_unwind(AssertUnwindSafe(call)).map_err(caught).ok()?;
    poll_fn(|context| match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Ready(answer)) => Poll::Ready(Some(answer)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => {
            caught(panic);
            Poll::Ready(None)
        }
    })
    .await
}
