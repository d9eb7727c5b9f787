//! Outgoing streams: window, turns, repetition, errors.

use fedcell_protocol_defs::cell::ReturnCode;

use super::*;
use crate::request::{Failure, Reply, RequestId};
use crate::route::{Obstacle, Unreachable};
use crate::stream::{StreamId, StreamScope, turned_back, undeliverable};

const KIB: usize = 1024;

fn sender() -> Streams {
    let mut config = StreamConfig::default();
    (config.chunk_size, config.ack_interval, config.least_in_flight) = (KIB, KIB as u64, 4 * KIB as u64);
    Streams::new(config, 0)
}

fn plain() -> OpenStream {
    OpenStream::new("aux_communication", "topic").with_request_id(RequestId::from_wire("request"))
}

/// The sequence numbers of chunks that go out.
fn chunks(streams: &mut Streams, now: UnixTime) -> Vec<(i64, i64)> {
    let number = |sent: &StreamTransmit, key: HeaderKey<'_>| sent.message.headers.integer(key).unwrap();
    everything(streams, now)
        .iter()
        .filter_map(|sent| number(sent, HeaderKey::STREAM_ID).zip(number(sent, HeaderKey::SEQUENCE)))
        .collect()
}

fn ack(id: StreamId, from: &str, offset: usize, sequence: Option<i64>) -> Message {
    let mut headers = HeaderMap::new();
    headers.insert(CellKey::ORIGIN, from);
    headers.insert(CellKey::TOPIC, Topic::ACK.as_str());
    headers.insert(HeaderKey::STREAM_ID, id.number());
    headers.insert(HeaderKey::DATA_TYPE, i64::from(DataType::ACK.get()));
    headers.insert(HeaderKey::OFFSET, offset);
    if let Some(sequence) = sequence {
        headers.insert(HeaderKey::SEQUENCE, sequence);
    }
    Message::new(headers, Payload::empty())
}

fn error(id: StreamId, from: &str, topic: Topic<'_>) -> Message {
    let mut message = ack(id, from, 0, None);
    message.headers.insert(CellKey::TOPIC, topic.as_str());
    message.headers.insert(HeaderKey::DATA_TYPE, i64::from(DataType::ERROR.get()));
    message.headers.insert(HeaderKey::CHANNEL, "aux_communication");
    message.headers.insert(HeaderKey::TOPIC, "topic");
    message.headers.insert(HeaderKey::STREAM_REQ_ID, "request");
    message.headers.insert(HeaderKey::ERROR_MSG, "no");
    message
}

fn data(len: usize) -> Payload {
    Payload::from(vec![7; len])
}

#[test]
fn no_more_is_on_its_way_than_window_and_pace_allow() {
    // Window, least in flight, and how many chunks of 1 KiB leave before an acknowledgement.
    for (window, least, expected) in [(0, 4, 1), (1, 4, 1), (3, 4, 3), (100, 4, 4), (3, 100, 3)] {
        let mut streams = sender();
        streams.config.least_in_flight = least * KIB as u64;
        let stream = plain().with_window(window * KIB as u64);
        let id = streams.send_whole(NOW, &cell("site-1"), stream, &data(20 * KIB)).unwrap();
        let sent = chunks(&mut streams, NOW).len();
        // The wire's window is overrun by one chunk at most.
        assert!(sent.abs_diff(expected) <= 1, "window {window} KiB, pace {least} KiB: {sent} chunks");
        streams.handle_message(NOW, ack(id, "site-1", sent * KIB, Some(0)), anybody);
        assert!(!chunks(&mut streams, NOW).is_empty());
    }
}

#[test]
fn no_more_chunks_are_on_their_way_than_a_receiver_tolerates() {
    let mut streams = sender();
    streams.config.least_in_flight = 10_000;
    let open = plain().with_chunk_size(1).with_window(5000);
    streams.send_whole(NOW, &cell("site-1"), open, &data(5000)).unwrap();
    let sent = everything(&mut streams, NOW);
    assert_eq!(values(&sent[0].message.headers)["sm__ws"], json!(5000));
    assert_eq!(sent.len(), 1022);
}

