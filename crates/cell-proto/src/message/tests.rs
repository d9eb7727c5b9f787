//! Messages begun here against captured ones of the reference; facts; forwarding as a whole.

use fedcell_protocol_defs::cell::{HeaderKey, MessageType, ReturnReason};

use super::*;
use crate::address::{Fqcn, FqcnError};
use crate::headers::HeaderValue;

const NOW: UnixTime = UnixTime::from_secs(1_795_329_067);

fn keys(message: &Message) -> Vec<&str> {
    message.headers.iter().map(|(key, _)| key).collect()
}

fn address(text: &str) -> Fqcn<'_> {
    Fqcn::parse(text).unwrap()
}

fn challenge() -> Message {
    let mut user = HeaderMap::new();
    user.insert("cn", "site-1");
    user.insert("nonce", "94e7784f");
    let head = RequestHead {
        origin: address("site-1"),
        destination: Fqcn::SERVER,
        next_hop: Fqcn::SERVER,
        channel: "task",
        topic: "challenge",
        ids: Some("a9ab02b8"),
        is_secure: false,
        is_optional: true,
    };
    let mut message = Message::request(user, &head, Payload::empty(), NOW);
    message.finish(PayloadEncoding::NONE, NOW);
    message
}

/// The same message as its receiver has it.
fn received(message: &Message) -> Message {
    let bytes = message.clone().encode(17, 2).unwrap().into_bytes();
    Message::decode(Frame::decode_whole(bytes, 1 << 20).unwrap(), &HeaderLimits::default()).unwrap()
}

#[test]
fn a_request_has_the_headers_of_a_captured_one_in_its_order() {
    let message = challenge();
    assert_eq!(
        keys(&message),
        [
            "cn",
            "nonce",
            "cn__topic",
            "cn__channel",
            "cn__destination",
            "cn__req_id",
            "cn__reply_expected",
            "cn__secure",
            "cn__optional",
            "cn__from",
            "cn__to",
            "cn__origin",
            "cn__msg_type",
            "cn__route",
            "cn__payload_encoding",
            "cn__payload_len",
            "cn__send_time"
        ]
    );
    assert_eq!(received(&message), message);
    let facts = message.facts().unwrap();
    assert!(facts.is_request() && facts.is_reply_expected && facts.is_optional && !facts.is_secure);
    assert!(!facts.is_transit_required && !facts.is_encrypted);
    assert_eq!((facts.origin.as_str(), facts.destination), ("site-1", Fqcn::SERVER));
    assert_eq!((facts.channel, facts.topic), ("task", "challenge"));
    assert_eq!(facts.request_ids.unwrap().single(), Some("a9ab02b8"));
    assert!(facts.route.contains(address("site-1")));
    // The captured frame had ids of 36 characters: 371 bytes of headers.
    let mut full = message.clone();
    full.headers.insert("nonce", "94e7784f-0000-4000-8000-000000000000");
    full.headers.insert("cn__req_id", "a9ab02b8-0000-4000-8000-000000000000");
    let bytes = full.encode(17, 2).unwrap().into_bytes();
    assert_eq!(bytes.len(), 387);
    assert_eq!(bytes[..16], [0, 0, 1, 0x83, 1, 0x73, 1, 0, 0, 0, 0, 1, 0, 17, 0, 2]);
}

#[test]
fn a_message_to_nobody_in_particular_expects_no_reply() {
    let head = RequestHead {
        origin: address("site-1"),
        destination: Fqcn::SERVER,
        next_hop: Fqcn::SERVER,
        channel: "c",
        topic: "t",
        ids: None,
        is_secure: true,
        is_optional: true,
    };
    let message = Message::request(HeaderMap::new(), &head, Payload::empty(), NOW);
    assert_eq!(keys(&message)[3..6], ["cn__reply_expected", "cn__optional", "cn__secure"]);
    let facts = message.facts().unwrap();
    assert!(facts.request_ids.is_none() && !facts.is_reply_expected && facts.is_secure);
}

