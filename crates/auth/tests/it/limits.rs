//! Bounds that hold over time: content keys renewed by count and age, windows and caches that do not grow.

use core::time::Duration;

use fedcell_auth::identity::{Purpose, VerifiedCertificate};
use fedcell_auth::sealed::{Freshness, OpenLimits, Opener, SealLimits, Sealer};

use crate::support::{NOW, Spec, TestRng, identity, identity_of, key_pem, later, root};

fn certificate(holder: &str) -> VerifiedCertificate {
    root().verify(identity(holder).chain(), NOW, Purpose::Sealing).unwrap()
}

/// Seals at these moments, in seconds, and says which envelopes share a content key, by numbering the keys.
#[track_caller]
fn check_rotation(limits: SealLimits, moments: &[i64], expected: &[usize]) {
    let sealer = Sealer::new(identity("site-1"), limits).unwrap();
    let target = certificate("site-2");
    let opener = Opener::new(identity("site-2"), OpenLimits::default()).unwrap();
    let sender = certificate("site-1");
    let mut rng = TestRng(9);
    let mut wrapped_keys: Vec<Vec<u8>> = Vec::new();
    let mut used = Vec::new();
    for moment in moments {
        let now = later(u64::try_from(1000 + moment).unwrap());
        let envelope = sealer.seal(now, &mut rng, &target, b"chunk").unwrap();
        let wrapped = envelope[13..269].to_vec();
        let known = wrapped_keys.iter().position(|known| *known == wrapped);
        used.push(known.unwrap_or(wrapped_keys.len()));
        if known.is_none() {
            wrapped_keys.push(wrapped);
        }
        assert_eq!(opener.open(now, &sender, &envelope).unwrap().into_fresh().unwrap(), b"chunk");
    }
    assert_eq!(used, expected);
}

#[test]
pub(crate) fn content_keys_are_renewed_by_count_and_by_age() {
    let mut by_count = SealLimits::default();
    by_count.max_uses = 3;
    check_rotation(by_count, &[0; 7], &[0, 0, 0, 1, 1, 1, 2]);

    let mut by_age = SealLimits::default();
    by_age.max_age = Duration::from_secs(10);
    check_rotation(by_age, &[0, 5, 9, 10, 19, 20, 21], &[0, 0, 0, 1, 1, 2, 2]);
    // A clock that was set back must not keep a key alive for longer.
    check_rotation(by_age, &[100, 50, 55], &[0, 1, 1]);
}

#[test]
fn content_keys_are_kept_for_the_last_targets_only() {
    let mut limits = SealLimits::default();
    limits.max_targets = 2;
    let sealer = Sealer::new(identity("site-1"), limits).unwrap();
    for target in ["site-2", "server", "admin", "site-2"] {
        sealer.seal(NOW, &mut TestRng(1), &certificate(target), b"").unwrap();
    }
    assert_eq!(sealer.targets(), 2);
}

#[test]
fn an_opener_that_forgot_a_key_unwraps_it_again_and_still_knows_the_repeat() {
    let mut limits = OpenLimits::default();
    limits.keys_per_sender = 1;
    let opener = Opener::new(identity("site-2"), limits).unwrap();
    let sender = certificate("site-1");
    let seal = |seed| {
        let sealer = Sealer::new(identity("site-1"), SealLimits::default()).unwrap();
        sealer.seal(NOW, &mut TestRng(seed), &certificate("site-2"), b"chunk").unwrap()
    };
    let (first, second) = (seal(1), seal(2));
    let opened = [&first, &second, &first, &second].map(|envelope| opener.open(NOW, &sender, envelope).unwrap());
    assert_eq!(
        opened.map(|opened| opened.freshness()),
        [Freshness::Fresh, Freshness::Fresh, Freshness::Repeat, Freshness::Repeat]
    );
}

#[test]
fn the_replay_window_is_bounded_and_each_sender_has_its_own() {
    let mut limits = OpenLimits::default();
    (limits.replay_window, limits.max_senders) = (2, 2);
    let opener = Opener::new(identity("site-2"), limits).unwrap();
    let sealer = Sealer::new(identity("site-1"), SealLimits::default()).unwrap();
    let (sender, target) = (certificate("site-1"), certificate("site-2"));
    let mut rng = TestRng(1);
    let envelopes: Vec<_> = (0..3).map(|_| sealer.seal(NOW, &mut rng, &target, b"").unwrap()).collect();
    let open = |index: usize| opener.open(NOW, &sender, &envelopes[index]).unwrap().freshness();
    assert_eq!([open(0), open(1), open(0), open(1)].map(|f| f == Freshness::Fresh), [true, true, false, false]);
    assert_eq!(
        [open(2), open(1), open(0)].map(|f| f == Freshness::Fresh),
        [true, false, true],
        "0 had left the window"
    );

    for holder in ["admin", "server"] {
        let sealer = Sealer::new(identity(holder), SealLimits::default()).unwrap();
        let envelope = sealer.seal(NOW, &mut rng, &target, b"").unwrap();
        assert_eq!(opener.open(NOW, &certificate(holder), &envelope).unwrap().freshness(), Freshness::Fresh);
    }
    assert_eq!(opener.senders(), 2);
}

