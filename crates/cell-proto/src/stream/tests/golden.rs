//! What the reference sends and how it receives.

use std::collections::VecDeque;

use super::*;

/// A message as the vectors have it.
fn shape(transmit: &StreamTransmit) -> Value {
    // Ours alone, and ignored by the reference.
    let mut headers = values(&transmit.message.headers);
    headers.retain(|key, _| key != "sm__na" && key != "sm__ca");
    json!({
        "channel": &*transmit.message.channel,
        "topic": &*transmit.message.topic,
        "target": transmit.target.as_str(),
        "optional": transmit.message.optional,
        "secure": transmit.message.secure,
        "headers": headers,
        "payload_len": transmit.message.body.payload().len(),
    })
}

fn stream(request_id: &str, application: bool) -> OpenStream {
    let mut headers = HeaderMap::new();
    if application {
        headers.insert("h", 1);
        headers.insert("sm__pe", "bytes");
    }
    let id = crate::request::RequestId::from_wire(request_id);
    let mut stream = OpenStream::new("aux_communication", "topic").with_headers(headers).with_request_id(id);
    stream.ack_interval = Some(16_777_216);
    stream
}

#[test]
fn a_sender_sends_what_the_reference_sends() {
    let vectors: Value = serde_json::from_str(include_str!("../../../testdata/stream_tx.json")).unwrap();
    let cases = vectors["sends"].as_array().unwrap();
    assert_eq!(cases.len(), 16);
    for case in cases {
        let size = usize::try_from(case["size"].as_u64().unwrap()).unwrap();
        let chunk_size = usize::try_from(case["chunk_size"].as_u64().unwrap()).unwrap();
        let data = Bytes::from((0..size).map(|at| at.to_le_bytes()[0]).collect::<Vec<u8>>());
        // In one piece and in pieces of seven bytes.
        for step in [usize::MAX, 7] {
            let mut streams = Streams::new(StreamConfig::default(), 1_000_000);
            let mut open = stream("req-1", true).with_chunk_size(chunk_size).with_size(size as u64);
            open.reliable = case["reliable"].as_bool().unwrap();
            let id = streams.open(NOW, &cell("server.job"), open).unwrap();
            let mut sent = Vec::new();
            for piece in data.chunks(step.min(size.max(1))) {
                streams.offer(NOW, id, &data.slice_ref(piece).into());
                sent.extend(everything(&mut streams, NOW));
            }
            streams.finish(NOW, id);
            sent.extend(everything(&mut streams, NOW));
            let shapes: Vec<Value> = sent.iter().map(shape).collect();
            let mut expected = case["frames"].clone();
            // A window of more chunks than a receiver tolerates out of order is not used, and the interval fits into it.
            expected[0]["headers"]["sm__ai"] = json!(1022 * 1024);
            assert_eq!(Value::from(shapes), expected, "{size} bytes, {step} at a time");
            let bytes: Vec<u8> =
                sent.iter().flat_map(|sent| sent.message.body.clone().into_payload().into_bytes().to_vec()).collect();
            assert_eq!(bytes, data, "{size} bytes, {step} at a time");
            let done = matches!(events(&mut streams).last(), Some(StreamEvent::Sent { .. }));
            assert_eq!(done, case["done"].as_bool().unwrap(), "{size} bytes");
            assert_eq!(streams.counts().outgoing == 1, case["stopping"].as_bool().unwrap(), "{size} bytes");
        }
    }
}

#[test]
fn a_sender_that_gives_up_says_so_as_the_reference_does() {
    let vectors: Value = serde_json::from_str(include_str!("../../../testdata/stream_tx.json")).unwrap();
    let mut streams = Streams::new(StreamConfig::default(), 1_000_000);
    let id = streams.open(NOW, &cell("server.job"), stream("r", false)).unwrap();
    streams.cancel(id, "boom");
    let mut expected = vectors["sender_error"][0].clone();
    expected["headers"]["sm__em"] = json!("the stream was cancelled: boom");
    let sent: Vec<Value> = everything(&mut streams, NOW).iter().map(shape).collect();
    assert_eq!(sent, [expected]);
    assert_eq!(streams.counts().outgoing, 0);
}

