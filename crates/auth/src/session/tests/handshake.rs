//! Both ends of the handshake against each other, and each end against a peer that does not keep to it.

use fedcell_protocol_defs::client_api::{Key, Topic};

use super::super::{
    Body, ExecutorHandshake, ExecutorReply, FieldValue, Rejection, SecretError, SessionLimits, SessionStatus,
    SessionTokenManager, TrainerError, TrainerHello, TrainerSession,
};
use super::{SCOPE, Seeded, TOKEN, at, manager, scope, token};

/// A body made by hand.
#[derive(Clone, Default)]
struct Map(Vec<(&'static str, Owned)>);

#[derive(Clone)]
enum Owned {
    Text(String),
    Int(i64),
    Bool(bool),
    Other,
}

impl Body for Map {
    fn field(&self, key: &str) -> FieldValue<'_> {
        let value = self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
        match value {
            Some(Owned::Text(text)) => FieldValue::Text(text),
            Some(Owned::Int(number)) => FieldValue::Int(*number),
            Some(Owned::Bool(truth)) => FieldValue::Bool(*truth),
            Some(Owned::Other) => FieldValue::Other,
            None => FieldValue::Absent,
        }
    }
}

impl Map {
    fn of(message: &super::super::Message<'_>) -> Self {
        let owned = |value| match value {
            FieldValue::Text(text) => Owned::Text(text.to_owned()),
            FieldValue::Int(number) => Owned::Int(number),
            other => panic!("a message of ours has {other:?}"),
        };
        Self(message.fields().map(|(key, value)| (key.as_str(), owned(value))).collect())
    }

    fn with(mut self, key: Key<'static>, value: Owned) -> Self {
        self.0.retain(|(name, _)| key != **name);
        self.0.push((key.as_str(), value));
        self
    }

    fn without(mut self, key: Key<'static>) -> Self {
        self.0.retain(|(name, _)| key != **name);
        self
    }
}

fn text(value: &str) -> Owned {
    Owned::Text(value.to_owned())
}

fn ask(manager: &SessionTokenManager, origin: &str, topic: Topic<'_>, body: &impl Body) -> ExecutorReply {
    let seed = manager.pending_nonces() as u64 + 1000 * u64::from(manager.failed_proofs());
    ExecutorHandshake::new(manager).handle_request(at(1), origin, topic.as_str(), body, &mut Seeded(seed))
}

fn hello_body() -> Map {
    let token = token(TOKEN);
    Map::of(&TrainerHello::new(&token, scope(), "0").message())
}

/// The body of an honest HELLO_PROOF.
fn proof_body(manager: &SessionTokenManager) -> Map {
    let token = token(TOKEN);
    let hello = TrainerHello::new(&token, scope(), "0");
    let challenge = ask(manager, SCOPE.trainer_fqcn, Topic::HELLO, &hello.message());
    let reply = challenge.message();
    Map::of(&hello.handle_reply(reply.topic().as_str(), &reply).unwrap().message())
}

#[test]
fn both_ends_reach_a_session_in_two_rounds() {
    let manager = manager(SessionLimits::new());
    let token = token(TOKEN);
    let hello = TrainerHello::new(&token, scope(), "0");
    let message = hello.message();
    let keys: Vec<_> = message.fields().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        [Key::JOB_ID, Key::SITE_NAME, Key::ATTACH_ID, Key::TRAINER_FQCN, Key::PROTOCOL_VERSION, Key::RANK]
    );
    let challenge = ask(&manager, SCOPE.trainer_fqcn, message.topic(), &message);
    let reply = challenge.message();
    let proof = hello.handle_reply(reply.topic().as_str(), &reply).unwrap();
    let message = proof.message();
    assert_eq!(message.topic(), Topic::HELLO_PROOF);
    let verdict = ask(&manager, SCOPE.trainer_fqcn, message.topic(), &message);
    let reply = verdict.message();
    let ours = proof.handle_reply(reply.topic().as_str(), &reply).unwrap();
    let ExecutorReply::Accepted(theirs) = &verdict else { panic!("{verdict:?}") };
    assert_eq!(ours.id(), theirs.id());
    assert_eq!(ours.scope(), theirs.verified().scope());
    assert_eq!(manager.status(at(1)), SessionStatus::Active);
}

