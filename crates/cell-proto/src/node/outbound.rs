//! What goes out: requests to one or many, messages without a reply, replies, returns, goodbyes.

use core::time::Duration;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::cell::{
    CellLimit, CellTopic, Channel, ErrorText, HeaderKey, PayloadEncoding, ReturnCode, ReturnReason, StatsCounter, Topic,
};
use fedcell_protocol_defs::frame::FrameLimit;
use tracing::debug;

use super::event::{Class, Event, ReplyTo};
use super::exchange::Exchange;
use super::inbound::Arrival;
use super::sealing::SealWork;
use crate::address::{Fqcn, FqcnBuf};
use crate::filter::{Place, Verdict};
use crate::frame::FrameError;
use crate::headers::{HeaderMap, HeaderValue, Known, RawValue};
use crate::message::{Message, Payload, ReplyHead, RequestHead, ReturnHead};
use crate::request::{Body, Failure, Outgoing, Refused, Reply, RequestId, TargetMessage, bulk};
use crate::route::{Hop, MessageFacts, Unreachable, next_hop};
use crate::stats::CategoryId;

impl Exchange {
    /// Sends a request to each of the targets, all with the same id. Every target ends with exactly one
    /// [`Event::Reply`], also one to which the request could not be sent.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the request cannot wait; nothing is sent then.
    pub fn send_request(
        &mut self,
        now: UnixTime,
        targets: &[FqcnBuf],
        request: &Outgoing,
    ) -> Result<RequestId, Refused> {
        let id = self.register(now, request.timeout, targets.iter().cloned())?;
        for target in distinct(targets) {
            self.send_to(now, target, request, Some(&id));
        }
        self.settle(now);
        Ok(id)
    }

    /// Sends each target a request of its own, all with the same id and one timeout.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the requests cannot wait, or two have the same target; nothing is sent then.
    pub fn send_each(
        &mut self,
        now: UnixTime,
        requests: &[TargetMessage],
        timeout: Duration,
    ) -> Result<RequestId, Refused> {
        let targets = requests.iter().map(|request| request.target.clone());
        let id = self.register(now, timeout, targets)?;
        for request in requests {
            self.send_to(now, &request.target, &request.message, Some(&id));
        }
        self.settle(now);
        Ok(id)
    }

    /// Sends a message to each of the targets and expects no reply. Gives the targets to which it was not sent, and why.
    /// One that has to be sealed first counts as sent.
    pub fn fire(&mut self, now: UnixTime, targets: &[FqcnBuf], message: &Outgoing) -> Vec<(FqcnBuf, Failure)> {
        let mut failed = Vec::new();
        for target in distinct(targets) {
            if let Err(failure) = self.try_send(now, target, message, None) {
                failed.push((target.clone(), failure));
            }
        }
        self.settle(now);
        failed
    }

    /// Sends one message that is not needed any more, and expects no reply. One that has to be sealed first counts as sent.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it was not sent.
    pub fn fire_one(&mut self, now: UnixTime, target: &FqcnBuf, message: Outgoing) -> Result<(), Failure> {
        let Outgoing { channel, topic, headers, body, secure, optional, .. } = message;
        let encoding = body.encoding();
        let about = About { channel: &channel, topic: &topic, encoding, secure, optional };
        let sent = self.post(now, target, &about, headers, body.into_payload(), None);
        self.settle(now);
        sent
    }

    /// Sends each target a message of its own and expects no reply; see [`fire`](Self::fire).
    pub fn fire_each(&mut self, now: UnixTime, messages: &[TargetMessage]) -> Vec<(FqcnBuf, Failure)> {
        let mut failed = Vec::new();
        for message in messages {
            if let Err(failure) = self.try_send(now, &message.target, &message.message, None) {
                failed.push((message.target.clone(), failure));
            }
        }
        self.settle(now);
        failed
    }

    /// Answers a request, over the neighbour that handed it over. Nothing is sent if no reply is expected.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the reply cannot go out now.
    pub fn send_reply(&mut self, now: UnixTime, reply_to: &ReplyTo, reply: Reply) -> Result<(), Failure> {
        let sent = self.try_reply(now, reply_to, reply);
        self.settle(now);
        sent
    }

