//! The machine of one cell, verb by verb.

use core::time::Duration;
use std::sync::Arc;

use fedcell_auth::UnixTime;
use fedcell_protocol_defs::cell::{HeaderKey, MessageType, ReturnCode, ReturnReason, StatsCounter};

use super::testing::{Duo, WIRE, carry, node, node_with, outcome_of};
use super::{ConnectionId, Event, Node, NodeConfig, OriginCheck, Transmit};
use crate::address::{Fqcn, FqcnBuf};
use crate::adhoc::AdhocPolicy;
use crate::filter::{FilterContext, Place, Verdict};
use crate::frame::Frame;
use crate::headers::{HeaderLimits, HeaderMap};
use crate::identity::{ConnectionFacts, Side};
use crate::link::{CertificateProblem, CloseReason, Link, LinkConfig, LinkEvent};
use crate::message::{Message, Payload, RequestHead};
use crate::request::{Body, Failure, Outgoing, Reply, RequestId, TargetMessage};
use crate::stats::HistogramMode;
use crate::testing::NOW;

const SECOND: Duration = Duration::from_secs(1);

fn address(text: &str) -> FqcnBuf {
    FqcnBuf::parse(text).unwrap()
}

fn request(topic: &str) -> Outgoing {
    Outgoing::new("c", topic, Body::bytes(b"payload".to_vec())).with_timeout(9 * SECOND)
}

fn code(message: &Message) -> &str {
    message.headers.text(HeaderKey::RETURN_CODE).unwrap().unwrap()
}

/// A neighbour made of nothing but its link: says what real cells do not say.
struct Stranger {
    link: Link,
    connection: ConnectionId,
}

impl Stranger {
    /// Connects to a node as `name`.
    fn join(node: &mut Node, number: u64, name: &str) -> Self {
        let link = Link::new(LinkConfig::new(address(name), Side::Dialer), NOW);
        let mut stranger = Self { link, connection: ConnectionId::new(number) };
        node.handle_connected(NOW, stranger.connection, ConnectionFacts::unproven(Side::Listener));
        let hello = stranger.link.poll_transmit().unwrap().into_bytes();
        node.handle_frame(NOW, stranger.connection, Frame::decode_whole(hello, 1 << 20).unwrap());
        let ready = stranger.receive(node).expect("READY");
        stranger.link.handle_frame(NOW, ready).unwrap();
        let Some(LinkEvent::Claimed(claim)) = stranger.link.poll_event() else { panic!("no name") };
        let policy = crate::identity::IdentityPolicy::new(address(name));
        let facts = ConnectionFacts::unproven(Side::Dialer);
        stranger.link.admit(NOW, policy.admit(&claim.name, &facts).unwrap()).unwrap();
        while stranger.link.poll_event().is_some() {}
        assert!(matches!(node.poll_event(), Some(Event::PeerUp { .. })));
        stranger
    }

    fn send(&mut self, node: &mut Node, message: Message) {
        let bytes = self.link.encode(message).unwrap().into_bytes();
        node.handle_frame(NOW, self.connection, Frame::decode_whole(bytes, 1 << 20).unwrap());
    }

    /// The next frame for this neighbour.
    fn receive(&self, node: &mut Node) -> Option<Frame> {
        while let Some(transmit) = node.poll_transmit() {
            if let Transmit::Frame { connection, frame, .. } = transmit
                && connection == self.connection
            {
                return Some(Frame::decode_whole(frame.into_bytes(), 1 << 20).unwrap());
            }
        }
        None
    }

    fn receive_message(&self, node: &mut Node) -> Option<Message> {
        self.receive(node).map(|frame| Message::decode(frame, &HeaderLimits::default()).unwrap())
    }
}

fn raw_request(origin: &str, destination: &str, id: Option<&str>) -> Message {
    let head = RequestHead {
        origin: Fqcn::parse(origin).unwrap(),
        destination: Fqcn::parse(destination).unwrap(),
        next_hop: Fqcn::SERVER,
        channel: "c",
        topic: "t",
        ids: id,
        is_secure: false,
        is_optional: false,
    };
    Message::request(HeaderMap::new(), &head, Payload::empty(), NOW)
}

