//! A sender and a receiver with something between them: what was given comes out, whatever happens in between.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::request::{Body, Reply, RequestId};
use crate::stream::call::{CallPhase, CallTimer, ReplyFacts, is_streamed, reply_stream, request_stream};
use crate::stream::{Blob, IncomingId};

/// What may happen to the next message.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    ArrivesTwice,
    Lost,
    Overtaken(u8),
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        8 => Just(Fate::Arrives),
        1 => Just(Fate::ArrivesTwice),
        1 => Just(Fate::Lost),
        2 => (1_u8..12).prop_map(Fate::Overtaken),
    ];
    proptest::collection::vec(fate, 0..200)
}

/// Runs a stream of these pieces through a way with these fates; gives what came out and how it ended.
fn run(pieces: &[usize], chunk_size: usize, window: u64, reliable: bool, fates: &[Fate]) -> (Vec<u8>, Vec<u8>, bool) {
    let mut config = StreamConfig::default();
    (config.chunk_size, config.window, config.ack_interval, config.least_in_flight) = (chunk_size, window, 1, 1);
    let (mut here, mut there) = (Streams::new(config, 0), Streams::new(config, 0));
    let total: usize = pieces.iter().sum();
    let data: Vec<u8> = (0..total).map(|at| at.wrapping_mul(31).to_le_bytes()[0]).collect();
    let mut open = OpenStream::new("aux_communication", "topic").with_size(total as u64);
    open.reliable = reliable;
    let id = here.open(NOW, &cell("there"), open).unwrap();
    let mut rest = &data[..];
    for len in pieces {
        let (piece, behind) = rest.split_at(*len);
        here.offer(NOW, id, &Payload::from(piece.to_vec()));
        rest = behind;
    }
    here.finish(NOW, id);
    let (mut now, mut fates) = (NOW, fates.iter().copied());
    let mut way: VecDeque<(bool, Message)> = VecDeque::new();
    let (mut out, mut finished, mut ended): (Vec<u8>, bool, bool) = (Vec::new(), false, false);
    let mut open_there: Option<IncomingId> = None;
    for _ in 0..100_000 {
        for (side, streams, name) in [(true, &mut here, "here"), (false, &mut there, "there")] {
            for sent in everything(streams, now) {
                let message = carried(name, &sent);
                let fate = fates.next().unwrap_or(Fate::Arrives);
                match fate {
                    Fate::Lost if reliable => {}
                    Fate::Arrives | Fate::Lost => way.push_back((side, message)),
                    Fate::ArrivesTwice => {
                        way.push_back((side, message.clone()));
                        way.push_back((side, message));
                    }
                    Fate::Overtaken(by) => {
                        let at = way.len().saturating_sub(usize::from(by));
                        way.insert(at, (side, message));
                    }
                }
            }
        }
        if let Some((from_here, message)) = way.pop_front() {
            let streams = if from_here { &mut there } else { &mut here };
            streams.handle_message(now, message, anybody);
        } else if let Some(due) = here.poll_timeout().filter(|_| !ended) {
            now = due;
            here.handle_timeout(now);
        } else {
            break;
        }
        for event in events(&mut there) {
            match event {
                StreamEvent::Whole { payload, .. } => {
                    out.extend_from_slice(&payload.into_bytes());
                    finished = true;
                }
                StreamEvent::Began { stream, .. } => open_there = Some(stream),
                StreamEvent::Data { stream, payload } => {
                    assert_eq!(Some(stream), open_there);
                    there.consumed(now, stream, payload.len());
                    out.extend_from_slice(&payload.into_bytes());
                }
                StreamEvent::Finished { .. } => finished = true,
                other => panic!("{other:?}"),
            }
        }
        ended |= events(&mut here).iter().any(|event| matches!(event, StreamEvent::Sent { .. }));
    }
    assert!(ended, "the sender has not come to an end");
    assert_eq!(here.counts().outgoing, 0);
    assert_eq!((there.counts().incoming, there.counts().unread), (0, 0));
    (data, out, finished)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_was_given_comes_out(
        pieces in proptest::collection::vec(0_usize..300, 0..20),
        chunk_size in 1_usize..200,
        window in 0_u64..2000,
        reliable: bool,
        fates in fates(),
    ) {
        // A receiver tolerates what the window explains, and sixteen chunks in any case.
        let (data, out, finished) = run(&pieces, chunk_size, window.max(chunk_size as u64), reliable, &fates);
        prop_assert!(finished);
        prop_assert_eq!(data, out);
    }
}

