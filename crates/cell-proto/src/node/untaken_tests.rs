//! Messages that wait for a connection to settle, and messages that a connection does not take.

use core::time::Duration;

use fedcell_protocol_defs::cell::{HeaderKey, MessageType, ReturnCode, ReturnReason};

use super::testing::{WIRE, carry, node, node_with, outcome_of};
use super::{ConnectionId, Event, Node, NodeConfig, Transmit};
use crate::address::FqcnBuf;
use crate::filter::Filters;
use crate::frame::{EncodedFrame, Frame};
use crate::headers::{HeaderLimits, HeaderMap};
use crate::identity::{ConnectionFacts, Side};
use crate::link::{CloseReason, LinkConfig};
use crate::message::Message;
use crate::request::{Body, Failure, Outgoing, Reply};
use crate::testing::NOW;

const SETTLE: Duration = Duration::from_millis(500);

fn request(size: usize) -> Outgoing {
    Outgoing::new("c", "t", Body::bytes(vec![7; size])).with_timeout(Duration::from_secs(9))
}

/// A site whose connections settle, for which frames of some 1000 bytes may wait.
fn settling_site() -> Node {
    let mut config = NodeConfig::new(FqcnBuf::parse("site-1").unwrap());
    config.limits.held_bytes = 1000;
    let mut link = LinkConfig::new(config.address().clone(), Side::Dialer);
    link.settle = Some(SETTLE);
    let mut next = 0;
    Node::new(
        config,
        Filters::new(),
        link,
        Box::new(move || {
            next += 1;
            [next; 16]
        }),
    )
}

/// Carries frames between the two until the site is connected, but not its first answers.
fn greet(site: &mut Node, server: &mut Node) {
    server.handle_connected(NOW, WIRE, ConnectionFacts::unproven(Side::Listener));
    site.handle_connected(NOW, WIRE, ConnectionFacts::unproven(Side::Dialer));
    assert!(carry(site, server, NOW), "HELLO");
    assert!(carry(server, site, NOW), "READY");
    assert!(site.is_open(WIRE));
    assert!(matches!(site.poll_event(), Some(Event::PeerUp { .. })));
    assert!(matches!(server.poll_event(), Some(Event::PeerUp { .. })));
}

fn ask(site: &mut Node, size: usize) {
    site.exchange_mut().send_request(NOW, &[FqcnBuf::server()], &request(size)).unwrap();
}

fn held(site: &mut Node) -> usize {
    let mut bytes = None;
    while let Some(transmit) = site.poll_transmit() {
        match transmit {
            Transmit::Held { connection: WIRE, bytes: now } => bytes = Some(now),
            Transmit::NoRoom { connection: WIRE, frame } => site.handle_not_taken(NOW, frame),
            Transmit::Frame { frame, .. } => assert!(frame.into_bytes().len() < 32, "a message left too early"),
            other => panic!("{other:?}"),
        }
    }
    bytes.expect("something is held")
}

#[test]
fn messages_wait_for_the_connection_to_settle_and_leave_in_order() {
    let (mut site, mut server) = (settling_site(), node("server", 100));
    greet(&mut site, &mut server);
    for size in [100, 200] {
        ask(&mut site, size);
    }
    let bytes = held(&mut site);
    assert!((300..1000).contains(&bytes), "{bytes}");
    let by = NOW.saturating_add(SETTLE);
    assert_eq!(site.poll_timeout(), Some(by));
    site.handle_timeout(by);
    assert!(matches!(site.poll_transmit(), Some(Transmit::Held { bytes: 0, .. })));
    while carry(&mut site, &mut server, by) {}
    for size in [100, 200] {
        let Some(Event::Request(request)) = server.poll_event() else { panic!("nothing came") };
        assert_eq!(request.message.payload.len(), size);
        server.exchange_mut().send_reply(by, &request.reply_to, Reply::ok(Body::none())).unwrap();
    }
    while carry(&mut server, &mut site, by) {}
    for _ in 0..2 {
        outcome_of(site.poll_event().unwrap()).unwrap();
    }
}

