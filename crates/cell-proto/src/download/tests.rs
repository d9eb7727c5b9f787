//! Both machines against each other over a path that loses, breaks and damages; replies that arrive piecemeal.

use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use fedcell_auth::UnixTime;
use fedcell_fobs::array::{Array, DType, Order};
use fedcell_fobs::{Blob, Encoder, Map, Text, Value};
use proptest::prelude::*;

use super::archive::{Check, Part, read, write};
use super::body::{Content, FromReceiver, FromSource, Piece, Pull};
use super::consumer::{Arrived, Consumer, ConsumerConfig, ConsumerEvent, Lost, PullId, Transmit, Unusable};
use super::digest::ContentDigest;
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
    /// It comes twice; the reply to the second is lost.
    Repeats,
    TimesOut,
    Breaks,
    Damages,
}

struct Pair {
    now: UnixTime,
    source: Source,
    consumer: Consumer,
    most: usize,
    fates: Vec<Fate>,
    /// What is done next, of all that can be: begun with zero, things are done in the order in which they came up.
    choices: u64,
    pulls: Vec<u64>,
    /// Requests that are out, and what will become of them.
    out: VecDeque<(PullId, Result<FromSource, Lost>)>,
    kept: Vec<(PullId, Piece)>,
    /// The piece whose turn it is.
    used: Option<PullId>,
    got: Vec<u8>,
    events: Vec<ConsumerEvent>,
    outcome: Option<Outcome>,
}

impl Pair {
    fn new(config: ConsumerConfig, length: u64, piece: u64, fates: &[Fate]) -> Self {
        // Pieces are as large as the offer has them.
        Self::with_source(SourceConfig { largest_piece: 0, ..SourceConfig::default() }, config, length, piece, fates)
    }

    fn with_source(terms: SourceConfig, config: ConsumerConfig, length: u64, piece: u64, fates: &[Fate]) -> Self {
        let mut source = Source::new(terms);
        let id = source.open(NOW, Transaction::new(Receivers::Count(1)));
        source.add(id, "r".into(), Offer::Bytes { length, piece }).unwrap();
        let most = config.pieces;
        let consumer = Consumer::new(NOW, "r".into(), config);
        let fates = fates.iter().rev().copied().collect();
        let (pulls, out, kept, got, events) = Default::default();
        let (now, choices, used, outcome) = (NOW, 0, None, None);
        Self { now, source, consumer, most, fates, choices, pulls, out, kept, used, got, events, outcome }
    }

    fn byte(offset: u64) -> u8 {
        offset.wrapping_mul(2_654_435_761).to_le_bytes()[3]
    }

    /// Runs until nothing more happens.
    fn run(&mut self) {
        for _ in 0..10_000 {
            while let Some(transmit) = self.consumer.poll_transmit() {
                self.transmit(transmit);
            }
            while let Some(event) = self.consumer.poll_event() {
                self.event(event);
            }
            assert!(self.out.len() + self.kept.len() <= self.most, "more than {} pieces are kept", self.most);
            let choice = self.choose(self.out.len() + usize::from(self.used.is_some()));
            if let Some((id, reply)) = self.out.remove(choice) {
                self.reply(id, reply);
            } else if let Some(id) = self.used.take() {
                self.consume(id);
            } else if let Some(due) = self.consumer.poll_timeout() {
                self.now = due;
                self.consumer.handle_timeout(due);
            } else {
                break;
            }
        }
        while let Some(transmit) = self.consumer.poll_transmit() {
            self.transmit(transmit);
        }
        while let Some(event) = self.source.poll_event() {
            if let SourceEvent::Settled(outcome) = event {
                self.outcome = Some(*outcome);
            }
        }
        assert!(self.consumer.is_over(), "never ends");
    }