#[test]
fn both_ends_reach_a_session_in_one_round() {
    let manager = manager(SessionLimits::new());
    let bootstrap = manager.issue_bootstrap_nonce(at(0), &mut Seeded(1)).unwrap();
    let token = token(TOKEN);
    let proof = TrainerHello::new(&token, scope(), "0").one_round(&bootstrap, &mut Seeded(2));
    let message = proof.message();
    assert_eq!(message.topic(), Topic::HELLO);
    let verdict = ask(&manager, SCOPE.trainer_fqcn, message.topic(), &message);
    let reply = verdict.message();
    assert!(proof.handle_reply(reply.topic().as_str(), &reply).is_ok());
    assert_eq!(manager.status(at(1)), SessionStatus::Active);
}

#[track_caller]
fn check_rejected(manager: &SessionTokenManager, origin: &str, topic: Topic<'_>, body: &Map, expected: Rejection) {
    let reply = ask(manager, origin, topic, body);
    let ExecutorReply::Rejected(rejection) = &reply else { panic!("not rejected: {reply:?}") };
    assert_eq!(*rejection, expected);
    let message = reply.message();
    assert_eq!(message.topic(), Topic::HELLO_REJECTED);
    assert_eq!(message.field(Key::REASON.as_str()), FieldValue::Text(&expected.to_string()));
}

#[test]
fn a_hello_for_another_attach_gets_no_nonce() {
    let manager = manager(SessionLimits::new());
    let us = SCOPE.trainer_fqcn;
    let hello = hello_body();
    let check = |body: Map, expected| check_rejected(&manager, us, Topic::HELLO, &body, expected);
    check(hello.clone().with(Key::JOB_ID, text("18")), Rejection::Identity);
    check(hello.clone().with(Key::JOB_ID, Owned::Int(17)), Rejection::Identity);
    check(hello.clone().with(Key::SITE_NAME, text("site-2")), Rejection::Identity);
    check(hello.clone().with(Key::ATTACH_ID, text("attach-2")), Rejection::Identity);
    check(hello.clone().with(Key::TRAINER_FQCN, text("site-1.x")), Rejection::Identity);
    check(hello.clone().without(Key::TRAINER_FQCN), Rejection::Identity);
    check(hello.clone().with(Key::TARGET_FQCN, text("site-1.18")), Rejection::Identity);
    check(hello.clone().with(Key::RANK_POLICY, text("any")), Rejection::Identity);
    check(hello.clone().with(Key::PROTOCOL_VERSION, Owned::Int(2)), Rejection::Version);
    check(hello.clone().with(Key::PROTOCOL_VERSION, text("1")), Rejection::Version);
    check(hello.clone().with(Key::PROTOCOL_VERSION, Owned::Bool(true)), Rejection::Version);
    check(hello.clone().without(Key::PROTOCOL_VERSION), Rejection::Version);
    check(hello.clone().with(Key::PROOF, text(TOKEN)), Rejection::Request);
    check(hello.clone().with(Key::NONCE, text(&"ab".repeat(16))), Rejection::Request);
    check(Map::default(), Rejection::Version);
    for topic in [Topic::HELLO_CHALLENGE, Topic::HELLO_ACCEPTED, Topic::TASK_READY, Topic::new("")] {
        check_rejected(&manager, us, topic, &hello, Rejection::Request);
    }
    assert_eq!(manager.pending_nonces(), 0);
    assert_eq!(manager.failed_proofs(), 0);
    assert!(matches!(ask(&manager, us, Topic::HELLO, &hello), ExecutorReply::Challenge(_)));
}

