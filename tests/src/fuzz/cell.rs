//! Bytes of a connection, headers, introductions, addresses and URLs, from whoever may send them.

use bytes::{Bytes, BytesMut};
use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf, FqcnError};
use fedcell_cell_proto::frame::{EncodedFrame, Frame, FrameDecoder, FrameError, FrameLimits, Outline, Payload, Prefix};
use fedcell_cell_proto::headers::{HeaderLimits, HeaderMap};
use fedcell_cell_proto::identity::{ConnectionFacts, IdentityPolicy, Side};
use fedcell_cell_proto::link::{Link, LinkConfig, LinkEvent, LinkState};
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::request::bulk;
use fedcell_cell_proto::request::{Body, Outgoing};
use fedcell_cell_proto::url::{ConnUrl, PortRange, UrlError};
use fedcell_protocol_defs::cell::{CellTopic, HeaderKey, PayloadEncoding};
use fedcell_protocol_defs::frame::{AppId, FrameType};

const NOW: UnixTime = UnixTime::from_secs(1_767_225_600);

fn must<T, E: core::fmt::Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("what was made here is refused: {error:?}"))
}

/// Cuts what a peer sent into frames, `step` bytes at a time.
fn cut(bytes: &[u8], step: usize) -> (Vec<Frame>, Option<FrameError>, usize) {
    let mut decoder = FrameDecoder::new(FrameLimits::default());
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in bytes.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error), 0),
            }
        }
        let room = decoder.room_wanted(buffer.len(), 64);
        assert!(room <= buffer.len().max(64), "{room} bytes are to be read for {}", buffer.len());
    }
    let left = buffer.len();
    (frames, None, left)
}

/// The first byte says in which pieces the rest arrives: the frames are the same however that is.
pub fn frames(bytes: &[u8]) {
    let Some((&step, stream)) = bytes.split_first() else { return };
    let (whole, failure, left) = cut(stream, stream.len().max(1));
    assert_eq!(cut(stream, usize::from(step).max(1)), (whole.clone(), failure, left));
    let mut at = 0;
    for frame in whole {
        let length = Prefix::SIZE + frame.headers.len() + frame.payload.len();
        let own = &stream[at..at + length];
        at += length;
        assert_eq!(frame.prefix.encode(), own[..Prefix::SIZE]);
        assert_eq!(must(Frame::decode_whole(Bytes::copy_from_slice(own), length)), frame);
        if frame.prefix.reserved == 0 && frame.prefix.flags == 0 {
            let Prefix { frame_type, app_id, stream_id, sequence, .. } = frame.prefix;
            let outline = Outline { frame_type, app_id, stream_id, sequence };
            let made = EncodedFrame::new(outline, 0, |out| out.extend_from_slice(&frame.headers), frame.payload.into());
            assert_eq!(must(made).into_bytes(), own);
        }
    }
    assert!(failure.is_some() || at + left == stream.len());
}

fn written(map: &HeaderMap) -> Vec<u8> {
    let mut out = Vec::new();
    map.write_to(&mut out);
    assert_eq!(out.len(), map.encoded_len());
    out
}