#[test]
fn answers_of_the_peer_or_a_message_of_its_own_end_the_wait() {
    for speaks in [false, true] {
        let (mut site, mut server) = (settling_site(), node("server", 100));
        greet(&mut site, &mut server);
        ask(&mut site, 100);
        if speaks {
            let target = FqcnBuf::parse("site-1").unwrap();
            assert!(server.exchange_mut().fire(NOW, &[target], &request(1)).is_empty());
            assert!(carry(&mut server, &mut site, NOW));
        } else {
            while carry(&mut site, &mut server, NOW) || carry(&mut server, &mut site, NOW) {}
        }
        while carry(&mut site, &mut server, NOW) {}
        assert!(matches!(server.poll_event(), Some(Event::Request(_))), "{speaks}");
    }
}

#[test]
fn no_more_is_held_than_may_be() {
    let (mut site, mut server) = (settling_site(), node("server", 100));
    greet(&mut site, &mut server);
    // The first is taken whatever its size.
    ask(&mut site, 5000);
    assert!(held(&mut site) > 5000);
    assert!(site.poll_event().is_none());
    ask(&mut site, 1);
    while let Some(transmit) = site.poll_transmit() {
        let Transmit::NoRoom { frame, .. } = transmit else { panic!("{transmit:?}") };
        site.handle_not_taken(NOW, frame);
    }
    let failure = outcome_of(site.poll_event().unwrap()).unwrap_err();
    assert_eq!(failure, Failure::NotTaken { neighbour: FqcnBuf::server() });
    assert_eq!(failure.return_code(), ReturnCode::COMM_ERROR);
    assert_eq!((site.exchange().pending_requests(), site.exchange().drops().not_taken), (1, 1));
}

#[test]
fn what_is_held_for_a_connection_that_ends_fails_at_once() {
    let (mut site, mut server) = (settling_site(), node("server", 100));
    greet(&mut site, &mut server);
    ask(&mut site, 100);
    held(&mut site);
    site.close(NOW, WIRE, CloseReason::Shutdown);
    assert!(matches!(site.poll_event(), Some(Event::PeerDown { .. })));
    let failure = outcome_of(site.poll_event().unwrap()).unwrap_err();
    assert_eq!(failure, Failure::Disconnected { neighbour: FqcnBuf::server() });
    assert_eq!(site.exchange().pending_requests(), 0);
}

/// The next frame for a connection, refused.
fn refuse_next(node: &mut Node, connection: ConnectionId) -> EncodedFrame {
    match node.poll_transmit().expect("a frame to refuse") {
        Transmit::Frame { connection: on, frame, .. } if on == connection => frame,
        other => panic!("{other:?}"),
    }
}

/// A relay between two sites, all connections open; the sites are numbered.
fn relay() -> (Node, [Node; 2]) {
    let mut relay = node_with(NodeConfig::new(FqcnBuf::server()), 100);
    let sites = [1, 2].map(|number| {
        let mut site = node(&format!("site-{number}"), number);
        let connection = ConnectionId::new(u64::from(number));
        relay.handle_connected(NOW, connection, ConnectionFacts::unproven(Side::Listener));
        site.handle_connected(NOW, connection, ConnectionFacts::unproven(Side::Dialer));
        while carry(&mut site, &mut relay, NOW) || carry(&mut relay, &mut site, NOW) {}
        while site.poll_event().is_some() || relay.poll_event().is_some() {}
        site
    });
    (relay, sites)
}