#[test]
fn a_repeat_is_known_under_any_address_that_the_same_certificate_serves() {
    // Two certificates of one site are two senders; one certificate behind two cells is one.
    let opener = Opener::new(identity("site-2"), OpenLimits::default()).unwrap();
    let renewed = identity_of(&Spec::leaf("site-1", "site-1").by_root(), &key_pem("site-1"));
    let renewed = root().verify(renewed.chain(), NOW, Purpose::Sealing).unwrap();
    let sealer = Sealer::new(identity("site-1"), SealLimits::default()).unwrap();
    let envelope = sealer.seal(NOW, &mut TestRng(1), &certificate("site-2"), b"").unwrap();
    assert_eq!(opener.open(NOW, &certificate("site-1"), &envelope).unwrap().freshness(), Freshness::Fresh);
    assert_eq!(opener.open(NOW, &certificate("site-1"), &envelope).unwrap().freshness(), Freshness::Repeat);
    assert_eq!(opener.open(NOW, &renewed, &envelope).unwrap().freshness(), Freshness::Fresh);
}

#[test]
fn sealer_and_opener_are_shared_between_threads() {
    let sealer = Sealer::new(identity("site-1"), SealLimits::default()).unwrap();
    let opener = Opener::new(identity("site-2"), OpenLimits::default()).unwrap();
    let (sender, target) = (certificate("site-1"), certificate("site-2"));
    let fresh: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4_u64)
            .map(|seed| {
                let (sealer, opener, sender, target) = (&sealer, &opener, &sender, &target);
                scope.spawn(move || {
                    let mut rng = TestRng(1000 + seed);
                    let envelopes: Vec<_> =
                        (0..8).map(|_| sealer.seal(NOW, &mut rng, target, b"chunk").unwrap()).collect();
                    let opened = |envelope: &Vec<u8>| opener.open(NOW, sender, envelope).unwrap().freshness();
                    envelopes.iter().chain(&envelopes).filter(|envelope| opened(envelope) == Freshness::Fresh).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((fresh, sealer.targets(), opener.senders()), (32, 1, 1));
}

#[test]
fn a_registry_that_was_kept_knows_its_tokens_and_no_others() {
    use fedcell_auth::token::{AuthHeaders, IssueError, RegistryLimits, TokenRegistry};

    use crate::support::{challenged, server};

    let (mut rng, mut machine) = (TestRng(5), server());
    let (challenge, reply) = challenged(&mut machine, "site-1", NOW);
    let (registration, _) = challenge.verify_server(&reply, NOW).unwrap().register().unwrap();
    let proved = machine.handle_registration(NOW, "site-1", registration.claim()).unwrap();
    let mut before = TokenRegistry::new(identity("server"), RegistryLimits::default()).unwrap();
    let issued = before.issue(&proved, NOW, &mut rng).unwrap();
    let record = before.record(proved.name()).unwrap();

    let mut after = TokenRegistry::new(identity("server"), RegistryLimits::default()).unwrap();
    after.restore(record.clone()).unwrap();
    let signature = issued.signature_text();
    let shown = AuthHeaders { client_name: "site-1", token: issued.expose_token(), signature: &signature };
    after.authenticate(&shown, "site-1.job", NOW).unwrap();
    assert!(after.authenticate(&shown, "site-2", NOW).is_err(), "another origin");
    assert!(after.authenticate(&shown, "site-1", record.valid_until.saturating_add(Duration::from_secs(1))).is_err());
    let other = before.issue(&proved, NOW, &mut rng).unwrap();
    let (token, signature) = (other.expose_token(), other.signature_text());
    let newer = AuthHeaders { client_name: "site-1", token, signature: &signature };
    assert!(after.authenticate(&newer, "site-1", NOW).is_err(), "a token that was not in the record");

    assert_eq!(after.restore(record.clone()), Err(IssueError::BadRecord), "the same twice");
    for name in ["", "server", "server_job"] {
        let mut forged = record.clone();
        (forged.client_name, forged.token_digest) = (name.to_owned(), [7; 32]);
        assert_eq!(after.restore(forged), Err(IssueError::BadRecord), "{name}");
    }
}
