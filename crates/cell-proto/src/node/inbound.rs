//! What comes in: checked, filtered, then forwarded, handled or matched with a request.

use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::cell::{
    CellTopic, Channel, HeaderKey, MessageType, ReturnCode, ReturnReason, StatsCounter, Topic,
};
use tracing::{debug, trace};

use super::config::OriginCheck;
use super::event::{Class, Event, IncomingRequest, ReplyTo};
use super::exchange::{Dropped, Exchange};
use super::keys::DispatchKey;
use super::sealing::OpenWork;
use crate::address::{Fqcn, FqcnBuf};
use crate::adhoc::{self, AdhocStep};
use crate::clock::seconds;
use crate::filter::{FilterContext, Place, Verdict};
use crate::headers::{HeaderLimits, Known, RawValue};
use crate::identity::PeerIdentity;
use crate::message::{Facts, Message, Payload};
use crate::request::{Body, Reply, Resolution};
use crate::route::{Hop, MessageFacts, Unreachable, next_hop, pass_on};
use crate::stats::CategoryId;
use crate::transit::may_speak_for;

/// The neighbour that handed a message over, by its connection and not by a header.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) from: FqcnBuf,
    pub(super) identity: PeerIdentity,
}

/// What is to be done with a message that has passed the checks.
struct Judgement {
    step: Step,
    category: CategoryId,
    class: Class,
}

enum Step {
    Forward(FqcnBuf),
    Stuck(Unreachable),
    Deliver(Delivery),
}

/// What a message for this cell is: all that its headers say that is needed further on.
#[derive(Debug)]
pub(super) struct Delivery {
    kind: Kind,
    origin: FqcnBuf,
    category: CategoryId,
    sealed: bool,
    /// The URL that the message offers, if it is to be dialled.
    dial: Option<String>,
}

#[derive(Debug)]
enum Kind {
    Request(ReplyTo),
    Reply,
    Return,
    /// Never sent by the reference, which would take it for a reply.
    Unknown,
}

impl Delivery {
    pub(super) const fn origin(&self) -> &FqcnBuf {
        &self.origin
    }
}

impl Exchange {
    /// The way of every message: statistics, checks, filters for all, then on or in.
    pub(super) fn arrive(&mut self, now: UnixTime, arrival: &Arrival, mut message: Message) {
        // Without filters nothing changes between the checks and the decision: one look at the headers serves both.
        let unfiltered = self.filters.is_empty(Place::Incoming) && self.filters.is_empty(Place::Interceptor);
        let judged = if unfiltered {
            self.judge(now, arrival, &message).map(Some)
        } else {
            self.judge_filtered(now, arrival, &mut message)
        };
        match judged {
            Ok(Some(Judgement { step, category, class })) => match step {
                Step::Forward(next) => self.forward(now, arrival, &next, message, category, class),
                Step::Stuck(reason) => self.give_up(now, arrival, message, category, reason),
                Step::Deliver(delivery) => self.take_in(now, arrival, message, delivery),
            },
            Ok(None) => {}
            Err(why) => self.drop_message(why),
        }
    }

    fn judge(&mut self, now: UnixTime, arrival: &Arrival, message: &Message) -> Result<Judgement, Dropped> {
        let facts = message.facts().map_err(|error| {
            debug!(from = %arrival.from, %error, "dropped a malformed message");
            Dropped::Malformed
        })?;
        let category = self.admit(now, arrival, &facts)?;
        Ok(self.decide(arrival, message, &facts, category))
    }

    /// As [`judge`](Self::judge), with the filters between the checks and the decision. None if a filter has had the
    /// message sent back.
    fn judge_filtered(
        &mut self,
        now: UnixTime,
        arrival: &Arrival,
        message: &mut Message,
    ) -> Result<Option<Judgement>, Dropped> {
        let (is_request, is_awaited) = {
            let facts = message.facts().map_err(|_| Dropped::Malformed)?;
            self.admit(now, arrival, &facts)?;
            (facts.is_request(), facts.is_reply_expected)
        };
        match self.run_filters(now, Place::Incoming, Some(arrival), None, message) {
            Verdict::Pass => {}
            Verdict::Return(reply) if is_request && is_awaited => {
                self.send_back(now, arrival, message, *reply, ReturnReason::INTERCEPT);
                return Ok(None);
            }
            Verdict::Return(reply) if is_request => {
                let message = Box::new(Message::new(core::mem::take(&mut message.headers), Payload::empty()));
                self.events.push_back(Event::TurnedBack { message, reply });
                return Err(Dropped::Filtered);
            }
            Verdict::Refuse(reply) | Verdict::Return(reply) => {
                debug!(from = %arrival.from, said = %reply.error().unwrap_or_default(), "a filter refused a message");
                return Err(Dropped::Filtered);
            }
        }
        if is_request
            && let Verdict::Refuse(reply) = self.run_filters(now, Place::Interceptor, Some(arrival), None, message)
        {
            self.send_back(now, arrival, message, *reply, ReturnReason::INTERCEPT);
            return Ok(None);
        }
        let facts = message.facts().map_err(|_| Dropped::Malformed)?;
        let category = self.category_of(&facts);
        Ok(Some(self.decide(arrival, message, &facts, category)))
    }