#[test]
fn streams_take_turns_and_small_ones_do_not_wait() {
    let mut streams = sender();
    streams.config.least_in_flight = 6 * KIB as u64;
    for _ in 0..2 {
        streams.send_whole(NOW, &cell("site-1"), plain(), &data(3 * KIB)).unwrap();
    }
    let order = chunks(&mut streams, NOW);
    assert_eq!(order, [(1, 0), (2, 0), (1, 1), (2, 1), (1, 2), (2, 2)]);
    // The way to one target is full: chunks for others pass, and so does what is small.
    let mut held = sender();
    held.send_whole(NOW, &cell("site-1"), plain(), &data(3 * KIB)).unwrap();
    held.send_whole(NOW, &cell("site-2"), plain(), &data(2 * KIB)).unwrap();
    held.send_whole(NOW, &cell("site-1"), plain(), &data(10)).unwrap();
    let mut sent = Vec::new();
    while let Some(transmit) = held.poll_transmit(NOW, |target| target.as_str() != "site-1") {
        sent.push((transmit.source.stream().unwrap().number(), transmit.is_small));
    }
    assert_eq!(sent, [(2, false), (3, true), (2, false)]);
    assert_eq!(chunks(&mut held, NOW), [(1, 0), (1, 1), (1, 2)]);
}

#[test]
fn a_producer_is_held_back_and_called_again() {
    let mut streams = sender();
    let id = streams.open(NOW, &cell("site-1"), plain().with_window(2 * KIB as u64)).unwrap();
    let mut given = 0;
    while streams.room(id) > 0 {
        let room = streams.room(id);
        streams.offer(NOW, id, &data(room));
        given += room;
        chunks(&mut streams, NOW);
        assert!(given < 20 * KIB, "nobody holds the producer back");
    }
    events(&mut streams);
    streams.handle_message(NOW, ack(id, "site-1", 2 * KIB, Some(1)), anybody);
    chunks(&mut streams, NOW);
    let heard = events(&mut streams);
    assert!(matches!(heard[..], [StreamEvent::Progress { acknowledged: 2048, .. }, StreamEvent::Writable { .. }]));
    assert!(streams.room(id) > 0);
}

#[test]
fn a_receiver_that_acknowledges_nothing_is_given_up_after_its_time() {
    let mut streams = sender();
    let open = plain().with_window(4 * KIB as u64);
    let id = streams.send_whole(NOW, &cell("site-1"), open, &data(20 * KIB)).unwrap();
    chunks(&mut streams, NOW);
    events(&mut streams);
    // Progress starts the time anew.
    let later = NOW.saturating_add(50 * SECOND);
    streams.handle_timeout(later);
    streams.handle_message(later, ack(id, "site-1", 3 * KIB, Some(2)), anybody);
    chunks(&mut streams, later);
    let (now, failed) = loop {
        let now = streams.poll_timeout().unwrap();
        streams.handle_timeout(now);
        chunks(&mut streams, now);
        if let Some(StreamEvent::Failed { error, request, .. }) = events(&mut streams).pop() {
            assert_eq!(request.unwrap().as_str(), "request");
            break (now, error);
        }
    };
    assert_eq!(now, later.saturating_add(60 * SECOND));
    let StreamError::Stalled { target, idle, acknowledged, .. } = failed else { panic!("{failed}") };
    assert_eq!((target.as_str(), idle, acknowledged), ("site-1", 60 * SECOND, 3 * KIB as u64));
    assert_eq!(streams.counts().outgoing, 0);
}

#[test]
fn a_target_that_never_is_ready_is_given_up_too() {
    let mut streams = sender();
    streams.send_whole(NOW, &cell("site-1"), plain(), &data(20 * KIB)).unwrap();
    assert!(streams.poll_transmit(NOW, |_| false).is_none());
    let due = streams.poll_timeout().unwrap();
    assert_eq!(due, NOW.saturating_add(60 * SECOND));
    streams.handle_timeout(due);
    assert!(matches!(streams.poll_event(), Some(StreamEvent::Failed { error: StreamError::Stalled { .. }, .. })));
}

