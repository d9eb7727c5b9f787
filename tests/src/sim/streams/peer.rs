//! One cell of the simulation: its streams, who writes them and who reads them.

use core::ops::Bound;
use core::time::Duration;
use std::collections::BTreeMap;

use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::stream::{IncomingId, StreamConfig, StreamError, StreamEvent, StreamHead, StreamId, Streams};
use fedcell_netsim::{LinkId, NodeId, SimRng};

use super::flow::{Fate, Outcome, Plan, READ, Reading, Writing, key};

/// All streams that there were, by key.
pub(super) type Ledger = BTreeMap<i64, (Plan, Fate)>;

pub(super) struct Peer {
    pub(super) name: FqcnBuf,
    pub(super) node: NodeId,
    pub(super) streams: Streams,
    pub(super) writing: BTreeMap<StreamId, Writing>,
    pub(super) reading: BTreeMap<IncomingId, Reading>,
    /// Streams that ended well for their writer, to understand failures that are told late.
    sent: BTreeMap<StreamId, i64>,
    pub(super) link: Option<LinkId>,
    /// When the link is dialled again.
    pub(super) redial_at: Option<Duration>,
    /// When what was given to the link has left.
    pub(super) busy_until: Duration,
    /// The stream behind which the next one is to be read.
    turn: (Bound<IncomingId>, Bound<IncomingId>),
    /// Bytes per millisecond that the readers take; none: all at once.
    speed: Option<usize>,
    /// When the readers take something again.
    pub(super) reads_at: Option<Duration>,
    first_number: i64,
}

/// Bounds of the machines of the simulation: what they send is small, and so they are.
fn config() -> StreamConfig {
    let mut config = StreamConfig::default();
    (config.chunk_size, config.window, config.least_in_flight) = (1024, 64 * 1024, 4096);
    config
}

impl Peer {
    pub(super) fn new(name: &str, node: NodeId, rng: &mut SimRng) -> Self {
        let first_number = i64::try_from(rng.below(1 << 40)).unwrap();
        Self {
            name: FqcnBuf::parse(name).unwrap(),
            node,
            streams: Streams::new(config(), first_number),
            writing: BTreeMap::new(),
            reading: BTreeMap::new(),
            sent: BTreeMap::new(),
            link: None,
            redial_at: Some(Duration::ZERO),
            busy_until: Duration::ZERO,
            turn: (Bound::Unbounded, Bound::Unbounded),
            speed: rng.chance(0.4).then(|| 30 + rng.below(500)),
            reads_at: None,
            first_number,
        }
    }

    /// The process ends, and another one begins in its place.
    pub(super) fn crash(&mut self, ledger: &mut Ledger) {
        for writing in self.writing.values() {
            ledger.get_mut(&writing.plan.key).unwrap().1.outcome = Some(Outcome::Crashed);
        }
        // As the clock goes on, so do the numbers.
        self.first_number += 1 << 30;
        self.streams = Streams::new(config(), self.first_number);
        self.writing.clear();
        self.reading.clear();
        self.sent.clear();
        self.reads_at = None;
    }

    pub(super) fn write(&mut self, now: UnixTime, target: &FqcnBuf, plan: Plan) {
        let id = self.streams.open(now, target, plan.open()).expect("there is room");
        self.writing.insert(id, Writing { plan, given: 0 });
        self.give(now, id);
    }

    /// The writer of a stream gives what is welcome.
    fn give(&mut self, now: UnixTime, id: StreamId) {
        let Some(writing) = self.writing.get_mut(&id) else { return };
        while writing.given < writing.plan.size {
            if writing.plan.cancelled_at.is_some_and(|at| writing.given >= at) {
                return;
            }
            let room = self.streams.room(id);
            if room == 0 {
                return;
            }
            let data = writing.plan.data(writing.given, room);
            writing.given += data.len();
            self.streams.offer(now, id, &data.into());
        }
        self.streams.finish(now, id);
    }

    /// Writers that have changed their minds give up.
    pub(super) fn cancel(&mut self, ledger: &mut Ledger) {
        let changed: Vec<StreamId> = self
            .writing
            .iter()
            .filter(|(_, writing)| writing.plan.cancelled_at.is_some_and(|at| writing.given >= at))
            .map(|(id, _)| *id)
            .collect();
        for id in changed {
            let writing = self.writing.remove(&id).unwrap();
            ledger.get_mut(&writing.plan.key).unwrap().1.outcome = Some(Outcome::Cancelled);
            self.streams.cancel(id, "changed my mind");
        }
    }

    pub(super) fn handle_message(&mut self, now: UnixTime, message: Message, ledger: &Ledger) {
        self.streams.handle_message(now, message, |head: &StreamHead| {
            assert!(ledger.contains_key(&key(head)), "a stream that nobody sent");
            if head.channel() == READ { Ok(()) } else { Err(StreamError::no_handler(head)) }
        });
    }

