//! Both machines against each other over a path that loses, breaks and damages; replies that arrive piecemeal.

use core::time::Duration;

use bytes::Bytes;
use fedcell_auth::{DigestKind, UnixTime};
use fedcell_fobs::array::{Array, DType, Order};
use fedcell_fobs::{Blob, Encoder, Map, Text, Value};

use super::archive::{Check, Part, read, write};
use super::body::{Content, Digests, FromReceiver, FromSource, Piece, Pull, digest_of};
use super::consumer::{Arrived, Consumer, ConsumerConfig, ConsumerEvent, Lost, PullId, Transmit, Unusable};
use super::rising::{Risen, RisingError, RisingReply};
use super::source::{
    Offer, Outcome, Plan, PullAnswer, Receivers, Source, SourceConfig, SourceEvent, Transaction, Verdict,
};
use crate::address::FqcnBuf;

const NOW: UnixTime = UnixTime::from_secs(1_767_225_600);

/// What happens to the next requests, in order; all further ones pass.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Pass,
    TimesOut,
    Breaks,
    Damages,
}

struct Pair {
    now: UnixTime,
    source: Source,
    consumer: Consumer,
    fates: Vec<Fate>,
    pulls: Vec<Option<u64>>,
    kept: Vec<(PullId, Piece)>,
    got: Vec<u8>,
    events: Vec<ConsumerEvent>,
    outcome: Option<Outcome>,
}

impl Pair {
    fn new(config: ConsumerConfig, length: u64, piece: u64, fates: &[Fate]) -> Self {
        // Pieces are as large as the offer has them.
        let mut source = Source::new(SourceConfig { largest_piece: 0, ..SourceConfig::default() });
        let id = source.open(NOW, Transaction::new(Receivers::Count(1)));
        source.add(id, "r".into(), Offer::Bytes { length, piece }).unwrap();
        let consumer = Consumer::new(NOW, "r".into(), config);
        let fates = fates.iter().rev().copied().collect();
        let (pulls, kept, got, events) = Default::default();
        Self { now: NOW, source, consumer, fates, pulls, kept, got, events, outcome: None }
    }

    fn byte(offset: u64) -> u8 {
        offset.wrapping_mul(2_654_435_761).to_le_bytes()[3]
    }

    /// Runs until nothing more happens.
    fn run(&mut self) {
        for _ in 0..10_000 {
            if let Some(transmit) = self.consumer.poll_transmit() {
                self.transmit(transmit);
            } else if let Some(event) = self.consumer.poll_event() {
                self.event(event);
            } else if let Some(due) = self.consumer.poll_timeout() {
                self.now = due;
                self.consumer.handle_timeout(due);
            } else {
                while let Some(event) = self.source.poll_event() {
                    if let SourceEvent::Settled(outcome) = event {
                        self.outcome = Some(*outcome);
                    }
                }
                return;
            }
        }
        panic!("never ends");
    }

    fn transmit(&mut self, transmit: Transmit) {
        let peer = FqcnBuf::parse("site-1").unwrap();
        // Both sides see bodies only, as they travel.
        let (id, body) = match transmit {
            Transmit::Pull { id, body } => (Some(id), body),
            Transmit::Tell(body) => (None, body),
        };
        match (id, FromReceiver::parse(body.into_value()).unwrap()) {
            (Some(id), FromReceiver::Pull(pull)) => self.pull(id, &peer, &pull),
            (None, FromReceiver::Confirm(confirm)) => {
                assert!(self.source.handle_confirm(self.now, peer.as_fqcn(), &confirm));
            }
            (None, FromReceiver::Cancel { ref_id }) => {
                self.source.handle_cancel(self.now, peer.as_fqcn(), &ref_id);
            }
            other => panic!("{other:?}"),
        }
    }

    fn pull(&mut self, id: PullId, peer: &FqcnBuf, pull: &Pull) {
        let offset = pull.state.as_ref().and_then(|state| state.get("received_bytes")).and_then(Value::as_u64);
        self.pulls.push(offset);
        let fate = self.fates.pop().unwrap_or(Fate::Pass);
        let reply = match self.source.handle_pull(self.now, peer.as_fqcn(), pull, [7; 16]) {
            PullAnswer::Produce(production) => {
                let Plan::Bytes { offset, length, state } = production.plan.clone() else { panic!() };
                self.source.handle_produced(self.now, &production, length);
                let mut bytes: Vec<u8> = (offset..offset + length).map(Self::byte).collect();
                let digests =
                    pull.digests.map(|kind| Digests { kind, sums: vec![digest_of(kind, &bytes.clone().into())] });
                if fate == Fate::Damages {
                    bytes[0] ^= 1;
                }
                FromSource::Piece(Piece { state, data: Content::Bytes(bytes.into()), digests, cancels: true })
            }
            PullAnswer::End(end) => FromSource::End(end),
            other => panic!("{other:?}"),
        };
        match fate {
            Fate::TimesOut => self.consumer.handle_failure(self.now, id, Lost::TimedOut),
            Fate::Breaks => self.consumer.handle_failure(self.now, id, Lost::Unreachable),
            Fate::Pass | Fate::Damages => match FromSource::parse(reply.into_value()).unwrap() {
                FromSource::End(end) => self.consumer.handle_reply(self.now, id, Arrived::End(end)),
                FromSource::Piece(piece) => {
                    let arrived = Arrived::Piece {
                        state: piece.state.clone(),
                        bytes: piece.data.len() as u64,
                        cancels: piece.cancels,
                    };
                    self.kept.push((id, piece));
                    assert!(self.kept.len() <= 2, "at most two pieces are kept");
                    self.consumer.handle_reply(self.now, id, arrived);
                }
            },
        }
    }