    /// Says that the handler of a request gives no reply, for the statistics.
    pub fn note_no_reply(&mut self, reply_to: &ReplyTo) {
        self.stats.count_received(reply_to.category, StatsCounter::REPLY_NONE);
    }

    /// Says how long the handler of a request took, for the statistics.
    pub fn note_handled(&mut self, reply_to: &ReplyTo, took: Duration) {
        self.stats.record_processing(reply_to.category, took);
    }

    /// Answers several requests of one cell at once, some time after they came. The reply is routed like a request.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the reply cannot go out now.
    pub fn send_delayed_reply(
        &mut self,
        now: UnixTime,
        to: &FqcnBuf,
        ids: &[RequestId],
        reply: Reply,
        about: &Outgoing,
    ) -> Result<(), Failure> {
        let next = self.route(to.as_fqcn(), &self.fresh())?;
        let ids: Vec<&str> = ids.iter().map(RequestId::as_str).collect();
        let me = self.config.address().clone();
        let head = ReplyHead {
            origin: me.as_fqcn(),
            destination: to.as_fqcn(),
            next_hop: next.as_fqcn(),
            channel: &about.channel,
            topic: &about.topic,
            ids: HeaderValue::Texts(&ids),
            is_secure: about.secure,
            is_optional: about.optional,
        };
        let sent = self.finish_reply(now, &head, to, &next, reply, None);
        self.settle(now);
        sent
    }

    /// Sends a message without a reply some time soon, together with others for the same target.
    pub fn queue(&mut self, now: UnixTime, target: &FqcnBuf, message: Outgoing) {
        if self.bulks.push(now, target, message) >= self.config.limits.bulk_size {
            let messages = self.bulks.take(target);
            self.send_bulk(now, target, &messages);
            self.settle(now);
        }
    }

    /// Sends what waits in bulks.
    pub(super) fn flush_bulks(&mut self, now: UnixTime) {
        for (target, messages) in self.bulks.take_all() {
            self.send_bulk(now, &target, &messages);
        }
        self.settle(now);
    }

    fn send_bulk(&mut self, now: UnixTime, target: &FqcnBuf, messages: &[Outgoing]) {
        let payload = bulk::bundle(target, messages);
        let bulk = Outgoing::new(Channel::CELLNET, CellTopic::BULK, Body::fobs(payload));
        if let Err(failure) = self.try_send(now, target, &bulk, None) {
            debug!(%target, count = messages.len(), %failure, "a bulk was not sent");
        }
    }

    /// Stops to wait for a request: its targets end as cancelled, replies that still come are late.
    pub fn cancel(&mut self, id: &RequestId) {
        for expired in self.pending.cancel(id) {
            let (target, open) = (expired.target, expired.open);
            self.events.push_back(Event::Reply { id: id.clone(), target, outcome: Err(Failure::Cancelled), open });
        }
    }

    /// Tells every neighbour that this cell stops. None if there is no neighbour, or no room to wait for the answers.
    /// Wait for the answers, half a second at most, before the connections are closed.
    pub fn goodbye(&mut self, now: UnixTime) -> Option<RequestId> {
        let mut targets: Vec<FqcnBuf> = self.neighbours().map(|(name, _)| name.clone()).collect();
        targets.sort_unstable();
        let bye = Outgoing::new(Channel::CELLNET, Topic::BYE, Body::none())
            .with_timeout(Duration::from_secs_f64(CellLimit::BYE_TIMEOUT))
            .optional();
        self.send_request(now, &targets, &bye).ok()
    }

    /// Whether a message of this cell could be sent there now.
    #[must_use]
    pub fn is_reachable(&self, target: Fqcn<'_>) -> bool {
        next_hop(self.address(), self, target, &self.fresh()).is_ok()
    }

    /// An id that no other request has.
    pub fn fresh_id(&mut self) -> RequestId {
        RequestId::from_random(self.ids.next_bytes())
    }

    fn register(
        &mut self,
        now: UnixTime,
        timeout: Duration,
        targets: impl IntoIterator<Item = FqcnBuf>,
    ) -> Result<RequestId, Refused> {
        let id = self.fresh_id();
        self.pending.register(&id, now, timeout, targets)?;
        Ok(id)
    }