    /// Counts a message and checks what can be checked without a key.
    fn admit(&mut self, now: UnixTime, arrival: &Arrival, facts: &Facts<'_>) -> Result<CategoryId, Dropped> {
        let category = self.category_of(facts);
        let mut hops = facts.route.hops();
        if let Some(first) = hops.next() {
            let took = seconds(now) - first.seconds.unwrap_or_default();
            let (kind, forwarded) = (facts.message_type.as_str(), self.is_forwarded(facts));
            self.stats.record_travel(first.cell, forwarded, kind, facts.channel, facts.topic, took);
            if hops.count() >= self.config.limits.hops {
                debug!(from = %arrival.from, origin = %facts.origin, "dropped a message that has passed too many cells");
                return Err(Dropped::TooManyHops);
            }
        }
        self.stats.count_received(category, StatsCounter::RECEIVED);
        let trusted = self.config.origin_check == OriginCheck::DangerOff || arrival.from == *self.config.address();
        if !trusted && !may_speak_for(self.address(), arrival.from.as_fqcn(), facts.origin) {
            debug!(from = %arrival.from, origin = %facts.origin, "dropped a message with the origin of somebody else");
            return Err(Dropped::ForgedOrigin);
        }
        Ok(category)
    }

    fn is_forwarded(&self, facts: &Facts<'_>) -> bool {
        facts.origin != self.address() && facts.destination != self.address()
    }

    fn category_of(&mut self, facts: &Facts<'_>) -> CategoryId {
        let forwarded = self.is_forwarded(facts);
        self.stats.category(forwarded, facts.message_type.as_str(), facts.channel, facts.topic)
    }

    fn decide(&mut self, arrival: &Arrival, message: &Message, facts: &Facts<'_>, category: CategoryId) -> Judgement {
        let about = MessageFacts {
            transit_required: facts.is_transit_required,
            route: &facts.route,
            arrived_from: Some(arrival.from.as_fqcn()),
        };
        let step = match next_hop(self.config.address().as_fqcn(), self, facts.destination, &about) {
            Ok(Hop::Here) => Step::Deliver(self.delivery(arrival, message, facts, category)),
            Ok(Hop::Neighbour(next)) => Step::Forward(self.owned_neighbour(next)),
            Err(reason) => Step::Stuck(reason),
        };
        Judgement { step, category, class: Class::of(facts.channel, facts.topic) }
    }

    fn forward(
        &mut self,
        now: UnixTime,
        arrival: &Arrival,
        next: &FqcnBuf,
        mut message: Message,
        category: CategoryId,
        class: Class,
    ) {
        let me = self.config.address().clone();
        self.count_forward(category, &message);
        if pass_on(&mut message.headers, me.as_fqcn(), next.as_fqcn(), now).is_err() {
            self.drop_message(Dropped::Malformed);
            return;
        }
        if let Err(failure) = self.check_size(&message) {
            debug!(to = %next, %failure, "a message could not be passed on");
            self.drop_message(Dropped::Undeliverable);
            self.send_request_back(now, arrival, &message);
            return;
        }
        trace!(from = %arrival.from, to = %next, "forwarded");
        if let Err(failure) = self.enqueue(next, message, class) {
            // Messages are routed to names that have a connection; so this cannot be.
            debug!(to = %next, %failure, "a message could not be passed on");
            self.drop_message(Dropped::Undeliverable);
        }
    }

    fn count_forward(&mut self, category: CategoryId, message: &Message) {
        self.stats.count_sent(category, StatsCounter::FORWARD);
        self.stats.count_received(category, StatsCounter::FORWARD);
        self.stats.record_sent_size(category, message.payload.len());
    }

    /// A message of others cannot go on: the requester is told, a stream may be told by the owner.
    fn give_up(
        &mut self,
        now: UnixTime,
        arrival: &Arrival,
        message: Message,
        category: CategoryId,
        reason: Unreachable,
    ) {
        debug!(from = %arrival.from, %reason, "cannot forward");
        self.count_forward(category, &message);
        self.drop_message(Dropped::Undeliverable);
        self.send_request_back(now, arrival, &message);
        self.events.push_back(Event::Undeliverable { message: Box::new(message), reason });
    }