#[test]
fn a_request_is_handled_and_its_reply_comes_back() {
    let mut duo = Duo::connected();
    let id = duo.site.exchange_mut().send_request(NOW, &[FqcnBuf::server()], &request("t")).unwrap();
    assert_eq!(duo.site.poll_timeout(), Some(NOW.saturating_add(9 * SECOND)));
    let asked = duo.server_request();
    assert_eq!((asked.reply_to.channel(), asked.reply_to.topic()), ("c", "t"));
    assert_eq!(asked.reply_to.origin().as_str(), "site-1");
    let hops: Vec<_> = asked.message.headers.route().hops().map(|hop| hop.cell.to_owned()).collect();
    assert_eq!(hops, ["site-1", "server"], "the receiver adds itself");
    duo.server.exchange_mut().send_reply(NOW, &asked.reply_to, Reply::ok(Body::bytes(b"yes".to_vec()))).unwrap();
    let Event::Reply { id: answered, target, outcome: Ok(reply), open: 0 } = duo.site_event() else { panic!() };
    assert_eq!((answered, target), (id, FqcnBuf::server()));
    assert_eq!((code(&reply), reply.payload.clone().into_bytes().as_ref()), ("ok", b"yes".as_slice()));
    assert_eq!(duo.site.exchange().stats().sent_total(StatsCounter::SENT), 1);
    assert_eq!(duo.site.exchange().stats().sent_total(StatsCounter::new("ok")), 1);
    assert_eq!(duo.server.exchange().stats().received_total(StatsCounter::REPLIED), 1);
}

#[test]
fn a_second_and_a_late_reply_are_dropped_and_counted() {
    let mut duo = Duo::connected();
    duo.site.exchange_mut().send_request(NOW, &[FqcnBuf::server()], &request("t")).unwrap();
    let asked = duo.server_request();
    for _ in 0..2 {
        duo.server.exchange_mut().send_reply(NOW, &asked.reply_to, Reply::ok(Body::none())).unwrap();
    }
    assert!(outcome_of(duo.site_event()).is_ok());
    assert!(duo.site.poll_event().is_none());
    assert_eq!(duo.site.exchange().drops().late, 1);
    assert_eq!(duo.site.exchange().stats().sent_total(StatsCounter::LATE), 1);
}

#[test]
fn a_deadline_ends_a_request_and_cancelling_does_too() {
    let mut duo = Duo::connected();
    let exchange = duo.site.exchange_mut();
    exchange.send_request(NOW, &[FqcnBuf::server()], &request("t")).unwrap();
    let id = exchange.send_request(NOW, &[FqcnBuf::server()], &request("t")).unwrap();
    exchange.cancel(&id);
    assert_eq!(outcome_of(duo.site_event()).unwrap_err(), Failure::Cancelled);
    let late = NOW.saturating_add(9 * SECOND);
    duo.site.handle_timeout(late);
    let failure = outcome_of(duo.site_event()).unwrap_err();
    assert_eq!(failure.return_code(), ReturnCode::TIMEOUT);
    assert_eq!(duo.site.exchange().pending_requests(), 0);
}

#[test]
fn a_request_to_nobody_fails_at_once_and_one_to_oneself_stays_at_home() {
    let mut site = node("site-1", 0);
    let targets = [address("site-2"), address("site-1")];
    site.exchange_mut().send_request(NOW, &targets, &request("t")).unwrap();
    let Some(Event::Reply { target, outcome: Err(failure), open: 1, .. }) = site.poll_event() else { panic!() };
    assert_eq!((target.as_str(), failure.return_code()), ("site-2", ReturnCode::TARGET_UNREACHABLE));
    let Some(Event::Request(asked)) = site.poll_event() else { panic!() };
    site.exchange_mut().send_reply(NOW, &asked.reply_to, Reply::ok(Body::none())).unwrap();
    assert!(outcome_of(site.poll_event().unwrap()).is_ok());
    assert!(site.poll_transmit().is_none());
}

