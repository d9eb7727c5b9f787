//! Secrets stay where they are: no trait that lets one out, no text of one in a log, a format or an error.

use super::super::{
    ExecutorHandshake, HelloProof, SecretError, SessionLimits, SessionToken, SessionTokenManager, TrainerHello,
};
use super::{Seeded, at, logged, manager, scope, token};

/// Fails to compile if a type has the trait: the call is then ambiguous.
macro_rules! assert_not_impl {
    ($type:ty: $($bound:path),+) => {$({
        trait IfAbsent<Marker> { fn check() {} }
        struct Present;
        impl<T: ?Sized> IfAbsent<()> for T {}
        impl<T: ?Sized + $bound> IfAbsent<Present> for T {}
        <$type as IfAbsent<_>>::check();
    })+};
}

#[test]
fn secrets_cannot_be_copied_compared_or_printed() {
    assert_not_impl!(SessionToken: Clone, PartialEq, core::fmt::Display, core::ops::Deref, AsRef<str>, core::hash::Hash);
    assert_not_impl!(HelloProof: Clone, PartialEq, core::fmt::Display, core::ops::Deref, AsRef<str>, core::hash::Hash);
    assert_not_impl!(SessionTokenManager: Clone);
    fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<SessionTokenManager>();
}

#[test]
fn a_token_is_wiped_when_the_attach_is_settled() {
    let manager = manager(SessionLimits::new());
    let held = std::sync::Arc::downgrade(&manager.token().unwrap());
    assert!(held.upgrade().is_some());
    manager.invalidate();
    assert!(manager.token().is_none());
    assert!(held.upgrade().is_none(), "nothing keeps the token alive, so its drop has wiped it");
}

#[track_caller]
fn check_weak(text: &str, refused: SecretError) {
    let error = SessionTokenManager::new(scope(), token(text), SessionLimits::new(), at(0)).map(drop).unwrap_err();
    assert_eq!(error, refused);
    assert!(!error.to_string().contains(text), "an error must not show a token");
}

#[test]
fn a_manager_does_not_take_a_token_that_can_be_guessed() {
    check_weak("t0p5ecret", SecretError::TokenLength { length: 9, least: 32, most: 4096 });
    check_weak(&"é".repeat(31), SecretError::TokenLength { length: 31, least: 32, most: 4096 });
    let most = "x".repeat(4096);
    assert!(SessionToken::from_text(most.clone()).is_ok());
    for text in [String::new(), most + "x"] {
        let length = text.len();
        let error = SessionToken::from_text(text).unwrap_err();
        assert_eq!(error, SecretError::TokenLength { length, least: 1, most: 4096 });
    }
}

#[test]
fn a_whole_handshake_at_trace_level_logs_no_secret() {
    let mut secrets = Vec::new();
    let ((), log) = logged(|| {
        for (seed, honest) in [(1, true), (2, false)] {
            let generator = &mut Seeded(seed);
            let token = SessionToken::generate(generator);
            let mine = SessionToken::from_text(token.expose().to_owned()).unwrap();
            secrets.push(token.expose().to_owned());
            let manager = SessionTokenManager::new(scope(), token, SessionLimits::new(), at(0)).unwrap();
            let executor = ExecutorHandshake::new(&manager);
            let origin = scope().trainer_fqcn().to_owned();
            for _ in 0..SessionLimits::FAILED_PROOFS + 1 {
                let hello = TrainerHello::new(&mine, scope(), "0");
                let first = executor.handle_request(
                    at(1),
                    &origin,
                    hello.message().topic().as_str(),
                    &hello.message(),
                    generator,
                );
                tracing::trace!(?manager, ?hello, ?first, message = ?hello.message(), "state");
                let reply = first.message();
                let Ok(mut proof) = hello.handle_reply(reply.topic().as_str(), &reply) else { continue };
                if !honest {
                    let guess = SessionToken::generate(generator);
                    secrets.push(guess.expose().to_owned());
                    let again = TrainerHello::new(&guess, scope(), "0");
                    proof = again.handle_reply(reply.topic().as_str(), &reply).unwrap();
                }
                let message = proof.message();
                let sent = message.fields().find_map(|(key, value)| (key == *"proof").then(|| value.text())).flatten();
                secrets.push(sent.unwrap().to_owned());
                let verdict = executor.handle_request(at(2), &origin, message.topic().as_str(), &message, generator);
                tracing::trace!(?verdict, ?message, ?proof, "state");
            }
        }
    });
    assert!(secrets.len() > 10, "the run made secrets to look for");
    assert!(log.contains("session proof accepted") && log.contains("the proof does not hold"));
    assert!(log.contains("redacted"));
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "a secret is in the log");
        assert!(!log.contains(&secret[..16]), "the beginning of a secret is in the log");
    }
}
