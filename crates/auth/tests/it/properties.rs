//! Properties over generated input: nothing changed is accepted, nothing hostile panics.

use fedcell_auth::challenge::{ClientChallenge, RegistrationClaim};
use fedcell_auth::identity::{Certificate, CertificateChain, PrivateKey, ProjectRoot, Purpose, VerifiedCertificate};
use fedcell_auth::sealed::{OpenLimits, Opener, SealLimits, Sealer};
use fedcell_auth::token::{AuthHeaders, RegistryLimits, TokenRegistry};
use fedcell_auth::{CommonName, Nonce, Signature, Token};
use proptest::prelude::*;
use std::sync::LazyLock;

use crate::support::{NOW, TestRng, challenged, client, data, identity, key_pem, later, pem, root, server};

static ROOT: LazyLock<ProjectRoot> = LazyLock::new(root);

fn verified(holder: &str) -> VerifiedCertificate {
    ROOT.verify(identity(holder).chain(), NOW, Purpose::Sealing).unwrap()
}

/// A position in something of `length` bytes, and a change that changes it.
fn flip(length: usize) -> impl Strategy<Value = (usize, u8)> {
    (0..length, 1..=u8::MAX)
}

static ENVELOPE: LazyLock<(Opener, VerifiedCertificate, Vec<u8>)> = LazyLock::new(|| {
    let sealer = Sealer::new(identity("site-1"), SealLimits::default()).unwrap();
    let envelope = sealer.seal(NOW, &mut TestRng(5), &verified("site-2"), &[7; 100]).unwrap();
    let opener = Opener::new(identity("site-2"), OpenLimits::default()).unwrap();
    assert!(opener.open(NOW, &verified("site-1"), &envelope).is_ok());
    (opener, verified("site-1"), envelope)
});

static TOKEN: LazyLock<(TokenRegistry, String, String)> = LazyLock::new(|| {
    let mut server = server();
    let (challenge, reply) = challenged(&mut server, "site-1", NOW);
    let (registration, _) = challenge.verify_server(&reply, NOW).unwrap().register().unwrap();
    let client = server.handle_registration(NOW, "site-1", registration.claim()).unwrap();
    let mut registry = TokenRegistry::new(identity("server"), RegistryLimits::default()).unwrap();
    let credential = registry.issue(&client, NOW, &mut TestRng(1)).unwrap();
    let (token, signature) = (credential.expose_token().to_owned(), credential.signature_text());
    (registry, token, signature)
});

fn is_token_accepted(token: &str, signature: &str) -> bool {
    let headers = AuthHeaders { client_name: "site-1", token, signature };
    TOKEN.0.authenticate(&headers, "site-1", NOW).is_ok()
}

/// A text with one byte replaced, if that leaves it a text.
fn spoiled(text: &str, (position, mask): (usize, u8)) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    bytes[position] ^= mask;
    String::from_utf8(bytes).ok()
}

#[test]
fn every_byte_of_an_envelope_counts() {
    let (opener, sender, envelope) = &*ENVELOPE;
    for position in 0..envelope.len() {
        let mut changed = envelope.clone();
        changed[position] ^= 0x40;
        assert!(opener.open(NOW, sender, &changed).is_err(), "byte {position}");
    }
}

#[test]
pub(crate) fn every_byte_of_a_challenge_signature_counts() {
    for position in 0..256 {
        // A client that waits for the same nonce each time: the generator starts anew.
        let challenge = ClientChallenge::start(&client("site-1"), NOW, &mut TestRng(77));
        static REPLY: LazyLock<fedcell_auth::challenge::ChallengeReply> = LazyLock::new(|| {
            let challenge = ClientChallenge::start(&client("site-1"), NOW, &mut TestRng(77));
            server().handle_challenge(NOW, &mut TestRng(78), "site-1", &challenge.request()).unwrap()
        });
        let mut reply = REPLY.clone();
        reply.signature[position] ^= 0x01;
        assert!(challenge.verify_server(&reply, NOW).is_err(), "byte {position}");
    }
}

