//! Agreement with Python: the shared proofs, its `repr` of all of ASCII, and proofs over values of other types.

use serde_json::Value;

use super::super::repr::python_repr;
use super::super::{
    HelloNonce, HelloProof, ScopeError, ScopeField, ScopeText, SecretError, SessionToken, TokenDigest, TokenScope,
    combine_nonces, is_proved_by, proof_message,
};
use super::{SCOPE, Seeded, scope, token};

fn cases(json: &str) -> Vec<Value> {
    let parsed: Value = serde_json::from_str(json).unwrap();
    match parsed {
        Value::Array(cases) => cases,
        Value::Object(mut file) => cases(&file.remove("cases").unwrap().to_string()),
        other => panic!("not a list of cases: {other}"),
    }
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("no text {key} in {case}"))
}

fn hex(bytes: &[u8]) -> String {
    super::super::hex::encode(bytes)
}

#[test]
fn the_shared_proofs_are_met() {
    let cases = cases(include_str!("../../../testdata/session/session_proof.json"));
    assert_eq!(cases.len(), 30);
    let mut combined = 0;
    for case in &cases {
        let fields = &case["scope"];
        let scope = TokenScope::new(ScopeText {
            job_id: text(fields, "job_id"),
            site_name: text(fields, "site_name"),
            attach_id: text(fields, "attach_id"),
            target_fqcn: text(fields, "target_fqcn"),
            trainer_fqcn: text(fields, "trainer_fqcn"),
            rank_policy: text(fields, "rank_policy"),
        })
        .unwrap()
        .with_protocol_version(u32::try_from(fields["protocol_version"].as_u64().unwrap()).unwrap());
        let token = token(text(case, "token"));
        let nonce = text(case, "nonce");
        if let Some(pair) = case["combined_from"].as_array() {
            assert_eq!(combine_nonces(pair[0].as_str().unwrap(), pair[1].as_str().unwrap()), nonce);
            combined += 1;
        }
        assert_eq!(hex(&proof_message(nonce, &scope)), text(case, "message_hex"), "{case}");
        assert_eq!(HelloProof::compute(&token, nonce, &scope).expose(), text(case, "proof"), "{case}");
        assert!(is_proved_by(&token, nonce, &scope, text(case, "proof")));
        assert_eq!(token.digest().as_str(), text(case, "token_digest"));
    }
    assert_eq!(combined, 5);
}

#[test]
fn ascii_is_written_as_python_writes_it() {
    let cases = cases(include_str!("../../../testdata/session/python_repr.json"));
    assert!(cases.len() > 1500);
    for code in 0..128_u8 {
        let single = char::from(code).to_string();
        assert!(cases.iter().any(|case| case[0] == *single), "{single:?} has no golden form");
    }
    for case in &cases {
        let (text, expected) = (case[0].as_str().unwrap(), case[1].as_str().unwrap());
        assert_eq!(python_repr(text).as_deref(), Ok(expected), "{text:?}");
    }
}

#[test]
fn a_proof_over_other_types_is_another_proof() {
    let cases = cases(include_str!("../../../testdata/session/typed_proofs.json"));
    assert_eq!(cases.len(), 31);
    for case in &cases {
        let plain = case["changed"].is_null();
        let token = token(text(case, "token"));
        let message = hex(&proof_message(text(case, "nonce"), &scope()));
        assert_eq!(message == text(case, "message_hex"), plain, "{case}");
        assert_eq!(is_proved_by(&token, text(case, "nonce"), &scope(), text(case, "proof")), plain, "{case}");
    }
}