#[test]
fn a_receiver_with_an_interval_of_its_own_is_waited_for_with_more() {
    let mut streams = sender();
    let id = streams.send_whole(NOW, &cell("site-1"), plain(), &data(40 * KIB)).unwrap();
    let mut sent = chunks(&mut streams, NOW).len();
    // It acknowledges every 16 KiB only, and the sender stops at 5: after a second it tries with more.
    let mut now = NOW;
    while sent < 16 {
        let due = streams.poll_timeout().unwrap();
        assert!(due <= now.saturating_add(SECOND), "{due}");
        now = due;
        streams.handle_timeout(now);
        sent += chunks(&mut streams, now).len();
    }
    streams.handle_message(now, ack(id, "site-1", 16 * KIB, Some(15)), anybody);
    assert!(!chunks(&mut streams, now).is_empty());
}

#[test]
fn a_reliable_sender_repeats_what_is_not_acknowledged_until_it_is_or_time_is_up() {
    let mut streams = sender();
    let id = streams.send_whole(NOW, &cell("site-1"), plain().reliable(), &data(3 * KIB)).unwrap();
    assert_eq!(chunks(&mut streams, NOW), [(1, 0), (1, 1), (1, 2)]);
    let at = |seconds: u32| NOW.saturating_add(SECOND * seconds);
    assert_eq!(streams.poll_timeout(), Some(at(5)));
    streams.handle_timeout(at(5));
    let again = everything(&mut streams, at(5));
    assert_eq!(again.len(), 3);
    let first = values(&again[0].message.headers);
    assert_eq!((&first["sm__rw"], &first["sm__rt"], &first["sm__ai"]), (&json!(5.0), &json!(60.0), &json!(1024)));
    // The first chunk has come: the others are repeated.
    streams.handle_message(at(6), ack(id, "site-1", 0, Some(0)), anybody);
    streams.handle_timeout(at(10));
    assert_eq!(chunks(&mut streams, at(10)), [(1, 1), (1, 2)]);
    // Progress at 6 s, repetition since 5 s: given up when nothing has moved for more than 60 s.
    let mut now = at(10);
    while streams.counts().outgoing > 0 {
        now = streams.poll_timeout().unwrap();
        streams.handle_timeout(now);
        everything(&mut streams, now);
    }
    assert!(now > at(66) && now <= at(71), "{now}");
    let failed = events(&mut streams).pop();
    assert!(matches!(failed, Some(StreamEvent::Failed { error: StreamError::Stalled { .. }, .. })), "{failed:?}");
}

#[test]
fn a_reliable_stream_ends_with_its_last_acknowledgement() {
    let mut streams = sender();
    let id = streams.send_whole(NOW, &cell("site-1"), plain().reliable(), &data(3 * KIB)).unwrap();
    chunks(&mut streams, NOW);
    // From somebody else it counts nothing; nor does one of what was never sent.
    streams.handle_message(NOW, ack(id, "site-2", 3 * KIB, Some(2)), anybody);
    streams.handle_message(NOW, ack(id, "site-1", 30 * KIB, Some(20)), anybody);
    streams.handle_message(NOW, ack(id, "site-1", 0, Some(-1)), anybody);
    assert_eq!(streams.counts().outgoing, 1);
    streams.handle_message(NOW, ack(id, "site-1", 3 * KIB, Some(2)), anybody);
    assert!(matches!(events(&mut streams).pop(), Some(StreamEvent::Sent { bytes: 3072, .. })));
    // Who acknowledges without numbers cannot receive reliably.
    let id = streams.send_whole(NOW, &cell("site-1"), plain().reliable(), &data(3 * KIB)).unwrap();
    chunks(&mut streams, NOW);
    streams.handle_message(NOW, ack(id, "site-1", KIB, None), anybody);
    let failed = events(&mut streams).pop();
    assert!(matches!(failed, Some(StreamEvent::Failed { error: StreamError::NotReliable { .. }, .. })), "{failed:?}");
}

#[test]
fn a_lost_acknowledgement_of_the_reader_is_asked_for() {
    let mut streams = sender();
    let open = plain().reliable().with_window(2 * KIB as u64);
    let id = streams.send_whole(NOW, &cell("site-1"), open, &data(20 * KIB)).unwrap();
    let sent = chunks(&mut streams, NOW).len();
    let at = |seconds: u32| NOW.saturating_add(SECOND * seconds);
    // All of it has come, and the reader has taken nothing. What it takes then is said in a message that is lost.
    let last = i64::try_from(sent).unwrap() - 1;
    streams.handle_message(at(1), ack(id, "site-1", 0, Some(last)), anybody);
    let mut now = at(1);
    while now < at(6) {
        now = streams.poll_timeout().unwrap();
        streams.handle_timeout(now);
        let again = chunks(&mut streams, now);
        assert_eq!(again, if now == at(6) { vec![(1, last)] } else { vec![] }, "{now}");
    }
    streams.handle_message(at(7), ack(id, "site-1", sent * KIB, Some(last)), anybody);
    assert_eq!(chunks(&mut streams, at(7)).first(), Some(&(1, last + 1)));
}

