//! Queue, writer and reader of one connection, over pipes and sockets.

use core::time::Duration;
use std::sync::Arc;

use bytes::{BufMut, Bytes};
use fedcell_cell_proto::frame::{EncodedFrame, Frame, FrameDecoder, FrameLimits, Outline, Payload};
use fedcell_protocol_defs::frame::{AppId, FrameType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::budget::Budget;
use super::outbox::{Class, Outbox, OutboxLimits, Refused};
use super::pen::Timed;
use super::reader::{End, Receiver, Verdict, read_loop};
use super::slabs::Slabs;
use super::times::WriteTimes;
use super::writer::write_loop;
use crate::driver::Link;

const LIMITS: OutboxLimits = OutboxLimits { soft: 1000, soft_bulk: 1000, hard: 4000 };

fn timed() -> Timed {
    Timed { times: Arc::new(WriteTimes::new()), transport: crate::driver::TransportKind::Memory }
}

fn unbounded() -> Arc<Budget> {
    Arc::new(Budget::new(usize::MAX))
}

fn frame(sequence: u16, payload: &[u8]) -> EncodedFrame {
    let outline = Outline { frame_type: FrameType::DATA, app_id: AppId::CELL, stream_id: 17, sequence };
    EncodedFrame::new(outline, 8, |head| head.put_slice(b"\x80"), Payload::from(Bytes::copy_from_slice(payload)))
        .unwrap()
}

/// What a reader saw: sequence numbers, then how it ended.
struct Recorder {
    seen: Vec<(u16, usize)>,
    admit_after: usize,
}

impl Receiver for Recorder {
    fn receive(&mut self, frames: &mut Vec<Frame>) -> Verdict {
        self.seen.extend(frames.drain(..).map(|frame| (frame.prefix.sequence, frame.payload.len())));
        if self.seen.len() >= self.admit_after { Verdict::Admitted } else { Verdict::Unknown }
    }

    async fn ready(&mut self) {}
}

async fn pair() -> (Link, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    (Link::clear(near), far)
}

async fn receive(far: &mut TcpStream) -> Vec<u16> {
    let mut sequences = Vec::new();
    while let Ok(length) = far.read_u32().await {
        let mut rest = vec![0; usize::try_from(length).unwrap() - 4];
        far.read_exact(&mut rest).await.unwrap();
        sequences.push(u16::from_be_bytes([rest[10], rest[11]]));
    }
    sequences
}

#[tokio::test]
async fn control_leaves_before_messages_before_bulk_and_each_in_order() {
    let outbox = Arc::new(Outbox::new(LIMITS, unbounded()));
    for (class, sequence) in [
        (Class::Bulk, 5),
        (Class::Message, 3),
        (Class::Bulk, 6),
        (Class::Control, 1),
        (Class::Message, 4),
        (Class::Control, 2),
    ] {
        outbox.push(class, frame(sequence, b"x")).unwrap();
    }
    outbox.close(false);
    let (link, mut far) = pair().await;
    let writing = tokio::spawn(write_loop(link.writing, outbox.clone(), Duration::from_secs(5), timed(), || {}));
    assert_eq!(receive(&mut far).await, [1, 2, 3, 4, 5, 6]);
    writing.await.unwrap().unwrap();
    assert_eq!(outbox.bytes(), 0);
}

#[tokio::test]
async fn own_streams_and_those_of_others_take_turns() {
    let outbox = Arc::new(Outbox::new(LIMITS, unbounded()));
    for sequence in 1..4 {
        outbox.push(Class::Bulk, frame(sequence, b"x")).unwrap();
        outbox.push(Class::Stream, frame(10 + sequence, b"x")).unwrap();
    }
    outbox.push(Class::Bulk, frame(4, b"x")).unwrap();
    outbox.close(false);
    let (link, mut far) = pair().await;
    let writing = tokio::spawn(write_loop(link.writing, outbox.clone(), Duration::from_secs(5), timed(), || {}));
    assert_eq!(receive(&mut far).await, [1, 11, 2, 12, 3, 13, 4]);
    writing.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_chunk_that_was_held_back_is_asked_for_once_there_is_room() {
    let outbox = Arc::new(Outbox::new(OutboxLimits { hard: usize::MAX, ..LIMITS }, unbounded()));
    assert!(outbox.has_room_for_chunk());
    for sequence in 1..3 {
        outbox.push(Class::Stream, frame(sequence, &[0; 700_000])).unwrap();
    }
    assert!(!outbox.has_room_for_chunk());
    let (link, mut far) = pair().await;
    let refilled = outbox.clone();
    // Called for the chunk that was held back, not for the one that it makes itself.
    let refill = move || {
        refilled.push(Class::Stream, frame(3, b"x")).unwrap();
        refilled.close(false);
    };
    let writing = tokio::spawn(write_loop(link.writing, outbox.clone(), Duration::from_secs(5), timed(), refill));
    assert_eq!(receive(&mut far).await, [1, 2, 3]);
    writing.await.unwrap().unwrap();
}

#[tokio::test]
async fn streams_of_others_crowd_a_queue_sooner_than_messages() {
    let outbox = Outbox::new(OutboxLimits { soft: 4000, hard: 9000, ..LIMITS }, unbounded());
    assert!(!outbox.push(Class::Message, frame(1, &[0; 1500])).unwrap());
    assert!(!outbox.push(Class::Stream, frame(2, &[0; 1500])).unwrap());
    assert!(outbox.push(Class::Bulk, frame(3, &[0; 990])).unwrap());
}

#[tokio::test]
async fn a_full_queue_refuses_all_but_control_and_the_first_frame() {
    let budget = unbounded();
    let outbox = Outbox::new(LIMITS, budget.clone());
    outbox.push(Class::Message, frame(1, &[0; 3000])).unwrap();
    assert!(matches!(outbox.push(Class::Message, frame(2, &[0; 3000])), Err(Refused::Full(_))));
    assert!(matches!(outbox.push(Class::Bulk, frame(3, &[0; 3000])), Err(Refused::Full(_))));
    outbox.push(Class::Control, frame(4, &[0; 3000])).unwrap();
    assert_eq!(budget.used(), outbox.bytes());
    outbox.close(true);
    assert!(matches!(outbox.push(Class::Control, frame(5, b"")), Err(Refused::Closed(_))));
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn small_frames_find_room_behind_one_that_is_larger_than_the_queue() {
    let outbox = Outbox::new(LIMITS, unbounded());
    outbox.push(Class::Message, frame(1, &[0; 9000])).unwrap();
    outbox.push(Class::Message, frame(2, &[0; 3000])).unwrap();
    assert!(matches!(outbox.push(Class::Message, frame(3, &[0; 3000])), Err(Refused::Full(_))));
    outbox.written(9000);
    assert!(matches!(outbox.push(Class::Message, frame(4, &[0; 3000])), Err(Refused::Full(_))));
    outbox.push(Class::Message, frame(5, &[0; 500])).unwrap();
}

#[tokio::test]
async fn all_queues_together_are_bounded_and_each_takes_a_frame() {
    let budget = Arc::new(Budget::new(3500));
    let (one, other) = (Outbox::new(LIMITS, budget.clone()), Outbox::new(LIMITS, budget.clone()));
    one.push(Class::Message, frame(1, &[0; 1500])).unwrap();
    one.push(Class::Message, frame(2, &[0; 1500])).unwrap();
    other.push(Class::Message, frame(3, &[0; 1500])).unwrap();
    assert!(matches!(other.push(Class::Message, frame(4, b"")), Err(Refused::Full(_))));
    other.push(Class::Control, frame(5, b"")).unwrap();
    drop(one);
    other.push(Class::Message, frame(6, b"")).unwrap();
    assert!(other.hold(2000), "what waits elsewhere counts");
    assert!(matches!(other.push(Class::Message, frame(7, b"")), Err(Refused::Full(_))));
    drop(other);
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn senders_wait_until_the_writer_has_made_room() {
    let outbox = Arc::new(Outbox::new(LIMITS, unbounded()));
    outbox.push(Class::Message, frame(1, &[0; 2000])).unwrap();
    assert!(outbox.is_crowded());
    let (link, mut far) = pair().await;
    let writing = tokio::spawn(write_loop(link.writing, outbox.clone(), Duration::from_secs(5), timed(), || {}));
    outbox.room().await;
    assert!(!outbox.is_crowded());
    outbox.close(false);
    assert_eq!(receive(&mut far).await, [1]);
    writing.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_ends_the_connection() {
    let bounds = OutboxLimits { soft: 1000, soft_bulk: 1000, hard: usize::MAX };
    let outbox = Arc::new(Outbox::new(bounds, unbounded()));
    let (near, far) = tokio::io::duplex(4096);
    outbox.push(Class::Message, frame(1, &[0; 100_000])).unwrap();
    let error = write_loop(Link::memory(near).writing, outbox.clone(), Duration::from_secs(30), timed(), || {})
        .await
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!(matches!(outbox.push(Class::Message, frame(2, b"")), Err(Refused::Closed(_))));
    drop(far);
}

#[tokio::test(start_paused = true)]
async fn a_lone_frame_is_written_by_whoever_queues_it_and_the_rest_by_the_writer() {
    let outbox = Arc::new(Outbox::new(OutboxLimits { soft: 1000, soft_bulk: 1000, hard: usize::MAX }, unbounded()));
    let (near, mut far) = tokio::io::duplex(200);
    let writing =
        tokio::spawn(write_loop(Link::memory(near).writing, outbox.clone(), Duration::from_secs(30), timed(), || {}));
    tokio::task::yield_now().await;
    outbox.push(Class::Message, frame(1, b"x")).unwrap();
    outbox.flush(false);
    assert_eq!(outbox.bytes(), 0, "written before the writer had a turn");
    // Right behind the first, as both talk in turns; then one that is nobody's turn, and more than the pipe takes.
    outbox.note_read(1);
    outbox.push(Class::Message, frame(2, b"y")).unwrap();
    outbox.flush(false);
    assert_eq!(outbox.bytes(), 0, "an answer to a single frame waits for others to go with");
    outbox.note_read(2);
    for sequence in 3..=20 {
        outbox.push(Class::Message, frame(sequence, &[0; 100])).unwrap();
        outbox.flush(false);
        assert!(outbox.bytes() > 0, "left to the writer");
    }
    outbox.close(false);
    let mut all = Vec::new();
    far.read_to_end(&mut all).await.unwrap();
    writing.await.unwrap().unwrap();
    let mut all = bytes::BytesMut::from(&all[..]);
    let mut decoder = FrameDecoder::new(FrameLimits::default());
    for sequence in 1..=20 {
        assert_eq!(decoder.decode(&mut all).unwrap().unwrap().prefix.sequence, sequence);
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunk_is_left_to_the_writer_while_others_wait() {
    let outbox = Arc::new(Outbox::new(OutboxLimits { hard: usize::MAX, ..LIMITS }, unbounded()));
    let (near, mut far) = tokio::io::duplex(200_000);
    let writing =
        tokio::spawn(write_loop(Link::memory(near).writing, outbox.clone(), Duration::from_secs(30), timed(), || {}));
    tokio::task::yield_now().await;
    for (sequence, waiting) in [(1, false), (2, true)] {
        outbox.note_read(1);
        outbox.push(Class::Stream, frame(sequence, &[0; 50_000])).unwrap();
        outbox.flush(waiting);
        assert_eq!(outbox.bytes() > 0, waiting, "with others waiting: {waiting}");
    }
    outbox.close(false);
    let mut all = Vec::new();
    far.read_to_end(&mut all).await.unwrap();
    writing.await.unwrap().unwrap();
    assert!(all.len() > 100_000, "{} bytes left", all.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn frames_of_many_senders_leave_whole_and_in_the_order_of_each() {
    const EACH: u16 = 2000;
    let outbox =
        Arc::new(Outbox::new(OutboxLimits { soft: usize::MAX, soft_bulk: usize::MAX, hard: usize::MAX }, unbounded()));
    let (link, mut far) = pair().await;
    let writing = tokio::spawn(write_loop(link.writing, outbox.clone(), Duration::from_secs(30), timed(), || {}));
    let senders: Vec<_> = (0..4)
        .map(|sender: u16| {
            let outbox = outbox.clone();
            tokio::spawn(async move {
                for number in 0..EACH {
                    outbox.push(Class::Message, frame(sender * EACH + number, &[7; 50])).unwrap();
                    outbox.flush(false);
                    if number % 97 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            })
        })
        .collect();
    let closing = tokio::spawn({
        let outbox = outbox.clone();
        async move {
            for sender in senders {
                sender.await.unwrap();
            }
            outbox.close(false);
        }
    });
    let sequences = receive(&mut far).await;
    closing.await.unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(sequences.len(), 4 * usize::from(EACH));
    for sender in 0..4 {
        let own: Vec<u16> = sequences.iter().copied().filter(|number| number / EACH == sender).collect();
        assert!(own.is_sorted(), "of sender {sender}");
    }
}

/// Sends `chunks` one by one; gives what the reader made of them.
async fn read(chunks: &[Vec<u8>], admit_after: usize, limits: FrameLimits) -> (Vec<(u16, usize)>, End) {
    let (near, mut far) = tokio::io::duplex(64);
    let reading = tokio::spawn(async move {
        let mut recorder = Recorder { seen: Vec::new(), admit_after };
        let end = read_loop(Link::memory(near).reading, limits, &Slabs::new(), &mut recorder).await;
        (recorder.seen, end)
    });
    for chunk in chunks {
        // The reader may have had enough.
        if far.write_all(chunk).await.is_err() {
            break;
        }
    }
    drop(far);
    reading.await.unwrap()
}

fn bytes(sequence: u16, payload: &[u8]) -> Vec<u8> {
    frame(sequence, payload).into_bytes().to_vec()
}

fn limits(before_handshake: usize, after_handshake: usize) -> FrameLimits {
    let mut limits = FrameLimits::default();
    limits.before_handshake = before_handshake;
    limits.after_handshake = after_handshake;
    limits
}

#[tokio::test]
async fn frames_are_found_however_they_were_cut() {
    let stream = [bytes(1, b"one"), bytes(2, b""), bytes(3, &[7; 5000])].concat();
    for size in [1, 3, 16, 17, 100, stream.len()] {
        let chunks: Vec<Vec<u8>> = stream.chunks(size).map(<[u8]>::to_vec).collect();
        let (seen, end) = read(&chunks, 1, FrameLimits::default()).await;
        assert_eq!(seen, [(1, 3), (2, 0), (3, 5000)], "in pieces of {size}");
        assert!(matches!(end, End::Finished), "{end:?}");
    }
}

#[tokio::test]
async fn a_large_frame_right_behind_the_handshake_is_welcome() {
    let stream = [bytes(1, b"hello"), bytes(2, &[7; 5000])].concat();
    let (seen, end) = read(core::slice::from_ref(&stream), 1, limits(100, 10_000)).await;
    assert_eq!(seen, [(1, 5), (2, 5000)]);
    assert!(matches!(end, End::Finished), "{end:?}");
    let (seen, end) = read(&[stream], 2, limits(100, 10_000)).await;
    assert_eq!(seen, [(1, 5)]);
    assert!(matches!(end, End::Malformed(_)), "{end:?}");
}

#[tokio::test]
async fn garbage_ends_the_connection_after_what_was_good() {
    let (seen, end) =
        read(&[bytes(1, b"good"), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()], 1, limits(1000, 1000)).await;
    assert_eq!(seen, [(1, 4)]);
    assert!(matches!(end, End::Malformed(_)), "{end:?}");
}

#[tokio::test]
async fn an_end_within_a_frame_is_told_from_a_clean_one() {
    let mut cut = bytes(1, b"good");
    cut.pop();
    let (seen, end) = read(&[cut], 1, FrameLimits::default()).await;
    assert_eq!(seen, []);
    assert!(matches!(end, End::Truncated), "{end:?}");
}