#[test]
fn each_target_may_get_a_body_of_its_own() {
    let mut duo = Duo::connected();
    let own = TargetMessage { target: address("site-1"), message: request("own") };
    let far = TargetMessage { target: FqcnBuf::server(), message: request("far") };
    duo.site.exchange_mut().send_each(NOW, &[own, far], SECOND).unwrap();
    assert_eq!(duo.server_request().reply_to.topic(), "far");
    let Event::Request(asked) = duo.site_event() else { panic!() };
    assert_eq!(asked.reply_to.topic(), "own");
    assert_eq!(duo.site.exchange_mut().fire(NOW, &[FqcnBuf::server()], &request("f")), []);
    let asked = duo.server_request();
    assert!(!asked.reply_to.is_expected() && asked.reply_to.topic() == "f");
    duo.server.exchange_mut().send_reply(NOW, &asked.reply_to, Reply::ok(Body::none())).unwrap();
    assert_eq!(duo.server.exchange().stats().received_total(StatsCounter::REPLY_NOT_EXPECTED), 1);
}

#[test]
fn one_delayed_reply_answers_several_requests() {
    let mut duo = Duo::connected();
    let ids: Vec<RequestId> = (0..2)
        .map(|_| duo.site.exchange_mut().send_request(NOW, &[FqcnBuf::server()], &request("t")).unwrap())
        .collect();
    for _ in 0..2 {
        let asked = duo.server_request();
        duo.server.exchange_mut().note_no_reply(&asked.reply_to);
    }
    let reply = Reply::ok(Body::bytes(b"both".to_vec()));
    duo.server.exchange_mut().send_delayed_reply(NOW, &address("site-1"), &ids, reply, &request("t")).unwrap();
    for id in ids {
        let Event::Reply { id: answered, outcome: Ok(_), .. } = duo.site_event() else { panic!() };
        assert_eq!(answered, id);
    }
}

#[test]
fn queued_messages_leave_in_one_bulk_when_the_time_has_come_or_it_is_full() {
    let mut duo = Duo::connected();
    for topic in ["a", "b", "c"] {
        duo.site.exchange_mut().queue(NOW, &FqcnBuf::server(), request(topic));
    }
    duo.pump();
    assert!(duo.server.poll_event().is_none());
    let due = duo.site.poll_timeout().unwrap();
    duo.site.handle_timeout(due);
    for topic in ["a", "b", "c"] {
        let asked = duo.server_request();
        assert_eq!((asked.reply_to.topic(), asked.reply_to.is_expected()), (topic, false));
        assert_eq!(asked.message.payload.clone().into_bytes(), b"payload".as_slice());
        assert_eq!(asked.message.headers.text(HeaderKey::PAYLOAD_ENCODING), Ok(Some("bytes")));
    }
    for _ in 0..100 {
        duo.site.exchange_mut().queue(NOW, &FqcnBuf::server(), request("full"));
    }
    assert_eq!(duo.server_request().reply_to.topic(), "full");
}

#[test]
fn a_goodbye_is_answered_and_nothing_is_routed_there_any_more() {
    let mut duo = Duo::connected();
    duo.site.exchange_mut().goodbye(NOW).unwrap();
    assert!(matches!(duo.server_event(), Event::PeerDown { peer } if peer == address("site-1")));
    assert!(outcome_of(duo.site_event()).is_ok());
    assert!(!duo.server.exchange().is_reachable(address("site-1").as_fqcn()));
    duo.server.close_all(NOW);
    assert!(matches!(duo.server.poll_transmit(), Some(Transmit::Close { reason: CloseReason::Shutdown, .. })));
    assert!(duo.server.poll_event().is_none(), "it was gone already");
    assert_eq!(duo.server.connections(), 0);
}

