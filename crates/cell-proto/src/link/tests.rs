//! Two links in virtual time; the captured bytes of the reference; every wrong frame in every state.

use core::time::Duration;

use bytes::Bytes;
use fedcell_auth::UnixTime;
use fedcell_protocol_defs::frame::{AppId, FrameType, LinkDefaults};

use super::*;
use crate::address::{FqcnBuf, FqcnError};
use crate::frame::{EncodedFrame, Frame, Outline, Payload};
use crate::headers::{HeaderError, HeaderMap};
use crate::identity::{ConnectionFacts, IdentityError, IdentityPolicy, Side};
use crate::message::Message;

const START: UnixTime = UnixTime::from_secs(1_700_000_000);

fn after(seconds: u64) -> UnixTime {
    START.saturating_add(Duration::from_secs(seconds))
}

fn address(text: &str) -> FqcnBuf {
    FqcnBuf::parse(text).unwrap()
}

fn link(local: &str, side: Side) -> Link {
    Link::new(LinkConfig::new(address(local), side), START)
}

fn received(frame: EncodedFrame) -> Frame {
    Frame::decode_whole(frame.into_bytes(), 1 << 20).unwrap()
}

fn frame(frame_type: FrameType, payload: &[u8]) -> Frame {
    let outline = Outline { frame_type, app_id: AppId::ALL, stream_id: 1, sequence: 1 };
    received(EncodedFrame::new(outline, 0, |_| {}, Payload::from(payload.to_vec())).unwrap())
}

/// A HELLO or READY of that name.
fn introduction(frame_type: FrameType, name: &str) -> Frame {
    let mut body = HeaderMap::new();
    body.insert("endpoint_name", name);
    let mut payload = Vec::new();
    body.write_to(&mut payload);
    frame(frame_type, &payload)
}

fn admitted(local: &str, name: &str) -> crate::identity::AdmittedName {
    let facts = ConnectionFacts::unproven(Side::Listener);
    IdentityPolicy::new(address(local)).admit(&address(name), &facts).unwrap()
}

/// Admits whoever has claimed a name.
fn admit(link: &mut Link, now: UnixTime, local: &str) -> Claim {
    let Some(LinkEvent::Claimed(claim)) = link.poll_event() else { panic!("no claim") };
    link.admit(now, admitted(local, claim.name.as_str())).unwrap();
    assert_eq!(link.poll_event(), Some(LinkEvent::Opened));
    *claim
}

/// A dialing and a listening link, open.
fn pair() -> (Link, Link) {
    let (mut site, mut server) = (link("site-1", Side::Dialer), link("server", Side::Listener));
    server.handle_frame(START, received(site.poll_transmit().unwrap())).unwrap();
    admit(&mut server, START, "server");
    site.handle_frame(START, received(server.poll_transmit().unwrap())).unwrap();
    admit(&mut site, START, "site-1");
    (site, server)
}

#[test]
fn the_handshake_has_the_bytes_of_the_reference() {
    // Of the captured HELLO and READY: same name on both sides, clock 1700000000.25.
    let rows: serde_json::Value = serde_json::from_str(include_str!("../../testdata/frames.json")).unwrap();
    let hex = |name: &str| {
        let row = rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap();
        row["hex"].as_str().unwrap().to_owned()
    };
    let shown = |frame: EncodedFrame| frame.into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let now = START.saturating_add(Duration::from_millis(250));
    let mut dialer = Link::new(LinkConfig::new(address("site-1"), Side::Dialer), now);
    assert_eq!(shown(dialer.poll_transmit().unwrap()), hex("hello"));
    let mut listener = Link::new(LinkConfig::new(address("site-1"), Side::Listener), now);
    listener.handle_frame(now, introduction(FrameType::HELLO, "site-2")).unwrap();
    admit(&mut listener, now, "site-1");
    // The vector counts on from the HELLO; this side of the connection has sent nothing before.
    let ready = shown(listener.poll_transmit().unwrap());
    assert_eq!(ready, hex("ready").replacen("00010002", "00010001", 1));
}

