//! Certificates, envelopes and the messages of the challenge, from whoever may send them.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256, RsaPssSaltLength, RsaSignatureEncoding};
use fedcell_auth::challenge::{
    ChallengeLimits, ChallengeReply, ChallengeRequest, ClientChallenge, ClientParty, RegistrationClaim, ServerChallenge,
};
use fedcell_auth::identity::{
    Certificate, CertificateChain, Identity, PrivateKey, ProjectRoot, Purpose, VerifiedCertificate,
};
use fedcell_auth::sealed::{OpenLimits, Opener, PeerCertificates};
use fedcell_auth::token::{AuthHeaders, TokenVerifier};
use fedcell_auth::{CommonName, Signature, UnixTime};
use fedcell_cell::SystemRandom;

macro_rules! key_file {
    ($name:literal) => {
        include_str!(concat!("../../../crates/auth/testdata/reference/keys/", $name))
    };
}

const ROOT: &str = key_file!("rootCA.pem");
const SERVER: (&str, &str) = (key_file!("server.crt"), key_file!("server.key"));
const SITE_1: (&str, &str) = (key_file!("site-1.crt"), key_file!("site-1.key"));
const SITE_2: (&str, &str) = (key_file!("site-2.crt"), key_file!("site-2.key"));
/// Certificates that the project root did sign.
const GENUINE: [&str; 8] = [
    SERVER.0,
    SITE_1.0,
    SITE_2.0,
    key_file!("admin.crt"),
    key_file!("site-1-eku-client.crt"),
    key_file!("site-1-eku-server.crt"),
    key_file!("site-1-ku-sign.crt"),
    key_file!("site-1-ku-nosign.crt"),
];

/// 2026-01-01T00:00:00Z, when the certificates of the test data are valid.
const NOW: UnixTime = UnixTime::from_secs(1_767_225_600);

fn must<T, E: core::fmt::Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("the test data is not what it was: {error:?}"))
}

fn identity((certificate, key): (&str, &str)) -> Arc<Identity> {
    let chain = must(CertificateChain::from_pem("test.crt", certificate.as_bytes()));
    let key = must(PrivateKey::from_pem("test.key", key.as_bytes()));
    Arc::new(must(Identity::new("test.crt", chain, key)))
}

static PROJECT: LazyLock<ProjectRoot> = LazyLock::new(|| must(ProjectRoot::from_pem("rootCA.pem", ROOT.as_bytes())));

fn verified(certificate: &str) -> VerifiedCertificate {
    let chain = must(CertificateChain::from_pem("test.crt", certificate.as_bytes()));
    must(PROJECT.verify(&chain, NOW, Purpose::Sealing))
}

/// A certificate, a chain, a key or a root, as PEM or DER.
///
/// # Panics
///
/// If a certificate that the root did not sign is believed.
pub fn certificate(bytes: &[u8]) {
    static ROOT_KEY: LazyLock<Vec<u8>> =
        LazyLock::new(|| rsa_key(key_file!("rootCA.key")).public_key().as_ref().to_vec());
    static LEAVES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let chain = |pem: &&str| must(CertificateChain::from_pem("test.crt", pem.as_bytes()));
        GENUINE.iter().map(|pem| chain(pem).leaf().der().to_vec()).collect()
    });
    let _ = Certificate::from_der("fuzz.der", bytes).map(|certificate| format!("{certificate:?}"));
    let _ = PrivateKey::from_pem("fuzz.key", bytes).map(|key| format!("{key:?}"));
    if let Ok(chain) = CertificateChain::from_pem("fuzz.crt", bytes) {
        for purpose in [Purpose::Server, Purpose::Client, Purpose::Sealing] {
            if PROJECT.verify(&chain, NOW, purpose).is_ok() {
                assert!(LEAVES.iter().any(|leaf| leaf == chain.leaf().der()), "a forged certificate is believed");
            }
        }
    }
    if let Ok(root) = ProjectRoot::from_pem("fuzz.pem", bytes) {
        let genuine = must(CertificateChain::from_pem("test.crt", SITE_1.0.as_bytes()));
        if root.verify(&genuine, NOW, Purpose::Client).is_ok() {
            // A root is believed because it is on this machine, not for its signature: only its key must be the same.
            let der = root.certificate().der();
            assert!(der.windows(ROOT_KEY.len()).any(|part| part == *ROOT_KEY), "a root with another key is believed");
        }
    }
}

