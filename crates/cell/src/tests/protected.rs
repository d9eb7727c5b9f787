//! Cells with certificates: who gets in, and sealed payloads.

use fedcell_cell_proto::link::{CertificateProblem, CloseReason};
use fedcell_protocol_defs::cell::ReturnCode;

use super::*;
use crate::security::tests::{Authority, Kit, Side};
use crate::{CellEvent, Limits};

async fn server(kit: &Kit) -> Cell {
    let server =
        Cell::builder("server").credentials(kit.credentials()).root_url("tcp://127.0.0.1:0").start().await.unwrap();
    server.handle("test", "echo", echo);
    server
}

/// The site as it is configured, not started yet; the server's certificate bears the name `server-1`.
fn site(name: &str, kit: &Kit, server: &Cell) -> CellBuilder {
    let url =
        url_of(server, &ConnectorUse::ExternalListener).replace("tcp:", "stcp:").replace("127.0.0.1", "localhost");
    Cell::builder(name).credentials(kit.credentials()).identity("server", "server-1").root_url(url)
}

#[tokio::test]
async fn a_kit_opens_the_door_for_its_own_name_only() {
    let authority = Authority::shared();
    let (server_kit, kit) = (authority.kit("server-1", Side::Server), authority.kit("site-1", Side::Client));
    let server = server(&server_kit).await;
    let mut events = server.events();
    let honest = site("site-1", &kit, &server).start().await.unwrap();
    tokio::time::timeout(PATIENCE, honest.ready()).await.expect("the honest site does not get in");
    let up = events.next().await.unwrap();
    assert!(matches!(up, CellEvent::PeerUp { identity: Some(name), .. } if name == "site-1"));

    let (impostor, mut refusals) = watched(site("site-2", &kit, &server)).await;
    assert!(matches!(refusals.next().await, Some(CellEvent::ConnectionRefused { .. })));
    assert!(!impostor.is_ready());
    assert_eq!(server.peers(), [address("site-1")]);
}

#[tokio::test]
async fn a_server_with_the_certificate_of_another_hears_nothing() {
    let authority = Authority::shared();
    let (false_kit, kit) = (authority.kit("site-9", Side::Client), authority.kit("site-1", Side::Client));
    let server = server(&false_kit).await;
    let (_site, mut events) = watched(site("site-1", &kit, &server)).await;
    let Some(CellEvent::DialFailed { reason, .. }) = events.next().await else { panic!("it was not refused") };
    assert_eq!(reason, "the server shows the certificate of `site-9`, expected `server-1`");
    assert!(server.peers().is_empty());
}

#[tokio::test]
async fn sealed_requests_and_replies_pass_a_server_that_cannot_read_them() {
    use fedcell_cell_proto::filter::{FilterContext, Place, Verdict};
    use fedcell_cell_proto::message::Message;
    use fedcell_protocol_defs::cell::HeaderKey;
    let authority = Authority::shared();
    let (server_kit, one_kit, two_kit) = (
        authority.kit("server-1", Side::Server),
        authority.kit("site-1", Side::Client),
        authority.kit("site-2", Side::Client),
    );
    let server = server(&server_kit).await;
    let (one, two) = (
        site("site-1", &one_kit, &server).start().await.unwrap(),
        site("site-2", &two_kit, &server).start().await.unwrap(),
    );
    one.ready().await;
    two.ready().await;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let passed = seen.clone();
    server.filter(Place::Incoming, "test", "*", move |_: &FilterContext<'_>, message: &mut Message| {
        let sealed = message.headers.flag(HeaderKey::ENCRYPTED).unwrap().unwrap_or(false);
        let readable = message.payload.clone().into_bytes().windows(6).any(|window| window == b"secret");
        passed.lock().unwrap().push((sealed, readable));
        Verdict::Pass
    });
    two.handle("test", "echo", echo);
    for _ in 0..3 {
        let draft = one.request("site-2", "test", "echo").direct().payload(b"a secret of mine".to_vec()).sealed();
        let response = draft.timeout(PATIENCE).send().await.unwrap().success().unwrap();
        assert_eq!(response.bytes(), "a secret of mine");
    }
    assert_eq!(*seen.lock().unwrap(), [(true, false); 6]);
}

#[tokio::test]
async fn without_certificates_nothing_can_be_sealed() {
    let server = super::server().await;
    let site = super::site("site-1", &server).await;
    let error =
        site.request("server", "test", "echo").direct().payload(b"x".to_vec()).sealed().send().await.unwrap_err();
    assert_eq!(error.return_code(), ReturnCode::COMM_ERROR, "{error}");
}