#[test]
fn two_links_meet_and_exchange_messages() {
    let (mut site, mut server) = pair();
    assert_eq!((site.state(), server.state()), (LinkState::Open, LinkState::Open));
    assert_eq!(site.peer().unwrap().admitted.name(), &address("server"));
    assert_eq!(server.peer().unwrap().properties.text("fqcn"), Ok(Some("site-1")));
    let mut message = Message::default();
    message.headers.insert("x", 1);
    message.payload = Payload::from(vec![1, 2]);
    for n in 0..3 {
        let frame = received(site.encode(message.clone()).unwrap());
        assert_eq!((frame.prefix.stream_id, frame.prefix.sequence), (17 + n, 2 + n));
        assert_eq!(frame.prefix.app_id, AppId::CELL);
        server.handle_frame(START, frame).unwrap();
        assert_eq!(server.poll_event(), Some(LinkEvent::Message(message.clone())));
    }
    assert_eq!(site.counters().frames_sent, 4);
    assert_eq!(server.counters().frames_received, 4);
    assert_eq!(site.counters().bytes_sent, server.counters().bytes_received);
}

#[test]
fn properties_pass_through_and_do_not_replace_the_name() {
    let mut config = LinkConfig::new(address("site-1"), Side::Dialer);
    config.properties.insert("proof", [1_u8, 2].as_slice());
    config.properties.insert("fqcn", "server");
    config.properties.insert("endpoint_name", "server");
    let mut site = Link::new(config, START);
    let mut server = link("server", Side::Listener);
    server.handle_frame(START, received(site.poll_transmit().unwrap())).unwrap();
    let claim = admit(&mut server, START, "server");
    assert_eq!((claim.name.as_str(), claim.timestamp), ("site-1", Some(1_700_000_000.0)));
    assert_eq!(claim.properties.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["fqcn", "proof"]);
    assert_eq!(claim.properties.text("fqcn"), Ok(Some("site-1")));
}

#[test]
fn numbers_wrap_to_zero() {
    let (mut site, _) = pair();
    for _ in 0..65_535 - 16 {
        site.encode(Message::default()).unwrap();
    }
    let frame = received(site.encode(Message::default()).unwrap());
    assert_eq!(frame.prefix.stream_id, 0);
    assert_eq!(frame.prefix.sequence, 65_535 - 16 + 2);
}

#[track_caller]
fn check_closed(link: &mut Link, expected: &CloseReason) {
    assert_eq!(link.poll_event(), Some(LinkEvent::Closed(expected.clone())));
    assert_eq!(link.poll_event(), None);
    assert!(link.poll_transmit().is_none(), "something is sent to a peer that is refused");
    assert_eq!((link.state(), link.poll_timeout()), (LinkState::Closed, None));
    let error = LinkError::WrongState { verb: "handle_frame", state: LinkState::Closed };
    assert_eq!(link.handle_frame(START, frame(FrameType::PING, &[0xc0])), Err(error));
}

#[test]
fn a_frame_without_its_place_closes_the_link() {
    let others =
        [FrameType::DATA, FrameType::FRAG, FrameType::ACK, FrameType::PING, FrameType::PONG, FrameType::new(99)];
    for (side, own, wrong) in [(Side::Listener, "server", FrameType::READY), (Side::Dialer, "site-1", FrameType::HELLO)]
    {
        for frame_type in others.into_iter().chain([wrong]) {
            let mut link = link(own, side);
            link.poll_transmit();
            link.handle_frame(START, introduction(frame_type, "site-9")).unwrap();
            check_closed(&mut link, &CloseReason::Unexpected { state: LinkState::Expecting, frame_type });
        }
    }
    for frame_type in [FrameType::HELLO, FrameType::READY] {
        let (_, mut server) = pair();
        server.handle_frame(START, introduction(frame_type, "site-1")).unwrap();
        check_closed(&mut server, &CloseReason::Unexpected { state: LinkState::Open, frame_type });
    }
}