#[test]
pub(crate) fn every_byte_of_a_token_and_of_its_signature_counts() {
    let (_, token, signature) = &*TOKEN;
    assert!(is_token_accepted(token, signature));
    for position in 0..token.len() {
        assert!(!is_token_accepted(&spoiled(token, (position, 1)).unwrap(), signature), "token, byte {position}");
    }
    for position in 0..signature.len() {
        assert!(!is_token_accepted(token, &spoiled(signature, (position, 1)).unwrap()), "signature, byte {position}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_envelope_is_refused((position, mask) in flip(641)) {
        let (opener, sender, envelope) = &*ENVELOPE;
        let mut changed = envelope.clone();
        changed[position] ^= mask;
        prop_assert!(opener.open(NOW, sender, &changed).is_err());
    }

    #[test]
    fn a_changed_token_or_signature_is_refused(in_token in flip(36), in_signature in flip(344)) {
        let (_, token, signature) = &*TOKEN;
        if let Some(changed) = spoiled(token, in_token) {
            prop_assert!(!is_token_accepted(&changed, signature));
        }
        if let Some(changed) = spoiled(signature, in_signature) {
            prop_assert!(!is_token_accepted(token, &changed));
        }
    }

    #[test]
    fn a_changed_certificate_is_refused(change in flip(770)) {
        static DER: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let chain = CertificateChain::from_pem("test.crt", data("reference/keys/site-1.crt").as_bytes()).unwrap();
            chain.leaf().der().to_vec()
        });
        let mut der = DER.clone();
        let (position, mask) = change;
        let length = der.len();
        der[position % length] ^= mask;
        if let Ok(chain) = CertificateChain::from_pem("test.crt", pem("CERTIFICATE", &der).as_bytes()) {
            prop_assert!(ROOT.verify(&chain, NOW, Purpose::Sealing).is_err());
        }
    }

    #[test]
    fn different_names_and_nonces_never_share_a_signed_content(
        first in "[a-z0-9-]{1,20}", second in "[a-z0-9-]{1,20}", seeds in any::<(u64, u64)>()
    ) {
        let pair = |name: &str, seed| (CommonName::parse(name).unwrap(), Nonce::random(&mut TestRng(seed)));
        let (one, other) = (pair(&first, seeds.0), pair(&second, seeds.1));
        let content = |(name, nonce): &(CommonName, Nonce)| format!("{name}{}", nonce.as_str());
        prop_assert_eq!(one == other, content(&one) == content(&other));
    }

    #[test]
    fn generated_nonces_and_tokens_are_canonical(seed in any::<u64>()) {
        let nonce = Nonce::random(&mut TestRng(seed));
        prop_assert_eq!(Nonce::parse(nonce.as_str()).unwrap(), nonce.clone());
        prop_assert_eq!(&nonce.as_str()[14..15], "4");
        prop_assert!(matches!(&nonce.as_str()[19..20], "8" | "9" | "a" | "b"));
        let token = Token::random(&mut TestRng(seed));
        prop_assert_eq!(Token::parse(token.expose()).unwrap(), token);
    }

    #[test]
    fn signatures_survive_their_text_form(bytes in prop::collection::vec(any::<u8>(), 1..=1024)) {
        let signature = Signature::from_bytes(&bytes).unwrap();
        let text = signature.to_base64();
        let read = Signature::from_base64(&text).unwrap();
        prop_assert_eq!(read.as_bytes(), &bytes);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), text in ".{0,200}") {
        let (opener, sender, _) = &*ENVELOPE;
        prop_assert!(opener.open(NOW, sender, &bytes).is_err());
        prop_assert!(CertificateChain::from_pem("peer", &bytes).is_err());
        prop_assert!(Certificate::from_der("peer", &bytes).is_err());
        prop_assert!(PrivateKey::from_pem("peer", &bytes).is_err());
        prop_assert!(CertificateChain::from_pem("peer", pem("CERTIFICATE", &[&[0x30], &bytes[..]].concat()).as_bytes()).is_err());
        prop_assert!(!is_token_accepted(&text, &text));
        let _ = Signature::from_base64(&text);
    }

    #[test]
    fn any_registration_spends_the_challenge_and_is_refused(
        name in ".{0,40}", certificate in prop::collection::vec(any::<u8>(), 0..200),
        signature in prop::collection::vec(any::<u8>(), 0..600), real_certificate in any::<bool>()
    ) {
        let mut server = server();
        challenged(&mut server, "site-1", NOW);
        let certificate = if real_certificate { data("reference/keys/site-1.crt").into_bytes() } else { certificate };
        let client_name = if real_certificate { "site-1".to_owned() } else { name };
        let registration = RegistrationClaim { common_name: client_name.clone(), client_name, certificate, signature };
        prop_assert!(server.handle_registration(later(1), "site-1", &registration).is_err());
        prop_assert_eq!(server.open_challenges(), 0);
    }

    #[test]
    fn what_is_sealed_opens(plaintext in prop::collection::vec(any::<u8>(), 0..5000), seed in any::<u64>()) {
        static SEALER: LazyLock<Sealer> =
            LazyLock::new(|| Sealer::new(identity("site-1"), SealLimits::default()).unwrap());
        let (opener, sender, _) = &*ENVELOPE;
        let envelope = SEALER.seal(NOW, &mut TestRng(seed), &verified("site-2"), &plaintext).unwrap();
        prop_assert_eq!(envelope.len(), plaintext.len() + 541);
        prop_assert_eq!(opener.open(NOW, sender, &envelope).unwrap().into_parts().0, plaintext);
    }
}

#[test]
fn a_private_key_changed_in_its_text_is_refused_or_does_not_belong() {
    let text = key_pem("site-1");
    let chain = CertificateChain::from_pem("test.crt", data("reference/keys/site-1.crt").as_bytes()).unwrap();
    for position in (100..text.len() - 40).step_by(97) {
        let Some(changed) = spoiled(&text, (position, 1)) else { continue };
        let Ok(key) = PrivateKey::from_pem("test.key", changed.as_bytes()) else { continue };
        assert!(fedcell_auth::identity::Identity::new("test.crt", chain.clone(), key).is_err(), "byte {position}");
    }
}
