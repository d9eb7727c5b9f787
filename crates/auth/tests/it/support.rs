//! Certificates, keys and parties for the tests, and a log that can be read.

use core::convert::Infallible;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKey;
use aws_lc_rs::signature::{
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaPssSaltLength,
    RsaSignatureEncoding,
};
use fedcell_auth::challenge::{
    ChallengeLimits, ChallengeReply, ChallengeRequest, ClientChallenge, ClientParty, ServerChallenge,
};
use fedcell_auth::identity::{CertificateChain, Identity, PrivateKey, ProjectRoot};
use fedcell_auth::rand_core::{TryCryptoRng, TryRng};
use fedcell_auth::{CommonName, UnixTime};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, date_time_ymd,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer};

/// 2026-01-01T00:00:00Z, when every certificate of the test data is valid.
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_767_225_600);

/// A moment so many seconds after [`NOW`].
pub(crate) fn later(secs: u64) -> UnixTime {
    UnixTime::from_secs(NOW.as_secs() + secs)
}

/// Reads a file of the test data.
pub(crate) fn data(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "testdata", name].iter().collect();
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn name(text: &str) -> CommonName {
    CommonName::parse(text).unwrap()
}

/// A generator that gives the same bytes in every run (SplitMix64). Good for tests and for nothing else.
pub(crate) struct TestRng(pub(crate) u64);

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(word ^ (word >> 31))
    }

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| (word >> 32) as u32)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(8) {
            chunk.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..chunk.len()]);
        }
        // Whatever the machines draw is a secret, or as good as one: keys, tokens, nonces.
        secrets(dst);
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

/// Keys of the test data by the name of who has them.
pub(crate) fn key_pem(holder: &str) -> String {
    let folder = if holder.starts_with("rsa") || holder.starts_with("ec") { "generated" } else { "reference/keys" };
    data(&format!("{folder}/{holder}.key"))
}

fn key_pair(holder: &str) -> KeyPair {
    let algorithm = if holder.starts_with("ec") { &PKCS_ECDSA_P256_SHA256 } else { &PKCS_RSA_SHA256 };
    KeyPair::from_pem_and_sign_algo(&key_pem(holder), algorithm).unwrap()
}

/// A certificate to be made. The default is a leaf as the reference's provisioner makes it: no usage extensions.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) names: Vec<&'static str>,
    pub(crate) organisation: Option<&'static str>,
    pub(crate) key: &'static str,
    pub(crate) authority: bool,
    pub(crate) usages: Vec<KeyUsagePurpose>,
    pub(crate) purposes: Vec<ExtendedKeyUsagePurpose>,
    pub(crate) years: (i32, i32),
}

impl Spec {
    pub(crate) fn leaf(name: &'static str, key: &'static str) -> Self {
        Self {
            names: vec![name],
            organisation: Some("nvidia"),
            key,
            authority: false,
            usages: vec![],
            purposes: vec![],
            years: (2025, 2055),
        }
    }

    pub(crate) fn authority(name: &'static str, key: &'static str) -> Self {
        Self { authority: true, usages: vec![KeyUsagePurpose::KeyCertSign], ..Self::leaf(name, key) }
    }

    /// An authority with the name of the project root, and the key `key`.
    pub(crate) fn root(key: &'static str) -> Self {
        Self { organisation: None, ..Self::authority("vector_project", key) }
    }

    pub(crate) fn purpose(mut self, purpose: ExtendedKeyUsagePurpose) -> Self {
        self.purposes.push(purpose);
        self
    }

    pub(crate) fn usage(mut self, usage: KeyUsagePurpose) -> Self {
        self.usages.push(usage);
        self
    }

    pub(crate) fn years(mut self, from: i32, to: i32) -> Self {
        self.years = (from, to);
        self
    }

    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (index, name) in self.names.iter().enumerate() {
            // rcgen keeps one entry for each type; a second name has to come in by its object identifier.
            let kind = if index == 0 { DnType::CommonName } else { DnType::CustomDnType(vec![2, 5, 4, 3]) };
            params.distinguished_name.push(kind, *name);
        }
        if let Some(organisation) = self.organisation {
            params.distinguished_name.push(DnType::OrganizationName, organisation);
        }
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        params.not_after = date_time_ymd(self.years.1, 1, 1);
        params.is_ca = if self.authority { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::NoCa };
        params.key_usages.clone_from(&self.usages);
        params.extended_key_usages.clone_from(&self.purposes);
        params
    }

    /// PEM of the certificate, signed by the project root of the test data.
    pub(crate) fn by_root(&self) -> String {
        self.by(&Self::root("rootCA"))
    }

    /// PEM of the certificate, signed by another one that is made here.
    pub(crate) fn by(&self, issuer: &Self) -> String {
        let params = issuer.params();
        let issuer = Issuer::from_params(&params, key_pair(issuer.key));
        self.params().signed_by(&key_pair(self.key), &issuer).unwrap().pem()
    }

    /// PEM of the certificate, signed by itself.
    pub(crate) fn by_itself(&self) -> String {
        self.params().self_signed(&key_pair(self.key)).unwrap().pem()
    }
}

pub(crate) fn root() -> ProjectRoot {
    ProjectRoot::from_pem("rootCA.pem", data("reference/keys/rootCA.pem").as_bytes()).unwrap()
}

