//! The manager against an oracle: random operations under a virtual clock, every answer compared.
//!
//! The oracle keeps a plain list of what was issued and judges by the rules as the protocol states them; it shares no
//! code with the manager, and it knows of an attempt only whether an honest trainer made it.

use core::time::Duration;

use proptest::prelude::*;

use super::super::{
    FieldValue, HelloNonce, HelloProof, IssueError, PresentedScope, SessionLimits, SessionStatus, combine_nonces,
};
use super::{Seeded, TOKEN, at, manager, scope, token};

const WINDOW: u64 = 300;
const LIFETIME: u64 = 40;
const CAPACITY: usize = 4;
const FAILURES: u32 = 5;

#[derive(Debug, Clone)]
enum Operation {
    /// The clock goes on, or, rarely, back.
    Advance(i64),
    Issue,
    IssueBootstrap,
    Verify {
        nonce: Choice,
        attempt: Quality,
    },
    OneRound {
        nonce_is_sound: bool,
        attempt: Quality,
    },
    Status,
    Invalidate,
}

/// Which nonce an attempt names.
#[derive(Debug, Clone)]
enum Choice {
    /// Some nonce that was issued at some time, used or not.
    Issued(prop::sample::Index),
    Newest,
    Invented,
    Bootstrap,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Quality {
    Honest,
    WrongProof,
    ShortProof,
    WrongScope,
}

fn quality() -> impl Strategy<Value = Quality> {
    prop_oneof![
        2 => Just(Quality::Honest),
        2 => Just(Quality::WrongProof),
        1 => Just(Quality::ShortProof),
        1 => Just(Quality::WrongScope),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let choice = prop_oneof![
        3 => any::<prop::sample::Index>().prop_map(Choice::Issued),
        2 => Just(Choice::Newest),
        1 => Just(Choice::Invented),
        1 => Just(Choice::Bootstrap),
    ];
    prop_oneof![
        40 => prop_oneof![4 => 0_i64..=25, 1 => Just(40), 1 => Just(41), 1 => -30_i64..0].prop_map(Operation::Advance),
        60 => Just(Operation::Issue),
        10 => Just(Operation::IssueBootstrap),
        40 => (choice, quality()).prop_map(|(nonce, attempt)| Operation::Verify { nonce, attempt }),
        10 => (any::<bool>(), quality())
            .prop_map(|(nonce_is_sound, attempt)| Operation::OneRound { nonce_is_sound, attempt }),
        20 => Just(Operation::Status),
        1 => Just(Operation::Invalidate),
    ]
}

/// The rules, written down as simply as they can be.
struct Oracle {
    latest: u64,
    /// Outstanding challenges in the order of their issue, with its time. None is dropped for its age: it is judged.
    outstanding: Vec<(String, u64)>,
    bootstrap: bool,
    failures: u32,
    settled: Option<SessionStatus>,
}

impl Oracle {
    fn see(&mut self, now: u64) {
        self.latest = self.latest.max(now);
        if self.settled.is_none() && self.latest > WINDOW {
            self.settled = Some(SessionStatus::Expired);
        }
    }

    fn may_issue(&self) -> Result<(), IssueError> {
        match self.settled {
            None => Ok(()),
            Some(SessionStatus::Active) => Err(IssueError::SessionActive),
            Some(SessionStatus::Expired) => Err(IssueError::Expired),
            Some(SessionStatus::TooManyFailures) => Err(IssueError::TooManyFailures),
            Some(SessionStatus::Invalidated) => Err(IssueError::Invalidated),
            Some(other) => unreachable!("{other:?} settles nothing"),
        }
    }

    fn issued(&mut self, nonce: &str) {
        if self.outstanding.len() == CAPACITY {
            self.outstanding.remove(0);
        }
        self.outstanding.push((nonce.to_owned(), self.latest));
    }

    fn take(&mut self, nonce: &str) -> bool {
        let Some(place) = self.outstanding.iter().position(|(each, _)| each == nonce) else { return false };
        let (_, issued_at) = self.outstanding.remove(place);
        self.latest - issued_at <= LIFETIME
    }

    fn judge(&mut self, live: bool, honest: bool) -> bool {
        if self.settled.is_some() || !live {
            return false;
        }
        if honest {
            self.settled = Some(SessionStatus::Active);
        } else {
            self.failures += 1;
            if self.failures == FAILURES {
                self.settled = Some(SessionStatus::TooManyFailures);
            }
        }
        honest
    }
}

/// What happened in a run, so that the test can show that it reached every corner.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    accepted: u32,
    refused: u32,
    not_issued: u32,
}

fn run(operations: &[Operation]) -> (Seen, SessionStatus) {
    let limits = SessionLimits::new()
        .with_attach_window(Duration::from_secs(WINDOW))
        .with_nonce_lifetime(Duration::from_secs(LIFETIME))
        .with_pending_nonces(CAPACITY)
        .with_failed_proofs(FAILURES);
    let manager = manager(limits);
    let generator = &mut Seeded(99);
    let mut oracle = Oracle { latest: 0, outstanding: Vec::new(), bootstrap: false, failures: 0, settled: None };
    let (mut now, mut seen, mut accepted) = (0_u64, Seen::default(), false);
    let (mut issued, mut bootstrap) = (Vec::<String>::new(), String::from("none yet"));

    for operation in operations {
        match operation {
            Operation::Advance(seconds) => now = now.saturating_add_signed(*seconds),
            Operation::Issue => {
                oracle.see(now);
                let answer = manager.issue_nonce(at(now), generator);
                assert_eq!(answer.as_ref().map(|_| ()).map_err(|error| *error), oracle.may_issue(), "{operation:?}");
                match answer {
                    Ok(nonce) => {
                        oracle.issued(nonce.as_str());
                        issued.push(nonce.as_str().to_owned());
                    }
                    Err(_) => seen.not_issued += 1,
                }
            }
            Operation::IssueBootstrap => {
                oracle.see(now);
                let answer = manager.issue_bootstrap_nonce(at(now), generator);
                assert_eq!(answer.as_ref().map(|_| ()).map_err(|error| *error), oracle.may_issue());
                if let Ok(nonce) = answer {
                    nonce.as_str().clone_into(&mut bootstrap);
                    oracle.bootstrap = true;
                }
            }
            Operation::Verify { nonce, attempt } => {
                let named = match nonce {
                    Choice::Issued(index) if !issued.is_empty() => index.get(&issued).clone(),
                    Choice::Newest => issued.last().cloned().unwrap_or_default(),
                    Choice::Bootstrap => bootstrap.clone(),
                    Choice::Issued(_) | Choice::Invented => "0123456789abcdef".repeat(2),
                };
                oracle.see(now);
                let live = oracle.take(&named);
                let expected = oracle.judge(live, *attempt == Quality::Honest);
                let (presented, proof) = make(*attempt, &named);
                let answer = manager.verify_proof(at(now), &named, &presented, &proof).is_ok();
                assert_eq!(answer, expected, "{operation:?} at {now}");
                count(&mut seen, answer, &mut accepted);
            }
            Operation::OneRound { nonce_is_sound, attempt } => {
                let trainer = if *nonce_is_sound { "ef".repeat(16) } else { "EF".repeat(16) };
                oracle.see(now);
                let live = core::mem::take(&mut oracle.bootstrap);
                let expected = oracle.judge(live, *nonce_is_sound && *attempt == Quality::Honest);
                let (presented, proof) = make(*attempt, &combine_nonces(&bootstrap, &trainer));
                let answer = manager.verify_one_round(at(now), &trainer, &presented, &proof).is_ok();
                assert_eq!(answer, expected, "{operation:?} at {now}");
                count(&mut seen, answer, &mut accepted);
            }
            Operation::Status => {
                oracle.see(now);
                let expected = oracle.settled.unwrap_or(SessionStatus::Waiting);
                assert_eq!(manager.status(at(now)), expected);
            }
            Operation::Invalidate => {
                manager.invalidate();
                oracle.settled = Some(SessionStatus::Invalidated);
            }
        }
        let waiting = oracle.settled.is_none();
        assert_eq!(manager.failed_proofs(), oracle.failures);
        assert_eq!(manager.token().is_some(), waiting, "the token is kept while it can be used, and no longer");
        assert_eq!(manager.poll_timeout(), waiting.then(|| at(WINDOW).saturating_add(Duration::from_nanos(1))));
        assert!(manager.pending_nonces() <= if waiting { CAPACITY } else { 0 });
    }
    (seen, manager.status(at(now)))
}

/// The claim and the proof that a trainer of this quality sends for `nonce`.
fn make(quality: Quality, nonce: &str) -> (PresentedScope<'static>, String) {
    static SCOPE: std::sync::LazyLock<super::super::TokenScope> = std::sync::LazyLock::new(scope);
    let mut proof = HelloProof::compute(&token(TOKEN), nonce, &SCOPE).expose().to_owned();
    let mut presented = SCOPE.present();
    match quality {
        Quality::Honest => {}
        Quality::WrongProof => proof = "0".repeat(HelloProof::LEN),
        Quality::ShortProof => proof.truncate(HelloProof::LEN - 1),
        Quality::WrongScope => {
            let honest = presented;
            presented = PresentedScope::from_fields(|field| match honest.field(field) {
                FieldValue::Int(number) => FieldValue::Int(number + 1),
                value => value,
            });
        }
    }
    (presented, proof)
}

fn count(seen: &mut Seen, answer: bool, accepted: &mut bool) {
    if answer {
        assert!(!*accepted, "one token let two sessions in");
        *accepted = true;
        seen.accepted += 1;
    } else {
        seen.refused += 1;
    }
}

#[test]
fn the_manager_answers_as_the_oracle_does() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let total = core::cell::RefCell::new((Seen::default(), Vec::new()));
    runner
        .run(&prop::collection::vec(operation(), 1..60), |operations| {
            let (seen, end) = run(&operations);
            let mut total = total.borrow_mut();
            total.0.accepted += seen.accepted;
            total.0.refused += seen.refused;
            total.0.not_issued += seen.not_issued;
            if !total.1.contains(&end) {
                total.1.push(end);
            }
            Ok(())
        })
        .unwrap();
    let (seen, ends) = total.into_inner();
    assert!(seen.accepted > 100 && seen.refused > 1000 && seen.not_issued > 100, "{seen:?}");
    assert_eq!(ends.len(), 5, "every way to end was gone: {ends:?}");
}

#[test]
fn a_generator_that_repeats_itself_is_noticed() {
    let manager = manager(SessionLimits::new());
    let nonce: HelloNonce = manager.issue_nonce(at(1), &mut Seeded(5)).unwrap();
    assert_eq!(manager.issue_nonce(at(1), &mut Seeded(5)), Err(IssueError::GeneratorRepeats));
    assert_eq!(manager.issue_bootstrap_nonce(at(1), &mut Seeded(5)), Err(IssueError::GeneratorRepeats));
    let proof = HelloProof::compute(&token(TOKEN), nonce.as_str(), &scope());
    assert!(manager.verify_proof(at(1), nonce.as_str(), &scope().present(), proof.expose()).is_ok());
}