#[test]
fn a_request_of_others_that_is_not_taken_goes_back_to_who_asked() {
    let (mut relay, [mut one, _]) = relay();
    let target = FqcnBuf::parse("site-2").unwrap();
    one.exchange_mut().send_request(NOW, core::slice::from_ref(&target), &request(100)).unwrap();
    assert!(carry(&mut one, &mut relay, NOW));
    let frame = refuse_next(&mut relay, ConnectionId::new(2));
    relay.handle_not_taken(NOW, frame);
    assert!(carry(&mut relay, &mut one, NOW), "a return");
    let back = outcome_of(one.poll_event().unwrap()).unwrap();
    let facts = back.facts().unwrap();
    assert_eq!((facts.message_type, facts.origin), (MessageType::RETURN, FqcnBuf::server().as_fqcn()));
    assert_eq!(back.headers.text(HeaderKey::RETURN_REASON), Ok(Some(ReturnReason::CANT_FORWARD.as_str())));
    assert_eq!(back.headers.text(HeaderKey::RETURN_CODE), Ok(Some(ReturnCode::COMM_ERROR.as_str())));
    let Some(Event::NotTaken { message, failure }) = relay.poll_event() else { panic!("the owner is not told") };
    assert_eq!((message.payload.len(), failure), (100, Failure::NotTaken { neighbour: target }));
}

#[test]
fn replies_and_messages_without_a_reply_that_are_not_taken_are_told_to_the_owner_only() {
    let (mut relay, [mut one, mut two]) = relay();
    let target = FqcnBuf::parse("site-2").unwrap();
    assert!(one.exchange_mut().fire(NOW, core::slice::from_ref(&target), &request(100)).is_empty());
    assert!(carry(&mut one, &mut relay, NOW));
    let frame = refuse_next(&mut relay, ConnectionId::new(2));
    relay.handle_not_taken(NOW, frame);
    assert!(relay.poll_transmit().is_none(), "nobody waits");
    assert!(matches!(relay.poll_event(), Some(Event::NotTaken { .. })));

    one.exchange_mut().send_request(NOW, &[target], &request(100)).unwrap();
    while carry(&mut one, &mut relay, NOW) || carry(&mut relay, &mut two, NOW) {}
    let Some(Event::Request(asked)) = two.poll_event() else { panic!("no request") };
    two.exchange_mut().send_reply(NOW, &asked.reply_to, Reply::ok(Body::none())).unwrap();
    let frame = refuse_next(&mut two, ConnectionId::new(2));
    two.handle_undelivered(NOW, frame);
    assert!(two.poll_transmit().is_none());
    let Some(Event::NotTaken { failure: Failure::Disconnected { .. }, .. }) = two.poll_event() else { panic!() };
}

#[test]
fn a_request_whose_headers_fill_a_frame_comes_back_without_those_of_the_application() {
    let (mut relay, [mut one, _]) = relay();
    let mut headers = HeaderMap::new();
    headers.insert("filling", "x".repeat(64_900).as_str());
    let full = request(1).with_headers(headers);
    let target = FqcnBuf::parse("site-3").unwrap();
    one.exchange_mut().send_request(NOW, core::slice::from_ref(&target), &full).unwrap();
    while carry(&mut one, &mut relay, NOW) || carry(&mut relay, &mut one, NOW) {}
    let back = outcome_of(one.poll_event().unwrap()).unwrap();
    assert_eq!(back.facts().unwrap().message_type, MessageType::RETURN);
    let original = back.headers.map(HeaderKey::ORIGINAL_HEADERS, &HeaderLimits::default()).unwrap().unwrap();
    let text = |key: HeaderKey<'_>| original.text(key).unwrap();
    assert_eq!(text(HeaderKey::DESTINATION), Some(target.as_str()));
    assert_eq!((text(HeaderKey::CHANNEL), text(HeaderKey::TOPIC)), (Some("c"), Some("t")));
    assert!(!original.contains("filling"));
}

#[test]
fn a_refused_return_is_not_returned() {
    let (mut relay, [mut one, _]) = relay();
    one.exchange_mut().send_request(NOW, &[FqcnBuf::parse("site-3").unwrap()], &request(1)).unwrap();
    assert!(carry(&mut one, &mut relay, NOW));
    let frame = refuse_next(&mut relay, ConnectionId::new(1));
    let shown = Frame::decode_whole(frame.clone().into_bytes(), 1 << 20).unwrap();
    let message = Message::decode(shown, &HeaderLimits::default()).unwrap();
    assert_eq!(message.facts().unwrap().message_type, MessageType::RETURN);
    relay.handle_not_taken(NOW, frame);
    assert!(relay.poll_transmit().is_none());
}
