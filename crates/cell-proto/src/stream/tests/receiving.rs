//! Incoming streams that are late, second, too many, too large, or not wanted.

use super::*;
use crate::stream::{Blob, IncomingId, StreamScope};

fn receiver() -> Streams {
    Streams::new(StreamConfig::default(), 0)
}

fn began(streams: &mut Streams) -> IncomingId {
    match streams.poll_event() {
        Some(StreamEvent::Began { stream, .. }) => stream,
        other => panic!("{other:?}"),
    }
}

/// The errors among what goes out, each once: topic and text.
fn errors(sent: &[StreamTransmit]) -> Vec<(String, String, String)> {
    let text = |transmit: &StreamTransmit, key: HeaderKey<'_>| {
        transmit.message.headers.text(key).unwrap().unwrap_or_default().to_owned()
    };
    sent.iter()
        .filter(|transmit| transmit.message.headers.contains(HeaderKey::ERROR_MSG))
        .map(|sent| {
            let topic = sent.message.topic.to_string();
            (topic, text(sent, HeaderKey::ERROR_TYPE), text(sent, HeaderKey::ERROR_MSG))
        })
        .collect()
}

#[test]
fn a_stream_of_one_chunk_that_comes_twice_is_given_once() {
    for reliable in [false, true] {
        let mut streams = receiver();
        for round in 0..3 {
            let mut message = chunk("site-1", 5, 0, b"hello", true);
            message.headers.insert(HeaderKey::RELIABLE, reliable);
            streams.handle_message(NOW, message, anybody);
            let given = events(&mut streams).len();
            let acks = everything(&mut streams, NOW).len();
            assert_eq!(given, usize::from(round == 0), "reliable: {reliable}, round {round}");
            assert_eq!(acks, usize::from(round == 0 || reliable), "reliable: {reliable}, round {round}");
        }
        // It is remembered for as long as the sender may repeat it.
        let forgotten = streams.poll_timeout().unwrap();
        assert_eq!(forgotten, NOW.saturating_add(65 * SECOND));
        streams.handle_timeout(forgotten);
        assert_eq!(streams.counts(), Default::default());
        assert_eq!(streams.poll_timeout(), None);
    }
}

#[test]
fn a_repeated_chunk_of_a_complete_stream_is_acknowledged_as_far_as_its_sender_needs() {
    let mut streams = receiver();
    let message = |sequence, data, is_last| {
        let mut message = chunk("site-1", 5, sequence, data, is_last);
        message.headers.insert(HeaderKey::RELIABLE, true);
        message.headers.insert(HeaderKey::OFFSET, sequence * 4);
        message
    };
    streams.handle_message(NOW, message(0, b"abcd", false), anybody);
    streams.handle_message(NOW, message(1, b"ef", true), anybody);
    everything(&mut streams, NOW);
    for (sequence, data, is_last, offset) in [(1, &b"ef"[..], true, 6), (0, &b"abcd"[..], false, 4)] {
        streams.handle_message(NOW, message(sequence, data, is_last), anybody);
        let acks = everything(&mut streams, NOW);
        let [ack] = acks.as_slice() else { panic!("{acks:?}") };
        let headers = values(&ack.message.headers);
        assert_eq!(headers["sm__sq"], json!(sequence));
        assert_eq!(headers["sm__os"], json!(offset));
        assert!(ack.message.optional);
    }
}

#[test]
fn what_is_not_wanted_is_refused_on_both_topics_and_swallowed() {
    let mut streams = receiver();
    let refuse = |head: &StreamHead| Err(StreamError::no_handler(head));
    for is_last in [true, false] {
        let id = i64::from(is_last);
        let mut message = chunk("site-1", id, 0, b"hello", is_last);
        message.headers.insert(HeaderKey::STREAM_REQ_ID, "request");
        streams.handle_message(NOW, message.clone(), refuse);
        let sent = everything(&mut streams, NOW);
        let text = "no handler is registered for streams of aux_communication:topic".to_owned();
        let expected = ["sm__ERROR", "sm__ACK"].map(|topic| (topic.into(), "StreamError".into(), text.clone()));
        assert_eq!(errors(&sent), expected);
        assert_eq!(sent.len(), 2, "no acknowledgement");
        assert!(sent.iter().all(|sent| values(&sent.message.headers)["sm__ri"] == "request"));
        streams.handle_message(NOW, message, |_| panic!("asked again"));
        assert!(everything(&mut streams, NOW).is_empty());
    }
    assert!(events(&mut streams).is_empty());
    streams.handle_timeout(NOW.saturating_add(5 * SECOND));
    assert_eq!(streams.counts(), Default::default());
}

