//! What the reference made and said, in its own words (`testdata/reference`).

use fedcell_auth::challenge::{ChallengeReply, ClientChallenge, ClientParty, RegistrationClaim};
use fedcell_auth::identity::{CertificateChain, Purpose};
use fedcell_auth::rand_core::{TryCryptoRng, TryRng};
use fedcell_auth::sealed::{Freshness, OpenLimits, Opener};
use fedcell_auth::token::{AuthHeaders, RegistryLimits, TokenRegistry, TokenVerifier, exemption};
use fedcell_auth::{Signature, UnixTime};
use serde_json::Value;

use crate::support::{NOW, TestRng, challenged, data, identity, later, name, root, server};

fn cases(file: &str) -> Vec<Value> {
    serde_json::from_str(&data(&format!("reference/{file}"))).unwrap()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("no text {key} in {case}"))
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn chain(file: &str) -> CertificateChain {
    CertificateChain::from_pem(file, data(&format!("reference/{file}")).as_bytes()).unwrap()
}

/// The generator hands out the bytes of this UUID, so that a machine asks with the nonce of the test data.
fn rng_for(nonce: &str) -> Scripted {
    Scripted(bytes(&nonce.replace('-', "")))
}

struct Scripted(Vec<u8>);

impl TryRng for Scripted {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        panic!("machines fill bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        panic!("machines fill bytes")
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        dst.copy_from_slice(&self.0.drain(..dst.len()).collect::<Vec<_>>());
        Ok(())
    }
}

impl TryCryptoRng for Scripted {}

/// A registration with the fields of the test data, as an answer to the nonce of the test data.
fn register(case: &Value, signature: Vec<u8>) -> bool {
    let mut server = server();
    let claimed = text(case, "asserted_cn");
    let ask = crate::support::request(claimed, "00000000-0000-4000-8000-000000000000");
    let nonce = text(case, "nonce");
    // Where the reference was given a nonce that is none, ours asks with another one: refused on both sides.
    let asked = if nonce.len() == 36 { nonce } else { "11111111-1111-4111-8111-111111111111" };
    server.handle_challenge(NOW, &mut rng_for(asked), "origin", &ask).unwrap();
    let registration = RegistrationClaim {
        client_name: claimed.to_owned(),
        common_name: claimed.to_owned(),
        certificate: data(&format!("reference/{}", text(case, "cert"))).into_bytes(),
        signature,
    };
    server.handle_registration(NOW, "origin", &registration).is_ok()
}

#[track_caller]
fn check_verdict(case: &Value) {
    let what = text(case, "verify");
    let hex = text(case, "signature_hex");
    // "base64" cases hold text in place of hexadecimal digits.
    let signature =
        if what.contains("base64") { Signature::from_base64(hex).unwrap().as_bytes().to_vec() } else { bytes(hex) };
    let reference_accepts = text(case, "result") == "ok";
    // The one verdict that differs on purpose: we take the longest salt only.
    let expected = reference_accepts && !what.contains("salt 32");
    assert_eq!(register(case, signature), expected, "{what}");
}

#[test]
pub(crate) fn verdicts_on_registrations_are_those_of_the_reference() {
    let cases = cases("signatures.json");
    let verdicts: Vec<_> = cases.iter().filter(|case| case.get("verify").is_some()).collect();
    assert_eq!(verdicts.len(), 11, "the test data has changed");
    verdicts.into_iter().for_each(check_verdict);
}

#[test]
fn a_signature_of_the_reference_over_its_name_and_our_nonce_verifies_the_server() {
    let cases = cases("signatures.json");
    let case = cases.iter().find(|case| case["asserter"] == "server").unwrap();
    let party = ClientParty::new(identity("site-1"), root(), name(text(case, "cn"))).unwrap();
    let challenge = ClientChallenge::start(&party, NOW, &mut rng_for(text(case, "nonce")));
    assert_eq!(challenge.request().nonce, text(case, "nonce"));
    let reply = ChallengeReply {
        common_name: text(case, "cn").to_owned(),
        nonce: "00000000-0000-4000-8000-000000000000".to_owned(),
        certificate: data("reference/keys/server.crt").into_bytes(),
        signature: bytes(text(case, "signature_hex")),
    };
    challenge.verify_server(&reply, later(1)).unwrap();
}

