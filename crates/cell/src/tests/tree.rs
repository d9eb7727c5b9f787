//! Trees of cells: routes over several hops, lost connections, the in-band network commands.

use fedcell_cell_proto::identity::IdentityError;
use fedcell_cell_proto::link::CloseReason;
use fedcell_fobs::Value;
use fedcell_protocol_defs::cell::{NetTopic, ReturnCode};

use super::*;
use crate::network::{MemberState, SubnetEvent};
use crate::{CellEvent, PeerNameCheck};

/// server ◄── site-1 ◄── site-1.job ◄── site-1.job.rank, and site-2 beside.
struct Tree {
    server: Cell,
    site: Cell,
    job: Cell,
    rank: Cell,
    other: Cell,
}

async fn child(name: &str, parent: &Cell) -> Cell {
    let url = url_of(parent, &ConnectorUse::InternalListener);
    let child = Cell::builder(name)
        .security(SecurityMode::Clear)
        .parent_url(url)
        .listen_internal("tcp://127.0.0.1:0")
        .start()
        .await
        .unwrap();
    tokio::time::timeout(PATIENCE, child.ready()).await.expect("the child does not reach its parent");
    child.handle("test", "echo", echo);
    child
}

async fn tree() -> Tree {
    let server = server().await;
    let url = url_of(&server, &ConnectorUse::ExternalListener);
    let site = Cell::builder("site-1")
        .security(SecurityMode::Clear)
        .root_url(url)
        .listen_internal("tcp://127.0.0.1:0")
        .start()
        .await
        .unwrap();
    site.ready().await;
    site.handle("test", "echo", echo);
    let job = child("site-1.job", &site).await;
    let rank = child("site-1.job.rank", &job).await;
    let other = super::site("site-2", &server).await;
    Tree { server, site, job, rank, other }
}

/// What the closed connection says of who answered where somebody else was dialled.
#[track_caller]
fn assert_not_expected(event: CellEvent, answered: &str, dialled: &str) {
    let CellEvent::Closed { reason: CloseReason::Refused(error), .. } = event else { panic!("{event:?}") };
    let IdentityError::NotExpected { name, expected } = error else { panic!("{error:?}") };
    assert_eq!((name.as_str(), expected.to_string().as_str()), (answered, dialled));
}

#[tokio::test]
async fn who_answers_a_dial_must_bear_the_expected_name() {
    let tree = tree().await;
    // The URL of a parent leads to a sibling, that of the server to a site.
    let url = url_of(&tree.site, &ConnectorUse::InternalListener);
    let clear = |name: &str| Cell::builder(name).security(SecurityMode::Clear);
    let (lost, mut events) = watched(clear("site-2.job").parent_url(url.as_str())).await;
    assert_not_expected(events.next().await.unwrap(), "site-1", "site-2");
    assert!(lost.peers().is_empty() && !lost.is_ready());
    let (_lost, mut events) = watched(clear("site-3").root_url(url.as_str())).await;
    assert_not_expected(events.next().await.unwrap(), "site-1", "the server");
    // The reference takes whoever answers, and so do we if we are told to.
    let builder = clear("site-2.job").parent_url(url).peer_name_check(PeerNameCheck::DangerOff);
    let (trusting, mut events) = watched(builder).await;
    assert!(matches!(events.next().await, Some(CellEvent::PeerUp { peer, .. }) if peer == address("site-1")));
    assert!(!trusting.is_ready());
}

#[tokio::test]
async fn every_cell_reaches_every_other() {
    let tree = tree().await;
    let cells = [&tree.server, &tree.site, &tree.job, &tree.rank, &tree.other];
    for from in cells {
        for to in cells {
            let draft = from.request(to.address(), "test", "echo").direct().payload(b"x".to_vec()).timeout(PATIENCE);
            let response = draft.send().await.unwrap_or_else(|error| panic!("{from:?} to {to:?}: {error}"));
            assert_eq!(response.bytes(), "x", "{from:?} to {to:?}");
        }
    }
    for cell in cells {
        assert_eq!(cell.waiting_requests(), 0);
    }
}

