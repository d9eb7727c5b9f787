//! Messages on the stream channel from whoever may send them, between streams of this cell's own.

use core::time::Duration;

use bytes::Bytes;
use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::frame::Payload;
use fedcell_cell_proto::headers::{HeaderLimits, HeaderMap};
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::stream::{Blob, IncomingId, OpenStream, StreamConfig, StreamError, StreamEvent, Streams};
use fedcell_protocol_defs::cell::HeaderKey as CellKey;
use fedcell_protocol_defs::stream::{HeaderKey, Topic};

use super::script::Script;

const NOW: UnixTime = UnixTime::from_secs(1_767_225_600);
/// The most that may wait of one stream, and how many may be open.
const MOST: (u64, usize) = (4096, 4);

/// The bytes say what happens: chunks, acknowledgements and errors with any headers, time that passes, streams that are
/// opened, readers that read. Nothing panics, and no more is kept than is allowed.
pub fn messages(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut config = StreamConfig::default();
    (config.chunk_size, config.window, config.least_in_flight, config.max_unread) = (64, 1024, 256, MOST.0);
    (config.max_incoming, config.max_incoming_per_origin, config.max_failed) = (MOST.1, 3, 8);
    (config.max_outgoing, config.max_ended) = (4, 8);
    let mut streams = Streams::new(config, 0);
    let mut now = NOW;
    let mut readers: Vec<(IncomingId, usize)> = Vec::new();
    while !script.is_over() {
        match script.byte() % 8 {
            0..=3 => streams.handle_message(now, message(&mut script), |head| {
                Blob::check_declared(head, 1 << 20)?;
                if head.topic() == "nobody" { Err(StreamError::no_handler(head)) } else { Ok(()) }
            }),
            4 => {
                let target = FqcnBuf::server();
                let mut open = OpenStream::new("channel", "topic");
                (open.reliable, open.window) = (script.byte() & 1 == 1, Some(u64::from(script.byte()) * 8));
                let payload = Payload::from(script.bytes(300).to_vec());
                let _ = streams.send_whole(now, &target, open, &payload);
            }
            5 => {
                now = now.saturating_add(Duration::from_millis(200 * u64::from(script.byte())));
                streams.handle_timeout(now);
            }
            6 => {
                if let Some((reader, unread)) = readers.pop() {
                    streams.consumed(now, reader, unread);
                }
            }
            _ => {
                if let Some((reader, _)) = readers.pop() {
                    streams.refuse(now, reader, &StreamError::refused("enough"));
                }
            }
        }
        let mut messages = 0;
        while streams.poll_transmit(now, |_| true).is_some() {
            messages += 1;
            assert!(messages < 1000, "one thing leads to messages without end");
        }
        while let Some(event) = streams.poll_event() {
            match event {
                StreamEvent::Whole { head, payload } => {
                    if let Err(error) = Blob::whole(&head, payload, 1 << 20) {
                        streams.reject(now, &head, &error);
                    }
                }
                StreamEvent::Data { stream, payload } => {
                    readers.retain(|(reader, _)| *reader != stream);
                    readers.push((stream, payload.len()));
                }
                _ => {}
            }
        }
        while streams.poll_transmit(now, |_| true).is_some() {}
        let counts = streams.counts();
        assert!(counts.unread <= MOST.0 * counts.incoming as u64, "{counts:?}");
        assert!(counts.incoming <= MOST.1 && counts.outgoing <= 4 && counts.waiting <= 2, "{counts:?}");
    }
    // Everything ends and is forgotten, however long somebody wants to be remembered.
    for _ in 0..10_000 {
        let Some(due) = streams.poll_timeout() else { break };
        now = now.max(due);
        streams.handle_timeout(now);
        while streams.poll_transmit(now, |_| true).is_some() {}
        while streams.poll_event().is_some() {}
    }
    assert_eq!(streams.poll_timeout(), None, "something waits for ever");
    assert_eq!((streams.counts().outgoing, streams.counts().remembered), (0, 0));
}

/// A message of the stream channel, with any headers.
fn message(script: &mut Script<'_>) -> Message {
    let mut headers = HeaderMap::new();
    let shape = script.byte();
    headers.insert(CellKey::ORIGIN, if shape & 1 == 0 { "server" } else { "site-1" });
    let topic = match shape >> 1 & 3 {
        0 | 1 => Topic::DATA,
        2 => Topic::ACK,
        _ => Topic::ERROR,
    };
    headers.insert(CellKey::TOPIC, topic.as_str());
    headers.insert(HeaderKey::STREAM_ID, i64::from(script.byte() % 8));
    headers.insert(HeaderKey::CHANNEL, "channel");
    headers.insert(HeaderKey::TOPIC, if shape & 8 == 0 { "topic" } else { "nobody" });
    headers.insert(HeaderKey::DATA_TYPE, i64::from(shape >> 4 & 7));
    headers.insert(HeaderKey::SEQUENCE, script.number());
    let keys = [
        HeaderKey::OFFSET,
        HeaderKey::SIZE,
        HeaderKey::CHUNK_SIZE,
        HeaderKey::WINDOW_SIZE,
        HeaderKey::ACK_INTERVAL,
        HeaderKey::RELIABLE,
        HeaderKey::RETRY_WAIT,
        HeaderKey::RETRY_TIMEOUT,
        HeaderKey::STREAM_REQ_ID,
        HeaderKey::ERROR_MSG,
        HeaderKey::ERROR_TYPE,
        HeaderKey::FAILED_DESTINATION,
        HeaderKey::COLLECTED_ACKS,
        HeaderKey::ACKED_STREAMS,
    ];
    let (chosen, kinds) = (u16::from_be_bytes([script.byte(), script.byte()]), script.byte());
    for (at, key) in keys.into_iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1) {
        match (usize::from(kinds) + at) % 5 {
            0 => headers.insert(key, "server"),
            1 => headers.insert(key, true),
            2 => headers.insert(key, 1.5),
            3 => headers.insert(key, script.bytes(16)),
            _ => headers.insert(key, script.number()),
        }
    }
    let len = usize::from(script.byte());
    let payload = Bytes::copy_from_slice(script.bytes(len));
    let mut encoded = Vec::new();
    headers.write_to(&mut encoded);
    let headers = HeaderMap::decode(encoded.into(), &HeaderLimits::default())
        .unwrap_or_else(|error| panic!("what was made here is refused: {error:?}"));
    Message::new(headers, payload.into())
}