    fn choose(&mut self, among: usize) -> usize {
        let choice = self.choices % among.max(1) as u64;
        self.choices = self.choices.wrapping_mul(6_364_136_223_846_793_005).rotate_right(29);
        usize::try_from(choice).unwrap()
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
        self.pulls.push(offset.unwrap_or_default());
        let fate = self.fates.pop().unwrap_or(Fate::Pass);
        if fate == Fate::Repeats {
            drop(self.source.handle_pull(self.now, peer.as_fqcn(), pull, [6; 16]));
        }
        let reply = match self.source.handle_pull(self.now, peer.as_fqcn(), pull, [7; 16]) {
            PullAnswer::Produce(production) => {
                let Plan::Bytes { offset, length, state } = production.plan.clone() else { panic!() };
                self.source.handle_produced(self.now, &production, length);
                let mut bytes: Vec<u8> = (offset..offset + length).map(Self::byte).collect();
                let digests = pull.digests.then(|| vec![ContentDigest::of(&bytes.clone().into())]);
                if fate == Fate::Damages {
                    bytes[0] ^= 1;
                }
                let (data, ahead) = (Content::Bytes(bytes.into()), production.ahead);
                FromSource::Piece(Piece { state, ahead, data, digests, cancels: true })
            }
            PullAnswer::End(end) => {
                assert!(self.out.is_empty(), "the end is asked for when everything before it has come");
                FromSource::End(end)
            }
            other => panic!("{other:?}"),
        };
        let reply = match fate {
            Fate::TimesOut => Err(Lost::TimedOut),
            Fate::Breaks => Err(Lost::Unreachable),
            Fate::Pass | Fate::Repeats | Fate::Damages => Ok(FromSource::parse(reply.into_value()).unwrap()),
        };
        self.out.push_back((id, reply));
    }

    fn reply(&mut self, id: PullId, reply: Result<FromSource, Lost>) {
        match reply {
            Err(lost) => self.consumer.handle_failure(self.now, id, lost),
            Ok(FromSource::End(end)) => self.consumer.handle_reply(self.now, id, Arrived::End(end)),
            Ok(FromSource::Piece(piece)) => {
                let arrived = Arrived::Piece {
                    state: piece.state.clone(),
                    ahead: piece.ahead.clone(),
                    bytes: piece.data.len() as u64,
                    cancels: piece.cancels,
                };
                self.kept.push((id, piece));
                self.consumer.handle_reply(self.now, id, arrived);
            }
        }
    }

    fn event(&mut self, event: ConsumerEvent) {
        match &event {
            ConsumerEvent::Consume(id) => assert_eq!(self.used.replace(*id), None, "one at a time"),
            ConsumerEvent::Discard(id) => self.kept.retain(|(kept, _)| kept != id),
            ConsumerEvent::Abandon(id) => self.out.retain(|(out, _)| out != id),
            ConsumerEvent::Finish => self.consumer.handle_finished(true),
            ConsumerEvent::Failed(_) => self.used = None,
            ConsumerEvent::Retrying { .. } => {}
        }
        self.events.push(event);
    }