#[tokio::test]
async fn a_relay_joins_two_kinds_of_protection() {
    let authority = Authority::shared();
    let (server_kit, kit) = (authority.kit("server-1", Side::Server), authority.kit("relay-1", Side::Client));
    let server = server(&server_kit).await;
    let relay = site("relay-1", &kit, &server).listen_internal("tcp://127.0.0.1:0").start().await.unwrap();
    relay.ready().await;
    let inner = url_of(&relay, &ConnectorUse::InternalListener);
    let child = Cell::builder("relay-1.site-2").parent_url(inner).start().await.unwrap();
    tokio::time::timeout(PATIENCE, child.ready()).await.expect("the child does not reach its relay");
    child.handle("test", "echo", echo);
    let response = child.request("server", "test", "echo").direct().payload(b"up".to_vec()).send().await.unwrap();
    assert_eq!(response.bytes(), "up");
    let response =
        server.request("relay-1.site-2", "test", "echo").direct().payload(b"down".to_vec()).send().await.unwrap();
    assert_eq!(response.bytes(), "down");
}

#[tokio::test]
async fn a_connection_ends_with_the_certificate_of_its_peer() {
    let authority = Authority::shared();
    let hour = Duration::from_secs(3600);
    let (server_kit, kit) = (authority.kit("server-1", Side::Server), authority.kit_for("site-1", Side::Client, hour));
    let server = server(&server_kit).await;
    let mut events = server.events();
    let site = site("site-1", &kit, &server).start().await.unwrap();
    tokio::time::timeout(PATIENCE, site.ready()).await.expect("the site does not get in");
    assert!(matches!(events.next().await, Some(CellEvent::PeerUp { .. })));
    let started = tokio::time::Instant::now();
    tokio::time::pause();
    let CellEvent::Closed { peer, reason, .. } = events.next().await.unwrap() else { panic!("not closed") };
    assert_eq!(peer, Some(address("site-1")));
    assert_eq!(reason, CloseReason::Uncertified { problem: CertificateProblem::Expired });
    let took = started.elapsed();
    assert!(took > hour - PATIENCE && took < hour + PATIENCE, "{took:?}");
}

#[tokio::test]
async fn roots_that_change_on_disk_count_for_connections_that_stand_and_for_new_ones() {
    let (authority, other) = (Authority::shared(), Authority::new("other"));
    let (server_kit, kit) = (authority.kit("server-1", Side::Server), authority.kit("site-1", Side::Client));
    let server = server(&server_kit).await;
    let mut events = server.events();
    let one = site("site-1", &kit, &server).start().await.unwrap();
    tokio::time::timeout(PATIENCE, one.ready()).await.expect("the site does not get in");
    assert!(matches!(events.next().await, Some(CellEvent::PeerUp { .. })));
    let recheck = Limits::default().certificate_recheck;

    // Broken, gone, or empty: the roots that were read stay.
    tokio::time::pause();
    for broken in ["-----BEGIN CERTIFICATE-----\nnonsense\n", "", &server_key(&server_kit)] {
        server_kit.write_roots(broken);
        tokio::time::sleep(recheck * 2).await;
        assert_eq!(server.peers(), [address("site-1")], "{broken:?}");
    }
    std::fs::remove_file(server_kit.path().join("rootCA.pem")).unwrap();
    tokio::time::sleep(recheck * 2).await;
    assert_eq!(server.peers(), [address("site-1")]);
    tokio::time::resume();

    // One root more: its sites get in, and those of the first stay.
    server_kit.write_roots(&[authority.pem(), other.pem()].concat());
    let other_kit = other.kit("site-2", Side::Client);
    other_kit.write_roots(authority.pem());
    let two = site("site-2", &other_kit, &server).start().await.unwrap();
    tokio::time::timeout(PATIENCE, two.ready()).await.expect("a site of the new root does not get in");
    assert!(matches!(events.next().await, Some(CellEvent::PeerUp { peer, .. }) if peer == address("site-2")));

    // The first root is not believed any more.
    server_kit.write_roots(other.pem());
    let started = tokio::time::Instant::now();
    tokio::time::pause();
    let CellEvent::Closed { peer, reason, .. } = events.next().await.unwrap() else { panic!("not closed") };
    assert_eq!(peer, Some(address("site-1")));
    assert_eq!(reason, CloseReason::Uncertified { problem: CertificateProblem::Untrusted });
    assert!(started.elapsed() < recheck + PATIENCE, "{:?}", started.elapsed());
    assert_eq!(server.peers(), [address("site-2")]);
}

/// A file that is no file of certificates.
fn server_key(kit: &Kit) -> String {
    std::fs::read_to_string(kit.path().join("server.key")).unwrap()
}