    fn send_to(&mut self, now: UnixTime, target: &FqcnBuf, request: &Outgoing, id: Option<&RequestId>) {
        if let Err(failure) = self.try_send(now, target, request, id) {
            self.fail(id, target, failure);
        }
    }

    /// Routes, filters and sends a request of this cell to one target.
    fn try_send(
        &mut self,
        now: UnixTime,
        target: &FqcnBuf,
        request: &Outgoing,
        id: Option<&RequestId>,
    ) -> Result<(), Failure> {
        let Outgoing { channel, topic, headers, body, secure, optional, .. } = request;
        let encoding = body.encoding();
        let about = About { channel, topic, encoding, secure: *secure, optional: *optional };
        self.post(now, target, &about, headers.clone(), body.payload().clone(), id)
    }

    fn post(
        &mut self,
        now: UnixTime,
        target: &FqcnBuf,
        about: &About<'_>,
        headers: HeaderMap,
        payload: Payload,
        id: Option<&RequestId>,
    ) -> Result<(), Failure> {
        let me = self.config.address().clone();
        let mut next = self.route(target.as_fqcn(), &self.fresh())?;
        let head = RequestHead {
            origin: me.as_fqcn(),
            destination: target.as_fqcn(),
            next_hop: next.as_fqcn(),
            channel: about.channel,
            topic: about.topic,
            ids: id.map(RequestId::as_str),
            is_secure: about.secure,
            is_optional: about.optional,
        };
        let mut message = if headers.is_empty() {
            Message::new(self.templates.request(&head, now), payload)
        } else {
            Message::request(headers, &head, payload, now)
        };
        let verdict = self.run_filters(now, Place::OutgoingRequest, None, Some(next.as_fqcn()), &mut message);
        if let Verdict::Refuse(reply) = verdict {
            let reason = reply.error().unwrap_or_default().into();
            return Err(Failure::Filtered { target: target.clone(), reason });
        }
        let transit = is_transit(&message);
        if transit {
            // The filter has decided that the message must cross the server: the first choice may be a short cut.
            next = self.reroute(target.as_fqcn(), &message)?;
            message.headers.set(Known::ToCell, next.as_fqcn());
        }
        if self.config.adhoc.offers_in_request(me.as_fqcn(), target.as_fqcn(), next.as_fqcn(), transit)
            && let Some(url) = &self.offered_url
        {
            message.headers.insert(HeaderKey::CONN_URL, url.as_str());
        }
        let label = self.label(REQ, about.channel, about.topic);
        self.dispatch(now, target, next, message, about.encoding, label, id)
    }

    /// Has the payload sealed if it must be, and sends the message otherwise.
    #[expect(clippy::too_many_arguments, reason = "the parts of one message, in one place")]
    fn dispatch(
        &mut self,
        now: UnixTime,
        target: &FqcnBuf,
        next: FqcnBuf,
        mut message: Message,
        encoding: PayloadEncoding<'_>,
        label: Label,
        request: Option<&RequestId>,
    ) -> Result<(), Failure> {
        let flag = |key| message.headers.known(key).and_then(RawValue::as_flag).unwrap_or(false);
        let must_be_sealed = flag(Known::Secure) && !flag(Known::Encrypted) && target != self.config.address();
        message.finish(encoding, now);
        if must_be_sealed {
            let work = SealWork { message, target: target.clone(), next, label, request: request.cloned() };
            self.events.push_back(Event::Seal(Box::new(work)));
            return Ok(());
        }
        self.transmit(&next, message, label)
    }

    /// Sends a complete message to a neighbour, or to this cell itself.
    pub(super) fn transmit(&mut self, next: &FqcnBuf, message: Message, label: Label) -> Result<(), Failure> {
        self.check_size(&message)?;
        let size = message.payload.len();
        self.enqueue(next, message, label.class)?;
        self.stats.record_sent_size(label.category, size);
        if label.is_request {
            self.stats.count_sent(label.category, StatsCounter::SENT);
        }
        Ok(())
    }