    fn consume(&mut self, id: PullId) {
        let at = self.kept.iter().position(|(kept, _)| *kept == id).unwrap();
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

    fn failure(&self) -> Option<&str> {
        match self.events.last() {
            Some(ConsumerEvent::Failed(reason)) => Some(reason.as_str()),
            _ => None,
        }
    }
}

/// Downloads four pieces of ten bytes, from a source that tells one state at a time as the reference does; which offsets
/// were asked for, and how many seconds it took.
#[track_caller]
fn check(fates: &[Fate], pulls: &[u64], seconds: u64) {
    for pieces in [1, 2, 5] {
        let terms = SourceConfig { largest_piece: 0, most_ahead: 0, ..SourceConfig::default() };
        let config = ConsumerConfig { pieces, ..ConsumerConfig::default() };
        let mut pair = Pair::with_source(terms, config, 40, 10, fates);
        pair.run();
        check_complete(&pair, 40);
        // What follows a damaged piece may have been asked for already.
        if pieces > 1 && fates.contains(&Fate::Damages) {
            assert!(pair.pulls.len() < pulls.len() + pieces, "{:?}", pair.pulls);
        } else {
            assert_eq!(pair.pulls, pulls);
        }
        assert_eq!(pair.now.saturating_since(NOW), Duration::from_secs(seconds));
    }
}

#[track_caller]
fn check_complete(pair: &Pair, length: u64) {
    assert_eq!(pair.got, (0..length).map(Pair::byte).collect::<Vec<_>>());
    assert_eq!(pair.outcome.as_ref().map(|outcome| outcome.verdict), Some(Verdict::Completed));
    assert!(pair.consumer.is_over() && pair.kept.is_empty() && pair.out.is_empty());
    assert_eq!(pair.consumer.bytes(), length);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn pieces_that_are_asked_for_ahead_are_used_in_order_whatever_becomes_of_them(
        fates in proptest::collection::vec(
            prop_oneof![
                4 => Just(Fate::Pass), 1 => Just(Fate::Repeats), 1 => Just(Fate::TimesOut), 1 => Just(Fate::Breaks),
                1 => Just(Fate::Damages),
            ],
            0..40,
        ),
        pieces in 1_usize..7,
        most_ahead in 0_usize..7,
        length in 0_u64..300,
        choices in any::<u64>(),
    ) {
        let terms = SourceConfig { largest_piece: 0, most_ahead, ..SourceConfig::default() };
        let config = ConsumerConfig { pieces, retries: 40, ..ConsumerConfig::default() };
        let mut pair = Pair::with_source(terms, config, length, 10, &fates);
        pair.choices = choices;
        pair.run();
        check_complete(&pair, length);
        // Again is asked for what was lost or damaged, and for what was on its way behind that.
        let lost = fates.iter().filter(|fate| matches!(fate, Fate::TimesOut | Fate::Breaks)).count();
        let damaged = fates.iter().filter(|fate| **fate == Fate::Damages).count();
        let needed = usize::try_from(length.div_ceil(10)).unwrap() + 1;
        prop_assert!(pair.pulls.len() <= needed + lost + damaged * pieces, "{:?}", pair.pulls);
    }
}

#[test]
fn as_many_are_asked_for_at_a_time_as_the_source_tells_of() {
    let out = |most_ahead, pieces| {
        let terms = SourceConfig { largest_piece: 0, most_ahead, ..SourceConfig::default() };
        let mut pair = Pair::with_source(terms, ConsumerConfig { pieces, ..ConsumerConfig::default() }, 100, 10, &[]);
        let mut out = Vec::new();
        for _ in 0..3 {
            while let Some(transmit) = pair.consumer.poll_transmit() {
                pair.transmit(transmit);
            }
            out.push(pair.out.len());
            if let Some((id, reply)) = pair.out.pop_front() {
                pair.reply(id, reply);
            }
        }
        out
    };
    assert_eq!(out(8, 4), [1, 3, 2], "one is being used, and its place is not free yet");
    assert_eq!(out(1, 4), [1, 2, 2]);
    assert_eq!(out(0, 4), [1, 1, 1]);
    assert_eq!(out(8, 2), [1, 1, 0]);
}

#[test]
fn a_source_that_contradicts_itself_is_given_up() {
    let state = |offset: u64| Map::from([("received_bytes", offset)]);
    let mut consumer = Consumer::new(NOW, "r".into(), ConsumerConfig::default());
    let mut replied = |state: Map, ahead: Vec<Map>| {
        let Some(Transmit::Pull { id, .. }) = consumer.poll_transmit() else { panic!() };
        consumer.handle_reply(NOW, id, Arrived::Piece { state, ahead, bytes: 10, cancels: true });
        core::iter::from_fn(|| consumer.poll_event()).last()
    };
    assert!(matches!(replied(state(10), vec![state(20)]), Some(ConsumerEvent::Consume(_))));
    let failed = replied(state(21), vec![]);
    assert_eq!(failed, Some(ConsumerEvent::Failed("the source contradicts what it said of the next pieces".into())));
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
    let fates: Vec<Fate> = [Fate::Pass].into_iter().chain([Fate::TimesOut; 20]).collect();
    let mut pair = Pair::new(ConsumerConfig::default(), 40, 10, &fates);
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
    let (state, ahead) = Default::default();
    consumer.handle_reply(NOW, id, Arrived::Piece { state, ahead, bytes: 1, cancels: false });
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
    let digests = digests.then(|| blobs.iter().map(ContentDigest::of).collect());
    let piece = Piece { state, ahead: vec![], data: Content::Items(blobs.clone()), digests, cancels: true };
    let encoded = Encoder::new().max_value_size(4096).unwrap().encode(&FromSource::Piece(piece).into_value()).unwrap();
    (encoded.into_segments(), blobs)
}

#[test]
fn large_archives_never_are_in_memory() {
    let (segments, blobs) = reply(&[("T0", 100), ("T1", 50_000), ("T2", 5_000), ("T3", 80_000)], true);
    let whole = Bytes::from(segments.concat());
    for every in [1, 9, 1000, 1 << 20] {
        let mut rising = RisingReply::new(40_000, 20_000, true);
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
        let digests = piece.digests.unwrap();
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
    let mut rising = RisingReply::new(40_000, 20_000, false);
    assert!(matches!(push(&mut rising), Err(RisingError::TooLarge { limit: 20_000, .. })));
    let mut rising = RisingReply::new(20_000, 20_000, false);
    push(&mut rising).unwrap();
    rising.push(Bytes::from_static(&[100]), &mut drop).unwrap();
    assert_eq!(rising.finish(), Err(RisingError::CutOff));
}