    /// Requests are sent back to whoever waits for a reply; replies and returns that cannot go on vanish.
    fn send_request_back(&mut self, now: UnixTime, arrival: &Arrival, message: &Message) {
        if message.facts().is_ok_and(|facts| facts.is_request()) {
            self.send_back(now, arrival, message, Reply::cannot_forward(), ReturnReason::CANT_FORWARD);
        }
    }

    fn delivery(&mut self, arrival: &Arrival, message: &Message, facts: &Facts<'_>, category: CategoryId) -> Delivery {
        let step = self.adhoc_step(arrival, facts, message);
        let url = || message.headers.text(HeaderKey::CONN_URL).ok().flatten().map(str::to_owned);
        // Most messages are handed over by who made them.
        let origin = if facts.origin == arrival.from { arrival.from.clone() } else { facts.origin.to_owned() };
        let kind = match facts.message_type {
            MessageType::REQ => {
                let key = self.keys.of(facts.channel, facts.topic);
                Kind::Request(reply_to(arrival, &origin, key, facts, category, step == AdhocStep::OfferInReply))
            }
            MessageType::REPLY => Kind::Reply,
            MessageType::RETURN => Kind::Return,
            _ => Kind::Unknown,
        };
        Delivery {
            kind,
            origin,
            category,
            sealed: facts.is_secure && facts.is_encrypted,
            dial: if step == AdhocStep::Dial { url() } else { None },
        }
    }

    /// A message for this cell.
    fn take_in(&mut self, now: UnixTime, arrival: &Arrival, mut message: Message, delivery: Delivery) {
        if message.headers.push_hop(self.config.address().as_fqcn(), seconds(now)).is_err() {
            self.drop_message(Dropped::Malformed);
            return;
        }
        self.stats.record_received_size(delivery.category, message.payload.len());
        if delivery.sealed {
            let work = OpenWork { message, arrival: arrival.clone(), delivery };
            self.events.push_back(Event::Open(Box::new(work)));
            return;
        }
        self.deliver(now, arrival, message, delivery);
    }

    /// A message for this cell, its payload open.
    pub(super) fn deliver(&mut self, now: UnixTime, arrival: &Arrival, message: Message, delivery: Delivery) {
        if let Some(url) = delivery.dial {
            self.events.push_back(Event::DialOffered { peer: delivery.origin, url });
        }
        match delivery.kind {
            Kind::Request(reply_to) => self.handle_request(now, arrival, message, reply_to),
            Kind::Reply => self.handle_reply(now, arrival, message, delivery.category),
            Kind::Return => self.handle_return(now, &message),
            Kind::Unknown => self.drop_message(Dropped::Malformed),
        }
    }

    fn adhoc_step(&self, arrival: &Arrival, facts: &Facts<'_>, message: &Message) -> AdhocStep {
        let about = adhoc::Arrival {
            kind: facts.message_type,
            origin: facts.origin,
            from: arrival.from.as_fqcn(),
            transit_required: facts.is_transit_required,
            offers_url: message.headers.known(Known::ConnUrl).is_some(),
        };
        self.config.adhoc.on_arrival(self.address(), about)
    }

    fn handle_request(&mut self, now: UnixTime, arrival: &Arrival, mut message: Message, reply_to: ReplyTo) {
        let on_cellnet = reply_to.channel() == Channel::CELLNET.as_str();
        if on_cellnet && reply_to.topic() == Topic::BYE.as_str() {
            debug!(peer = %arrival.from, "a neighbour said goodbye");
            self.forget_neighbour(&arrival.from);
            self.answer(now, &reply_to, Reply::ok(Body::none()));
            return;
        }
        if on_cellnet && reply_to.topic() == CellTopic::BULK.as_str() {
            self.unbundle(now, arrival, &message, &reply_to);
            return;
        }
        if let Verdict::Refuse(reply) = self.run_filters(now, Place::IncomingRequest, Some(arrival), None, &mut message)
        {
            self.answer(now, &reply_to, *reply);
            return;
        }
        self.events.push_back(Event::Request(Box::new(IncomingRequest { message, reply_to })));
    }

    /// Each message of a bulk is handled as if it had come alone.
    fn unbundle(&mut self, now: UnixTime, arrival: &Arrival, bulk: &Message, reply_to: &ReplyTo) {
        match crate::request::bulk::unbundle(bulk) {
            Ok(items) => {
                for item in items {
                    let Ok(facts) = item.facts() else {
                        self.drop_message(Dropped::Malformed);
                        continue;
                    };
                    let category = self.category_of(&facts);
                    let key = self.keys.of(facts.channel, facts.topic);
                    let item_reply_to = ReplyTo { key, category, offer_url: false, ..reply_to.clone() };
                    self.handle_request(now, arrival, item, item_reply_to);
                }
            }
            Err(error) => {
                debug!(from = %arrival.from, %error, "dropped a malformed bulk");
                self.drop_message(Dropped::Malformed);
            }
        }
    }