#[test]
fn what_comes_from_elsewhere_changes_nothing() {
    let manager = manager(SessionLimits::new());
    let body = proof_body(&manager);
    for origin in ["", "site-1", "site-1.17", "site-2.-client_api_attach-1", "Site-1.-client_api_attach-1"] {
        check_rejected(&manager, origin, Topic::HELLO, &hello_body(), Rejection::Identity);
        check_rejected(&manager, origin, Topic::HELLO_PROOF, &body, Rejection::Identity);
    }
    assert_eq!((manager.pending_nonces(), manager.failed_proofs()), (1, 0));
    let accepted = ask(&manager, SCOPE.trainer_fqcn, Topic::HELLO_PROOF, &body);
    assert!(matches!(accepted, ExecutorReply::Accepted(_)), "{accepted:?}");
}

#[test]
fn a_proof_that_is_not_one_is_rejected_and_counted() {
    let us = SCOPE.trainer_fqcn;
    let check = |change: fn(Map) -> Map, expected, failures| {
        let manager = manager(SessionLimits::new());
        let body = change(proof_body(&manager));
        check_rejected(&manager, us, Topic::HELLO_PROOF, &body, expected);
        assert_eq!(manager.failed_proofs(), failures);
    };
    check(|body| body.with(Key::PROOF, text("")), Rejection::Proof, 1);
    check(|body| body.with(Key::PROOF, Owned::Int(7)), Rejection::Proof, 1);
    check(|body| body.with(Key::PROOF, Owned::Other), Rejection::Proof, 1);
    check(|body| body.without(Key::PROOF), Rejection::Proof, 1);
    check(|body| body.with(Key::JOB_ID, text("18")), Rejection::Proof, 1);
    check(|body| body.with(Key::SITE_NAME, Owned::Bool(true)), Rejection::Proof, 1);
    check(|body| body.without(Key::RANK_POLICY), Rejection::Proof, 1);
    check(|body| body.with(Key::PROTOCOL_VERSION, Owned::Int(2)), Rejection::Version, 1);
    check(|body| body.with(Key::NONCE, text(&"ab".repeat(16))), Rejection::Proof, 0);
    check(|body| body.with(Key::NONCE, Owned::Int(1)), Rejection::Request, 0);
    check(|body| body.without(Key::NONCE), Rejection::Request, 0);
}

#[test]
fn a_failed_round_leaves_the_way_by_challenge() {
    let manager = manager(SessionLimits::new());
    manager.issue_bootstrap_nonce(at(0), &mut Seeded(1)).unwrap();
    let body = hello_body().with(Key::NONCE, Owned::Int(1)).with(Key::PROOF, text("x"));
    check_rejected(&manager, SCOPE.trainer_fqcn, Topic::HELLO, &body, Rejection::Proof);
    assert_eq!(manager.failed_proofs(), 1);
    let body = proof_body(&manager);
    let accepted = ask(&manager, SCOPE.trainer_fqcn, Topic::HELLO_PROOF, &body);
    assert!(matches!(accepted, ExecutorReply::Accepted(_)), "{accepted:?}");
    check_rejected(&manager, SCOPE.trainer_fqcn, Topic::HELLO, &hello_body(), Rejection::NotWaiting);
    check_rejected(&manager, SCOPE.trainer_fqcn, Topic::HELLO_PROOF, &body, Rejection::Proof);
}

fn nonce_reply() -> Map {
    Map::default().with(Key::NONCE, text(&"ab".repeat(16)))
}

#[track_caller]
fn check_challenge(topic: Topic<'_>, body: &Map, expected: &TrainerError) {
    let token = token(TOKEN);
    let outcome = TrainerHello::new(&token, scope(), "0").handle_reply(topic.as_str(), body);
    assert_eq!(&outcome.map(drop).unwrap_err(), expected);
}