#[test]
fn frames_that_nobody_sends_are_passed_over_once_the_link_is_open() {
    let (_, mut server) = pair();
    for frame_type in [FrameType::FRAG, FrameType::ACK, FrameType::new(0), FrameType::new(200)] {
        server.handle_frame(START, frame(frame_type, b"x")).unwrap();
    }
    // DATA for an application that is not there.
    server.handle_frame(START, frame(FrameType::DATA, b"x")).unwrap();
    assert_eq!((server.poll_event(), server.state()), (None, LinkState::Open));
    assert_eq!(server.counters().frames_ignored, 5);
    // DATA whose headers are none is dropped and reported.
    let outline = Outline { frame_type: FrameType::DATA, app_id: AppId::CELL, stream_id: 1, sequence: 1 };
    let bad = EncodedFrame::new(outline, 0, |out| out.push(0xc0), Payload::empty()).unwrap();
    server.handle_frame(START, received(bad)).unwrap();
    assert_eq!(server.poll_event(), Some(LinkEvent::Malformed(HeaderError::Malformed)));
    assert_eq!((server.counters().messages_malformed, server.state()), (1, LinkState::Open));
}

#[test]
fn a_wrong_introduction_closes_the_link_without_an_answer() {
    #[track_caller]
    fn check(payload: &[u8], expected: HandshakeError) {
        let mut server = link("server", Side::Listener);
        server.handle_frame(START, frame(FrameType::HELLO, payload)).unwrap();
        check_closed(&mut server, &CloseReason::BadHandshake(expected));
    }
    check(b"", HandshakeError::Body(HeaderError::Missing { key: "endpoint_name" }));
    check(b"\x80", HandshakeError::Body(HeaderError::Missing { key: "endpoint_name" }));
    check(b"\xc0", HandshakeError::Body(HeaderError::Malformed));
    check(b"\x81\xadendpoint_name\x05", {
        HandshakeError::Body(HeaderError::WrongType { key: "endpoint_name".into(), expected: "text" })
    });
    check(b"\x81\xadendpoint_name\xa3a.a", HandshakeError::Name(FqcnError::DuplicateSegment { at: 2 }));
    check(b"\x81\xadendpoint_name\xa1 ", HandshakeError::Name(FqcnError::Empty));
}

#[test]
fn nobody_may_bear_the_name_of_this_cell() {
    for (side, frame_type) in [(Side::Listener, FrameType::HELLO), (Side::Dialer, FrameType::READY)] {
        let mut cell = link("site-1", side);
        cell.poll_transmit();
        cell.handle_frame(START, introduction(frame_type, " site-1 ")).unwrap();
        check_closed(&mut cell, &CloseReason::Refused(IdentityError::OwnName { name: address("site-1") }));
    }
}

#[test]
fn a_refused_peer_gets_no_answer() {
    let mut server = link("server", Side::Listener);
    server.handle_frame(START, introduction(FrameType::HELLO, "site-1")).unwrap();
    assert!(matches!(server.poll_event(), Some(LinkEvent::Claimed(_))));
    let error = IdentityError::Taken { name: address("site-1") };
    server.refuse(error.clone());
    check_closed(&mut server, &CloseReason::Refused(error));
}

#[test]
fn wrong_verbs_are_errors_and_change_nothing() {
    let mut server = link("server", Side::Listener);
    let wrong = |verb, state| LinkError::WrongState { verb, state };
    let site = admitted("server", "site-1");
    assert_eq!(server.admit(START, site.clone()), Err(wrong("admit", LinkState::Expecting)));
    assert_eq!(server.encode(Message::default()).unwrap_err(), wrong("encode", LinkState::Expecting));
    server.handle_frame(START, introduction(FrameType::HELLO, "site-1")).unwrap();
    let ping = frame(FrameType::PING, &[0xc0]);
    assert_eq!(server.handle_frame(START, ping.clone()), Err(LinkError::NotDrained { verb: "handle_frame" }));
    server.poll_event();
    assert_eq!(server.handle_frame(START, ping.clone()), Err(wrong("handle_frame", LinkState::Claimed)));
    assert_eq!(server.admit(START, admitted("server", "site-2")), Err(LinkError::AnotherName));
    server.admit(START, site.clone()).unwrap();
    assert_eq!(server.handle_frame(START, ping.clone()), Err(LinkError::NotDrained { verb: "handle_frame" }));
    server.poll_event();
    assert_eq!(server.handle_frame(START, ping), Err(LinkError::NotDrained { verb: "handle_frame" }));
    server.poll_transmit();
    assert_eq!(server.admit(START, site), Err(wrong("admit", LinkState::Open)));
}