#[test]
fn the_defaults_are_those_of_the_reference() {
    let vectors: Value = serde_json::from_str(include_str!("../../../testdata/stream_tx.json")).unwrap();
    let config = StreamConfig::default();
    let ours = json!({
        "chunk": config.chunk_size,
        "window": config.window,
        // Shorter by intention; see the configuration.
        "ack_interval": 16_777_216,
        "retry_max_pending": config.retry_max_pending,
        // Nothing ends a stream that makes progress.
        "ack_wait": 300,
        "retry_wait": config.retry_wait.as_secs_f64(),
        "retry_timeout": config.retry_timeout.as_secs_f64(),
        "rx_ack_interval_fallback": config.ack_interval_fallback,
        "read_timeout": config.read_timeout.as_secs(),
        "min_out_seq": fedcell_protocol_defs::stream::Limit::MIN_OUT_SEQ_CHUNKS,
        "max_peer_out_seq": fedcell_protocol_defs::stream::Limit::MAX_PEER_DERIVED_OUT_SEQ_CHUNKS,
    });
    assert_eq!(vectors["defaults"], ours);
}

/// A reader that takes what it is told to take.
#[derive(Default)]
struct Reader {
    began: bool,
    failed: bool,
    stream: Option<super::super::IncomingId>,
    data: VecDeque<Payload>,
}

impl Reader {
    fn hear(&mut self, streams: &mut Streams) {
        for event in events(streams) {
            match event {
                StreamEvent::Whole { payload, .. } => {
                    self.began = true;
                    self.data.push_back(payload);
                }
                StreamEvent::Began { stream, .. } => (self.began, self.stream) = (true, Some(stream)),
                StreamEvent::Data { payload, .. } => self.data.push_back(payload),
                StreamEvent::Broken { .. } => self.failed = true,
                StreamEvent::Finished { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn read(&mut self, streams: &mut Streams) -> usize {
        let len = self.data.pop_front().map_or(0, |data| data.len());
        if let Some(stream) = self.stream {
            streams.consumed(NOW, stream, len);
        }
        len
    }
}

#[test]
fn a_receiver_does_what_the_reference_does() {
    const ZEROES: &[u8] = &[0; 1024];
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../../testdata/stream_rx.json")).unwrap();
    assert_eq!(cases.len(), 10);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let mut streams = Streams::new(StreamConfig::default(), 0);
        let mut reader = Reader::default();
        for step in case["steps"].as_array().unwrap() {
            let began = reader.began;
            if let Some(feed) = step["feed"].as_object() {
                let len = usize::try_from(feed["len"].as_u64().unwrap()).unwrap();
                let sequence = feed["seq"].as_u64().unwrap();
                let mut message = chunk("server.job", 7, sequence, &ZEROES[..len], feed["final"] == true);
                message.headers.insert(HeaderKey::RELIABLE, case["reliable"].as_bool().unwrap());
                message.headers.insert(HeaderKey::OFFSET, sequence * 1024);
                streams.handle_message(NOW, message, anybody);
                reader.hear(&mut streams);
                assert_eq!(reader.began && !began, step["new_stream"].as_bool().unwrap(), "{name}: {step}");
            } else {
                assert_eq!(reader.read(&mut streams) as u64, step["got"].as_u64().unwrap(), "{name}: {step}");
            }
            let sent: Vec<Value> = everything(&mut streams, NOW).iter().map(shape).collect();
            let expected = step["sent"].as_array().cloned().unwrap_or_default();
            assert_eq!(sent, expected, "{name}: {step}");
        }
        assert_eq!(reader.failed, case["failed"].as_bool().unwrap(), "{name}");
        assert_eq!(streams.counts().incoming == 0, case["completed"].as_bool().unwrap(), "{name}");
    }
}