#[test]
fn a_failed_reliable_stream_says_so_again_but_not_at_every_chunk() {
    let mut streams = receiver();
    let message = |sequence| {
        let mut message = chunk("site-1", 1, sequence, b"hello", false);
        message.headers.insert(HeaderKey::RELIABLE, true);
        message
    };
    streams.handle_message(NOW, message(0), anybody);
    let stream = began(&mut streams);
    streams.refuse(NOW, stream, &StreamError::refused("disk full"));
    assert_eq!(errors(&everything(&mut streams, NOW)).len(), 2);
    for (after, told) in [(0, 0), (1, 2), (1, 0), (3, 2)] {
        let now = NOW.saturating_add(SECOND * after);
        streams.handle_message(now, message(1), anybody);
        let sent = everything(&mut streams, now);
        assert_eq!(errors(&sent).len(), told, "after {after} s");
        assert!(sent.iter().all(|sent| sent.message.optional));
    }
}

#[track_caller]
fn check_broken(config: StreamConfig, messages: Vec<Message>, expected: &StreamError) {
    let mut streams = Streams::new(config, 0);
    let count = messages.len();
    for (at, message) in messages.into_iter().enumerate() {
        assert!(everything(&mut streams, NOW).is_empty(), "failed before message {at} of {count}");
        streams.handle_message(NOW, message, anybody);
    }
    let sent = errors(&everything(&mut streams, NOW));
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].2, expected.to_string());
    let counts = streams.counts();
    assert_eq!((counts.incoming, counts.unread, counts.remembered), (0, 0, 1));
    if let Some(broken) = events(&mut streams).pop() {
        assert!(matches!(&broken, StreamEvent::Broken { error, .. } if error == expected), "{broken:?}");
    }
}

#[test]
fn what_waits_is_bounded_by_chunks_and_by_bytes() {
    const KIB: &[u8] = &[0; 1024];
    let sized = |sequence, window: u64| {
        let mut message = chunk("site-1", 1, sequence, KIB, false);
        message.headers.insert(HeaderKey::CHUNK_SIZE, 1024);
        message.headers.insert(HeaderKey::WINDOW_SIZE, window);
        message
    };
    // The default window of 64 chunks and one are tolerated although the sender's is smaller; the one after it is not.
    let plain = |sequence| chunk("site-1", 1, sequence, b"x", false);
    let error = StreamError::OutOfOrder { chunks: 65, bytes: 66 * 1_048_576 };
    check_broken(StreamConfig::default(), (1..=66).map(plain).collect(), &error);
    // A sender with a window of 100 chunks may have 101 of them on the way.
    let limit = 102 * 1024;
    let error = StreamError::OutOfOrder { chunks: 101, bytes: limit };
    check_broken(StreamConfig::default(), (1..=102).map(|at| sized(at, 100 * 1024)).collect(), &error);
    // By order of this cell.
    let config = StreamConfig { max_parked_chunks: Some(3), ..StreamConfig::default() };
    let error = StreamError::OutOfOrder { chunks: 3, bytes: limit };
    check_broken(config, (1..=4).map(|at| sized(at, 100 * 1024)).collect(), &error);
    // Whatever the sender announces.
    let config = StreamConfig { max_unread: 5 * 1024, ..StreamConfig::default() };
    let error = StreamError::OutOfOrder { chunks: 65, bytes: 5 * 1024 };
    check_broken(config, (1..=6).map(|at| sized(at, 4 * 1024)).collect(), &error);
    // In order, and the reader takes nothing.
    let error = StreamError::WindowOverrun { bytes: 7 * 1024, limit: 6 * 1024 };
    check_broken(StreamConfig::default(), (0..7).map(|at| sized(at, 4 * 1024)).collect(), &error);
    // All streams together.
    let config = StreamConfig { max_unread_in_all: 2 * 1024, ..StreamConfig::default() };
    let error = StreamError::WindowOverrun { bytes: 3 * 1024, limit: 2 * 1024 };
    check_broken(config, (0..3).map(|at| sized(at, 4 * 1024)).collect(), &error);
}