#[test]
fn a_newer_connection_of_the_same_peer_takes_the_place_of_the_older() {
    let mut duo = Duo::connected();
    let newer = ConnectionId::new(2);
    duo.server.handle_connected(NOW, newer, ConnectionFacts::unproven(Side::Listener));
    duo.site.handle_connected(NOW, newer, ConnectionFacts::unproven(Side::Dialer));
    while carry(&mut duo.site, &mut duo.server, NOW) {}
    let mut closed = Vec::new();
    while let Some(transmit) = duo.server.poll_transmit() {
        match transmit {
            Transmit::Close { connection, reason } => closed.push((connection, reason)),
            Transmit::Frame { connection, frame, .. } => {
                assert_eq!(connection, newer);
                duo.site.handle_frame(NOW, newer, Frame::decode_whole(frame.into_bytes(), 1 << 20).unwrap());
            }
            other => panic!("nothing settles here: {other:?}"),
        }
    }
    assert_eq!(closed, [(WIRE, CloseReason::Replaced { peer: address("site-1") })]);
    assert!(matches!(duo.server.poll_event(), Some(Event::PeerDown { .. })));
    assert!(matches!(duo.server.poll_event(), Some(Event::PeerUp { connection, .. }) if connection == newer));
    assert!(duo.server.is_open(newer) && !duo.server.is_open(WIRE));
}

#[test]
fn what_cannot_be_forwarded_goes_back_to_who_asked() {
    let mut relay = node("server", 0);
    let mut site = Stranger::join(&mut relay, 1, "site-1");
    site.send(&mut relay, raw_request("site-1", "site-2", Some("id-1")));
    let back = site.receive_message(&mut relay).unwrap();
    let facts = back.facts().unwrap();
    assert_eq!((facts.message_type, facts.origin), (MessageType::RETURN, Fqcn::SERVER));
    assert_eq!(facts.request_ids.unwrap().single(), Some("id-1"));
    assert_eq!(code(&back), ReturnCode::COMM_ERROR.as_str());
    assert_eq!(back.headers.text(HeaderKey::RETURN_REASON), Ok(Some(ReturnReason::CANT_FORWARD.as_str())));
    let Some(Event::Undeliverable { reason, .. }) = relay.poll_event() else { panic!() };
    assert_eq!(reason.target.as_str(), "site-2");
    // Nobody waits: nobody is told.
    site.send(&mut relay, raw_request("site-1", "site-2", None));
    assert!(site.receive(&mut relay).is_none());
    assert_eq!(relay.exchange().drops().undeliverable, 2);
}

#[test]
fn a_forwarded_message_is_changed_in_four_headers() {
    let mut relay = node("server", 0);
    let mut from = Stranger::join(&mut relay, 1, "site-1");
    let to = Stranger::join(&mut relay, 2, "site-2");
    let mut message = raw_request("site-1", "site-2", Some("id-1"));
    message.headers.insert("unheard-of", 7);
    message.payload = Payload::from(vec![9; 5000]);
    from.send(&mut relay, message.clone());
    let passed = to.receive_message(&mut relay).unwrap();
    assert_eq!(passed.payload, message.payload);
    assert_eq!(passed.headers.text(HeaderKey::FROM_CELL), Ok(Some("server")));
    assert_eq!(passed.headers.text(HeaderKey::TO_CELL), Ok(Some("site-2")));
    assert_eq!(passed.headers.integer("unheard-of"), Ok(Some(7)));
    let hops: Vec<_> = passed.headers.route().hops().map(|hop| hop.cell.to_owned()).collect();
    assert_eq!(hops, ["site-1", "server"]);
    assert_eq!(relay.exchange().stats().received_total(StatsCounter::FORWARD), 1);
}

#[test]
fn a_request_whose_headers_outgrow_a_frame_on_the_way_goes_back() {
    let mut relay = node("server", 0);
    let mut from = Stranger::join(&mut relay, 1, "site-1");
    let to = Stranger::join(&mut relay, 2, "site-2");
    let mut message = raw_request("site-1", "site-2", Some("id-1"));
    let mut bytes = Vec::new();
    message.headers.write_to(&mut bytes);
    // Ten bytes short of the limit; the relay adds more than that.
    message.headers.insert("long", "x".repeat(65_535 - bytes.len() - 20).as_str());
    from.send(&mut relay, message);
    assert!(to.receive(&mut relay).is_none());
    assert_eq!(relay.exchange().drops().undeliverable, 1);
    // The return carries the headers of the request and is too long as well: it cannot be sent either.
    assert!(from.receive(&mut relay).is_none());
}