/// Headers of a message: copied as they came, read as what they are, rewritten as a forwarder does it.
pub fn headers(bytes: &[u8]) {
    let limits = HeaderLimits::default();
    let Ok(map) = HeaderMap::decode(Bytes::copy_from_slice(bytes), &limits) else { return };
    // An empty map is written as no headers at all.
    assert_eq!(written(&map), if map.is_empty() { b"" } else { bytes });
    for (key, value) in &map {
        assert_eq!(map.raw(key), Some(value));
        let _ =
            (map.text(key), map.flag(key), map.integer(key), map.number(key), map.texts(key), map.map(key, &limits));
        let _ = (value.as_blob(), value.items().map(Iterator::count));
    }
    let _ = format!("{map:?}");
    let mut message = Message::new(map.clone(), Payload::empty());
    if let Ok(facts) = message.facts() {
        assert_eq!(map.text(HeaderKey::DESTINATION).ok().flatten().map(Fqcn::parse), Some(Ok(facts.destination)));
    }
    let hops = map.route().hops().count();
    let pushed = message.headers.push_hop(Fqcn::SERVER, 1.0);
    if pushed.is_ok() {
        assert_eq!(message.headers.route().hops().count(), hops + 1);
        assert!(message.headers.route().contains(Fqcn::SERVER));
    }
    message.headers.insert(HeaderKey::FROM_CELL, "server");
    message.headers.insert(HeaderKey::TO_CELL, "site-1");
    message.headers.insert(HeaderKey::SEND_TIME, 2.0);
    let changed = [HeaderKey::ROUTE, HeaderKey::FROM_CELL, HeaderKey::TO_CELL, HeaderKey::SEND_TIME];
    let is_other = |key: &str| changed.iter().all(|known| known.as_str() != key);
    let again = written(&message.headers);
    let read = match HeaderMap::decode(Bytes::from(again), &limits) {
        Ok(read) => read,
        // Four more headers may be too many.
        Err(error) => return assert!(map.len() > limits.count - 4, "{error}"),
    };
    assert_eq!(read, message.headers);
    let others = |map: &HeaderMap| map.iter().filter(|(key, _)| is_other(key)).map(|(key, _)| key.to_owned()).collect();
    let (before, after): (Vec<_>, Vec<_>) = (others(&map), others(&read));
    assert_eq!(before, after);
    for key in before {
        assert_eq!(map.raw(&key), read.raw(&key));
    }
}

/// The payload of a bulk: no message is lost or made up, none is larger than what came, and packing them again gives the
/// same messages.
pub fn bulk(bytes: &[u8]) {
    let mut over = HeaderMap::new();
    over.insert(HeaderKey::ORIGIN, "site-1");
    over.insert(HeaderKey::TOPIC, CellTopic::BULK.as_str());
    over.insert(HeaderKey::PAYLOAD_ENCODING, PayloadEncoding::FOBS.as_str());
    let texts = |message: &Message| {
        let text = |key| must(message.headers.text(key)).map(ToOwned::to_owned);
        let [channel, topic, origin] = [HeaderKey::CHANNEL, HeaderKey::TOPIC, HeaderKey::ORIGIN].map(text);
        assert_eq!(origin.as_deref(), Some("site-1"), "the bulk's own headers win");
        (channel.unwrap_or_default(), topic.unwrap_or_default(), message.payload.clone().into_bytes())
    };
    let unpacked = bulk::unbundle(&Message::new(over.clone(), Payload::from(bytes.to_vec())));
    let decoded = fedcell_fobs::decode(&[Bytes::copy_from_slice(bytes)]);
    let Ok(messages) = unpacked else { return };
    // Several may share what lies in another section.
    assert!(messages.iter().all(|message| message.payload.len() <= bytes.len()));
    if let Ok(value) = decoded {
        assert_eq!(value.items().map(Iterator::count), Some(messages.len()));
    }
    let found: Vec<_> = messages.iter().map(texts).collect();
    let target = FqcnBuf::server();
    let outgoing = |(message, (channel, topic, payload)): (&Message, &(String, String, Bytes))| {
        Outgoing::new(channel, topic, Body::bytes(payload.clone())).with_headers(message.headers.clone())
    };
    let again: Vec<_> = messages.iter().zip(&found).map(outgoing).collect();
    // Headers may be as many as a map holds before a cell adds its own.
    if messages.iter().any(|message| message.headers.len() + 6 > HeaderLimits::default().count) {
        return;
    }
    let packed = Message::new(over, bulk::bundle(&target, &again));
    assert_eq!(must(bulk::unbundle(&packed)).iter().map(texts).collect::<Vec<_>>(), found);
}