#[test]
fn the_number_of_open_streams_is_bounded() {
    let mut config = StreamConfig::default();
    (config.max_incoming, config.max_incoming_per_origin) = (3, 2);
    let mut streams = Streams::new(config, 0);
    let cases = [
        ("site-1", 1, None),
        ("site-1", 2, None),
        ("site-1", 3, Some(StreamError::TooMany { scope: StreamScope::FromOneOrigin, limit: 2 })),
        ("site-2", 1, None),
        ("site-3", 1, Some(StreamError::TooMany { scope: StreamScope::Incoming, limit: 3 })),
    ];
    for (origin, id, refused) in cases {
        streams.handle_message(NOW, chunk(origin, id, 0, b"x", false), anybody);
        let told = errors(&everything(&mut streams, NOW)).pop().map(|(_, _, text)| text);
        assert_eq!(told, refused.map(|error| error.to_string()), "{origin} {id}");
    }
    // Streams of one chunk need no room.
    streams.handle_message(NOW, chunk("site-3", 2, 0, b"x", true), anybody);
    assert!(errors(&everything(&mut streams, NOW)).is_empty());
}

#[test]
fn a_sender_that_falls_silent_is_given_up_but_a_slow_reader_is_not() {
    let mut streams = receiver();
    streams.handle_message(NOW, chunk("site-1", 1, 0, b"abc", false), anybody);
    let stream = began(&mut streams);
    assert_eq!(streams.poll_timeout(), None, "the reader has something to read");
    let read = NOW.saturating_add(1000 * SECOND);
    streams.consumed(read, stream, 3);
    let due = streams.poll_timeout().unwrap();
    assert_eq!(due, read.saturating_add(300 * SECOND));
    streams.handle_timeout(due);
    let silent = StreamError::Silent { origin: cell("site-1"), idle: 300 * SECOND, received: 3 };
    let last = events(&mut streams).pop();
    assert!(matches!(&last, Some(StreamEvent::Broken { error, .. }) if *error == silent), "{last:?}");
    assert_eq!(errors(&everything(&mut streams, due)).len(), 2);
}

#[test]
fn a_sender_that_gives_up_ends_the_stream_here_without_an_answer() {
    let mut streams = receiver();
    streams.handle_message(NOW, chunk("site-1", 1, 0, b"abc", false), anybody);
    began(&mut streams);
    let mut failure = chunk("site-1", 1, 0, b"", false);
    failure.headers.insert(HeaderKey::ERROR_MSG, "boom");
    streams.handle_message(NOW, failure.clone(), anybody);
    let last = events(&mut streams).pop();
    assert!(
        matches!(&last, Some(StreamEvent::Broken { error: StreamError::Reported { text, .. }, .. }) if &**text == "boom")
    );
    streams.handle_message(NOW, failure, anybody);
    streams.handle_message(NOW, chunk("site-1", 1, 1, b"late", true), anybody);
    assert!(events(&mut streams).is_empty());
    assert!(everything(&mut streams, NOW).is_empty());
}

