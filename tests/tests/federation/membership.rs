//! Sites and their server: registration by challenge, heartbeats, goodbye, and everything that is refused.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fedcell_auth::challenge::{ClientChallenge, ClientParty};
use fedcell_auth::identity::{CertificateChain, Identity, PrivateKey, ProjectRoot};
use fedcell_auth::token::AuthHeaders;
use fedcell_auth::{CommonName, UnixTime};
use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::request::Response;
use fedcell_cell::security::SecurityMode;
use fedcell_cell::{Cell, Request, SystemRandom};
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_cell_proto::transit::Authenticator;
use fedcell_client::communicator::{Communicator, Config, HeartbeatError, Jobs, RegisterError, TaskError};
use fedcell_durable::SimulatedDisk;
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{Channel, ReturnCode};
use fedcell_protocol_defs::federation::ServerCommand;
use fedcell_server::membership::{
    Applicant, Granted, MembershipEvent, MembershipService, Presence, Registrar, RegistrarConfig, ServerKeys,
    TokenChange, TokenKeeper,
};
use tokio_util::sync::CancellationToken;

use crate::hub::{HUB, JOB, cell};

const PROJECT: &str = "vector_project";

macro_rules! key_file {
    ($name:literal) => {
        include_bytes!(concat!("../../../crates/auth/testdata/reference/keys/", $name))
    };
}

fn root() -> ProjectRoot {
    ProjectRoot::from_pem("rootCA.pem", key_file!("rootCA.pem")).unwrap()
}

fn identity(name: &str) -> Arc<Identity> {
    let (certificate, key): (&[u8], &[u8]) = match name {
        "server" => (key_file!("server.crt"), key_file!("server.key")),
        "site-1" => (key_file!("site-1.crt"), key_file!("site-1.key")),
        "site-2" => (key_file!("site-2.crt"), key_file!("site-2.key")),
        other => panic!("no key of {other}"),
    };
    let chain = CertificateChain::from_pem(name, certificate).unwrap();
    Arc::new(Identity::new(name, chain, PrivateKey::from_pem(name, key).unwrap()).unwrap())
}

fn keys() -> ServerKeys {
    ServerKeys { identity: identity("server"), root: root() }
}

fn service(keys: Option<ServerKeys>) -> MembershipService {
    MembershipService::new(Registrar::new(RegistrarConfig::new(PROJECT), keys).unwrap())
}

async fn server(network: &MemoryNetwork, service: &MembershipService) -> Cell {
    let cell =
        Cell::builder("server").security(SecurityMode::Clear).memory(network.clone()).root_url(HUB).build().unwrap();
    service.attach(&cell).unwrap();
    cell.handle("test", "echo", async |request: Request| request.body());
    cell.handle(Channel::SERVER_COMMAND, ServerCommand::SUBMIT_UPDATE, async |_: Request| Reply::ok(Body::none()));
    cell.start().await.unwrap()
}

/// What `name` brings, with the certificate of `holder`, expecting this server.
fn config(name: &str, holder: &str, server: &str) -> Config {
    let server = CommonName::parse(server).unwrap();
    let party = ClientParty::new(identity(holder), root(), server).unwrap();
    let mut config = Config::new(CommonName::parse(name).unwrap(), PROJECT).with_party(party);
    config.heartbeat_interval = Duration::from_secs(1);
    config
}

async fn site(network: &MemoryNetwork, config: Config) -> Communicator {
    let cell = cell(network, config.client_name.as_str()).await;
    let communicator = Communicator::new(config);
    communicator.set_cell(cell);
    communicator
}

async fn register(communicator: &Communicator) -> Result<(), RegisterError> {
    communicator.register(&CancellationToken::new()).await.map(drop)
}