#[tokio::test]
async fn the_network_can_be_asked_about() {
    let tree = tree().await;
    let network = tree.other.network();
    let server = address("server");
    let mut cells = network.cells(&server).await.unwrap();
    cells.sort();
    assert_eq!(cells, ["server", "site-1", "site-1.job", "site-1.job.rank", "site-2"]);
    let mut peers = network.peers(&server).await.unwrap();
    peers.sort();
    assert_eq!(peers, ["site-1", "site-2"]);

    let hops = |headers: &Value| -> Vec<String> {
        let route = headers.as_map().unwrap().get("cn__route").unwrap();
        let hop = |hop: std::borrow::Cow<'_, Value>| hop.items().unwrap().next().unwrap().as_str().unwrap().to_owned();
        route.items().unwrap().map(hop).collect()
    };
    let report = network.route(&address("site-1.job.rank")).await.unwrap();
    assert_eq!(hops(&report.request), ["site-2", "server", "site-1", "site-1.job", "site-1.job.rank"]);
    assert_eq!(hops(&report.reply), ["site-1.job.rank", "site-1.job", "site-1", "server", "site-2"]);
    let report = network.route_from(&server, &address("site-1.job")).await.unwrap();
    assert_eq!(hops(&report.request), ["server", "site-1", "site-1.job"]);

    let told = network.conns(&address("site-1")).await.unwrap();
    let told = told.as_map().unwrap();
    assert!(told.get("bb_ext_connector").is_some() && told.get("int_listener").is_some(), "{told:?}");
    let told = network.speed(&address("site-1"), &server, 5, 1).await.unwrap();
    let errors = ["timeouts", "comm_errors", "size_errors", "proc_errors", "other_errors"];
    assert!(errors.iter().all(|key| told.as_map().unwrap().get(key).unwrap().as_i64() == Some(0)), "{told:?}");
    let pools = network.pools(&server).await.unwrap();
    assert!(pools.rows.iter().any(|row| row[0] == "request_processing"));
    network.pool(&server, "Request_Processing", "count").await.unwrap();
    let error = network.pool(&server, "none", "").await.unwrap_err();
    assert_eq!(error.return_code(), ReturnCode::INVALID_REQUEST);
    let process = network.process(&server).await.unwrap();
    assert_eq!(process.rows[0], ["Process ID", &std::process::id().to_string()]);
    let use_of = network.command(&server, NetTopic::URL_USE, Some(&Value::from("tcp://nowhere:1"))).await.unwrap();
    assert_eq!(use_of.as_map().unwrap().get("site-1.job").unwrap().as_str(), Some("none"));
}

#[tokio::test]
async fn a_cell_told_to_stop_stops_with_all_below() {
    let tree = tree().await;
    tree.server.network().command(&address("site-1"), NetTopic::STOP_CELL, None).await.unwrap();
    for cell in [&tree.site, &tree.job, &tree.rank] {
        tokio::time::timeout(PATIENCE, cell.ended()).await.expect("a cell goes on");
    }
    assert_eq!(tree.server.peers(), [address("site-2")]);
}