#[test]
fn acknowledgements_follow_the_interval_that_the_sender_wants() {
    const KIB: &[u8] = &[0; 1024];
    // Interval and window that the sender states, and after how many chunks read it hears of it.
    for (interval, window, first) in [(Some(2048_i64), 65_536, 2), (Some(1), 65_536, 1), (Some(65_536), 3072, 3)] {
        let mut streams = receiver();
        for sequence in 0..5 {
            let mut message = chunk("site-1", 1, sequence, KIB, false);
            message.headers.insert(HeaderKey::CHUNK_SIZE, 1024);
            message.headers.insert(HeaderKey::WINDOW_SIZE, window);
            if let Some(interval) = interval.filter(|_| sequence == 0) {
                message.headers.insert(HeaderKey::ACK_INTERVAL, interval);
            }
            streams.handle_message(NOW, message, anybody);
        }
        let stream = began(&mut streams);
        let mut acks = Vec::new();
        for read in 1..=4_u64 {
            streams.consumed(NOW, stream, 1024);
            acks.extend(
                everything(&mut streams, NOW).iter().map(|ack| (read, values(&ack.message.headers)["sm__os"].clone())),
            );
        }
        assert_eq!(acks.first(), Some(&(first, json!(first * 1024))), "interval {interval:?}, window {window}");
        assert_eq!(acks.len() as u64, 4 / first, "interval {interval:?}, window {window}");
    }
}

#[test]
fn headers_that_make_no_sense_are_no_stream_or_no_hint() {
    let mut streams = receiver();
    for key in [HeaderKey::STREAM_ID, HeaderKey::SEQUENCE] {
        let mut message = chunk("site-1", 1, 0, b"x", true);
        message.headers.insert(key, "seven");
        streams.handle_message(NOW, message, |_| panic!("{key} taken"));
    }
    let mut negative = chunk("site-1", 1, 0, b"x", true);
    negative.headers.insert(HeaderKey::SEQUENCE, -1);
    streams.handle_message(NOW, negative, |_| panic!("-1 taken"));
    let mut odd = chunk("site-1", 2, 0, b"x", false);
    odd.headers.insert(HeaderKey::CHUNK_SIZE, true);
    odd.headers.insert(HeaderKey::WINDOW_SIZE, -5);
    odd.headers.insert(HeaderKey::ACK_INTERVAL, 0);
    odd.headers.insert(HeaderKey::RETRY_WAIT, f64::NAN);
    streams.handle_message(NOW, odd, anybody);
    began(&mut streams);
    assert_eq!(streams.counts().incoming, 1);
}

#[test]
fn a_blob_has_the_size_that_was_declared_and_no_more_than_is_allowed() {
    let head = |size: i64| {
        let mut headers = HeaderMap::new();
        headers.insert(HeaderKey::SIZE, size);
        StreamHead::new(cell("site-1"), 1, headers)
    };
    let piece = |len: usize| Payload::from(vec![1; len]);
    let collect = |size: i64, limit: u64, pieces: &[usize]| -> Result<usize, StreamError> {
        let mut blob = Blob::new(&head(size), limit)?;
        pieces.iter().try_for_each(|len| blob.push(&piece(*len)))?;
        blob.finish().map(|payload| payload.len())
    };
    assert_eq!(collect(7, 7, &[3, 4]), Ok(7));
    assert_eq!(collect(0, 7, &[3, 4]), Ok(7), "an unknown size");
    assert_eq!(collect(8, 7, &[]), Err(StreamError::TooLarge { size: 8, limit: 7 }));
    assert_eq!(collect(0, 7, &[3, 5]), Err(StreamError::TooLarge { size: 8, limit: 7 }));
    assert_eq!(collect(7, 9, &[3, 5]), Err(StreamError::SizeMismatch { declared: 7, actual: 8 }));
    assert_eq!(collect(7, 9, &[3]), Err(StreamError::SizeMismatch { declared: 7, actual: 3 }));
    assert_eq!(Blob::whole(&head(3), piece(3), 3).map(|all| all.len()), Ok(3));
    assert_eq!(Blob::whole(&head(0), piece(4), 3), Err(StreamError::TooLarge { size: 4, limit: 3 }));
    assert_eq!(Blob::whole(&head(4), piece(3), 9), Err(StreamError::SizeMismatch { declared: 4, actual: 3 }));
    assert_eq!(StreamError::TooLarge { size: 8, limit: 7 }.error_type().as_str(), "BlobSizeError");
}
