//! HELLO and HELLO_PROOF from anybody: bodies of any keys, types and text, in any order, to both ends.
//!
//! The input is a program of steps: requests to the job's end, replies to the trainer's end, text to the parsers. It
//! can name every nonce that was issued, but it does not know the token, so that no session may ever come of it.

use core::convert::Infallible;
use core::time::Duration;

use fedcell_auth::UnixTime;
use fedcell_auth::rand_core::{TryCryptoRng, TryRng};
use fedcell_auth::session::{
    Body, ExecutorHandshake, ExecutorReply, FieldValue, HelloNonce, ScopeField, ScopeText, SessionId, SessionLimits,
    SessionStatus, SessionToken, SessionTokenManager, TokenDigest, TokenScope, TrainerHello, is_proved_by,
    proof_message,
};
use fedcell_protocol_defs::client_api::{Key, ProofSize, Topic};

const SCOPE: ScopeText<'static> = ScopeText {
    job_id: "17",
    site_name: "site-1",
    attach_id: "attach-1",
    target_fqcn: "site-1.17",
    trainer_fqcn: "site-1.-client_api_attach-1",
    rank_policy: "0",
};

const KEYS: [Key<'static>; 12] = [
    Key::JOB_ID,
    Key::SITE_NAME,
    Key::ATTACH_ID,
    Key::TARGET_FQCN,
    Key::TRAINER_FQCN,
    Key::RANK_POLICY,
    Key::PROTOCOL_VERSION,
    Key::NONCE,
    Key::PROOF,
    Key::SESSION_ID,
    Key::REASON,
    Key::RANK,
];

const TOPICS: [Topic<'static>; 6] = [
    Topic::HELLO,
    Topic::HELLO_PROOF,
    Topic::HELLO_CHALLENGE,
    Topic::HELLO_ACCEPTED,
    Topic::HELLO_REJECTED,
    Topic::ERROR,
];

/// Runs the program that `data` is.
///
/// # Panics
///
/// If a session comes of it, or a bound or a parser does not hold: that is a finding.
pub fn handshake(data: &[u8]) {
    let Ok(scope) = TokenScope::new(SCOPE) else { panic!("the scope is sound") };
    let mut generator = Counter(1);
    let token = SessionToken::generate(&mut generator);
    let Ok(manager) = SessionTokenManager::new(scope.clone(), token, SessionLimits::new(), at(0)) else {
        panic!("a generated token guards a session")
    };
    let mut input = Input { rest: data, nonces: Vec::new() };
    let mut now = 0_u64;
    while let Some(step) = input.byte() {
        match step % 8 {
            0..=3 => request(&manager, &mut input, &mut generator, at(now)),
            4 => reply(&scope, &mut input, &mut generator),
            5 => parsers(&input.text()),
            6 => now = now.saturating_add(u64::from(input.byte().unwrap_or_default())),
            _ => {
                if let Ok(nonce) = manager.issue_bootstrap_nonce(at(now), &mut generator) {
                    input.nonces.push(nonce.as_str().to_owned());
                }
            }
        }
        assert!(manager.status(at(now)) != SessionStatus::Active, "a session without the token");
        assert!(manager.pending_nonces() <= ProofSize::MAX_PENDING_NONCES);
        assert!(manager.failed_proofs() <= SessionLimits::FAILED_PROOFS);
    }
}

fn request(manager: &SessionTokenManager, input: &mut Input<'_>, generator: &mut Counter, now: UnixTime) {
    let origin = if input.byte().unwrap_or_default() < 240 { SCOPE.trainer_fqcn.to_owned() } else { input.text() };
    let topic = input.topic();
    let body = Map::read(input);
    match ExecutorHandshake::new(manager).handle_request(now, &origin, &topic, &body, generator) {
        ExecutorReply::Challenge(nonce) => input.nonces.push(nonce.as_str().to_owned()),
        ExecutorReply::Accepted(session) => panic!("a session without the token: {session:?}"),
        reply => assert!(matches!(reply.message().field(Key::REASON.as_str()), FieldValue::Text(_))),
    }
}

fn reply(scope: &TokenScope, input: &mut Input<'_>, generator: &mut Counter) {
    // Another token than the job's, as a trainer of the peer's has.
    let token = SessionToken::generate(generator);
    let hello = TrainerHello::new(&token, scope.clone(), "0");
    let (topic, body) = (input.topic(), Map::read(input));
    let proof = match hello.handle_reply(&topic, &body) {
        Ok(proof) => proof,
        Err(error) => {
            assert!(error.to_string().len() < 2048, "a peer fills the log");
            return;
        }
    };
    let (topic, body) = (input.topic(), Map::read(input));
    if let Ok(session) = proof.handle_reply(&topic, &body) {
        assert_eq!(body.field(Key::JOB_ID.as_str()), FieldValue::Text(SCOPE.job_id));
        assert_eq!(body.field(Key::SESSION_ID.as_str()), FieldValue::Text(session.id().as_str()));
    }
}