#[track_caller]
fn check_refused_scope(change: impl FnOnce(&mut ScopeText<'static>), field: ScopeField, fault: &str) {
    let mut text = SCOPE;
    change(&mut text);
    let error: ScopeError = TokenScope::new(text).unwrap_err();
    assert_eq!(error.field(), field);
    assert_eq!(error.cause().to_string(), fault);
    assert!(!error.to_string().contains(fault), "the cause belongs into source()");
}

#[test]
fn text_without_one_form_is_refused_in_each_field() {
    let fault = "expected ASCII text, found another character at byte 1";
    check_refused_scope(|scope| scope.job_id = "jé", ScopeField::JobId, fault);
    check_refused_scope(|scope| scope.site_name = "s\u{80}", ScopeField::SiteName, fault);
    check_refused_scope(|scope| scope.attach_id = "a\u{200b}", ScopeField::AttachId, fault);
    check_refused_scope(|scope| scope.target_fqcn = "t\u{ad}", ScopeField::TargetFqcn, fault);
    check_refused_scope(|scope| scope.trainer_fqcn = "t🦀", ScopeField::TrainerFqcn, fault);
    check_refused_scope(|scope| scope.rank_policy = "r\u{ff10}", ScopeField::RankPolicy, fault);
    let long: &'static str = "x".repeat(1025).leak();
    let fault = "expected at most 1024 bytes, found 1025";
    check_refused_scope(|scope| scope.job_id = long, ScopeField::JobId, fault);
    check_refused_scope(|scope| scope.rank_policy = long, ScopeField::RankPolicy, fault);
}

#[test]
fn generators_give_hex_of_the_size_that_was_asked_for() {
    let generator = &mut Seeded(1);
    assert_eq!(SessionToken::generate(generator).expose().len(), 64);
    assert_eq!(HelloNonce::generate(generator).as_str().len(), 32);
    for bytes in [16, 17, 64] {
        let token = SessionToken::generate_sized(generator, bytes).unwrap();
        let nonce = HelloNonce::generate_sized(generator, bytes).unwrap();
        for text in [token.expose(), nonce.as_str()] {
            assert_eq!(text.len(), 2 * bytes);
            assert!(super::super::hex::is_lower_hex(text));
        }
        assert_eq!(HelloNonce::parse(nonce.as_str()), Ok(nonce));
    }
    for asked in [0, 1, 15] {
        let error = SecretError::TooFewBytes { asked, least: 16 };
        assert_eq!(SessionToken::generate_sized(generator, asked).unwrap_err(), error);
        assert_eq!(HelloNonce::generate_sized(generator, asked).unwrap_err(), error);
    }
    let error = SecretError::TooManyBytes { asked: 1025, most: 1024 };
    assert_eq!(SessionToken::generate_sized(generator, 1025).unwrap_err(), error);
    let error = SecretError::TooManyBytes { asked: 65, most: 64 };
    assert_eq!(HelloNonce::generate_sized(generator, 65).unwrap_err(), error);
    assert_ne!(HelloNonce::generate(generator), HelloNonce::generate(generator));
}

#[track_caller]
fn check_nonce(text: &str, accepted: bool) {
    assert_eq!(HelloNonce::parse(text).is_ok(), accepted, "{text:?}");
}

#[test]
fn a_nonce_has_one_form() {
    check_nonce(&"0f".repeat(16), true);
    check_nonce(&"0f".repeat(64), true);
    check_nonce(&"0f".repeat(65), false);
    check_nonce(&"0f".repeat(15), false);
    check_nonce(&"0F".repeat(16), false);
    check_nonce(&format!("{}0", "0f".repeat(16)), false);
    check_nonce(&format!("{} ", "0".repeat(31)), false);
    check_nonce(&"é".repeat(16), false);
    check_nonce("", false);
    check_nonce("123e4567-e89b-12d3-a456-426614174000", false);
}

#[test]
fn a_digest_recognises_its_token_only() {
    let mine = token("a token of some kind");
    let stored = TokenDigest::from_hex(mine.digest().as_str()).unwrap();
    assert!(stored.matches(&mine));
    assert!(!stored.matches(&token("a token of some kinD")));
    for text in ["", "00", &"0".repeat(63), &"0".repeat(65), &"A".repeat(64), &"é".repeat(32)] {
        assert_eq!(TokenDigest::from_hex(text).unwrap_err(), SecretError::NotADigest);
    }
    assert!(mine.is_text("a token of some kind"));
    assert!(!mine.is_text("a token of some kinD"));
    assert!(!mine.is_text(""));
}

#[track_caller]
fn check_combined(executor: &str, trainer: &str, expected: &str) {
    assert_eq!(combine_nonces(executor, trainer), expected);
}

#[test]
fn combined_nonces_count_characters() {
    check_combined("", "", "0::");
    check_combined("ab", "c", "2:ab:c");
    check_combined("a", ":c", "1:a::c");
    check_combined("é🦀", "x", "2:é🦀:x");
}