#[test]
fn a_streamed_request_and_its_reply_find_each_other() {
    let (mut asker, mut asked) =
        (Streams::new(StreamConfig::default(), 100), Streams::new(StreamConfig::default(), 200));
    let id = RequestId::from_random([1; 16]);
    let body = Body::bytes(Bytes::from_static(b"question"));
    let (stream, payload) = request_stream("aux_communication", "ask", Some(id.clone()), HeaderMap::new(), body);
    asker.send_whole(NOW, &cell("asked"), stream, &payload).unwrap();
    for sent in everything(&mut asker, NOW) {
        asked.handle_message(NOW, carried("asker", &sent), anybody);
    }
    let Some(StreamEvent::Whole { head, payload }) = asked.poll_event() else { panic!("no request") };
    assert_eq!(Blob::whole(&head, payload, 100).unwrap().into_bytes(), "question");
    assert_eq!((head.channel(), head.topic(), head.request_id()), ("aux_communication", "ask", Some(id.as_str())));
    assert!(ReplyFacts::of(&head).is_none());

    let reply = Reply::ok(Body::bytes(Bytes::from_static(b"answer")));
    let (target, stream, payload) = reply_stream(&head, reply).unwrap();
    assert_eq!(target.as_str(), "asker");
    asked.send_whole(NOW, &target, stream, &payload).unwrap();
    let sent = everything(&mut asked, NOW);
    assert_eq!(sent.len(), 1, "the reply, and no acknowledgement: the asker has no use for it");
    let headers = values(&sent[0].message.headers);
    let expected = json!({
        "cn__return_code": "ok", "cn__req_id": "", "sm__ri": id.as_str(), "sm__pe": "bytes", "sm__ch": "return_only",
        "sm__tp": "aux_communication:ask", "sm__sz": 6, "sm__id": 201, "sm__rs": true, "sm__op": true,
        "sm__cs": 1_048_576, "sm__ws": 67_108_864, "sm__dt": 2, "sm__sq": 0, "sm__os": 0, "sm__ai": 1_048_576,
        "sm__rw": 5.0, "sm__rt": 60.0, "sm__ca": true,
    });
    assert_eq!(Value::from(headers), expected);
    assert!(sent[0].message.optional && !sent[0].message.secure);
    for sent in sent {
        asker.handle_message(NOW, carried("asked", &sent), anybody);
    }
    let heard = events(&mut asker);
    let [StreamEvent::Sent { .. }, StreamEvent::Whole { head, .. }] = &heard[..] else { panic!("{heard:?}") };
    let facts = ReplyFacts::of(head).unwrap();
    assert_eq!((facts.request_id, facts.code.as_str(), facts.error), (id.as_str(), "ok", None));
    assert!(everything(&mut asker, NOW).is_empty(), "the acknowledgement waits for others");
    let soon = asker.poll_timeout().unwrap();
    assert_eq!(soon, NOW.saturating_add(SECOND / 200));
    for sent in everything(&mut asker, soon) {
        asked.handle_message(soon, carried("asker", &sent), anybody);
    }
    assert_eq!(asked.counts().outgoing, 0, "the reply is acknowledged");

    // Nobody waits for a reply to this one.
    let (stream, payload) = request_stream("aux_communication", "tell", None, HeaderMap::new(), Body::none());
    asker.send_whole(NOW, &cell("asked"), stream, &payload).unwrap();
    for sent in everything(&mut asker, NOW) {
        asked.handle_message(NOW, carried("asker", &sent), anybody);
    }
    events(&mut asker);
    let heard = events(&mut asked).pop();
    let Some(StreamEvent::Whole { head, .. }) = heard else { panic!("{heard:?}") };
    assert!(reply_stream(&head, Reply::ok(Body::none())).is_none());
    assert_eq!(head.encoding().unwrap().as_str(), "none");
}

#[test]
fn many_small_reliable_streams_are_acknowledged_at_once() {
    let (mut here, mut there) = (Streams::new(StreamConfig::default(), 0), Streams::new(StreamConfig::default(), 0));
    let open = || OpenStream::new("aux_communication", "topic").reliable();
    for _ in 0..150 {
        here.send_whole(NOW, &cell("there"), open(), &Payload::from(vec![1; 5])).unwrap();
    }
    let mut acks = Vec::new();
    for sent in everything(&mut here, NOW) {
        there.handle_message(NOW, carried("here", &sent), anybody);
        acks.extend(everything(&mut there, NOW));
    }
    let soon = there.poll_timeout().unwrap();
    acks.extend(everything(&mut there, soon));
    assert_eq!(acks.len(), 3, "64, 64 and the rest");
    // From somebody else they count nothing.
    acks.iter().for_each(|ack| here.handle_message(soon, carried("elsewhere", ack), anybody));
    assert_eq!(here.counts().outgoing, 150);
    acks.iter().for_each(|ack| here.handle_message(soon, carried("there", ack), anybody));
    assert_eq!(here.counts().outgoing, 0);
    // A stream of several chunks is not ended by it.
    let open = open().with_chunk_size(4);
    let long = here.send_whole(soon, &cell("there"), open, &Payload::from(vec![1; 5])).unwrap();
    everything(&mut here, soon);
    let mut ack = carried("there", &acks[0]);
    ack.headers.insert(HeaderKey::ACKED_STREAMS, &long.number().to_be_bytes()[..]);
    here.handle_message(soon, ack, anybody);
    assert_eq!(here.counts().outgoing, 1);
}

#[test]
fn which_channels_are_streamed() {
    let vectors: Value = serde_json::from_str(include_str!("../../../testdata/auth_families.json")).unwrap();
    let streamed = vectors["is_stream_channel"].as_object().unwrap();
    assert!(streamed.len() > 5, "{streamed:?}");
    // The vectors ask for Python's `None`, too, as a text that says so.
    for (channel, expected) in streamed.iter().filter(|(channel, _)| *channel != "None") {
        assert_eq!(is_streamed(channel), expected.as_bool().unwrap(), "{channel}");
    }
    assert!(!is_streamed(""));
}

#[test]
fn each_phase_of_a_call_has_the_whole_time_and_progress_starts_it_anew() {
    let at = |seconds: u32| NOW.saturating_add(SECOND * seconds);
    let mut timer = CallTimer::new(NOW, 10 * SECOND);
    timer.progress(at(4), 100);
    timer.progress(at(6), 100);
    assert_eq!((timer.phase(), timer.deadline()), (CallPhase::Sending, at(14)));
    timer.sent(at(7));
    timer.progress(at(9), 200);
    assert_eq!((timer.phase(), timer.deadline()), (CallPhase::Waiting, at(17)));
    timer.began(at(12));
    timer.progress(at(13), 5);
    timer.sent(at(14));
    timer.began(at(15));
    assert_eq!((timer.phase(), timer.deadline()), (CallPhase::Receiving, at(23)));
}