    fn handle_reply(&mut self, now: UnixTime, arrival: &Arrival, mut message: Message, category: CategoryId) {
        // The reference runs these for what they do to the message, and does not look at what they say.
        let _ = self.run_filters(now, Place::IncomingReply, Some(arrival), None, &mut message);
        let origin = message.headers.known(Known::Origin).and_then(RawValue::as_text);
        let origin = origin.and_then(|text| Fqcn::parse(text).ok());
        let Some(origin) = origin else { return self.drop_message(Dropped::Malformed) };
        self.settle_requests(now, &message, origin, category);
    }

    /// A request of this cell came back undelivered: it speaks for the cell that it was to reach.
    fn handle_return(&mut self, now: UnixTime, message: &Message) {
        let original = message.headers.map(HeaderKey::ORIGINAL_HEADERS, &HeaderLimits::default());
        let Ok(Some(original)) = original else { return self.drop_message(Dropped::Malformed) };
        let text = |key: HeaderKey<'_>| original.text(key).ok().flatten().unwrap_or_default();
        let Ok(target) = Fqcn::parse(text(HeaderKey::DESTINATION)) else {
            return self.drop_message(Dropped::Malformed);
        };
        let kind = MessageType::RETURN.as_str();
        let category = self.stats.category(false, kind, text(HeaderKey::CHANNEL), text(HeaderKey::TOPIC));
        self.stats.count_sent(category, StatsCounter::RETURN);
        self.settle_requests(now, message, target, category);
    }

    /// Ends what the message answers: the target that it speaks for, of each request that it names.
    fn settle_requests(&mut self, now: UnixTime, message: &Message, speaks_for: Fqcn<'_>, category: CategoryId) {
        let Ok(Some(ids)) = message.headers.texts(HeaderKey::REQ_ID) else {
            return self.drop_message(Dropped::Malformed);
        };
        let code = message.headers.text(HeaderKey::RETURN_CODE).ok().flatten().unwrap_or(ReturnCode::OK.as_str());
        for id in ids.iter() {
            match self.pending.resolve(now, id, speaks_for) {
                Resolution::Answers { id, target, waited, open } => {
                    self.stats.record_response(category, waited);
                    self.stats.count_sent(category, StatsCounter::new(code));
                    let outcome = Ok(Box::new(message.clone()));
                    self.events.push_back(Event::Reply { id, target, outcome, open });
                }
                Resolution::Late => {
                    self.stats.count_sent(category, StatsCounter::LATE);
                    self.drop_message(Dropped::Late);
                }
                Resolution::Second => self.drop_message(Dropped::Second),
                Resolution::Unexpected => {
                    debug!(%speaks_for, "dropped a reply from a cell that was not asked");
                    self.drop_message(Dropped::Unexpected);
                    return;
                }
            }
        }
    }

    /// Runs the filters of one place; the first that refuses ends it. [`Verdict::Return`] is said of what comes in alone.
    pub(super) fn run_filters(
        &self,
        now: UnixTime,
        place: Place,
        arrival: Option<&Arrival>,
        next: Option<Fqcn<'_>>,
        message: &mut Message,
    ) -> Verdict {
        if self.filters.is_empty(place) {
            return Verdict::Pass;
        }
        let text = |key: HeaderKey<'_>| message.headers.text(key).ok().flatten().unwrap_or_default();
        let filters = self.filters.of(place, text(HeaderKey::CHANNEL), text(HeaderKey::TOPIC));
        let context = FilterContext {
            now,
            place,
            me: self.address(),
            from: arrival.map(|arrival| arrival.from.as_fqcn()),
            common_name: arrival.and_then(|arrival| arrival.identity.common_name()),
            next,
        };
        for filter in filters {
            match filter.judge(&context, message) {
                Verdict::Pass => {}
                Verdict::Return(reply) if place != Place::Incoming => return Verdict::Refuse(reply),
                refused => return refused,
            }
        }
        Verdict::Pass
    }
}

/// Where the reply to a request goes.
fn reply_to(
    arrival: &Arrival,
    origin: &FqcnBuf,
    key: Arc<DispatchKey>,
    facts: &Facts<'_>,
    category: CategoryId,
    offer_url: bool,
) -> ReplyTo {
    ReplyTo {
        category,
        neighbour: arrival.from.clone(),
        origin: origin.clone(),
        key,
        id: facts.request_ids.and_then(crate::headers::Texts::single).unwrap_or_default().into(),
        expected: facts.is_reply_expected,
        secure: facts.is_secure,
        optional: facts.is_optional,
        offer_url,
    }
}
