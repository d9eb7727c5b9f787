//! TLS between cells: which pairs of kits come together, and which do not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, RsaKeySize, SanType, date_time_ymd,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// An authority as the reference's provisioner makes it.
pub(crate) struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

fn fresh_key() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

/// The key of all leaves: making one takes a while, and no test tells sites apart by their keys.
fn key() -> KeyPair {
    static SHARED: OnceLock<String> = OnceLock::new();
    let pem = SHARED.get_or_init(|| fresh_key().serialize_pem());
    KeyPair::from_pem_and_sign_algo(pem, &PKCS_RSA_SHA256).unwrap()
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self::valid(name, 2000, 2100)
    }

    fn valid(name: &str, from: i32, to: i32) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let key = fresh_key();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// The authority that the tests share; making one takes a while.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Authority> = OnceLock::new();
        SHARED.get_or_init(|| Self::new("project"))
    }

    /// Its own certificate, as a file of roots has it.
    pub(crate) fn pem(&self) -> &str {
        &self.certificate
    }

    /// Puts the root and a leaf for `name` into a new kit, under the file names of a server or of a client.
    pub(crate) fn kit(&self, name: &str, side: Side) -> Kit {
        self.kit_with(name, side, |_| {})
    }

    /// The same with a leaf that ends so long from now.
    pub(crate) fn kit_for(&self, name: &str, side: Side, span: core::time::Duration) -> Kit {
        self.kit_with(name, side, |params| params.not_after = (std::time::SystemTime::now() + span).into())
    }

    fn kit_with(&self, name: &str, side: Side, change: impl FnOnce(&mut CertificateParams)) -> Kit {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationName, "org");
        params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
        change(&mut params);
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let (certificate_file, key_file) = match side {
            Side::Server => ("server.crt", "server.key"),
            Side::Client => ("client.crt", "client.key"),
        };
        fs::write(folder.path().join("rootCA.pem"), &self.certificate).unwrap();
        fs::write(folder.path().join(certificate_file), certificate).unwrap();
        fs::write(folder.path().join(key_file), key.serialize_pem()).unwrap();
        Kit { folder }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Server,
    Client,
}

/// A kit in a folder of its own, gone when dropped.
pub(crate) struct Kit {
    folder: TempDir,
}

impl Kit {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the file of roots anew.
    pub(crate) fn write_roots(&self, pem: &str) {
        fs::write(self.file("rootCA.pem"), pem).unwrap();
    }

