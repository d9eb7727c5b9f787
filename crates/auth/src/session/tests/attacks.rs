//! The attack table of session proofs: every way in that we know of, and the cause that the log of this side gives.
//!
//! Outward every case gets one opaque refusal; that is checked as well.

use super::super::{
    FieldValue, HelloNonce, HelloProof, PresentedScope, ScopeField, SessionLimits, SessionStatus, SessionTokenManager,
    TokenScope, VerifiedSession, combine_nonces,
};
use super::{SCOPE, Seeded, TOKEN, at, logged, manager, scope, token};
use crate::error::Unauthenticated;
use crate::time::UnixTime;

const UNKNOWN: &str = "the nonce is unknown, used or evicted";
const TOO_OLD: &str = "the nonce is too old";
const LENGTH: &str = "the proof does not have the length of one";
const WRONG: &str = "the proof does not hold";
const SCOPE_DIFFERS: &str = "the presented scope is not the expected one";
const ACTIVE: &str = "the attach is settled: Active";
const EXPIRED: &str = "the attach is settled: Expired";
const CLOSED: &str = "the attach is settled: TooManyFailures";
const INVALIDATED: &str = "the attach is settled: Invalidated";

/// What a trainer sends. It starts out as what an honest one would send.
struct Attempt {
    now: UnixTime,
    nonce: String,
    proof: String,
    presented: PresentedScope<'static>,
}

/// Name, cause, and what the attacker does to the honest attempt, or has done to the manager before.
type Case = (&'static str, &'static str, fn(&SessionTokenManager, &mut Attempt));

fn prove(token_text: &str, nonce: &str, scope: &TokenScope) -> String {
    HelloProof::compute(&token(token_text), nonce, scope).expose().to_owned()
}

fn honest(manager: &SessionTokenManager) -> Attempt {
    let nonce = manager.issue_nonce(at(1), &mut Seeded(11)).unwrap().as_str().to_owned();
    let proof = prove(TOKEN, &nonce, &scope());
    Attempt { now: at(2), nonce, proof, presented: present(&scope()) }
}

fn present(scope: &TokenScope) -> PresentedScope<'static> {
    let scope: &'static TokenScope = Box::leak(Box::new(scope.clone()));
    scope.present()
}