#[test]
fn messages_with_the_origin_of_others_vanish_unless_that_is_allowed() {
    for (check, dropped) in [(OriginCheck::Enforced, 1), (OriginCheck::DangerOff, 0)] {
        let mut config = NodeConfig::new(FqcnBuf::server());
        config.origin_check = check;
        let mut server = node_with(config, 0);
        let mut site = Stranger::join(&mut server, 1, "site-1");
        site.send(&mut server, raw_request("site-2", "server", Some("id")));
        assert_eq!(server.exchange().drops().forged_origin, dropped);
        assert_eq!(server.poll_event().is_some(), dropped == 0);
    }
}

#[test]
fn malformed_and_far_travelled_messages_are_dropped_and_the_link_goes_on() {
    let mut server = node("server", 0);
    let mut site = Stranger::join(&mut server, 1, "site-1");
    let mut nameless = raw_request("site-1", "server", Some("id"));
    nameless.headers.remove(HeaderKey::DESTINATION);
    site.send(&mut server, nameless);
    let mut tired = raw_request("site-1", "server", Some("id"));
    for number in 0..70 {
        tired.headers.push_hop(address(&format!("cell-{number}")).as_fqcn(), 1.0).unwrap();
    }
    site.send(&mut server, tired);
    let mut odd = raw_request("site-1", "server", Some("id"));
    odd.headers.insert(HeaderKey::MSG_TYPE, "question");
    site.send(&mut server, odd);
    site.send(&mut server, raw_request("site-1", "server", Some("id")));
    let drops = server.exchange().drops();
    assert_eq!((drops.malformed, drops.too_many_hops), (2, 1));
    assert!(matches!(server.poll_event(), Some(Event::Request(_))));
    assert!(server.poll_event().is_none());
}

#[test]
fn a_reply_from_a_cell_that_was_not_asked_is_dropped() {
    let mut server = node("server", 0);
    let mut site = Stranger::join(&mut server, 1, "site-1");
    server.exchange_mut().send_request(NOW, &[address("site-1")], &request("t")).unwrap();
    let asked = site.receive_message(&mut server).unwrap();
    let mut forged = raw_request("site-1.job", "server", asked.facts().unwrap().request_ids.unwrap().single());
    forged.headers.insert(HeaderKey::MSG_TYPE, "reply");
    site.send(&mut server, forged);
    assert_eq!(server.exchange().drops().unexpected, 1);
    assert!(server.poll_event().is_none());
    assert_eq!(server.exchange().pending_requests(), 1);
}

/// A filter that refuses messages on topic `no`, and writes down on the others where it stood.
fn filter(place: Place) -> Arc<dyn crate::filter::Filter> {
    Arc::new(move |context: &FilterContext<'_>, message: &mut Message| {
        assert_eq!(context.place, place);
        if message.headers.text(HeaderKey::TOPIC) == Ok(Some("no")) {
            let mut reply = Reply::failed(ReturnCode::INVALID_REQUEST, format!("{place:?}"));
            reply.body = Body::bytes(b"instead".to_vec());
            return Verdict::Refuse(Box::new(reply));
        }
        message.headers.insert(format!("seen-{place:?}"), true);
        Verdict::Pass
    })
}