    fn event(&mut self, event: ConsumerEvent) {
        match &event {
            ConsumerEvent::Consume(id) => {
                let at = self.kept.iter().position(|(kept, _)| kept == id).unwrap();
                let (_, piece) = self.kept.remove(at);
                let outcome = match piece.is_intact() {
                    Some(false) => Err(Unusable::Damaged("damaged".into())),
                    _ => {
                        self.got.extend(piece.data.blobs()[0].iter());
                        Ok(())
                    }
                };
                self.consumer.handle_consumed(self.now, outcome);
            }
            ConsumerEvent::Discard(id) => self.kept.retain(|(kept, _)| kept != id),
            ConsumerEvent::Finish => self.consumer.handle_finished(true),
            _ => {}
        }
        self.events.push(event);
    }

    fn failure(&self) -> Option<&str> {
        match self.events.last() {
            Some(ConsumerEvent::Failed(reason)) => Some(reason.as_str()),
            _ => None,
        }
    }
}

/// Downloads ten pieces of ten bytes; which offsets were asked for, and how many seconds it took.
#[track_caller]
fn check(fates: &[Fate], pulls: &[u64], seconds: u64) {
    for pipelining in [true, false] {
        let config = ConsumerConfig { pipelining, ..ConsumerConfig::default() };
        let mut pair = Pair::new(config, 40, 10, fates);
        pair.run();
        assert_eq!(pair.got, (0..40).map(Pair::byte).collect::<Vec<_>>());
        let asked: Vec<u64> = pair.pulls.iter().map(|offset| offset.unwrap_or(0)).collect();
        // With pipelining, the piece behind a damaged one had been asked for already.
        if pipelining && fates.contains(&Fate::Damages) {
            assert!(asked.len() <= pulls.len() + 2, "{asked:?}");
        } else {
            assert_eq!(asked, pulls);
        }
        assert_eq!(pair.now.saturating_since(NOW), Duration::from_secs(seconds));
        assert_eq!(pair.outcome.as_ref().map(|outcome| outcome.verdict), Some(Verdict::Completed));
        assert!(pair.consumer.is_over() && pair.kept.is_empty());
        assert_eq!(pair.consumer.bytes(), 40);
    }
}

#[test]
fn what_is_lost_is_asked_for_again_and_nothing_else() {
    use Fate::{Breaks, Damages, Pass, TimesOut};
    check(&[], &[0, 10, 20, 30, 40], 0);
    check(&[Pass, TimesOut], &[0, 10, 10, 20, 30, 40], 2);
    check(&[Pass, TimesOut, TimesOut, TimesOut, Pass, TimesOut], &[0, 10, 10, 10, 10, 20, 20, 30, 40], 2 + 4 + 8 + 2);
    check(&[Breaks, Pass, Pass, Pass, Breaks, Breaks], &[0, 0, 10, 20, 30, 30, 30, 40], 2 + 2 + 4);
    // The way is broken for longer than three repetitions take: patience is a matter of time.
    check(&[Pass, Breaks, Breaks, Breaks, Breaks, Breaks], &[0, 10, 10, 10, 10, 10, 10, 20, 30, 40], 2 + 4 + 8 * 3);
    check(&[Pass, Pass, Pass, Pass, TimesOut], &[0, 10, 20, 30, 40, 40], 2);
    check(&[Pass, Damages, Pass], &[0, 10, 10, 20, 30, 40], 2);
}

#[test]
fn a_source_that_stays_away_is_given_up_and_told() {
    let mut pair = Pair::new(
        ConsumerConfig::default(),
        40,
        10,
        &[Fate::Pass, Fate::TimesOut, Fate::TimesOut, Fate::TimesOut, Fate::TimesOut],
    );
    pair.run();
    assert_eq!(pair.failure(), Some("the source does not answer"));
    assert_eq!(pair.outcome.as_ref().unwrap().verdict, Verdict::Failed, "the source knows from the cancel");
    let mut pair = Pair::new(ConsumerConfig::default(), 40, 10, &[Fate::Breaks; 1000]);
    pair.run();
    assert_eq!(pair.failure(), Some("the source cannot be reached"));
    let waited = pair.now.saturating_since(NOW);
    assert!(waited >= Duration::from_secs(600) && waited < Duration::from_secs(610), "{waited:?}");
    let mut pair = Pair::new(ConsumerConfig::default(), 40, 10, &[Fate::Damages; 1000]);
    pair.run();
    assert_eq!(pair.failure(), Some("damaged"));
    let config = ConsumerConfig { max_bytes: 35, ..ConsumerConfig::default() };
    let mut pair = Pair::new(config, 40, 10, &[]);
    pair.run();
    assert_eq!(pair.failure(), Some("the object is larger than it may be"));
}