fn no_way() -> Failure {
    let obstacle = Obstacle::NoConnection;
    Failure::Unreachable(Unreachable { at: cell("server"), target: cell("site-1"), obstacle })
}

#[test]
fn what_cannot_be_sent_ends_a_stream_unless_it_is_reliable() {
    let mut streams = sender();
    streams.send_whole(NOW, &cell("site-1"), plain(), &data(3 * KIB)).unwrap();
    let first = streams.poll_transmit(NOW, |_| true).unwrap();
    streams.handle_unsent(first.source, &no_way());
    let failed = events(&mut streams).pop();
    let Some(StreamEvent::Failed { error, .. }) = &failed else { panic!("{failed:?}") };
    assert_eq!(error.error_type().as_str(), "StreamTargetUnreachable");
    everything(&mut streams, NOW);

    let reliable = streams.send_whole(NOW, &cell("site-1"), plain().reliable(), &data(KIB)).unwrap();
    let first = streams.poll_transmit(NOW, |_| true).unwrap();
    streams.handle_unsent(first.source, &no_way());
    assert!(events(&mut streams).is_empty());
    // There is a way again: it need not wait for its time.
    streams.handle_reachable(|target| target.as_str() == "site-1");
    assert_eq!(chunks(&mut streams, NOW), [(reliable.number(), 0)]);

    // The last chunk of a stream: its end has been told already.
    let whole = streams.send_whole(NOW, &cell("site-1"), plain(), &data(10)).unwrap();
    let first = streams.poll_transmit(NOW, |_| true).unwrap();
    assert!(matches!(streams.poll_event(), Some(StreamEvent::Sent { .. })));
    streams.handle_unsent(first.source, &no_way());
    let late = streams.poll_event();
    assert!(matches!(&late, Some(StreamEvent::FailedLate { stream, request: Some(_), .. }) if *stream == whole));
}

#[test]
fn an_error_is_believed_from_the_target_or_about_it_and_heard_once() {
    type Change = fn(&mut Message);
    let changes: [(&str, Change, bool); 6] = [
        ("as it should be", |_| {}, true),
        ("another request", |message| message.headers.insert(HeaderKey::STREAM_REQ_ID, "other"), false),
        ("another channel", |message| message.headers.insert(HeaderKey::CHANNEL, "other"), false),
        ("from elsewhere", |message| message.headers.insert(CellKey::ORIGIN, "site-2"), false),
        (
            "from the way, about the target",
            |message| {
                message.headers.insert(CellKey::ORIGIN, "relay");
                message.headers.insert(HeaderKey::FAILED_DESTINATION, "site-1");
                message.headers.insert(HeaderKey::ERROR_TYPE, "StreamTargetUnreachable");
            },
            true,
        ),
        ("about another target", |message| message.headers.insert(HeaderKey::FAILED_DESTINATION, "site-2"), false),
    ];
    for (name, change, is_believed) in changes {
        for (len, is_open) in [(10, false), (20 * KIB, true)] {
            for topic in [Topic::ERROR, Topic::ACK] {
                let mut streams = sender();
                let open = plain().with_window(0);
                let id = streams.send_whole(NOW, &cell("site-1"), open, &data(len)).unwrap();
                chunks(&mut streams, NOW);
                events(&mut streams);
                let mut message = error(id, "site-1", topic);
                change(&mut message);
                streams.handle_message(NOW, message.clone(), anybody);
                streams.handle_message(NOW, message, anybody);
                let heard = events(&mut streams);
                let is_right = match &heard[..] {
                    [] => !is_believed,
                    [StreamEvent::Failed { error, .. }] => is_believed && is_open && error.to_string().contains("no"),
                    [StreamEvent::FailedLate { request: Some(_), .. }] => is_believed && !is_open,
                    _ => false,
                };
                assert!(is_right, "{name}, {len} bytes, {topic}: {heard:?}");
                assert!(everything(&mut streams, NOW).iter().all(|sent| sent.source.stream().is_some()), "{name}");
            }
        }
    }
}