#[test]
fn filters_stand_in_the_six_places() {
    let mut duo = Duo::connected();
    let (outgoing, incoming) = (
        [Place::OutgoingRequest, Place::IncomingReply],
        [Place::Incoming, Place::Interceptor, Place::IncomingRequest, Place::OutgoingReply],
    );
    for place in outgoing {
        duo.site.exchange_mut().filters_mut().add(place, "c", "*", filter(place));
    }
    for place in incoming {
        duo.server.exchange_mut().filters_mut().add(place, "c", "*", filter(place));
    }
    duo.site.exchange_mut().send_request(NOW, &[FqcnBuf::server()], &request("yes")).unwrap();
    let asked = duo.server_request();
    for place in ["OutgoingRequest", "Incoming", "Interceptor", "IncomingRequest"] {
        assert!(asked.message.headers.contains(format!("seen-{place}")), "{place}");
    }
    duo.server.exchange_mut().send_reply(NOW, &asked.reply_to, Reply::ok(Body::none())).unwrap();
    let reply = outcome_of(duo.site_event()).unwrap();
    for place in ["OutgoingReply", "IncomingReply"] {
        assert!(reply.headers.contains(format!("seen-{place}")), "{place}");
    }
}

/// What the requester gets when only the filter in that place refuses: the text of the error header and the type.
fn refused_in(place: Place) -> Result<(String, String), Failure> {
    let mut duo = Duo::connected();
    let at_site = matches!(place, Place::OutgoingRequest | Place::IncomingReply);
    let node = if at_site { &mut duo.site } else { &mut duo.server };
    node.exchange_mut().filters_mut().add(place, "c", "no", filter(place));
    duo.site.exchange_mut().send_request(NOW, &[FqcnBuf::server()], &request("no")).unwrap();
    duo.pump();
    if let Some(Event::Request(asked)) = duo.server.poll_event() {
        duo.server.exchange_mut().send_reply(NOW, &asked.reply_to, Reply::ok(Body::none())).unwrap();
    }
    duo.pump();
    duo.site.handle_timeout(NOW.saturating_add(9 * SECOND));
    let reply = outcome_of(duo.site_event())?;
    let text = |key: HeaderKey<'_>| reply.headers.text(key).unwrap().unwrap_or_default().to_owned();
    Ok((text(HeaderKey::MSG_TYPE), text(HeaderKey::ERROR)))
}

#[test]
fn a_refusal_means_what_its_place_says() {
    let said = |kind: &str, error: &str| Ok((kind.to_owned(), error.to_owned()));
    assert_eq!(refused_in(Place::Incoming).unwrap_err().return_code(), ReturnCode::TIMEOUT);
    assert_eq!(refused_in(Place::Interceptor), said("return", "Interceptor"));
    assert_eq!(refused_in(Place::IncomingRequest), said("reply", "IncomingRequest"));
    assert_eq!(refused_in(Place::OutgoingReply), said("reply", "OutgoingReply"));
    assert_eq!(refused_in(Place::IncomingReply), said("reply", ""));
    let failure = refused_in(Place::OutgoingRequest).unwrap_err();
    assert_eq!(failure.return_code(), ReturnCode::FILTER_ERROR);
}

#[test]
fn a_request_is_sent_back_from_where_messages_vanish_if_the_filter_wants_it() {
    let mut duo = Duo::connected();
    duo.server.exchange_mut().filters_mut().add(
        Place::Incoming,
        "c",
        "*",
        Arc::new(|_: &FilterContext<'_>, _: &mut Message| {
            Verdict::Return(Box::new(Reply::failed(ReturnCode::UNAUTHENTICATED, "again")))
        }),
    );
    duo.site.exchange_mut().send_request(NOW, &[FqcnBuf::server()], &request("t")).unwrap();
    duo.pump();
    let reply = outcome_of(duo.site_event()).unwrap();
    let text = |key: HeaderKey<'_>| reply.headers.text(key).unwrap().unwrap_or_default();
    assert_eq!((text(HeaderKey::MSG_TYPE), text(HeaderKey::ERROR)), ("return", "again"));
    assert_eq!(text(HeaderKey::RETURN_CODE), ReturnCode::UNAUTHENTICATED.as_str());

    // Nobody waits for the reply to this one: its owner decides who is told.
    duo.site.exchange_mut().fire(NOW, &[FqcnBuf::server()], &request("t"));
    let Event::TurnedBack { message, reply } = duo.server_event() else { panic!("the owner is not told") };
    assert_eq!((message.facts().unwrap().topic, reply.error()), ("t", Some("again")));
    assert!(duo.site.poll_event().is_none());
}