fn with_value(field: ScopeField, value: FieldValue<'static>) -> PresentedScope<'static> {
    let honest = present(&scope());
    PresentedScope::from_fields(|each| if each == field { value } else { honest.field(each) })
}

fn other_scope(field: ScopeField) -> TokenScope {
    let mut text = SCOPE;
    match field {
        ScopeField::JobId => text.job_id = "18",
        ScopeField::SiteName => text.site_name = "site-2",
        ScopeField::AttachId => text.attach_id = "attach-2",
        ScopeField::TargetFqcn => text.target_fqcn = "site-1.18",
        ScopeField::TrainerFqcn => text.trainer_fqcn = "site-1.-client_api_attach-2",
        ScopeField::RankPolicy => text.rank_policy = "any",
        ScopeField::ProtocolVersion => return scope().with_protocol_version(2),
    }
    TokenScope::new(text).unwrap()
}

fn attempt(manager: &SessionTokenManager, attempt: &Attempt) -> Result<VerifiedSession, Unauthenticated> {
    manager.verify_proof(attempt.now, &attempt.nonce, &attempt.presented, &attempt.proof)
}

#[track_caller]
fn check_refused(name: &str, cause: &str, outcome: (Result<VerifiedSession, Unauthenticated>, String)) {
    let (result, log) = outcome;
    let error = result.map(|_| ()).expect_err(name);
    assert_eq!(error.to_string(), "the peer is not authenticated", "{name}: the error must tell nothing");
    assert!(log.contains(cause), "{name}: expected cause {cause:?}, logged: {log}");
}

const TABLE: &[Case] = &[
    // The proof.
    ("empty proof", LENGTH, |_, it| it.proof.clear()),
    ("proof without its last digit", LENGTH, |_, it| it.proof.truncate(63)),
    ("proof with one digit more", LENGTH, |_, it| it.proof.push('0')),
    ("proof twice", LENGTH, |_, it| it.proof = it.proof.repeat(2)),
    ("proof of a megabyte", LENGTH, |_, it| it.proof = it.proof.repeat(1 << 14)),
    ("proof with a newline", LENGTH, |_, it| it.proof.push('\n')),
    ("proof of 64 characters beyond ascii", LENGTH, |_, it| it.proof = "é".repeat(64)),
    ("proof of 64 bytes beyond ascii", WRONG, |_, it| it.proof = "é".repeat(32)),
    ("proof of 64 zero characters", WRONG, |_, it| it.proof = "\0".repeat(64)),
    ("proof in capitals", WRONG, |_, it| it.proof.make_ascii_uppercase()),
    ("proof with its first digit at the end", WRONG, |_, it| {
        let first = it.proof.remove(0);
        it.proof.push(first);
    }),
    ("proof of zeros", WRONG, |_, it| it.proof = "0".repeat(64)),
    ("the token itself", WRONG, |_, it| it.proof = TOKEN.to_owned()),
    ("the digest of the token", WRONG, |manager, it| it.proof = manager.digest().as_str().to_owned()),
    ("proof by another token", WRONG, |_, it| it.proof = prove(&"5f".repeat(32), &it.nonce, &scope())),
    ("proof by the digest", WRONG, |manager, it| it.proof = prove(manager.digest().as_str(), &it.nonce, &scope())),
    ("proof by the token in capitals", WRONG, |_, it| {
        it.proof = prove(&TOKEN.to_ascii_uppercase(), &it.nonce, &scope());
    }),
    ("proof over the nonce in capitals", WRONG, |_, it| {
        it.proof = prove(TOKEN, &it.nonce.to_ascii_uppercase(), &scope());
    }),
    ("proof over no nonce", WRONG, |_, it| it.proof = prove(TOKEN, "", &scope())),
    ("proof over a combined nonce", WRONG, |_, it| {
        it.proof = prove(TOKEN, &combine_nonces(&it.nonce, &it.nonce), &scope());
    }),
    // The scope: an honest proof for another one.
    ("proof and claim of another job", WRONG, |_, it| elsewhere(it, ScopeField::JobId)),
    ("proof and claim of another site", WRONG, |_, it| elsewhere(it, ScopeField::SiteName)),
    ("proof and claim of another attach", WRONG, |_, it| elsewhere(it, ScopeField::AttachId)),
    ("proof and claim of another target", WRONG, |_, it| elsewhere(it, ScopeField::TargetFqcn)),
    ("proof and claim of another trainer", WRONG, |_, it| elsewhere(it, ScopeField::TrainerFqcn)),
    ("proof and claim of another rank policy", WRONG, |_, it| elsewhere(it, ScopeField::RankPolicy)),
    ("proof and claim of another version", WRONG, |_, it| elsewhere(it, ScopeField::ProtocolVersion)),
    // The scope: proof for another one behind the right claim.
    ("proof of another job", WRONG, |_, it| prove_elsewhere(it, ScopeField::JobId)),
    ("proof of another site", WRONG, |_, it| prove_elsewhere(it, ScopeField::SiteName)),
    ("proof of another attach", WRONG, |_, it| prove_elsewhere(it, ScopeField::AttachId)),
    ("proof of another target", WRONG, |_, it| prove_elsewhere(it, ScopeField::TargetFqcn)),
    ("proof of another trainer", WRONG, |_, it| prove_elsewhere(it, ScopeField::TrainerFqcn)),
    ("proof of another rank policy", WRONG, |_, it| prove_elsewhere(it, ScopeField::RankPolicy)),
    ("proof of another version", WRONG, |_, it| prove_elsewhere(it, ScopeField::ProtocolVersion)),
    // The scope: the right proof behind another claim.
    ("claim of another job", SCOPE_DIFFERS, |_, it| claim_elsewhere(it, ScopeField::JobId)),
    ("claim of another site", SCOPE_DIFFERS, |_, it| claim_elsewhere(it, ScopeField::SiteName)),
    ("claim of another attach", SCOPE_DIFFERS, |_, it| claim_elsewhere(it, ScopeField::AttachId)),
    ("claim of another target", SCOPE_DIFFERS, |_, it| claim_elsewhere(it, ScopeField::TargetFqcn)),
    ("claim of another trainer", SCOPE_DIFFERS, |_, it| claim_elsewhere(it, ScopeField::TrainerFqcn)),
    ("claim of another rank policy", SCOPE_DIFFERS, |_, it| claim_elsewhere(it, ScopeField::RankPolicy)),
    ("claim of another version", SCOPE_DIFFERS, |_, it| claim_elsewhere(it, ScopeField::ProtocolVersion)),
    ("claim of a job by number", SCOPE_DIFFERS, |_, it| {
        it.presented = with_value(ScopeField::JobId, FieldValue::Int(17));
    }),
    ("claim of a rank policy by number", SCOPE_DIFFERS, |_, it| {
        it.presented = with_value(ScopeField::RankPolicy, FieldValue::Int(0));
    }),
    ("claim of a version as text", SCOPE_DIFFERS, |_, it| {
        it.presented = with_value(ScopeField::ProtocolVersion, FieldValue::Text("1"));
    }),
    ("claim of a version as true", SCOPE_DIFFERS, |_, it| {
        it.presented = with_value(ScopeField::ProtocolVersion, FieldValue::Bool(true));
    }),
    ("claim of a version as a float", SCOPE_DIFFERS, |_, it| {
        it.presented = with_value(ScopeField::ProtocolVersion, FieldValue::Other);
    }),
    ("claim of a version 2^32 higher", SCOPE_DIFFERS, |_, it| {
        it.presented = with_value(ScopeField::ProtocolVersion, FieldValue::Int((1 << 32) + 1));
    }),
    ("claim without a site", SCOPE_DIFFERS, |_, it| {
        it.presented = with_value(ScopeField::SiteName, FieldValue::Absent);
    }),
    ("claim of a site as bytes", SCOPE_DIFFERS, |_, it| {
        it.presented = with_value(ScopeField::SiteName, FieldValue::Other);
    }),
    ("claim of a site with a look-alike", SCOPE_DIFFERS, |_, it| {
        it.presented = with_value(ScopeField::SiteName, FieldValue::Text("sit\u{435}-1"));
    }),
    ("claim of nothing", SCOPE_DIFFERS, |_, it| {
        it.presented = PresentedScope::from_fields(|_| FieldValue::Absent);
    }),
    // The nonce.
    ("empty nonce", UNKNOWN, |_, it| it.nonce.clear()),
    ("nonce that was never issued", UNKNOWN, |_, it| rename(it, &"ab".repeat(16))),
    ("nonce in capitals", UNKNOWN, |_, it| {
        let capitals = it.nonce.to_ascii_uppercase();
        rename(it, &capitals);
    }),
    ("nonce with a blank", UNKNOWN, |_, it| {
        let blank = format!("{} ", it.nonce);
        rename(it, &blank);
    }),
    ("nonce of a megabyte", UNKNOWN, |_, it| rename(it, &"ab".repeat(1 << 19))),
    ("nonce beyond ascii", UNKNOWN, |_, it| rename(it, "ń")),
    ("nonce of another manager", UNKNOWN, |_, it| {
        let other = manager(SessionLimits::new()).issue_nonce(at(1), &mut Seeded(12)).unwrap();
        rename(it, other.as_str());
    }),
    ("nonce used by an attempt that failed", UNKNOWN, |manager, it| {
        let wrong = "0".repeat(64);
        assert!(manager.verify_proof(it.now, &it.nonce, &it.presented, &wrong).is_err());
    }),
    ("nonce used by an attempt of another length", UNKNOWN, |manager, it| {
        assert!(manager.verify_proof(it.now, &it.nonce, &it.presented, "").is_err());
    }),
    ("nonce that was evicted", UNKNOWN, |manager, it| {
        let generator = &mut Seeded(13);
        for _ in 0..SessionLimits::PENDING_NONCES {
            manager.issue_nonce(at(1), generator).unwrap();
        }
        assert_eq!(manager.pending_nonces(), SessionLimits::PENDING_NONCES);
        it.now = at(2);
    }),
    ("nonce that is too old", TOO_OLD, |_, it| it.now = at(62)),
    ("nonce that is too old, clock set back", TOO_OLD, |manager, it| {
        assert_eq!(manager.status(at(62)), SessionStatus::Waiting);
        it.now = at(2);
    }),
    ("nonce that is too old and forgotten", UNKNOWN, |manager, it| {
        manager.issue_nonce(at(62), &mut Seeded(14)).unwrap();
        it.now = at(62);
    }),
    ("answer to another of our nonces", WRONG, |manager, it| {
        it.nonce = manager.issue_nonce(at(1), &mut Seeded(15)).unwrap().as_str().to_owned();
    }),
    ("bootstrap nonce as a challenge", UNKNOWN, |manager, it| {
        let nonce = manager.issue_bootstrap_nonce(at(1), &mut Seeded(16)).unwrap();
        rename(it, nonce.as_str());
    }),
    // The attach.
    ("the accepted attempt again", ACTIVE, |manager, it| drop(attempt(manager, it).unwrap())),
    ("a second trainer", ACTIVE, |manager, it| {
        let second = manager.issue_nonce(at(1), &mut Seeded(17)).unwrap();
        attempt(manager, it).unwrap();
        rename(it, second.as_str());
    }),
    ("after the attach window", EXPIRED, |manager, it| {
        let late = manager.issue_nonce(at(600), &mut Seeded(18)).unwrap();
        rename(it, late.as_str());
        it.now = manager.poll_timeout().unwrap();
    }),
    ("after the attach window, clock set back", EXPIRED, |manager, it| {
        assert_eq!(manager.status(at(601)), SessionStatus::Expired);
        it.now = at(2);
    }),
    ("after too many failures", CLOSED, |manager, it| {
        let generator = &mut Seeded(19);
        for _ in 0..SessionLimits::FAILED_PROOFS {
            let nonce = manager.issue_nonce(at(1), generator).unwrap();
            assert!(manager.verify_proof(at(1), nonce.as_str(), &it.presented, "guess").is_err());
        }
        assert_eq!(manager.status(at(1)), SessionStatus::TooManyFailures);
    }),
    ("after invalidation", INVALIDATED, |manager, _| manager.invalidate()),
    ("after the session and invalidation", INVALIDATED, |manager, it| {
        attempt(manager, it).unwrap();
        manager.invalidate();
    }),
];

fn elsewhere(it: &mut Attempt, field: ScopeField) {
    prove_elsewhere(it, field);
    claim_elsewhere(it, field);
}

fn prove_elsewhere(it: &mut Attempt, field: ScopeField) {
    it.proof = prove(TOKEN, &it.nonce, &other_scope(field));
}

fn claim_elsewhere(it: &mut Attempt, field: ScopeField) {
    it.presented = present(&other_scope(field));
}

/// An honest proof over another nonce, under its name.
fn rename(it: &mut Attempt, nonce: &str) {
    nonce.clone_into(&mut it.nonce);
    it.proof = prove(TOKEN, nonce, &scope());
}

#[test]
fn the_honest_attempt_is_accepted() {
    let manager = manager(SessionLimits::new());
    let session = attempt(&manager, &honest(&manager)).unwrap();
    assert_eq!(session.scope(), &scope());
    assert_eq!(manager.status(at(2)), SessionStatus::Active);
}

#[test]
fn every_attack_is_refused_for_its_cause() {
    for (name, cause, attack) in TABLE {
        let manager = manager(SessionLimits::new());
        let mut it = honest(&manager);
        attack(&manager, &mut it);
        check_refused(name, cause, logged(|| attempt(&manager, &it)));
    }
    assert_eq!(TABLE.len(), 73);
}

/// The trainer of the one-round handshake: name, cause, what is done to (trainer nonce, proof, presented, time).
type OneRound = (&'static str, &'static str, fn(&SessionTokenManager, &HelloNonce, &mut Attempt));

const ONE_ROUND: &[OneRound] = &[
    ("one round, trainer nonce is not hex", LENGTH, |_, bootstrap, it| choose(it, bootstrap, "it's")),
    ("one round, trainer nonce is short", LENGTH, |_, bootstrap, it| choose(it, bootstrap, &"ab".repeat(15))),
    ("one round, trainer nonce is long", LENGTH, |_, bootstrap, it| choose(it, bootstrap, &"ab".repeat(65))),
    ("one round, proof over the trainer nonce", WRONG, |_, _, it| it.proof = prove(TOKEN, &it.nonce, &scope())),
    ("one round, proof over the bootstrap nonce", WRONG, |_, bootstrap, it| {
        it.proof = prove(TOKEN, bootstrap.as_str(), &scope());
    }),
    ("one round, nonces swapped", WRONG, |_, bootstrap, it| {
        it.proof = prove(TOKEN, &combine_nonces(&it.nonce, bootstrap.as_str()), &scope());
    }),
    ("one round, proof over another trainer nonce", WRONG, |_, _, it| it.nonce = "cd".repeat(16)),
    ("one round, another claim", SCOPE_DIFFERS, |_, _, it| claim_elsewhere(it, ScopeField::JobId)),
    ("one round, bootstrap nonce replaced", WRONG, |manager, _, _| {
        manager.issue_bootstrap_nonce(at(1), &mut Seeded(21)).unwrap();
    }),
    ("one round, a second time after a failure", UNKNOWN, |manager, _, it| {
        assert!(manager.verify_one_round(at(1), &it.nonce, &it.presented, "").is_err());
    }),
    ("one round, accepted before", ACTIVE, |manager, _, it| {
        manager.verify_one_round(at(1), &it.nonce, &it.presented, &it.proof).unwrap();
    }),
    ("one round, after the attach window", EXPIRED, |_, _, it| it.now = at(601)),
    ("one round, after invalidation", INVALIDATED, |manager, _, _| manager.invalidate()),
];

/// An honest proof over a trainer nonce of the attacker's choice.
fn choose(it: &mut Attempt, bootstrap: &HelloNonce, nonce: &str) {
    nonce.clone_into(&mut it.nonce);
    it.proof = prove(TOKEN, &combine_nonces(bootstrap.as_str(), nonce), &scope());
}

#[test]
fn the_handshake_in_one_round_has_no_other_way_in() {
    for (name, cause, attack) in ONE_ROUND {
        let manager = manager(SessionLimits::new());
        let bootstrap = manager.issue_bootstrap_nonce(at(1), &mut Seeded(20)).unwrap();
        let mut it = Attempt { now: at(500), nonce: String::new(), proof: String::new(), presented: present(&scope()) };
        choose(&mut it, &bootstrap, &"ab".repeat(16));
        attack(&manager, &bootstrap, &mut it);
        let outcome = logged(|| manager.verify_one_round(it.now, &it.nonce, &it.presented, &it.proof));
        check_refused(name, cause, outcome);
    }
    assert_eq!(ONE_ROUND.len(), 13);
}

#[test]
fn a_flood_of_challenges_cannot_evict_the_bootstrap_nonce() {
    let manager = manager(SessionLimits::new());
    let bootstrap = manager.issue_bootstrap_nonce(at(1), &mut Seeded(20)).unwrap();
    let generator = &mut Seeded(22);
    for _ in 0..2 * SessionLimits::PENDING_NONCES {
        manager.issue_nonce(at(1), generator).unwrap();
    }
    let trainer = "ab".repeat(16);
    let proof = prove(TOKEN, &combine_nonces(bootstrap.as_str(), &trainer), &scope());
    assert!(manager.verify_one_round(at(599), &trainer, &scope().present(), &proof).is_ok());
}