/// Waits, in virtual time, until the server lets messages of this site through.
async fn heard(communicator: &Communicator) {
    for _ in 0..60 {
        if is_heard(communicator).await {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("the site is not heard");
}

/// The next event that `choose` picks.
async fn event<T>(
    events: &mut tokio::sync::broadcast::Receiver<MembershipEvent>,
    choose: impl Fn(MembershipEvent) -> Option<T>,
) -> T {
    loop {
        if let Some(chosen) = choose(events.recv().await.unwrap()) {
            return chosen;
        }
    }
}

/// Whether the server lets a message of this site through to its handler.
async fn is_heard(communicator: &Communicator) -> bool {
    let cell = communicator.cell().unwrap();
    let sent = cell.request("server", "test", "echo").timeout(Duration::from_secs(1)).payload(b"x".to_vec());
    sent.send().await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_site_registers_stays_and_leaves() {
    let (network, service) = (MemoryNetwork::new(), service(Some(keys())));
    let mut events = service.events();
    let _server = server(&network, &service).await;
    let site = site(&network, config("site-1", "site-1", "server1")).await;
    assert!(!is_heard(&site).await, "a message without a credential must vanish");

    register(&site).await.unwrap();
    assert_eq!(site.session().as_deref(), Some("NA"));
    assert!(is_heard(&site).await);
    event(&mut events, |event| (event == MembershipEvent::Joined { name: "site-1".into() }).then_some(())).await;
    service.with(|registrar| {
        let member = registrar.member("site-1").unwrap();
        assert_eq!((member.fqcn.as_str(), member.fqsn.as_str(), member.is_leaf), ("site-1", "site-1", true));
        assert_eq!(member.organisation.as_deref(), Some("nvidia"));
    });

    let reply = site.send_heartbeat(&["no-such-job".to_owned()]).await.unwrap();
    assert_eq!(reply.abort_jobs, ["no-such-job"]);
    let address = Fqcn::parse("server").unwrap().child(JOB).unwrap();
    let now = site.cell().unwrap().now();
    service.with(|registrar| registrar.add_job(now, JOB, address.as_fqcn()).unwrap());
    assert_eq!(site.send_heartbeat(&[JOB.to_owned()]).await.unwrap().abort_jobs, [""; 0]);

    site.quit().await.unwrap();
    assert!(!is_heard(&site).await, "a site that has left must not be heard");
    assert!(matches!(site.send_heartbeat(&[]).await, Err(HeartbeatError::NotRegistered)));
    assert_eq!(service.with(|registrar| registrar.members().count()), 0);
}

#[track_caller]
fn check_refusal(error: Result<(), RegisterError>, expected: &str) {
    assert_eq!(error.unwrap_err().to_string(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_said_in_one_line() {
    let (network, service) = (MemoryNetwork::new(), service(Some(keys())));
    let _server = server(&network, &service).await;
    let attempt = async |config: Config| {
        let site = site(&network, config).await;
        let outcome = register(&site).await;
        site.cell().unwrap().shutdown().await;
        outcome
    };
    check_refusal(
        attempt(config("site-1", "site-1", "another-server")).await,
        "the peer that answers for the server has not proved to be `another-server`; check the server identity in the \
         kit and that both kits are of one project",
    );
    check_refusal(
        attempt(config("site-2", "site-1", "server1")).await,
        "the server does not accept the identity of `site-2`; the certificate must bear that name, come from the \
         project's root and be valid now",
    );
    let mut wrong_project = config("site-1", "site-1", "server1");
    wrong_project.project = "another".to_owned();
    check_refusal(
        attempt(wrong_project).await,
        "the server refuses the registration of `site-1`: unauthenticated: Requested task does not match the current \
         server task; expected the name of the server's project, take a kit of that project",
    );
    service.with(|registrar| registrar.disable("site-1"));
    check_refusal(
        attempt(config("site-1", "site-1", "server1")).await,
        "the server refuses the registration of `site-1`: unauthenticated: Client 'site-1' is disabled",
    );
    assert!(service.with(|registrar| registrar.enable("site-1")));
    attempt(config("site-1", "site-1", "server1")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_later_is_waited_for_and_one_that_never_comes_is_not() {
    let network = MemoryNetwork::new();
    let mut impatient = config("site-2", "site-2", "server1");
    impatient.register_patience = Some(Duration::from_secs(7));
    let impatient = site(&network, impatient).await;
    let error = register(&impatient).await.unwrap_err();
    assert!(matches!(error, RegisterError::Unreachable { .. }), "{error}");

    let patient = site(&network, config("site-1", "site-1", "server1")).await;
    let registering = tokio::spawn(async move { register(&patient).await });
    tokio::time::advance(Duration::from_secs(30)).await;
    let service = service(Some(keys()));
    let _server = server(&network, &service).await;
    registering.await.unwrap().unwrap();
}

#[derive(Default)]
struct Aborted(Mutex<Vec<String>>);

impl Jobs for Aborted {
    fn running(&self) -> Vec<String> {
        vec!["lost".to_owned()]
    }

    fn abort(&self, job: &str) {
        self.0.lock().unwrap().push(job.to_owned());
    }
}

#[tokio::test(start_paused = true)]
async fn a_site_outlives_a_server_that_forgets_it_and_one_that_remembers() {
    let (network, first, disk) = (MemoryNetwork::new(), service(Some(keys())), SimulatedDisk::new());
    let keep = |service: &MembershipService, now| service.keep_tokens_on(disk.clone(), [7; 32], now).unwrap();
    assert_eq!(keep(&first, UnixTime::from_secs(0)), 0);
    let cell = server(&network, &first).await;
    let site = site(&network, config("site-1", "site-1", "server1")).await;
    register(&site).await.unwrap();
    let (aborted, stop) = (Arc::new(Aborted::default()), CancellationToken::new());
    let beating = {
        let (site, aborted, stop) = (site.clone(), aborted.clone(), stop.clone());
        tokio::spawn(async move { site.heartbeats(&*aborted, &stop).await })
    };

    // A server that has kept its tokens knows the site at once.
    cell.shutdown().await;
    let second = service(Some(keys()));
    assert_eq!(keep(&second, cell.now()), 1);
    let mut events = second.events();
    let cell = server(&network, &second).await;
    heard(&site).await;
    assert!(events.try_recv().is_err(), "nobody has registered");

    // One that has not is registered with again.
    cell.shutdown().await;
    let third = service(Some(keys()));
    let mut events = third.events();
    let _cell = server(&network, &third).await;
    event(&mut events, |event| (event == MembershipEvent::Joined { name: "site-1".into() }).then_some(())).await;
    heard(&site).await;
    assert!(aborted.0.lock().unwrap().iter().any(|job| job == "lost"));
    stop.cancel();
    beating.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_site_counts_as_dead_until_it_is_heard_of_again() {
    let (network, service) = (MemoryNetwork::new(), service(Some(keys())));
    let _server = server(&network, &service).await;
    let site = site(&network, config("site-1", "site-1", "server1")).await;
    register(&site).await.unwrap();
    let mut events = service.events();
    assert_eq!(events.recv().await.unwrap(), MembershipEvent::Dead { name: "site-1".into() });
    assert_eq!(service.with(|registrar| registrar.member("site-1").unwrap().presence), Presence::Dead);
    site.send_heartbeat(&[]).await.unwrap();
    assert_eq!(events.recv().await.unwrap(), MembershipEvent::Revived { name: "site-1".into() });
}

#[tokio::test(start_paused = true)]
async fn a_site_whose_token_was_taken_away_is_told_at_once_and_no_other() {
    let (network, service) = (MemoryNetwork::new(), service(Some(keys())));
    let _server = server(&network, &service).await;
    let (gone, stays) = (config("site-1", "site-1", "server1"), config("site-2", "site-2", "server1"));
    let (gone, stays) = (site(&network, gone).await, site(&network, stays).await);
    register(&gone).await.unwrap();
    register(&stays).await.unwrap();
    service.with(|registrar| registrar.remove("site-1"));
    let started = tokio::time::Instant::now();
    assert!(matches!(gone.send_heartbeat(&[]).await, Err(HeartbeatError::Forgotten { .. })));
    assert!(started.elapsed() < Duration::from_secs(1), "nobody has waited for an answer");
    stays.send_heartbeat(&[]).await.unwrap();
    register(&gone).await.unwrap();
    gone.send_heartbeat(&[]).await.unwrap();
}

/// On a channel whose requests are streams: in one chunk, and in more than a window of them.
#[tokio::test(start_paused = true)]
async fn a_streamed_request_without_a_good_token_fails_at_once_and_leaves_nothing_behind() {
    let (network, service) = (MemoryNetwork::new(), service(Some(keys())));
    let server = server(&network, &service).await;
    let site = site(&network, config("site-1", "site-1", "server1")).await;
    register(&site).await.unwrap();
    let cell = site.cell().unwrap();
    let submit = async |bytes: usize| {
        let draft = cell.request("server", Channel::SERVER_COMMAND, ServerCommand::SUBMIT_UPDATE);
        draft.payload(vec![7_u8; bytes]).timeout(Duration::from_secs(600)).send().await.and_then(Response::success)
    };
    for bytes in [1, 100 << 20] {
        submit(bytes).await.unwrap();
    }
    service.with(|registrar| registrar.remove("site-1"));
    for bytes in [1, 100 << 20] {
        let started = tokio::time::Instant::now();
        let error = submit(bytes).await.unwrap_err();
        assert_eq!(error.return_code(), ReturnCode::UNAUTHENTICATED, "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(1), "nobody has waited for an answer");
        let (_, incoming, bytes) = server.streams();
        assert_eq!((incoming, bytes), (0, 0), "nothing of it is kept");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(cell.streams().0, 0, "and nothing more of it is sent");
    }
}

/// Whatever is asked first hears of it; the next heartbeat is far away.
#[tokio::test(start_paused = true)]
async fn a_site_that_asks_for_a_task_and_is_not_known_registers_again_at_once_but_not_again_and_again() {
    let (network, service) = (MemoryNetwork::new(), service(Some(keys())));
    let _server = server(&network, &service).await;
    let mut config = config("site-1", "site-1", "server1");
    config.heartbeat_interval = Duration::from_secs(3600);
    let site = site(&network, config).await;
    register(&site).await.unwrap();
    let mut events = service.events();
    let (beating, stop) = (site.clone(), CancellationToken::new());
    let beating = async { beating.heartbeats(&(), &stop).await.unwrap() };
    let working = async {
        let arrived = |event| matches!(event, MembershipEvent::Arrived { .. }).then_some(());
        event(&mut events, arrived).await;
        let mut started = tokio::time::Instant::now();
        for attempt in 0..3 {
            service.with(|registrar| registrar.remove("site-1"));
            assert!(matches!(site.pull_task("job", None).await, Err(TaskError::Forgotten)));
            event(&mut events, arrived).await;
            let (took, interval) = (started.elapsed(), site.config().register_interval);
            assert!(if attempt == 0 { took < interval / 2 } else { took >= interval }, "{attempt}: {took:?}");
            started = tokio::time::Instant::now();
        }
        stop.cancel();
    };
    tokio::join!(beating, working);
}

/// Keeps nothing but what it was told, once it is let, and fails as often as it is told to.
#[derive(Default)]
struct Book {
    failures: AtomicUsize,
    calls: Mutex<Vec<Vec<TokenChange>>>,
}

impl TokenKeeper for Book {
    fn keep(&self, changes: &[TokenChange]) -> io::Result<()> {
        self.calls.lock().unwrap().push(changes.to_vec());
        let fails = self.failures.try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if fails.is_ok() { Err(io::Error::other("no room")) } else { Ok(()) }
    }
}

fn names(changes: &[TokenChange]) -> Vec<String> {
    let name = |change: &TokenChange| match change {
        TokenChange::Issued { token, member } if token.client_name == member.name => format!("+{}", member.name),
        TokenChange::Revoked { name } => format!("-{name}"),
        other => panic!("{other:?}"),
    };
    changes.iter().map(name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_token_leaves_when_it_is_kept_and_not_if_it_cannot_be() {
    let (network, service, book) = (MemoryNetwork::new(), service(Some(keys())), Arc::new(Book::default()));
    assert!(service.keep_tokens(book.clone()) && !service.keep_tokens(book.clone()));
    let _server = server(&network, &service).await;
    let site = site(&network, config("site-1", "site-1", "server1")).await;
    register(&site).await.unwrap();
    assert_eq!(names(&book.calls.lock().unwrap().concat()), ["+site-1"]);
    site.quit().await.unwrap();
    assert_eq!(names(&book.calls.lock().unwrap().concat()), ["+site-1", "-site-1"]);

    // A disk that is full once: the client is told to ask again, and what it was given is taken back.
    book.calls.lock().unwrap().clear();
    book.failures.store(1, Ordering::SeqCst);
    register(&site).await.unwrap();
    assert!(is_heard(&site).await);
    service.kept().await.unwrap();
    let calls = book.calls.lock().unwrap();
    assert_eq!(names(&calls[0]), ["+site-1"], "failed");
    assert_eq!(names(&calls[1])[0], "+site-1", "what could not be kept comes again, first");
    assert_eq!(names(&calls[1..].concat()), ["+site-1", "-site-1", "+site-1"]);
}

#[test]
fn who_was_put_out_while_its_proof_was_verified_is_not_let_in() {
    let mut registrar = Registrar::new(RegistrarConfig::new(PROJECT), Some(keys())).unwrap();
    let party = ClientParty::new(identity("site-1"), root(), CommonName::parse("server1").unwrap()).unwrap();
    let (now, origin) = (UnixTime::from_secs(1_784_500_000), Fqcn::parse("site-1").unwrap());
    let mut rng = SystemRandom::new();
    let mut prove = |registrar: &mut Registrar| {
        let challenge = ClientChallenge::start(&party, now, &mut rng);
        let reply = registrar.handle_challenge(now, &mut rng, origin, &challenge.request()).unwrap().sign().unwrap();
        let (registration, verifier) = challenge.verify_server(&reply, now).unwrap().register().unwrap();
        let mut applicant = Applicant::new("site-1", PROJECT);
        applicant.claim = Some(registration.into_claim());
        let candidate = registrar.handle_registration(now, origin, applicant).unwrap();
        (candidate.prove(now, &mut rng).unwrap().unwrap(), verifier)
    };
    let tokens = registrar.tokens().unwrap();
    let site = CommonName::parse("site-1").unwrap();
    let is_good = |granted: &Granted| {
        let headers =
            AuthHeaders { client_name: "site-1", token: granted.token.expose(), signature: granted.signature.expose() };
        tokens.authenticate(now, &headers, "site-1").is_ok()
    };

    let (proved, _) = prove(&mut registrar);
    registrar.disable("site-1");
    assert_eq!(registrar.admit(now, proved).unwrap_err().to_string(), "unauthenticated: Client 'site-1' is disabled");
    assert_eq!(registrar.members().count(), 0);
    registrar.enable("site-1");

    // Of two that are on their way the one that is admitted last is good, and the other is not.
    let ((first, _), (second, verifier)) = (prove(&mut registrar), prove(&mut registrar));
    let first = registrar.admit(now, first).unwrap();
    assert!(is_good(&first));
    let second = registrar.admit(now, second).unwrap();
    verifier.accept(&site, second.token.expose(), second.signature.expose()).unwrap();
    assert!(is_good(&second) && !is_good(&first));
    registrar.remove("site-1");
    assert!(!is_good(&second));
}

#[tokio::test(start_paused = true)]
async fn a_federation_without_keys_needs_no_proof() {
    let (network, service) = (MemoryNetwork::new(), service(None));
    let _server = server(&network, &service).await;
    let open = Config::new(CommonName::parse("site-1").unwrap(), PROJECT);
    let site = site(&network, open).await;
    register(&site).await.unwrap();
    site.send_heartbeat(&[]).await.unwrap();
    site.quit().await.unwrap();

    let secured = MemoryNetwork::new();
    let _server = server(&secured, &service).await;
    let keyed = self::site(&secured, config("site-1", "site-1", "server1")).await;
    check_refusal(
        register(&keyed).await,
        "the server refuses the challenge of `site-1`: unauthenticated: server is not in secure mode; expected no \
         certificate, start the server with its kit or this client without one",
    );
}

/// What a site says of itself is bounded, whatever form it has: all members are kept in memory and in one file.
#[tokio::test(start_paused = true)]
async fn a_site_that_says_too_much_of_itself_is_refused_or_not_listened_to() {
    let (network, service) = (MemoryNetwork::new(), service(Some(keys())));
    service.keep_tokens_on(SimulatedDisk::new(), [7; 32], UnixTime::from_secs(0)).unwrap();
    let _server = server(&network, &service).await;

    let mut talker = config("site-1", "site-1", "server1");
    talker.site_config = Some(Map::from([("blob", Value::Bytes(Bytes::from(vec![0; 2 << 20]).into()))]));
    register(&site(&network, talker.clone()).await).await.unwrap();
    assert!(service.with(|registrar| registrar.member("site-1").unwrap().site_config.is_none()));

    talker.fqsn = "x".repeat(2 << 20);
    let refused = register(&site(&network, talker).await).await.unwrap_err();
    assert!(matches!(&refused, RegisterError::Refused { text, .. } if text.contains("FQSN")), "{refused}");
    register(&site(&network, config("site-2", "site-2", "server1")).await).await.unwrap();
}