#[test]
fn a_reply_has_the_headers_of_a_captured_one_in_its_order() {
    let request = challenge();
    let facts = request.facts().unwrap();
    let head = ReplyHead {
        origin: Fqcn::SERVER,
        destination: facts.origin,
        next_hop: facts.origin,
        channel: facts.channel,
        topic: facts.topic,
        ids: facts.request_ids.unwrap().into(),
        is_secure: facts.is_secure,
        is_optional: facts.is_optional,
    };
    let mut message = Message::reply(HeaderMap::new(), &head, Payload::from(vec![1, 2, 3]), NOW);
    message.finish(PayloadEncoding::BYTES, NOW);
    assert_eq!(
        keys(&message),
        [
            "cn__return_code",
            "cn__secure",
            "cn__optional",
            "cn__channel",
            "cn__topic",
            "cn__from",
            "cn__to",
            "cn__origin",
            "cn__destination",
            "cn__req_id",
            "cn__msg_type",
            "cn__route",
            "cn__payload_encoding",
            "cn__payload_len",
            "cn__send_time"
        ]
    );
    assert_eq!(message.headers.text("cn__return_code"), Ok(Some("ok")));
    assert_eq!(message.headers.text("cn__req_id"), Ok(Some("a9ab02b8")));
    assert_eq!(message.headers.integer("cn__payload_len"), Ok(Some(3)));

    let mut failed = HeaderMap::new();
    failed.insert("cn__return_code", "process_exception");
    let delayed = ReplyHead { ids: HeaderValue::Texts(&["a", "b"]), ..head };
    let message = received(&Message::reply(failed, &delayed, Payload::empty(), NOW));
    assert_eq!(message.headers.text("cn__return_code"), Ok(Some("process_exception")));
    assert_eq!(message.facts().unwrap().request_ids.unwrap().iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_returned_request_brings_its_headers_back() {
    let request = received(&challenge());
    let head = ReturnHead {
        origin: address("relay-1"),
        destination: request.facts().unwrap().origin.as_str(),
        next_hop: address("site-1"),
        request_ids: request.facts().unwrap().request_ids,
        reason: ReturnReason::CANT_FORWARD,
    };
    let mut message = Message::cannot_forward(&request.headers, &head, NOW);
    message.finish(PayloadEncoding::NONE, NOW);
    let message = received(&message);
    assert_eq!(
        keys(&message),
        [
            "cn__return_code",
            "cn__error",
            "cn__original_headers",
            "cn__from",
            "cn__to",
            "cn__origin",
            "cn__destination",
            "cn__req_id",
            "cn__msg_type",
            "cn__route",
            "cn__return_reason",
            "cn__payload_encoding",
            "cn__payload_len",
            "cn__send_time"
        ]
    );
    let facts = message.facts().unwrap();
    assert_eq!(facts.message_type, MessageType::RETURN);
    assert_eq!(facts.request_ids.unwrap().iter().collect::<Vec<_>>(), ["a9ab02b8"]);
    let original = message.headers.map(HeaderKey::ORIGINAL_HEADERS, &HeaderLimits::default());
    assert_eq!(original.unwrap().unwrap(), request.headers);
}

#[test]
fn a_message_without_its_facts_is_refused() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut HeaderMap), expected: &MessageError) {
        let mut message = challenge();
        change(&mut message.headers);
        assert_eq!(received(&message).facts().unwrap_err(), *expected);
    }
    let missing = |key| MessageError::Header(HeaderError::Missing { key });
    check(|h| assert!(h.remove(HeaderKey::MSG_TYPE)), &missing("cn__msg_type"));
    check(|h| h.insert(HeaderKey::ORIGIN, ""), &missing("cn__origin"));
    check(|h| h.insert(HeaderKey::DESTINATION, HeaderValue::Nil), &missing("cn__destination"));
    check(|h| h.insert(HeaderKey::ORIGIN, "a..b"), &MessageError::Origin(FqcnError::EmptySegment { at: 2 }));
    let twice = MessageError::Destination(FqcnError::DuplicateSegment { at: 2 });
    check(|h| h.insert(HeaderKey::DESTINATION, "a.a"), &twice);
    let wrong = |key: &str, expected| MessageError::Header(HeaderError::WrongType { key: key.into(), expected });
    check(|h| h.insert(HeaderKey::ORIGIN, 5), &wrong("cn__origin", "text"));
    check(|h| h.insert(HeaderKey::SECURE, "yes"), &wrong("cn__secure", "a truth value"));
    check(|h| h.insert(HeaderKey::REQ_ID, 7), &wrong("cn__req_id", "a text or a list of texts"));
}

#[test]
fn a_forwarder_changes_four_headers_and_nothing_else() {
    let mut request = challenge();
    request.payload = Payload::from(vec![7; 1000]);
    request.headers.insert("unheard-of", [0_u8; 40].as_slice());
    let mut passed = received(&request);
    let payload = passed.payload.segments().next().unwrap().as_ptr();
    passed.headers.insert(HeaderKey::FROM_CELL, "relay-1");
    passed.headers.insert(HeaderKey::TO_CELL, "relay-0");
    passed.headers.push_hop(address("relay-1"), 1.5).unwrap();
    passed.headers.insert(HeaderKey::SEND_TIME, 2.5);
    assert_eq!(passed.payload.segments().next().unwrap().as_ptr(), payload);
    let arrived = received(&passed);
    assert_eq!(arrived.payload, request.payload);
    assert_eq!(keys(&arrived), keys(&request));
    let changed: Vec<_> = arrived
        .headers
        .iter()
        .zip(request.headers.iter())
        .filter_map(|(now, before)| (now.1 != before.1).then_some(now.0))
        .collect();
    assert_eq!(changed, ["cn__from", "cn__to", "cn__route", "cn__send_time"]);
}