#[tokio::test]
async fn a_site_comes_back_when_its_server_does() {
    let server = server().await;
    let bound = server.connectors()[0].bound.unwrap();
    let site = site("site-1", &server).await;
    let mut events = site.events();
    // Not a shutdown: the server is gone without a word.
    drop(server);
    assert!(matches!(events.next().await, Some(CellEvent::PeerDown { .. })));
    assert!(!site.is_ready());
    let url = format!("tcp://{bound}");
    let again = loop {
        // The tasks of the old server may hold the port for a moment.
        match Cell::builder("server").security(SecurityMode::Clear).root_url(&url).start().await {
            Ok(server) => break server,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    again.handle("test", "echo", echo);
    tokio::time::timeout(PATIENCE, site.ready()).await.expect("the site does not come back");
    site.request("server", "test", "echo").direct().send().await.unwrap().success().unwrap();
}

#[tokio::test]
async fn a_second_connection_under_a_name_takes_the_place_of_the_first() {
    let server = server().await;
    let first = site("site-1", &server).await;
    let mut events = first.events();
    let second = site("site-1", &server).await;
    assert!(matches!(events.next().await, Some(CellEvent::PeerDown { .. })));
    assert_eq!(server.peers(), [address("site-1")]);
    second.request("server", "test", "echo").direct().send().await.unwrap().success().unwrap();
}

#[tokio::test]
async fn the_root_can_be_changed() {
    let (old, new) = (server().await, server().await);
    let site = site("site-1", &old).await;
    site.change_root(&url_of(&new, &ConnectorUse::ExternalListener)).await.unwrap();
    tokio::time::timeout(PATIENCE, new.connected(address("site-1").as_fqcn())).await.expect("the site did not come");
    tokio::time::timeout(PATIENCE, site.ready()).await.unwrap();
    site.request("server", "test", "echo").direct().send().await.unwrap().success().unwrap();
    assert!(old.peers().is_empty());
}

#[tokio::test]
async fn cells_that_talk_over_the_server_connect_directly_if_they_may() {
    let server = server().await;
    let url = url_of(&server, &ConnectorUse::ExternalListener);
    let direct = |name: &str| {
        let builder = Cell::builder(name).security(SecurityMode::Clear).root_url(url.clone());
        builder.adhoc(fedcell_cell_proto::adhoc::AdhocPolicy::On).start()
    };
    let (one, two) = (direct("site-1").await.unwrap(), direct("site-2").await.unwrap());
    one.ready().await;
    two.ready().await;
    one.handle("test", "echo", echo);
    two.request("site-1", "test", "echo").direct().send().await.unwrap().success().unwrap();
    tokio::time::timeout(PATIENCE, two.connected(address("site-1").as_fqcn())).await.expect("no direct connection");
    let report = two.network().route(&address("site-1")).await.unwrap();
    assert_eq!(report.request.as_map().unwrap().get("cn__from").unwrap().as_str(), Some("site-2"));
}

#[tokio::test]
async fn a_subnet_is_watched_by_its_heartbeats() {
    let server = server().await;
    let (one, two) = (site("site-1", &server).await, site("site-2", &server).await);
    let members = || [address("site-1"), address("site-2"), address("site-3")];
    let silence = Duration::from_millis(200);
    assert!(server.network().watch_subnet("ring", [], silence).is_err());
    let mut monitor = server.network().watch_subnet("ring", members(), silence).unwrap();
    assert!(server.network().watch_subnet("ring", members(), silence).is_err(), "one monitor for a subnet");
    let _stranger = two.network().join_subnet("another", &address("server"));
    let membership = one.network().join_subnet("ring", &address("server"));
    assert_eq!(monitor.next().await, Some(SubnetEvent::Online(address("site-1"))));
    let states: Vec<_> = monitor.members().into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [MemberState::Online, MemberState::Unknown, MemberState::Unknown]);
    // The next heartbeat comes after five seconds: later than this monitor has patience for.
    assert_eq!(monitor.next().await, Some(SubnetEvent::Offline(address("site-1"))));
    drop(membership);
    let _again = one.network().join_subnet("ring", &address("server"));
    assert_eq!(monitor.next().await, Some(SubnetEvent::Online(address("site-1"))));
    let stopped = monitor.stop_subnet().await.unwrap();
    assert_eq!(stopped.len(), 1);
    assert_eq!(stopped[0].1.as_ref().unwrap().return_code(), ReturnCode::OK);
    one.ended().await;
    drop(monitor);
    assert!(server.network().watch_subnet("ring", members(), silence).is_ok());
}

/// Keys of a dict with the kinds of their values, as `key: kind`.
fn shape(value: &Value) -> Vec<String> {
    let mut shape: Vec<String> = value
        .as_map()
        .unwrap()
        .iter()
        .map(|(key, value)| format!("{}: {}", key.as_str().unwrap(), value.kind()))
        .collect();
    shape.sort();
    shape
}

/// What a running reference cell answers, key by key; the interop rows ask one.
#[tokio::test]
async fn settings_and_connectors_are_told_under_the_names_of_the_reference() {
    let tree = tree().await;
    let network = tree.server.network();
    let settings = network.config_vars(&address("site-1")).await.unwrap();
    let (text, flag, whole, number) =
        [Value::from("x"), Value::from(true), Value::from(1_i64), Value::from(1.5)].map(|value| value.kind()).into();
    assert_eq!(
        shape(&settings),
        [
            format!("adhoc_conn_scheme: {text}"),
            format!("allow_adhoc_conns: {flag}"),
            format!("backbone_conn_gen: {whole}"),
            format!("heartbeat_interval: {whole}"),
            format!("internal_conn_scheme: {text}"),
            format!("max_message_size: {whole}"),
            format!("sfm_close_stalled_connection: {flag}"),
            format!("sfm_send_stall_consecutive_checks: {whole}"),
            format!("sfm_send_stall_timeout: {number}"),
            format!("streaming_send_timeout: {number}"),
            format!("tcp_no_delay: {flag}"),
        ]
    );
    let conns = network.conns(&address("site-1.job")).await.unwrap();
    let conns = conns.as_map().unwrap();
    let params = |key: &str| shape(conns.get(key).unwrap().as_map().unwrap().get("params").unwrap());
    let expected: Vec<String> =
        ["connection_security", "frag", "host", "implemented_conn_sec", "params", "path", "port"]
            .iter()
            .chain(["query", "scheme"].iter())
            .map(|key| format!("{key}: {text}"))
            .chain([format!("secure: {flag}"), format!("url: {text}")])
            .collect();
    for key in ["int_listener", "bb_int_connector"] {
        assert_eq!(params(key), expected, "{key}");
    }
}

#[tokio::test]
async fn writes_are_counted_by_transport() {
    let server = server().await;
    let site = site("site-1", &server).await;
    let pools = site.network().pools(&address("server")).await.unwrap();
    assert_eq!(pools.rows.len(), 12);
    assert!(pools.rows.is_sorted(), "{pools:?}");
    let pool = site.network().pool(&address("server"), "sfm_send_frame", "count").await.unwrap();
    assert_eq!(pool.rows.iter().map(|row| row[0].as_str()).collect::<Vec<_>>(), ["TcpDriver"]);
    assert!(pool.rows[0].last().unwrap().parse::<u64>().unwrap() > 1);
}

#[tokio::test]
async fn a_guest_asks_by_the_cell_above_its_parent_whether_that_is_there_or_not() {
    let tree = tree().await;
    let url = url_of(&tree.site, &ConnectorUse::InternalListener);
    let guest = |name: &str, host: &str| {
        Cell::builder(name).security(SecurityMode::Clear).parent_url(url.clone()).guest_of(host)
    };
    for parent in ["site-1.job", "site-1.gone"] {
        let guest = guest(&format!("{parent}.tool"), "site-1").start().await.unwrap();
        tokio::time::timeout(PATIENCE, guest.ready()).await.expect("the guest does not reach its host");
        for target in ["server", "site-1"] {
            let reply = guest.request(target, "test", "echo").send().await.unwrap();
            assert_eq!(reply.return_code(), ReturnCode::OK, "{parent}, {target}");
        }
        guest.shutdown().await;
    }
    let lost = guest("site-1.gone.tool", "site-2").build().unwrap();
    let mut events = lost.events();
    let lost = lost.start().await.unwrap();
    assert_not_expected(events.next().await.unwrap(), "site-1", "site-2");
    assert!(!lost.is_ready());
}