    pub(crate) fn credentials(&self) -> Credentials {
        Credentials::from_kit(self.path()).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

struct Outcome {
    client: std::io::Result<PeerIdentity>,
    server: std::io::Result<Option<PeerIdentity>>,
}

impl Outcome {
    /// Whether both sides could use the connection.
    fn is_up(&self) -> bool {
        self.client.is_ok() && self.server.is_ok()
    }
}

/// Shakes hands and sends a byte each way: with TLS 1.3 a client learns of its rejection only then.
async fn shake(client: &Credentials, server: &Credentials, mode: SecurityMode, expected: Option<&str>) -> Outcome {
    let client = TlsClient::load(client, mode).unwrap().unwrap();
    let server = TlsServer::load(server, mode).unwrap().unwrap();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let dialling = async {
        let (mut stream, identity) = client.handshake(near, "localhost", [127, 0, 0, 1].into(), expected).await?;
        stream.write_all(b"x").await?;
        stream.flush().await?;
        stream.read_u8().await?;
        Ok(identity)
    };
    let listening = async {
        let (mut stream, identity) = server.handshake(far).await?;
        stream.read_u8().await?;
        stream.write_all(b"y").await?;
        stream.flush().await?;
        Ok(identity)
    };
    let (client, server) = tokio::join!(dialling, listening);
    Outcome { client, server }
}

fn name(identity: &PeerIdentity) -> &str {
    identity.common_name().unwrap()
}

#[tokio::test]
async fn both_sides_learn_the_proven_name_of_the_other() {
    let authority = Authority::shared();
    let (server, client) = (authority.kit("server-1", Side::Server), authority.kit("site-1", Side::Client));
    let outcome = shake(&client.credentials(), &server.credentials(), SecurityMode::Mtls, Some("server-1")).await;
    assert_eq!(name(&outcome.client.unwrap()), "server-1");
    let shown = outcome.server.unwrap().unwrap();
    assert_eq!((name(&shown), shown.organisation()), ("site-1", Some("org")));
}

#[tokio::test]
async fn one_pair_serves_both_directions() {
    let authority = Authority::shared();
    let (relay, server) = (authority.kit("relay-1", Side::Client), authority.kit("server-1", Side::Server));
    assert!(shake(&server.credentials(), &relay.credentials(), SecurityMode::Mtls, Some("relay-1")).await.is_up());
}

#[tokio::test]
async fn another_expected_name_ends_it_before_the_first_byte() {
    let authority = Authority::shared();
    let (server, client) = (authority.kit("server-1", Side::Server), authority.kit("site-1", Side::Client));
    let outcome = shake(&client.credentials(), &server.credentials(), SecurityMode::Mtls, Some("server-2")).await;
    let error = outcome.client.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    assert_eq!(error.to_string(), "the server shows the certificate of `server-1`, expected `server-2`");
    assert_eq!(outcome.server.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn in_mode_tls_the_client_shows_nothing() {
    let authority = Authority::shared();
    let (server, client) = (authority.kit("server-1", Side::Server), authority.kit("site-1", Side::Client));
    let outcome = shake(&client.credentials(), &server.credentials(), SecurityMode::Tls, None).await;
    assert_eq!(name(&outcome.client.unwrap()), "server-1");
    assert_eq!(outcome.server.unwrap(), None);
}

#[tokio::test]
async fn in_mode_tls_the_root_of_a_proxy_counts() {
    let (authority, proxy) = (Authority::shared(), Authority::new("proxy authority"));
    let (client, front) = (authority.kit("site-1", Side::Client), proxy.kit("proxy", Side::Server));
    assert!(!shake(&client.credentials(), &front.credentials(), SecurityMode::Tls, None).await.is_up());

    fs::copy(front.file("rootCA.pem"), client.file("customRootCA.pem")).unwrap();
    assert!(shake(&client.credentials(), &front.credentials(), SecurityMode::Tls, None).await.is_up());
    assert!(!shake(&client.credentials(), &front.credentials(), SecurityMode::Mtls, None).await.is_up());
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_refuses_who_has_none() {
    let authority = Authority::shared();
    let (server, client) = (authority.kit("server-1", Side::Server), authority.kit("site-1", Side::Client));
    let client = TlsClient::load(&client.credentials(), SecurityMode::Tls).unwrap().unwrap();
    let server = TlsServer::load(&server.credentials(), SecurityMode::Mtls).unwrap().unwrap();
    let (near, far) = tokio::io::duplex(64 * 1024);
    let dialling = client.handshake(near, "localhost", [127, 0, 0, 1].into(), None);
    let (_, listening) = tokio::join!(dialling, server.handshake(far));
    assert!(listening.is_err());
}

/// A site whose leaf was changed in one way; `true` if the others take it for what it is.
#[track_caller]
fn check(expected: bool, change: impl FnOnce(&mut CertificateParams)) -> impl Future<Output = ()> {
    let caller = core::panic::Location::caller();
    let authority = Authority::shared();
    let (server, client) =
        (authority.kit("server-1", Side::Server), authority.kit_with("site-1", Side::Client, change));
    async move {
        let outcome = shake(&client.credentials(), &server.credentials(), SecurityMode::Mtls, None).await;
        assert_eq!(outcome.is_up(), expected, "as a client, {caller}");
    }
}

#[tokio::test]
async fn validity_and_usages_of_a_client_count() {
    check(true, |_| {}).await;
    check(false, |leaf| leaf.not_after = date_time_ymd(2020, 1, 1)).await;
    check(false, |leaf| leaf.not_before = date_time_ymd(2090, 1, 1)).await;
    check(false, |leaf| leaf.key_usages = vec![KeyUsagePurpose::KeyEncipherment]).await;
    check(true, |leaf| leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature]).await;
    check(false, |leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]).await;
    check(true, |leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]).await;
    check(false, |leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)).await;
}

#[tokio::test]
async fn usages_of_a_server_count() {
    let authority = Authority::shared();
    let site = authority.kit("site-1", Side::Client);
    for (expected, usage) in [(false, ExtendedKeyUsagePurpose::ClientAuth), (true, ExtendedKeyUsagePurpose::ServerAuth)]
    {
        let server =
            authority.kit_with("server-1", Side::Server, |leaf| leaf.extended_key_usages = vec![usage.clone()]);
        let outcome = shake(&site.credentials(), &server.credentials(), SecurityMode::Mtls, None).await;
        assert_eq!(outcome.is_up(), expected, "{usage:?}");
    }
}

#[tokio::test]
async fn certificates_of_another_project_count_for_nothing() {
    let (ours, others) = (Authority::shared(), Authority::new("project"));
    let (server, stranger) = (ours.kit("server-1", Side::Server), others.kit("site-1", Side::Client));
    // The stranger believes in our server, so that only its own certificate is in question.
    fs::copy(server.file("rootCA.pem"), stranger.file("rootCA.pem")).unwrap();
    assert!(!shake(&stranger.credentials(), &server.credentials(), SecurityMode::Mtls, None).await.is_up());
}

#[tokio::test]
async fn an_expired_root_is_not_believed() {
    let authority = Authority::valid("project", 2000, 2020);
    let (server, client) = (authority.kit("server-1", Side::Server), authority.kit("site-1", Side::Client));
    let outcome = shake(&client.credentials(), &server.credentials(), SecurityMode::Mtls, None).await;
    assert!(!outcome.is_up());
}

#[tokio::test]
async fn intermediates_stand_behind_the_leaf() {
    let authority = Authority::shared();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "intermediate");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = key();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap().pem();
    let between = Authority { certificate: authority.certificate.clone(), issuer: Issuer::new(params, key) };
    let server = between.kit("server-1", Side::Server);
    let client = authority.kit("site-1", Side::Client);
    assert!(!shake(&client.credentials(), &server.credentials(), SecurityMode::Mtls, None).await.is_up());