    /// Hears what the streams have to say.
    pub(super) fn hear(&mut self, now: UnixTime, clock: Duration, ledger: &mut Ledger) {
        while let Some(event) = self.streams.poll_event() {
            match event {
                StreamEvent::Whole { head, payload } => {
                    let mut reading = begin(&head, ledger);
                    let bytes = payload.into_bytes();
                    if !bytes.is_empty() {
                        reading.take(&bytes);
                    }
                    end(&reading, ledger);
                    if reading.plan.refused_at.is_some() {
                        self.streams.reject(now, &head, &StreamError::refused("not this"));
                    }
                }
                StreamEvent::Began { stream, head } => {
                    self.reading.insert(stream, begin(&head, ledger));
                }
                StreamEvent::Data { stream, payload } => {
                    let Some(reading) = self.reading.get_mut(&stream) else { continue };
                    payload.segments().for_each(|segment| reading.take(segment));
                    if reading.plan.refused_at.is_some_and(|at| reading.got > at) {
                        self.reading.remove(&stream);
                        self.streams.refuse(now, stream, &StreamError::refused("no more of this"));
                        continue;
                    }
                    if self.speed.is_none() {
                        self.consume_all(now, stream);
                    } else {
                        self.reads_at.get_or_insert(clock + Duration::from_millis(1));
                    }
                }
                StreamEvent::Finished { stream } => {
                    if let Some(reading) = self.reading.remove(&stream) {
                        end(&reading, ledger);
                    }
                }
                StreamEvent::Broken { stream, error } => {
                    if let Some(reading) = self.reading.remove(&stream) {
                        ledger.get_mut(&reading.plan.key).unwrap().1.broken = Some(error);
                    }
                }
                StreamEvent::Writable { stream } => self.give(now, stream),
                StreamEvent::Progress { stream, acknowledged } => {
                    let writing = &self.writing[&stream];
                    assert!(acknowledged <= writing.given as u64, "more is acknowledged than was given");
                }
                StreamEvent::Sent { stream, bytes } => {
                    let writing = self.writing.remove(&stream).expect("a stream ends once");
                    assert_eq!(bytes, writing.plan.size as u64, "not all was sent");
                    let fate = &mut ledger.get_mut(&writing.plan.key).unwrap().1;
                    fate.outcome = Some(Outcome::Sent);
                    self.sent.insert(stream, writing.plan.key);
                }
                StreamEvent::Failed { stream, error, .. } => {
                    let writing = self.writing.remove(&stream).expect("a stream ends once");
                    let fate = &mut ledger.get_mut(&writing.plan.key).unwrap().1;
                    (fate.outcome, fate.told) = (Some(Outcome::Failed), Some(error));
                }
                StreamEvent::FailedLate { stream, error, .. } => {
                    let key = self.sent.remove(&stream).expect("it was sent, and is told once");
                    ledger.get_mut(&key).unwrap().1.told = Some(error);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// A reader takes one piece, and its turn comes again when all others have had theirs.
    pub(super) fn read(&mut self, now: UnixTime, clock: Duration) {
        let Some(speed) = self.speed.filter(|_| self.reads_at.is_some_and(|at| at <= clock)) else { return };
        let has_more = |(_, reading): &(&IncomingId, &mut Reading)| !reading.waiting.is_empty();
        let behind = self.reading.range_mut(self.turn).find(has_more);
        let next = behind.map(|(id, _)| *id).or_else(|| self.reading.iter_mut().find(has_more).map(|(id, _)| *id));
        self.reads_at = None;
        let Some((id, reading)) = next.and_then(|id| self.reading.get_mut(&id).map(|reading| (id, reading))) else {
            return;
        };
        self.turn = (Bound::Excluded(id), Bound::Unbounded);
        let len = reading.waiting.pop_front().unwrap();
        self.streams.consumed(now, id, len);
        self.reads_at = Some(clock + Duration::from_micros(1 + (1000 * len / speed) as u64));
    }

    fn consume_all(&mut self, now: UnixTime, stream: IncomingId) {
        let Some(reading) = self.reading.get_mut(&stream) else { return };
        while let Some(len) = reading.waiting.pop_front() {
            self.streams.consumed(now, stream, len);
        }
    }

    /// Nothing is larger than it may be.
    pub(super) fn check_bounds(&self, largest: u64) {
        let counts = self.streams.counts();
        let bound = largest * counts.incoming as u64;
        assert!(counts.unread <= bound, "{} bytes wait in {} streams", counts.unread, counts.incoming);
        // Acknowledgements may wait for others, one message for each cell.
        assert!(counts.waiting <= 4, "drained");
        for (id, writing) in &self.writing {
            let (sent, acknowledged) = self.streams.progress(*id).expect("it is open");
            let on_its_way = sent - acknowledged;
            assert!(on_its_way <= writing.plan.most_waiting(), "{on_its_way} bytes on their way of {:?}", writing.plan);
        }
    }
}

fn begin(head: &StreamHead, ledger: &Ledger) -> Reading {
    let (plan, fate) = &ledger[&key(head)];
    // A process that died does not remember what it had.
    assert!(!fate.was_read || fate.lost_reader, "a stream comes a second time: {plan:?}");
    assert_eq!(head.size(), plan.is_sized.then_some(plan.size as u64).filter(|size| *size > 0));
    assert_eq!((head.is_reliable(), head.topic()), (plan.is_reliable, "flow"));
    Reading { plan: plan.clone(), got: 0, waiting: std::collections::VecDeque::new() }
}

fn end(reading: &Reading, ledger: &mut Ledger) {
    assert_eq!(reading.got, reading.plan.size, "finished too early");
    let fate = &mut ledger.get_mut(&reading.plan.key).unwrap().1;
    assert!(!fate.was_read && fate.broken.is_none() || fate.lost_reader, "a stream ends twice: {fate:?}");
    fate.was_read = true;
}