#[test]
fn direct_connections_are_offered_and_taken_up_only_where_the_policy_says_so() {
    for (policy, offers) in [(AdhocPolicy::On, true), (AdhocPolicy::Off, false)] {
        let mut config = NodeConfig::new(address("site-2"));
        config.adhoc = policy;
        let mut site = node_with(config, 0);
        site.exchange_mut().set_offered_url(Some("tcp://here:1".to_owned()));
        let mut server = Stranger::join(&mut site, 1, "server");
        site.exchange_mut().send_request(NOW, &[address("site-1")], &request("t")).unwrap();
        let sent = server.receive_message(&mut site).unwrap();
        assert_eq!(sent.headers.contains(HeaderKey::CONN_URL), offers);

        let mut invitation = raw_request("site-3", "site-2", None);
        invitation.headers.insert(HeaderKey::CONN_URL, "tcp://there:2");
        server.send(&mut site, invitation);
        let dials = matches!(site.poll_event(), Some(Event::DialOffered { peer, url })
            if peer.as_str() == "site-3" && url == "tcp://there:2");
        assert_eq!(dials, offers);
    }
}

#[test]
fn what_no_frame_can_carry_is_refused_before_it_is_sent() {
    let mut config = NodeConfig::new(address("site-1"));
    config.limits.message_size = 10;
    let mut duo = Duo::of(node("server", 100), node_with(config, 0));
    let mut large = request("t");
    large.body = Body::bytes(vec![0; 11]);
    duo.site.exchange_mut().send_request(NOW, &[FqcnBuf::server()], &large).unwrap();
    assert_eq!(outcome_of(duo.site_event()).unwrap_err(), Failure::TooBig { len: 11, limit: 10 });
    let mut headers = HeaderMap::new();
    headers.insert("long", "x".repeat(70_000).as_str());
    let long = Outgoing::new("c", "t", Body::none()).with_headers(headers);
    duo.site.exchange_mut().send_request(NOW, &[FqcnBuf::server()], &long).unwrap();
    let failure = outcome_of(duo.site_event()).unwrap_err();
    assert!(matches!(failure, Failure::Unsendable(_)), "{failure:?}");
    assert_eq!(failure.return_code(), ReturnCode::COMM_ERROR);
}

#[test]
fn silent_neighbours_are_asked_and_then_given_up() {
    let mut duo = Duo::connected();
    let mut now = NOW;
    let mut asked = 0;
    // The site is gone without a word: nothing is carried any more.
    while duo.server.connections() > 0 {
        now = duo.server.poll_timeout().expect("the link watches its peer");
        duo.server.handle_timeout(now);
        while let Some(transmit) = duo.server.poll_transmit() {
            asked += usize::from(matches!(transmit, Transmit::Frame { .. }));
        }
        assert!(now < NOW.saturating_add(600 * SECOND), "the link never gives up");
    }
    assert!(asked > 3, "{asked}");
    assert!(matches!(duo.server.poll_event(), Some(Event::PeerDown { .. })));
    assert!(now > NOW.saturating_add(60 * SECOND));
    assert_eq!(duo.server.poll_timeout(), None, "nothing is left to wait for");
}

#[test]
fn a_transport_that_notices_by_itself_needs_no_heartbeat() {
    let (mut server, mut site) = (node("server", 100), node("site-1", 0));
    server.handle_connected(NOW, WIRE, ConnectionFacts::unproven(Side::Listener).without_heartbeat());
    site.handle_connected(NOW, WIRE, ConnectionFacts::unproven(Side::Dialer));
    while carry(&mut site, &mut server, NOW) || carry(&mut server, &mut site, NOW) {}
    assert!(server.is_open(WIRE) && site.is_open(WIRE));
    // The timer of the handshake has still to pass.
    for node in [&mut server, &mut site] {
        let at = node.poll_timeout().unwrap();
        node.handle_timeout(at);
    }
    assert_eq!(server.poll_timeout(), None);
    assert!(site.poll_timeout().is_some());
}