/// An envelope. With a first byte of 1 the rest is an envelope without its signature, which the genuine sender then
/// signs: what a hostile member of the federation may send.
///
/// # Panics
///
/// If what is opened has not the length that its envelope says.
pub fn envelope(bytes: &[u8]) {
    static PARTIES: LazyLock<(Opener, VerifiedCertificate, KeyPair)> = LazyLock::new(|| {
        let opener = must(Opener::new(identity(SITE_2), OpenLimits::default()));
        (opener, verified(SITE_1.0), rsa_key(SITE_1.1))
    });
    static PSS: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);
    let (opener, sender, key) = &*PARTIES;
    let opened = match bytes.split_first() {
        Some((1, unsigned)) if unsigned.len() >= 269 => {
            let mut signature = vec![0; key.public_modulus_len()];
            must(key.sign(&PSS, &aws_lc_rs::rand::SystemRandom::new(), unsigned, &mut signature));
            let (front, body) = unsigned.split_at(269);
            let envelope = [front, &signature, body].concat();
            (opener.open(NOW, sender, &envelope), envelope.len())
        }
        Some((_, envelope)) => (opener.open(NOW, sender, envelope), envelope.len()),
        None => return,
    };
    if let (Ok(opened), length) = opened {
        assert_eq!(opened.into_parts().0.len() + 541, length);
    }
}

/// A key of the test data once more: the crate's own type signs nothing of a caller's choice.
fn rsa_key(pem: &str) -> KeyPair {
    // The PEM of the test data, of which AWS-LC wants the DER.
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der: Vec<u8> = body
        .as_bytes()
        .chunks(1024)
        .flat_map(|chunk| must(Signature::from_base64(&String::from_utf8_lossy(chunk))).as_bytes().to_vec())
        .collect();
    let key = must(KeyPair::from_der(&der));
    // Proves that the chunks were joined correctly.
    assert!(key.as_der().is_ok());
    key
}

/// The messages of the challenge, tokens and certificate exchange: fields are cut from the bytes, each with its length
/// before it in two bytes.
///
/// # Panics
///
/// If a forged message is accepted.
pub fn challenge(bytes: &[u8]) {
    static PARTIES: LazyLock<(ClientParty, Arc<Identity>, TokenVerifier)> = LazyLock::new(|| {
        let server = must(CommonName::parse("server1"));
        let party = must(ClientParty::new(identity(SITE_1), PROJECT.clone(), server));
        (party, identity(SERVER), TokenVerifier::new(verified(SERVER.0)))
    });
    let (party, server_identity, verifier) = &*PARTIES;
    let mut rest = bytes;
    let mut field = || {
        let (length, tail) = rest.split_first_chunk::<2>().unwrap_or((&[0, 0], &[]));
        let (field, tail) = tail.split_at(usize::from(u16::from_be_bytes(*length)).min(tail.len()));
        rest = tail;
        field
    };
    let (name, nonce, certificate, signature) = (field(), field(), field(), field());
    let (origin, other_name) = (field(), field());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();

    let reply = ChallengeReply {
        common_name: text(name),
        nonce: text(nonce),
        certificate: certificate.to_vec(),
        signature: signature.to_vec(),
    };
    let challenge = ClientChallenge::start(party, NOW, &mut SystemRandom::new());
    assert!(challenge.verify_server(&reply, NOW).is_err(), "a forged server is believed");

    let mut server =
        must(ServerChallenge::new(Arc::clone(server_identity), PROJECT.clone(), ChallengeLimits::default()));
    let origin = text(origin);
    let request = ChallengeRequest { common_name: text(name), nonce: text(nonce) };
    let answered = server.handle_challenge(NOW, &mut SystemRandom::new(), &origin, &request).is_ok();
    assert_eq!(server.open_challenges(), usize::from(answered));
    let registration = RegistrationClaim {
        client_name: text(name),
        common_name: text(other_name),
        certificate: certificate.to_vec(),
        signature: signature.to_vec(),
    };
    assert!(server.handle_registration(NOW, &origin, &registration).is_err(), "a forged client is believed");
    assert_eq!(server.open_challenges(), 0, "the nonce is spent");

    let headers = AuthHeaders { client_name: &text(name), token: &text(nonce), signature: &text(signature) };
    if let Ok(signed) = verifier.check_signature(&headers) {
        // The corpus has one token that the reference's server signed.
        assert_eq!(signed.client_name().as_str(), "site-1", "a forged token is believed");
    }
    if let Ok(name) = CommonName::parse(&text(name)) {
        let peers = PeerCertificates::new(PROJECT.clone(), 4);
        let _ = peers.accept(NOW, &origin, &name, certificate);
    }
}