#[test]
fn a_trainer_proves_nothing_to_a_strange_reply() {
    let state = "a trainer that said hello";
    let unexpected = |topic: &str| TrainerError::UnexpectedReply { state, topic: topic.to_owned() };
    check_challenge(Topic::HELLO_ACCEPTED, &nonce_reply(), &unexpected("client_api.hello_accepted"));
    check_challenge(Topic::HELLO, &nonce_reply(), &unexpected("client_api.hello"));
    check_challenge(Topic::new("a\nb"), &nonce_reply(), &unexpected("a b"));
    let no = |reason: &str| TrainerError::Rejected { reason: reason.to_owned() };
    let reason = |words: &str| Map::default().with(Key::REASON, text(words));
    check_challenge(Topic::HELLO_REJECTED, &reason("no\u{1b}[0m"), &no("no [0m"));
    check_challenge(Topic::HELLO_REJECTED, &reason(&"x".repeat(10_000)), &no(&"x".repeat(256)));
    check_challenge(Topic::ERROR, &Map::default(), &no(""));
    let bad = |cause| TrainerError::BadField { key: Key::NONCE, cause };
    let challenge = |nonce| Map::default().with(Key::NONCE, nonce);
    check_challenge(Topic::HELLO_CHALLENGE, &Map::default(), &bad(None));
    check_challenge(Topic::HELLO_CHALLENGE, &challenge(Owned::Int(1)), &bad(None));
    for nonce in ["", "ab", &"AB".repeat(16), &"ab".repeat(65), "4:it's:02d44abd5ba857a92c24fe97bb9a7a73"] {
        check_challenge(Topic::HELLO_CHALLENGE, &challenge(text(nonce)), &bad(Some(SecretError::NotANonce)));
    }
}

fn verdict(topic: Topic<'_>, body: &Map) -> Result<TrainerSession, TrainerError> {
    let token = token(TOKEN);
    let hello = TrainerHello::new(&token, scope(), "0");
    hello.handle_reply(Topic::HELLO_CHALLENGE.as_str(), &nonce_reply()).unwrap().handle_reply(topic.as_str(), body)
}

#[track_caller]
fn check_verdict(topic: Topic<'_>, body: &Map, expected: &TrainerError) {
    assert_eq!(&verdict(topic, body).map(drop).unwrap_err(), expected);
}

#[test]
fn a_trainer_takes_its_own_session_only() {
    let accepted = Map::default()
        .with(Key::SESSION_ID, text(&"0a".repeat(16)))
        .with(Key::JOB_ID, text("17"))
        .with(Key::SITE_NAME, text("site-1"));
    let session = verdict(Topic::HELLO_ACCEPTED, &accepted).unwrap();
    assert_eq!(session.to_string(), format!("session {} of job 17", "0a".repeat(16)));
    let foreign = |key| TrainerError::ForeignSession { key };
    let ok = Topic::HELLO_ACCEPTED;
    check_verdict(ok, &accepted.clone().with(Key::JOB_ID, text("18")), &foreign(Key::JOB_ID));
    check_verdict(ok, &accepted.clone().with(Key::JOB_ID, Owned::Int(17)), &foreign(Key::JOB_ID));
    check_verdict(ok, &accepted.clone().without(Key::SITE_NAME), &foreign(Key::SITE_NAME));
    let bad = |cause| TrainerError::BadField { key: Key::SESSION_ID, cause };
    check_verdict(ok, &accepted.clone().without(Key::SESSION_ID), &bad(None));
    let short = accepted.clone().with(Key::SESSION_ID, text("0a"));
    check_verdict(ok, &short, &bad(Some(SecretError::NotASessionId)));
    let state = "a trainer that proved itself";
    let topic = Topic::HELLO_CHALLENGE.as_str().to_owned();
    check_verdict(Topic::HELLO_CHALLENGE, &nonce_reply(), &TrainerError::UnexpectedReply { state, topic });
}