    let leaf = fs::read_to_string(server.file("server.crt")).unwrap();
    fs::write(server.file("server.crt"), leaf + &certificate).unwrap();
    assert!(shake(&client.credentials(), &server.credentials(), SecurityMode::Mtls, None).await.is_up());
}

#[track_caller]
fn check_kit(change: impl FnOnce(&Kit), mode: SecurityMode, expected: SecurityProblem) {
    let kit = Authority::shared().kit("site-1", Side::Client);
    change(&kit);
    let problem = Credentials::from_kit(kit.path())
        .and_then(|credentials| {
            TlsServer::load(&credentials, mode)?;
            TlsClient::load(&credentials, mode)
        })
        .unwrap_err();
    assert_eq!(problem.problem(), expected, "{problem}");
}

#[test]
fn a_broken_kit_is_named() {
    let remove = |file: &'static str| move |kit: &Kit| fs::remove_file(kit.file(file)).unwrap();
    let write = |file: &'static str, text: &'static str| move |kit: &Kit| fs::write(kit.file(file), text).unwrap();
    check_kit(remove("rootCA.pem"), SecurityMode::Mtls, SecurityProblem::Unreadable);
    check_kit(remove("client.key"), SecurityMode::Mtls, SecurityProblem::HalfPair);
    check_kit(remove("client.crt"), SecurityMode::Mtls, SecurityProblem::HalfPair);
    check_kit(write("client.crt", "nothing"), SecurityMode::Mtls, SecurityProblem::NoCertificate);
    check_kit(write("client.key", "nothing"), SecurityMode::Mtls, SecurityProblem::NoPrivateKey);
    let other = Arc::new(fresh_key().serialize_pem());
    let swap = move |kit: &Kit| fs::write(kit.file("client.key"), &*other).unwrap();
    check_kit(swap, SecurityMode::Mtls, SecurityProblem::Mismatch);
    let leaf_as_root = |kit: &Kit| {
        fs::copy(kit.file("client.crt"), kit.file("rootCA.pem")).unwrap();
    };
    check_kit(leaf_as_root, SecurityMode::Mtls, SecurityProblem::NoRoot);
    let no_pair = |kit: &Kit| {
        fs::remove_file(kit.file("client.crt")).unwrap();
        fs::remove_file(kit.file("client.key")).unwrap();
    };
    check_kit(no_pair, SecurityMode::Tls, SecurityProblem::NoKeyPair);
}