#[test]
fn a_token_signature_of_the_reference_is_accepted_for_its_client_alone() {
    let cases = cases("signatures.json");
    let case = cases.iter().find(|case| case.get("token_signature").is_some()).unwrap();
    let token = text(case, "signed_content").strip_prefix("site-1").unwrap();
    let server = root().verify(&chain("keys/server.crt"), NOW, Purpose::Server).unwrap();
    let verifier = TokenVerifier::new(server);
    let signature = text(case, "token_signature");

    let credential = verifier.accept(&name("site-1"), token, signature).unwrap();
    assert_eq!((credential.expose_token(), credential.signature_text().as_str()), (token, signature));
    assert!(verifier.accept(&name("site-2"), token, signature).is_err());
    assert!(verifier.accept(&name("site-1"), token, "NA").is_err());
}

#[test]
pub(crate) fn envelopes_of_the_reference_open() {
    let opener = Opener::new(identity("site-2"), OpenLimits::default()).unwrap();
    let sender = root().verify(&chain("keys/site-1.crt"), NOW, Purpose::Sealing).unwrap();
    let cases = cases("cell_cipher.json");
    let sealed: Vec<_> = cases.iter().filter(|case| case.get("ciphertext_hex").is_some()).collect();
    assert_eq!(sealed.len(), 4, "the test data has changed");
    for case in sealed {
        let envelope = bytes(text(case, "ciphertext_hex"));
        let (plaintext, freshness) = opener.open(NOW, &sender, &envelope).unwrap().into_parts();
        assert_eq!(plaintext, bytes(text(case, "plaintext_hex")));
        assert_eq!(freshness, Freshness::Fresh);
        let again = opener.open(NOW, &sender, &envelope).unwrap();
        assert_eq!(again.freshness(), Freshness::Repeat);
        assert!(again.into_fresh().is_err());
    }
}

/// A registry like that of the test data: one client, `site-1`, registered from the origin `site-1`.
fn registry_with_site_1() -> (TokenRegistry, String, String) {
    let mut server = server();
    let (challenge, reply) = challenged(&mut server, "site-1", NOW);
    let (registration, _) = challenge.verify_server(&reply, NOW).unwrap().register().unwrap();
    let client = server.handle_registration(NOW, "site-1", registration.claim()).unwrap();
    let mut registry = TokenRegistry::new(identity("server"), RegistryLimits::default()).unwrap();
    let credential = registry.issue(&client, NOW, &mut TestRng(1)).unwrap();
    (registry, credential.expose_token().to_owned(), credential.signature_text())
}

#[track_caller]
fn check_filter(case: &Value, now: UnixTime) {
    let (registry, token, signature) = registry_with_site_1();
    let field = |key: &str, default: &str| match case["overrides"].get(key) {
        None => default.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) => String::new(),
        Some(other) => panic!("{other}"),
    };
    let exempt = exemption(
        &field("cn__channel", "task"),
        &field("cn__topic", "heart_beat"),
        &field("cn__destination", "server"),
        "server",
    );
    let headers = AuthHeaders {
        client_name: &field("client_name", "site-1"),
        token: &field("__token__", &token),
        signature: &field("__token_signature__", &signature),
    };
    let passes = exempt.is_some() || registry.authenticate(&headers, &field("cn__origin", "site-1"), now).is_ok();
    // The one verdict that differs on purpose: a signature alone never re-creates a session.
    let reference_passes = case["result"] == "pass" && !text(case, "name").starts_with("unknown token");
    assert_eq!(passes, reference_passes, "{}", text(case, "name"));
}

#[test]
pub(crate) fn verdicts_on_auth_headers_are_those_of_the_reference() {
    let cases = cases("auth_filter.json");
    assert_eq!(cases.len(), 14, "the test data has changed");
    cases.iter().for_each(|case| check_filter(case, later(5)));
}