    /// How a message of this cell is counted and queued.
    fn label(&mut self, kind: &str, channel: &str, topic: &str) -> Label {
        let category = self.stats.category(false, kind, channel, topic);
        Label { category, class: Class::of(channel, topic), is_request: kind == REQ }
    }

    /// Refuses what no frame can carry.
    pub(super) fn check_size(&self, message: &Message) -> Result<(), Failure> {
        let (len, limit) = (message.payload.len(), self.config.limits.message_size);
        if len > limit {
            return Err(Failure::TooBig { len, limit });
        }
        let limit = FrameLimit::MAX_HEADERS_LEN;
        if message.headers.size_hint() > limit {
            // The hint counts bytes that were replaced; only now is it worth to look exactly.
            let mut exact = Vec::new();
            message.headers.write_to(&mut exact);
            if exact.len() > limit {
                return Err(FrameError::HeadersUnsendable { len: exact.len(), limit }.into());
            }
        }
        Ok(())
    }

    /// Answers a request, and logs what goes wrong: nobody waits for the outcome.
    pub(super) fn answer(&mut self, now: UnixTime, reply_to: &ReplyTo, reply: Reply) {
        if let Err(failure) = self.try_reply(now, reply_to, reply) {
            debug!(to = %reply_to.origin, %failure, "a reply was not sent");
        }
    }

    fn try_reply(&mut self, now: UnixTime, reply_to: &ReplyTo, reply: Reply) -> Result<(), Failure> {
        if !reply_to.expected {
            self.stats.count_received(reply_to.category, StatsCounter::REPLY_NOT_EXPECTED);
            return Ok(());
        }
        let me = self.config.address().clone();
        let head = ReplyHead {
            origin: me.as_fqcn(),
            destination: reply_to.origin.as_fqcn(),
            next_hop: reply_to.neighbour.as_fqcn(),
            channel: reply_to.channel(),
            topic: reply_to.topic(),
            ids: HeaderValue::Text(&reply_to.id),
            is_secure: reply_to.secure,
            is_optional: reply_to.optional,
        };
        let url = if reply_to.offer_url { self.offered_url.clone() } else { None };
        self.finish_reply(now, &head, &reply_to.origin, &reply_to.neighbour, reply, url.as_deref())
    }

    /// Filters and sends a reply; one that must cross the server is routed anew.
    fn finish_reply(
        &mut self,
        now: UnixTime,
        head: &ReplyHead<'_>,
        target: &FqcnBuf,
        next: &FqcnBuf,
        mut reply: Reply,
        offered_url: Option<&str>,
    ) -> Result<(), Failure> {
        let is_plain = reply.headers.is_empty() && reply.error().is_none() && reply.code() == ReturnCode::OK;
        let template = if is_plain { self.templates.reply(head, now) } else { None };
        let encoding = reply.body.encoding();
        let payload = core::mem::replace(&mut reply.body, Body::none()).into_payload();
        let mut message = match template {
            Some(headers) => Message::new(headers, payload),
            None => {
                let mut headers = core::mem::take(&mut reply.headers);
                set_outcome(&mut headers, &reply);
                Message::reply(headers, head, payload, now)
            }
        };
        if let Some(url) = offered_url {
            message.headers.insert(HeaderKey::CONN_URL, url);
        }
        let mut next = next.clone();
        let verdict = self.run_filters(now, Place::OutgoingReply, None, Some(next.as_fqcn()), &mut message);
        let mut encoding = encoding;
        if let Verdict::Refuse(instead) = verdict {
            set_outcome(&mut message.headers, &instead);
            encoding = instead.body.encoding();
            message.payload = instead.body.into_payload();
        }
        if is_transit(&message) {
            next = self.reroute(target.as_fqcn(), &message)?;
            message.headers.set(Known::ToCell, next.as_fqcn());
        }
        let label = self.label(REPLY, head.channel, head.topic);
        self.dispatch(now, target, next, message, encoding, label, None)?;
        self.stats.count_received(label.category, StatsCounter::REPLIED);
        self.stats.count_received(label.category, StatsCounter::new(reply.code().as_str()));
        Ok(())
    }