#[test]
fn a_kit_is_found_from_above() {
    let kit = Authority::shared().kit("site-1", Side::Client);
    let whole = tempfile::tempdir().unwrap();
    let startup = whole.path().join("startup");
    fs::create_dir(&startup).unwrap();
    for entry in fs::read_dir(kit.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), startup.join(entry.file_name())).unwrap();
    }
    let credentials = Credentials::from_kit(whole.path()).unwrap();
    assert_eq!(credentials.root(), startup.join("rootCA.pem"));
    assert_eq!(credentials.dialling_pair(), credentials.listening_pair());
}

#[test]
fn modes_are_words_of_the_wire() {
    for mode in [SecurityMode::Clear, SecurityMode::Tls, SecurityMode::Mtls] {
        assert_eq!(mode.to_string().parse(), Ok(mode));
    }
    assert_eq!(
        "MTLS".parse::<SecurityMode>().unwrap_err().to_string(),
        "`MTLS` is no connection security, expected clear, tls or mtls"
    );
}

#[tokio::test]
async fn a_chain_that_was_good_is_judged_again_by_the_time_and_roots_of_then() {
    use fedcell_auth::UnixTime;
    use fedcell_cell_proto::link::CertificateProblem;
    let authority = Authority::valid("project", 2000, 2060);
    let until = |year: i32| UnixTime::from_secs(u64::try_from(date_time_ymd(year, 1, 1).unix_timestamp()).unwrap());
    let leaf = |to: i32| move |params: &mut CertificateParams| params.not_after = date_time_ymd(to, 1, 1);
    let (server, client) = (
        authority.kit_with("server-1", Side::Server, leaf(2040)),
        authority.kit_with("site-1", Side::Client, leaf(2090)),
    );
    let outcome = shake(&client.credentials(), &server.credentials(), SecurityMode::Mtls, None).await;
    let (server, client) = (outcome.client.unwrap(), outcome.server.unwrap().unwrap());
    assert_eq!((server.valid_until(), client.valid_until()), (Some(until(2040)), Some(until(2090))));
    let end = |identity: &PeerIdentity| Ok(identity.expires_at().unwrap());
    for (year, of_server, of_client) in [
        (2035, end(&server), end(&client)),
        (2041, Err(CertificateProblem::Expired), end(&client)),
        // The leaf would be good for longer than the root above it.
        (2061, Err(CertificateProblem::Expired), Err(CertificateProblem::Expired)),
    ] {
        assert_eq!((server.recheck(until(year)), client.recheck(until(year))), (of_server, of_client), "{year}");
    }
    assert_eq!(server.recheck(until(2040)), end(&server), "its last second is part of its time");
    assert_eq!(server.recheck(server.expires_at().unwrap()), Err(CertificateProblem::Expired));
}