fn parsers(text: &str) {
    if let Ok(nonce) = HelloNonce::parse(text) {
        assert_eq!(nonce.as_str(), text);
    }
    if let Ok(id) = SessionId::parse(text) {
        assert_eq!(id.as_str(), text);
    }
    if let Ok(digest) = TokenDigest::from_hex(text) {
        assert_eq!(digest.as_str(), text);
    }
    if let Ok(scope) = TokenScope::new(ScopeText { job_id: text, ..SCOPE }) {
        assert_eq!(scope.present().field(ScopeField::JobId), FieldValue::Text(text));
        assert!(proof_message(text, &scope).is_ascii(), "a scope is ascii, and so was this nonce");
        if let Ok(token) = SessionToken::from_text(text.to_owned()) {
            assert!(!is_proved_by(&token, text, &scope, text));
        }
    }
}

/// The bytes of the program, and the nonces that it can name.
struct Input<'a> {
    rest: &'a [u8],
    nonces: Vec<String>,
}

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Length and bytes; what is no UTF-8 is replaced, as a decoder of bodies would refuse it.
    fn text(&mut self) -> String {
        let length = usize::from(self.byte().unwrap_or_default()).min(self.rest.len());
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    fn topic(&mut self) -> String {
        let choice = usize::from(self.byte().unwrap_or_default());
        TOPICS.get(choice % 8).map_or_else(|| self.text(), |topic| topic.as_str().to_owned())
    }
}

/// A body: any values under known keys, starting from the honest scope or from nothing.
struct Map(Vec<(Key<'static>, Value)>);

enum Value {
    Text(String),
    Int(i64),
    Bool(bool),
    Absent,
    Other,
}

impl Map {
    fn read(input: &mut Input<'_>) -> Self {
        let mut map = Self(Vec::new());
        let count = input.byte().unwrap_or_default();
        if count >= 128 {
            let honest = [
                (Key::JOB_ID, SCOPE.job_id),
                (Key::SITE_NAME, SCOPE.site_name),
                (Key::ATTACH_ID, SCOPE.attach_id),
                (Key::TARGET_FQCN, SCOPE.target_fqcn),
                (Key::TRAINER_FQCN, SCOPE.trainer_fqcn),
                (Key::RANK_POLICY, SCOPE.rank_policy),
            ];
            map.0.extend(honest.map(|(key, text)| (key, Value::Text(text.to_owned()))));
            map.0.push((Key::PROTOCOL_VERSION, Value::Int(1)));
        }
        for _ in 0..count % 16 {
            let key = KEYS[usize::from(input.byte().unwrap_or_default()) % KEYS.len()];
            let kind = input.byte().unwrap_or_default();
            let value = match kind % 8 {
                0 => Value::Text(input.text()),
                1 | 2 => Value::Text(input.nonces.get(usize::from(kind / 8)).cloned().unwrap_or_default()),
                3 => Value::Text(format!("{kind:02x}").repeat(32)),
                4 => Value::Int(i64::from(kind / 8)),
                5 => Value::Bool(kind > 127),
                6 => Value::Other,
                _ => Value::Absent,
            };
            map.0.push((key, value));
        }
        map
    }
}

impl Body for Map {
    fn field(&self, key: &str) -> FieldValue<'_> {
        match self.0.iter().rev().find(|(name, _)| name == key) {
            Some((_, Value::Text(text))) => FieldValue::Text(text),
            Some((_, Value::Int(number))) => FieldValue::Int(*number),
            Some((_, Value::Bool(truth))) => FieldValue::Bool(*truth),
            Some((_, Value::Other)) => FieldValue::Other,
            Some((_, Value::Absent)) | None => FieldValue::Absent,
        }
    }
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_epoch(Duration::from_secs(1_800_000_000 + seconds))
}

/// A generator that a run can repeat. What it gives is no secret to whoever reads this, but the program cannot say it:
/// no value of a program is computed from it except the nonces.
struct Counter(u64);

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|wide| (wide >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Ok(self.0 ^ (self.0 >> 29))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(word.split_at(chunk.len()).0);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counter {}