    /// Tells the origin of a request that it goes no further, if it waits for a reply.
    pub(super) fn send_back(
        &mut self,
        now: UnixTime,
        arrival: &Arrival,
        original: &Message,
        reply: Reply,
        reason: ReturnReason<'_>,
    ) {
        let Ok(facts) = original.facts() else { return };
        if !facts.is_reply_expected {
            return;
        }
        let me = self.config.address().clone();
        let head = ReturnHead {
            origin: me.as_fqcn(),
            destination: facts.origin.as_str(),
            next_hop: arrival.from.as_fqcn(),
            request_ids: facts.request_ids,
            reason,
        };
        let mut headers = reply.headers.clone();
        set_outcome(&mut headers, &reply);
        let (encoding, payload) = (reply.body.encoding(), reply.body.into_payload());
        let mut message = Message::returned(headers.clone(), &original.headers, &head, payload.clone(), now);
        message.finish(encoding, now);
        if matches!(self.check_size(&message), Err(Failure::Unsendable(_))) {
            // They filled a frame by themselves. The origin needs of them what says which request this was.
            let known = facts.essential();
            message = Message::returned(headers, &known, &head, payload, now);
            message.finish(encoding, now);
        }
        let label = self.label(RETURN, facts.channel, facts.topic);
        if let Err(failure) = self.transmit(&arrival.from, message, label) {
            debug!(to = %facts.origin, %failure, "a request could not be sent back");
        }
    }

    pub(super) fn route(&self, target: Fqcn<'_>, facts: &MessageFacts<'_>) -> Result<FqcnBuf, Unreachable> {
        let next = next_hop(self.address(), self, target, facts)?;
        Ok(self.owned_hop(next))
    }

    /// What routing knows of a plain message that starts here. That of a guest goes the way of those that must cross the
    /// server: up, to the nearest cell that is there.
    pub(super) const fn fresh(&self) -> MessageFacts<'static> {
        MessageFacts { transit_required: self.config.is_guest, ..MessageFacts::FRESH }
    }

    /// Where a message of this cell goes that says of itself that it must cross the server.
    fn reroute(&self, target: Fqcn<'_>, message: &Message) -> Result<FqcnBuf, Unreachable> {
        let route = message.headers.route();
        let facts = MessageFacts { transit_required: true, route: &route, arrived_from: None };
        let next = next_hop(self.address(), self, target, &facts)?;
        Ok(self.owned_hop(next))
    }

    fn owned_hop(&self, hop: Hop<'_>) -> FqcnBuf {
        match hop {
            Hop::Here => self.config.address().clone(),
            Hop::Neighbour(next) => self.owned_neighbour(next),
        }
    }
}

const REQ: &str = fedcell_protocol_defs::cell::MessageType::REQ.as_str();
const REPLY: &str = fedcell_protocol_defs::cell::MessageType::REPLY.as_str();
const RETURN: &str = fedcell_protocol_defs::cell::MessageType::RETURN.as_str();

/// How a message of this cell is counted and queued.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    category: CategoryId,
    class: Class,
    is_request: bool,
}

impl Reply {
    /// What the requester is told when its message cannot be passed on.
    pub(super) fn cannot_forward() -> Self {
        Self::failed(ReturnCode::COMM_ERROR, ErrorText::CANNOT_FORWARD)
    }
}

/// Writes code and text of a reply into headers.
fn set_outcome(headers: &mut HeaderMap, reply: &Reply) {
    headers.set(Known::ReturnCode, reply.code().as_str());
    if let Some(error) = reply.error() {
        headers.set(Known::Error, error);
    }
}

fn is_transit(message: &Message) -> bool {
    message.headers.known(Known::ServerTransitRequired).and_then(RawValue::as_flag).unwrap_or(false)
}

/// The targets in order, each once.
fn distinct(targets: &[FqcnBuf]) -> impl Iterator<Item = &FqcnBuf> {
    targets
        .iter()
        .enumerate()
        .filter(|(at, target)| !targets.iter().take(*at).any(|seen| seen == *target))
        .map(|(_, t)| t)
}

/// What a request of this cell says about itself, apart from its parts.
struct About<'a> {
    channel: &'a str,
    topic: &'a str,
    encoding: PayloadEncoding<'static>,
    secure: bool,
    optional: bool,
}