#[test]
fn a_peer_that_says_no_name_costs_ten_seconds() {
    let mut server = link("server", Side::Listener);
    assert_eq!(server.poll_timeout(), Some(after(10)));
    server.handle_timeout(after(9));
    assert_eq!(server.poll_event(), None);
    server.handle_timeout(after(10));
    check_closed(&mut server, &CloseReason::HandshakeTimeout { limit: Duration::from_secs(10) });
    // Nor does a name that nobody decides about keep the link.
    let mut server = link("server", Side::Listener);
    server.handle_frame(after(9), introduction(FrameType::HELLO, "site-1")).unwrap();
    server.poll_event();
    assert_eq!(server.poll_timeout(), Some(after(10)));
    server.handle_timeout(after(10));
    check_closed(&mut server, &CloseReason::HandshakeTimeout { limit: Duration::from_secs(10) });
}

#[test]
fn a_silent_peer_is_asked_and_then_taken_for_dead() {
    let (mut site, mut server) = pair();
    assert_eq!(site.poll_timeout(), Some(after(60)));
    site.handle_timeout(after(60));
    let ping = received(site.poll_transmit().unwrap());
    assert_eq!((ping.prefix.frame_type, ping.prefix.app_id), (FrameType::PING, AppId::ALL));
    assert_eq!((ping.prefix.stream_id, &ping.payload), (17, &Bytes::from_static(&[LinkDefaults::HEARTBEAT_PAYLOAD])));
    server.handle_frame(after(61), ping).unwrap();
    let pong = received(server.poll_transmit().unwrap());
    assert_eq!((pong.prefix.frame_type, pong.prefix.stream_id, pong.payload.len()), (FrameType::PONG, 17, 1));
    site.handle_frame(after(62), pong).unwrap();
    assert_eq!(site.counters().round_trip, Some(Duration::from_secs(2)));
    assert_eq!(site.poll_timeout(), Some(after(122)));
    assert_eq!((site.poll_event(), server.poll_event()), (None, None));
    // No answer: asked again every five seconds, until three minutes have passed.
    let mut asked = 0;
    while let Some(at) = site.poll_timeout() {
        site.handle_timeout(at);
        asked += u32::from(site.poll_transmit().is_some());
    }
    assert_eq!(asked, 24);
    check_closed(&mut site, &CloseReason::Silent { limit: Duration::from_secs(180) });
}

#[test]
fn sending_alone_is_no_sign_of_life_and_any_frame_is_one() {
    let (mut site, mut server) = pair();
    site.encode(Message::default()).unwrap();
    assert_eq!(site.poll_timeout(), Some(after(60)));
    let frame = received(server.encode(Message::default()).unwrap());
    site.handle_frame(after(59), frame).unwrap();
    site.poll_event();
    assert_eq!(site.poll_timeout(), Some(after(119)));
}

#[test]
fn without_heartbeat_and_idle_timeout_a_link_waits_for_ever() {
    let mut config = LinkConfig::new(address("server"), Side::Listener);
    (config.heartbeat_interval, config.idle_timeout) = (None, None);
    let mut server = Link::new(config, START);
    server.handle_frame(START, introduction(FrameType::HELLO, "site-1")).unwrap();
    admit(&mut server, START, "server");
    assert_eq!(server.poll_timeout(), None);
    server.handle_timeout(after(1 << 40));
    assert_eq!((server.poll_event(), server.state()), (None, LinkState::Open));
}

