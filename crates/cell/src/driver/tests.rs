//! Dialling and accepting over loopback and in memory, with peers that do not behave.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::accept::{AcceptContext, Accepting, accept_loop};
use super::admission::{Admission, AdmissionLimits};
use super::dial::DialContext;
use super::memory::MemoryNetwork;
use super::stream::Link;
use super::tcp::TcpListener;
use super::transport::TransportKind;
use super::{Facts, Slot};
use crate::security::tests::{Authority, Kit, Side as KitSide};
use crate::security::{SecurityMode, TlsClient, TlsServer};

type Accepted = mpsc::UnboundedReceiver<(Link, Facts, Slot)>;

struct Server {
    port: u16,
    accepted: Accepted,
    admission: Admission,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(kit: Option<&Kit>, limits: AdmissionLimits) -> Server {
    let listener = TcpListener::bind("127.0.0.1", 0).await.unwrap();
    let port = listener.address().port();
    let security = if kit.is_some() { SecurityMode::Mtls } else { SecurityMode::Clear };
    let admission = Admission::new(limits);
    let context = AcceptContext {
        url: "tcp://0:0".into(),
        security,
        tls: kit.and_then(|kit| TlsServer::load(&kit.credentials(), security).unwrap()),
        admin_listener: false,
        admission: admission.clone(),
        handshake_timeout: Duration::from_secs(10),
    };
    let (sender, accepted) = mpsc::unbounded_channel();
    let start = move |link, facts, slot| drop(sender.send((link, facts, slot)));
    let task = tokio::spawn(accept_loop(Accepting::Tcp(listener), Arc::new(context), start));
    Server { port, accepted, admission, task }
}

fn dialler(port: u16, kit: Option<&Kit>, expected: Option<&str>) -> DialContext {
    let security = if kit.is_some() { SecurityMode::Mtls } else { SecurityMode::Clear };
    DialContext {
        url: format!("tcp://localhost:{port}").into(),
        transport: TransportKind::Tcp,
        host: "localhost".to_owned(),
        port,
        security,
        tls: kit.and_then(|kit| TlsClient::load(&kit.credentials(), security).unwrap()),
        expected_identity: expected.map(ToOwned::to_owned),
        expected_peer: None,
        memory: MemoryNetwork::new(),
        timeout: Duration::from_secs(10),
        redial: (Duration::from_secs(1), Duration::from_secs(10)),
    }
}

#[tokio::test]
async fn facts_of_a_clear_connection() {
    let mut server = serve(None, AdmissionLimits::default()).await;
    let (_link, near) = dialler(server.port, None, None).dial().await.unwrap();
    let (_far_link, far, _slot) = server.accepted.recv().await.unwrap();
    assert_eq!(near.peer_address, format!("127.0.0.1:{}", server.port));
    assert_eq!(near.local_address, far.peer_address);
    assert_eq!((near.identity, far.identity), (None, None));
}

#[tokio::test]
async fn facts_of_a_protected_connection() {
    let authority = Authority::shared();
    let (server_kit, kit) = (authority.kit("server-1", KitSide::Server), authority.kit("site-1", KitSide::Client));
    let mut server = serve(Some(&server_kit), AdmissionLimits::default()).await;
    let (_link, near) = dialler(server.port, Some(&kit), Some("server-1")).dial().await.unwrap();
    let (_far_link, far, _slot) = server.accepted.recv().await.unwrap();
    assert_eq!(near.identity.unwrap().common_name(), Some("server-1"));
    assert_eq!(far.identity.unwrap().common_name(), Some("site-1"));
}

#[tokio::test]
async fn two_thousand_silent_peers_do_not_keep_an_honest_one_out() {
    let authority = Authority::shared();
    let (server_kit, kit) = (authority.kit("server-1", KitSide::Server), authority.kit("site-1", KitSide::Client));
    let limits = AdmissionLimits { total: 64, per_address: 32 };
    let mut server = serve(Some(&server_kit), limits).await;
    let mut silent = Vec::new();
    for _ in 0..2000 {
        silent.push(TcpStream::connect(("127.0.0.1", server.port)).await.unwrap());
    }
    let dialler = dialler(server.port, Some(&kit), None);
    tokio::time::timeout(Duration::from_secs(5), dialler.dial())
        .await
        .expect("the honest peer waits for the silent ones")
        .unwrap();
    let (_link, facts, _slot) = server.accepted.recv().await.unwrap();
    assert_eq!(facts.identity.unwrap().common_name(), Some("site-1"));
    let (pending, evicted) = server.admission.counts();
    assert!(pending <= limits.per_address + 1, "{pending} places are taken");
    assert!(evicted >= 2000 - 32, "{evicted} gave way");
    // The first of them was told.
    assert_eq!(silent[0].read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_hangs_is_ended() {
    let server_kit = Authority::shared().kit("server-1", KitSide::Server);
    let server = serve(Some(&server_kit), AdmissionLimits::default()).await;
    let mut silent = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    // Time is virtual: it jumps to the deadline as soon as nothing else is to be done.
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn cells_of_one_process_meet_in_memory() {
    let network = MemoryNetwork::new();
    let listener = network.listen("server").unwrap();
    assert_eq!(network.listen("server").unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    let context = AcceptContext {
        url: "memory://server".into(),
        security: SecurityMode::Clear,
        tls: None,
        admin_listener: false,
        admission: Admission::new(AdmissionLimits::default()),
        handshake_timeout: Duration::from_secs(10),
    };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let start = {
        let seen = seen.clone();
        move |_: Link, facts: Facts, _: Slot| seen.lock().unwrap().push(facts.transport)
    };
    let accepting = tokio::spawn(accept_loop(Accepting::Memory(listener), Arc::new(context), start));
    network.dial("server").await.unwrap();
    while seen.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    accepting.abort();
    assert!(accepting.await.unwrap_err().is_cancelled());
    assert_eq!(network.dial("server").await.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    network.listen("server").unwrap();
}

#[test]
fn schemes_of_the_reference_are_known() {
    for scheme in ["tcp", "stcp", "atcp", "satcp"] {
        assert_eq!(TransportKind::of_scheme(scheme), Some(TransportKind::Tcp));
    }
    assert_eq!(TransportKind::of_scheme("memory"), Some(TransportKind::Memory));
    assert_eq!(TransportKind::of_scheme("carrier-pigeon"), None);
}