/// The first byte chooses the side of the cell; the rest is the body of the introduction, then a stream of frames.
pub fn introduction(bytes: &[u8]) {
    let Some((&choice, rest)) = bytes.split_first() else { return };
    let (side, frame_type) =
        if choice % 2 == 0 { (Side::Listener, FrameType::HELLO) } else { (Side::Dialer, FrameType::READY) };
    let (body, stream) = rest.split_at(rest.len().min(usize::from(choice)));
    let local = must(FqcnBuf::parse("server"));
    let policy = IdentityPolicy::new(local.clone());
    let mut link = Link::new(LinkConfig::new(local.clone(), side), NOW);
    assert_eq!(link.poll_transmit().is_some(), side == Side::Dialer);
    let outline = Outline { frame_type, app_id: AppId::ALL, stream_id: 1, sequence: 1 };
    let frame = must(EncodedFrame::new(outline, 0, |_| {}, Payload::from(body.to_vec())));
    must(link.handle_frame(NOW, must(Frame::decode_whole(frame.into_bytes(), 1 << 20))));
    match link.poll_event() {
        Some(LinkEvent::Claimed(claim)) => {
            assert!(link.poll_transmit().is_none(), "something leaves before the peer is admitted");
            assert_ne!(claim.name, local);
            must(link.admit(NOW, must(policy.admit(&claim.name, &ConnectionFacts::unproven(side)))));
            assert_eq!(link.poll_event(), Some(LinkEvent::Opened));
            assert_eq!(link.poll_transmit().is_some(), side == Side::Listener);
        }
        Some(LinkEvent::Closed(_)) => assert_eq!(link.state(), LinkState::Closed),
        other => panic!("{other:?} after an introduction"),
    }
    let mut decoder = FrameDecoder::new(FrameLimits::default());
    decoder.open();
    let mut buffer = BytesMut::from(stream);
    while let Ok(Some(frame)) = decoder.decode(&mut buffer) {
        let is_open = link.state() == LinkState::Open;
        assert_eq!(link.handle_frame(NOW, frame).is_ok(), is_open);
        while let Some(event) = link.poll_event() {
            assert!(is_open, "{event:?} after the end");
        }
        while link.poll_transmit().is_some() {
            assert_eq!(link.state(), LinkState::Open, "something leaves after the end");
        }
    }
    while let Some(at) = link.poll_timeout() {
        link.handle_timeout(at);
        while link.poll_transmit().is_some() {}
        while link.poll_event().is_some() {}
    }
    assert_eq!(link.state(), LinkState::Closed);
}

/// An address, judged a second time in the plainest way.
pub fn address(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let parsed = Fqcn::parse(text);
    let stripped = text.trim_matches(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c));
    let segments: Vec<&str> = stripped.split('.').collect();
    let is_valid = !stripped.is_empty()
        && stripped.chars().all(|c| c.is_ascii_alphanumeric() || "_.~-".contains(c))
        && segments.iter().all(|segment| !segment.is_empty())
        && segments.iter().collect::<std::collections::HashSet<_>>().len() == segments.len();
    assert_eq!(parsed.is_ok(), is_valid, "{parsed:?}");
    match parsed {
        Ok(address) => {
            assert_eq!(address.as_str(), stripped);
            assert_eq!(address.segments().collect::<Vec<_>>(), segments);
            assert_eq!(address.prefixes().count(), segments.len());
            assert_eq!(
                address.parent().map(|parent| parent.is_parent_of(address)),
                (segments.len() > 1).then_some(true)
            );
            assert_eq!(address.root().as_str(), segments[0]);
            let policy = IdentityPolicy::new(must(FqcnBuf::parse("relay-0.relay-1")));
            assert!(segments.contains(&policy.required(address)));
        }
        Err(FqcnError::EmptySegment { at } | FqcnError::DuplicateSegment { at }) => assert!(at <= stripped.len()),
        Err(_) => {}
    }
}

/// A URL that a peer offered, or that somebody wrote into a file.
pub fn url(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let _ = PortRange::parse(text);
    let Ok(url) = ConnUrl::parse(text) else { return };
    assert_eq!(must(ConnUrl::parse(url.as_str())), url);
    assert!(url.host().is_none_or(|host| !host.is_empty() && host != "0" && host.is_ascii()));
    match url.with_parameter("a key&", "a=value %41") {
        Ok(with) => {
            assert_eq!(with.parameter("a key&"), Some("a=value %41"));
            assert_eq!(
                (with.scheme(), with.host(), with.port(), with.path(), with.path_parameters(), with.fragment()),
                (url.scheme(), url.host(), url.port(), url.path(), url.path_parameters(), url.fragment())
            );
            for (key, value) in url.parameters().filter(|(key, _)| *key != "a key&") {
                assert_eq!(with.parameter(key), Some(value), "{key}");
            }
        }
        Err(error) => assert!(matches!(error, UrlError::ReservedKey { .. }), "{error}"),
    }
}