#[test]
fn a_transport_that_takes_no_byte_is_given_up() {
    let (mut site, _) = pair();
    site.handle_sending(after(5));
    assert_eq!(site.poll_timeout(), Some(after(35)));
    site.handle_sending(after(20));
    assert_eq!(site.poll_timeout(), Some(after(35)), "a second frame behind the first is no progress");
    site.handle_progress(after(20));
    assert_eq!(site.poll_timeout(), Some(after(50)));
    site.handle_sent();
    assert_eq!(site.poll_timeout(), Some(after(60)));
    site.handle_progress(after(21));
    assert_eq!(site.poll_timeout(), Some(after(60)), "nothing is being sent");
    site.handle_sending(after(22));
    site.handle_timeout(after(51));
    assert_eq!(site.poll_event(), None);
    site.handle_timeout(after(52));
    check_closed(&mut site, &CloseReason::Stalled { limit: Duration::from_secs(30) });
}

#[test]
fn a_link_closes_once() {
    let (mut site, _) = pair();
    site.handle_lost();
    site.close(CloseReason::Shutdown);
    site.handle_timeout(after(1000));
    check_closed(&mut site, &CloseReason::Lost);
}

/// A pair whose links hold messages back until the peer knows the connection.
fn settling_pair() -> (Link, Link) {
    let settling = |local: &str, side| {
        let mut config = LinkConfig::new(address(local), side);
        config.settle = Some(Duration::from_secs(1));
        Link::new(config, START)
    };
    let (mut site, mut server) = (settling("site-1", Side::Dialer), settling("server", Side::Listener));
    server.handle_frame(START, received(site.poll_transmit().unwrap())).unwrap();
    admit(&mut server, START, "server");
    site.handle_frame(START, received(server.poll_transmit().unwrap())).unwrap();
    admit(&mut site, START, "site-1");
    (site, server)
}

#[test]
fn a_link_settles_by_two_answers() {
    let (mut site, mut server) = settling_pair();
    server.poll_transmit().unwrap();
    assert_eq!(site.poll_timeout(), Some(after(1)));
    for _ in 0..2 {
        assert!(!site.is_settled());
        let ping = received(site.poll_transmit().unwrap());
        assert_eq!(ping.prefix.frame_type, FrameType::PING);
        server.handle_frame(START, ping).unwrap();
        site.handle_frame(START, received(server.poll_transmit().unwrap())).unwrap();
    }
    assert!(site.is_settled() && !server.is_settled());
    assert_eq!((site.poll_transmit().map(received), site.poll_timeout()), (None, Some(after(60))));
}

#[test]
fn a_link_settles_by_a_message_or_in_time() {
    let (mut site, mut server) = settling_pair();
    while site.poll_transmit().is_some() {}
    let message = received(server.encode(Message::default()).unwrap());
    site.handle_frame(START, message).unwrap();
    assert!(site.is_settled() && !server.is_settled());
    server.poll_transmit();
    server.handle_timeout(after(1));
    assert!(server.is_settled());
}

#[test]
fn a_certificate_is_verified_again_in_intervals_and_at_its_end() {
    let mut config = LinkConfig::new(address("server"), Side::Listener);
    (config.heartbeat_interval, config.idle_timeout) = (None, None);
    config.certified_until = Some(after(1500));
    let mut server = Link::new(config, START);
    server.handle_frame(START, introduction(FrameType::HELLO, "site-1")).unwrap();
    assert_eq!(server.poll_timeout(), Some(after(10)), "nothing is verified before the handshake is over");
    admit(&mut server, START, "server");
    server.poll_transmit().unwrap();
    for (at, until) in [(600, 1500), (1200, 1500), (1500, 9000), (2100, 9000)] {
        assert_eq!(server.poll_timeout(), Some(after(at)));
        server.handle_timeout(after(at - 1));
        assert_eq!(server.poll_event(), None);
        server.handle_timeout(after(at));
        assert_eq!(server.poll_event(), Some(LinkEvent::Recheck));
        assert_eq!((server.poll_event(), server.poll_timeout()), (None, None), "asked once");
        server.handle_rechecked(after(at), Ok(after(until)));
        assert_eq!(server.state(), LinkState::Open);
    }
    server.handle_timeout(after(2700));
    assert_eq!(server.poll_event(), Some(LinkEvent::Recheck));
    server.handle_rechecked(after(2700), Err(CertificateProblem::Expired));
    check_closed(&mut server, &CloseReason::Uncertified { problem: CertificateProblem::Expired });
}