/// An identity of certificate and key in PEM.
pub(crate) fn identity_of(certificate: &str, key: &str) -> Arc<Identity> {
    let chain = CertificateChain::from_pem("test.crt", certificate.as_bytes()).unwrap();
    let key = PrivateKey::from_pem("test.key", key.as_bytes()).unwrap();
    Arc::new(Identity::new("test.crt", chain, key).unwrap())
}

/// An identity of the reference's test data: `server`, `site-1`, `site-2` or `admin`.
pub(crate) fn identity(holder: &str) -> Arc<Identity> {
    identity_of(&data(&format!("reference/keys/{holder}.crt")), &key_pem(holder))
}

pub(crate) fn server() -> ServerChallenge {
    ServerChallenge::new(identity("server"), root(), ChallengeLimits::default()).unwrap()
}

/// The party `holder` as a client of the server of the test data.
pub(crate) fn client(holder: &str) -> ClientParty {
    ClientParty::new(identity(holder), root(), name("server1")).unwrap()
}

/// What the origin `holder` gets for a challenge of its own.
pub(crate) fn challenged(
    server: &mut ServerChallenge,
    holder: &str,
    now: UnixTime,
) -> (ClientChallenge, ChallengeReply) {
    let mut rng = TestRng(now.as_secs() ^ holder.len() as u64);
    let challenge = ClientChallenge::start(&client(holder), now, &mut rng);
    let reply = server.handle_challenge(now, &mut rng, holder, &challenge.request()).unwrap();
    (challenge, reply)
}

pub(crate) fn request(name: &str, nonce: &str) -> ChallengeRequest {
    ChallengeRequest { common_name: name.to_owned(), nonce: nonce.to_owned() }
}

/// How a signature of the tests is made.
#[derive(Clone, Copy)]
pub(crate) enum Scheme {
    Pss,
    PssSalt(u16),
    PssSha384,
    PssSha512,
    Pkcs1,
}

/// Signs with a key of the test data.
pub(crate) fn sign(holder: &str, scheme: Scheme, message: &str) -> Vec<u8> {
    sign_bytes(holder, scheme, message.as_bytes())
}

pub(crate) fn sign_bytes(holder: &str, scheme: Scheme, message: &[u8]) -> Vec<u8> {
    static PSS: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);
    static SALT_0: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(0));
    static SALT_32: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(32));
    static SALT_221: RsaSignatureEncoding = RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(221));
    static SHA384: RsaSignatureEncoding = RSA_PSS_SHA384.with_pss_salt_length(RsaPssSaltLength::Max);
    static SHA512: RsaSignatureEncoding = RSA_PSS_SHA512.with_pss_salt_length(RsaPssSaltLength::Max);
    let encoding: &'static dyn RsaEncoding = match scheme {
        Scheme::Pss => &PSS,
        Scheme::PssSalt(0) => &SALT_0,
        Scheme::PssSalt(32) => &SALT_32,
        Scheme::PssSalt(221) => &SALT_221,
        Scheme::PssSalt(other) => panic!("no such salt length prepared: {other}"),
        Scheme::PssSha384 => &SHA384,
        Scheme::PssSha512 => &SHA512,
        Scheme::Pkcs1 => &RSA_PKCS1_SHA256,
    };
    let key = rsa_key(holder);
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

fn rsa_key(holder: &str) -> RsaKey {
    match PrivateKeyDer::from_pem_slice(key_pem(holder).as_bytes()).unwrap() {
        PrivateKeyDer::Pkcs1(der) => RsaKey::from_der(der.secret_pkcs1_der()).unwrap(),
        der => RsaKey::from_pkcs8(der.secret_der()).unwrap(),
    }
}

/// The same RSA key of the test data as PKCS #8 PEM, whatever it is stored as.
pub(crate) fn as_pkcs8_pem(holder: &str) -> String {
    let der = rsa_key(holder).as_der().unwrap();
    pem("PRIVATE KEY", der.as_ref())
}

pub(crate) fn pkcs1_der(holder: &str) -> PrivatePkcs1KeyDer<'static> {
    PrivatePkcs1KeyDer::from_pem_slice(key_pem(holder).as_bytes()).unwrap()
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64(der))
}

/// Standard base64, by way of the crate's own signature text.
pub(crate) fn base64(bytes: &[u8]) -> String {
    bytes.chunks(768).map(|chunk| fedcell_auth::Signature::from_bytes(chunk).unwrap().to_base64()).collect()
}

/// Everything that was logged while `act` ran, at every level, and what `act` gave.
pub(crate) fn logged<R>(act: impl FnOnce() -> R) -> (String, R) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer({
            let log = log.clone();
            move || log.clone()
        })
        .finish();
    let result = tracing::subscriber::with_default(subscriber, act);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    ALL_LOGS.lock().unwrap().push_str(&text);
    (text, result)
}

static ALL_LOGS: Mutex<String> = Mutex::new(String::new());
static SECRETS: Mutex<BTreeSet<Vec<u8>>> = Mutex::new(BTreeSet::new());

/// Everything that [`logged`] has captured in this process.
pub(crate) fn all_logs() -> String {
    ALL_LOGS.lock().unwrap().clone()
}

/// Notes a secret that was issued.
pub(crate) fn secrets(secret: &[u8]) {
    SECRETS.lock().unwrap().insert(secret.to_vec());
}

/// Every secret that was noted in this process.
pub(crate) fn all_secrets() -> Vec<Vec<u8>> {
    SECRETS.lock().unwrap().iter().cloned().collect()
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