#[test]
fn a_way_that_is_there_again_is_used_at_once() {
    let mut consumer = Consumer::new(NOW, "r".into(), ConsumerConfig::default());
    let Some(Transmit::Pull { id, .. }) = consumer.poll_transmit() else { panic!() };
    consumer.handle_failure(NOW, id, Lost::Unreachable);
    assert!(consumer.poll_transmit().is_none());
    consumer.handle_reachable();
    let Some(Transmit::Pull { id: again, .. }) = consumer.poll_transmit() else { panic!() };
    assert_ne!(id, again);
    // The reply to the first request comes after all: it is dropped.
    consumer.handle_reply(NOW, id, Arrived::Piece { state: Map::new(), bytes: 1, cancels: false });
    assert!(matches!(consumer.poll_event(), Some(ConsumerEvent::Retrying { attempt: 1, .. })));
    assert_eq!(consumer.poll_event(), Some(ConsumerEvent::Discard(id)));
    consumer.cancel("enough".into());
    assert!(consumer.poll_transmit().is_none(), "the source has not said that it understands a cancel");
    assert!(consumer.is_over());
}

fn reply(arrays: &[(&str, usize)], digests: bool) -> (Vec<Bytes>, Vec<Blob>) {
    let blobs: Vec<Blob> = arrays
        .iter()
        .map(|&(item, len)| {
            let elements: Vec<u8> = (0..len as u64).map(Pair::byte).collect();
            write(item, &Array::new(DType::parse(b"|u1").unwrap(), [len], Order::C, elements).unwrap())
        })
        .collect();
    let state = Map::from([("start", 0_u64), ("count", arrays.len() as u64)]);
    let kind = DigestKind::Blake3;
    let digests = digests.then(|| Digests { kind, sums: blobs.iter().map(|blob| digest_of(kind, blob)).collect() });
    let piece = Piece { state, data: Content::Items(blobs.clone()), digests, cancels: true };
    let encoded = Encoder::new().max_value_size(4096).unwrap().encode(&FromSource::Piece(piece).into_value()).unwrap();
    (encoded.into_segments(), blobs)
}

#[test]
fn large_archives_never_are_in_memory() {
    let (segments, blobs) = reply(&[("T0", 100), ("T1", 50_000), ("T2", 5_000), ("T3", 80_000)], true);
    let whole = Bytes::from(segments.concat());
    for every in [1, 9, 1000, 1 << 20] {
        let mut rising = RisingReply::new(40_000, 20_000, Some(DigestKind::Blake3));
        let (mut items, mut archives, mut elements) = (Vec::new(), Vec::new(), 0);
        let mut rest = whole.clone();
        while !rest.is_empty() {
            let chunk = rest.split_to(every.min(rest.len()));
            rising
                .push(chunk, &mut |risen| match risen {
                    Risen::Part(Part::Begins { item, layout }) => items.push((item, layout.data_len().unwrap())),
                    Risen::Part(Part::Elements(bytes)) => elements += bytes.len(),
                    Risen::Part(_) => {}
                    Risen::Archive { datum, digest, .. } => archives.push((datum, digest.unwrap())),
                })
                .unwrap();
        }
        assert_eq!(items, [(Text::from("T1"), 50_000), (Text::from("T3"), 80_000)]);
        assert_eq!(elements, 130_000);
        let body = fedcell_fobs::decode(&rising.finish().unwrap()).unwrap();
        let FromSource::Piece(piece) = FromSource::parse(body).unwrap() else { panic!() };
        let digests = piece.digests.unwrap().sums;
        for (at, blob) in piece.data.blobs().iter().enumerate() {
            match archives.iter().find(|(datum, _)| blob.to_bytes() == datum.as_slice()) {
                Some((_, digest)) => assert_eq!((*digest, at % 2), (digests[at], 1)),
                None => assert_eq!(read(blob, Check::Sums), read(&blobs[at], Check::Sums)),
            }
        }
    }
}

#[test]
fn replies_that_want_too_much_memory_are_refused() {
    let (segments, _) = reply(&[("T0", 30_000)], false);
    let push = |rising: &mut RisingReply| segments.iter().try_for_each(|it| rising.push(it.clone(), &mut drop));
    let mut rising = RisingReply::new(40_000, 20_000, None);
    assert!(matches!(push(&mut rising), Err(RisingError::TooLarge { limit: 20_000, .. })));
    let mut rising = RisingReply::new(20_000, 20_000, None);
    push(&mut rising).unwrap();
    rising.push(Bytes::from_static(&[100]), &mut drop).unwrap();
    assert_eq!(rising.finish(), Err(RisingError::CutOff));
}