#[test]
fn a_certificate_that_is_no_longer_good_ends_the_connection() {
    let (mut server, mut site) = (node("server", 100), node("site-1", 0));
    let until = NOW.saturating_add(20 * SECOND);
    server.handle_connected(NOW, WIRE, ConnectionFacts::unproven(Side::Listener).certified_until(until));
    site.handle_connected(NOW, WIRE, ConnectionFacts::unproven(Side::Dialer));
    while carry(&mut site, &mut server, NOW) || carry(&mut server, &mut site, NOW) {}
    assert!(matches!(server.poll_event(), Some(Event::PeerUp { .. })));
    server.handle_timeout(NOW.saturating_add(10 * SECOND));
    assert!(server.poll_event().is_none());
    assert_eq!(server.poll_timeout(), Some(until));
    server.handle_timeout(until);
    assert!(matches!(server.poll_event(), Some(Event::Recheck { connection: WIRE })));
    server.handle_rechecked(until, WIRE, Err(CertificateProblem::Expired));
    let Some(Transmit::Close { connection: WIRE, reason }) = server.poll_transmit() else { panic!("it goes on") };
    assert_eq!(reason, CloseReason::Uncertified { problem: CertificateProblem::Expired });
    assert!(matches!(server.poll_event(), Some(Event::PeerDown { .. })));
    server.handle_rechecked(until, WIRE, Err(CertificateProblem::Expired));
    assert!(server.poll_transmit().is_none(), "a verdict on a connection that is gone");
}

#[test]
fn a_peer_that_invents_topics_fills_no_table() {
    let mut server = node("server", 0);
    let mut site = Stranger::join(&mut server, 1, "site-1");
    let mut invent = |number: u32| {
        let mut message = raw_request("site-1", "server", None);
        message.headers.insert(HeaderKey::TOPIC, format!("invented-{number}").as_str());
        message.headers.insert(HeaderKey::CHANNEL, format!("channel-{}", number % 7).as_str());
        site.send(&mut server, message);
        while server.poll_event().is_some() {}
        server.exchange().stats().categories()
    };
    let few = (0..10).map(&mut invent).last().unwrap();
    assert_eq!(few, [10, 10, 0]);
    let many = (10..10_000).map(&mut invent).last().unwrap();
    assert_eq!(many, [1024, 4096, 0]);
    assert_eq!((10_000..10_100).map(&mut invent).last(), Some(many));
    let table = server.exchange().stats().table("received_msg_counters", HistogramMode::Count).unwrap();
    let other = table.rows.iter().find(|row| row[0] == "(other)").expect("what is beyond is counted in one row");
    assert_eq!(other[1].parse::<u32>().unwrap(), 10_100 - 1023);
}

#[test]
fn a_name_of_our_own_and_frames_before_a_name_close_the_connection() {
    let mut server = node("server", 0);
    let mut twin = Link::new(LinkConfig::new(FqcnBuf::server(), Side::Dialer), NOW);
    server.handle_connected(NOW, WIRE, ConnectionFacts::unproven(Side::Listener));
    let hello = twin.poll_transmit().unwrap().into_bytes();
    server.handle_frame(NOW, WIRE, Frame::decode_whole(hello, 1 << 20).unwrap());
    assert!(matches!(server.poll_transmit(), Some(Transmit::Close { reason: CloseReason::Refused(_), .. })));
    let early = ConnectionId::new(2);
    server.handle_connected(NOW, early, ConnectionFacts::unproven(Side::Listener));
    let data = raw_request("site-1", "server", None).encode(17, 1).unwrap().into_bytes();
    server.handle_frame(NOW, early, Frame::decode_whole(data, 1 << 20).unwrap());
    assert!(matches!(server.poll_transmit(), Some(Transmit::Close { reason: CloseReason::Unexpected { .. }, .. })));
    assert_eq!(server.connections(), 0);
    assert!(server.poll_event().is_none());
}

#[test]
fn the_node_can_be_moved_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&node("server", 0));
    let _: UnixTime = NOW;
}