#[test]
fn what_is_remembered_of_ended_streams_is_bounded_and_forgotten() {
    let mut streams = sender();
    streams.config.max_ended = 5;
    for _ in 0..20 {
        streams.send_whole(NOW, &cell("site-1"), plain(), &data(10)).unwrap();
    }
    chunks(&mut streams, NOW);
    events(&mut streams);
    assert_eq!(streams.counts().remembered, 5);
    let due = streams.poll_timeout().unwrap();
    assert_eq!(due, NOW.saturating_add(300 * SECOND));
    streams.handle_timeout(due);
    assert_eq!(streams.counts(), Default::default());
    assert_eq!(streams.poll_timeout(), None);
    streams.config.max_outgoing = 1;
    let target = cell("site-1");
    streams.open(NOW, &target, plain()).unwrap();
    let refused = streams.open(NOW, &target, plain());
    assert_eq!(refused, Err(StreamError::TooMany { scope: StreamScope::Outgoing, limit: 1 }));
}

#[test]
fn a_chunk_that_a_filter_sends_back_ends_its_stream_and_says_why() {
    let reply = Reply::failed(ReturnCode::UNAUTHENTICATED, "register again");
    // One that has left in one chunk, and one of which more is to come.
    for bytes in [10, 10 << 20] {
        let mut streams = sender();
        let id = streams.send_whole(NOW, &cell("server.job"), plain(), &data(bytes)).unwrap();
        let sent = streams.poll_transmit(NOW, |_| true).unwrap();
        let (origin, report) = turned_back(&carried("site-1", &sent), &reply).unwrap();
        events(&mut streams);
        let source = sent.source;
        let report = StreamTransmit { target: origin, message: report, is_small: true, source };
        streams.handle_message(NOW, carried("server", &report), anybody);
        let error = match streams.poll_event() {
            Some(StreamEvent::FailedLate { stream, error, .. } | StreamEvent::Failed { stream, error, .. }) => {
                assert_eq!(stream, id);
                error
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(error.return_code(), ReturnCode::UNAUTHENTICATED);
        assert_eq!(error.to_string(), "server does not believe who sends: register again");
        assert_eq!(streams.counts().outgoing, 0);
        // What says that a stream has failed is not answered, nor is an acknowledgement.
        while let Some(sent) = streams.poll_transmit(NOW, |_| true) {
            assert!(turned_back(&carried("site-1", &sent), &reply).is_none());
        }
    }
}

#[test]
fn a_cell_on_the_way_reports_optional_chunks_only() {
    for (optional, topic, told) in [(true, "sm__DATA", true), (false, "sm__DATA", false), (true, "sm__ACK", false)] {
        let mut streams = sender();
        let mut open = plain();
        open.optional = optional;
        let id = streams.send_whole(NOW, &cell("site-1"), open, &data(10)).unwrap();
        let sent = streams.poll_transmit(NOW, |_| true).unwrap();
        let mut message = carried("server", &sent);
        message.headers.insert(CellKey::TOPIC, topic);
        let Some((origin, report)) = undeliverable(&message) else {
            assert!(!told, "{optional} {topic}");
            continue;
        };
        assert!(told, "{optional} {topic}");
        assert_eq!(origin.as_str(), "server");
        let expected = json!({
            "sm__id": id.number(), "sm__dt": 6, "sm__fd": "site-1", "sm__et": "StreamTargetUnreachable",
            "sm__em": "stream forwarding to site-1 failed: target_unreachable",
            "sm__ch": "aux_communication", "sm__tp": "topic", "sm__ri": "request",
        });
        assert_eq!(Value::from(values(&report.headers)), expected);
        // And the origin believes it.
        events(&mut streams);
        let (target, source) = (origin, sent.source);
        let report = StreamTransmit { target, message: report, is_small: true, source };
        streams.handle_message(NOW, carried("relay", &report), anybody);
        let late = streams.poll_event();
        assert!(
            matches!(late, Some(StreamEvent::FailedLate { error: StreamError::Unreachable { .. }, .. })),
            "{late:?}"
        );
    }
}
