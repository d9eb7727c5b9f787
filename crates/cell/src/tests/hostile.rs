//! Peers that mean no good, each with a raw socket, and an honest one beside them.

use fedcell_cell_proto::request::Failure;
use fedcell_protocol_defs::cell::ReturnCode;
use fedcell_protocol_defs::frame::{FrameType, PrefixLayout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::Limits;

async fn dial(server: &Cell) -> TcpStream {
    let bound = server.connectors().into_iter().find_map(|info| info.bound).unwrap();
    TcpStream::connect(bound).await.unwrap()
}

pub(super) fn frame(kind: FrameType, app: u16, headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = PrefixLayout::SIZE + headers.len() + payload.len();
    let mut bytes = u32::try_from(length).unwrap().to_be_bytes().to_vec();
    bytes.extend(u16::try_from(headers.len()).unwrap().to_be_bytes());
    bytes.extend([kind.get(), 0, 0, 0]);
    bytes.extend(app.to_be_bytes());
    bytes.extend([0, 1, 0, 1]);
    bytes.extend(headers);
    bytes.extend(payload);
    bytes
}

pub(super) fn hello(name: &str) -> Vec<u8> {
    let mut payload = vec![0x81, 0xad];
    payload.extend(b"endpoint_name");
    payload.push(0xa0 | u8::try_from(name.len()).unwrap());
    payload.extend(name.as_bytes());
    frame(FrameType::HELLO, 0, b"", &payload)
}

/// Says HELLO and waits for READY.
async fn introduced(server: &Cell, name: &str) -> TcpStream {
    let mut stream = dial(server).await;
    stream.write_all(&hello(name)).await.unwrap();
    let length = stream.read_u32().await.unwrap();
    let mut rest = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut rest).await.unwrap();
    assert_eq!(rest[2], FrameType::READY.get());
    stream
}

/// The server has closed the connection; how it says so depends on what was still to be read.
async fn assert_closed(mut stream: TcpStream) {
    let mut buffer = [0; 1024];
    let read = tokio::time::timeout(PATIENCE, async { while stream.read(&mut buffer).await.unwrap_or(0) > 0 {} });
    read.await.expect("the connection stays open");
}

async fn assert_well(site: &Cell) {
    let response = site.request("server", "test", "echo").direct().payload(b"still here".to_vec()).timeout(PATIENCE);
    assert_eq!(response.send().await.unwrap().bytes(), "still here");
}

#[tokio::test]
async fn garbage_closes_its_own_connection_only() {
    let server = server().await;
    let site = site("site-1", &server).await;
    let oversize = [&0x7fff_ffff_u32.to_be_bytes()[..], &[0; 12]].concat();
    for garbage in [
        b"GET / HTTP/1.1\r\nHost: server\r\n\r\n".to_vec(),
        vec![0; 64],
        vec![0xff; 64],
        oversize,
        frame(FrameType::DATA, 1, b"", b"before any introduction"),
        frame(FrameType::HELLO, 0, b"", b"\xc1"),
        hello("no address"),
        hello("server"),
    ] {
        let mut stream = dial(&server).await;
        // The server may close before all is written.
        let _ = stream.write_all(&garbage).await;
        assert_closed(stream).await;
    }
    assert_well(&site).await;
    assert_eq!(server.unknown_peers().0, 0);
}

#[tokio::test]
async fn a_frame_of_two_gibibytes_may_be_stated_once_known_and_costs_nothing() {
    let server = server().await;
    let site = site("site-1", &server).await;
    let mut stream = introduced(&server, "site-2").await;
    stream.write_all(&0x7fd0_0000_u32.to_be_bytes()).await.unwrap();
    stream.write_all(&[0, 0, 1, 0, 0, 0, 0, 1, 0, 17, 0, 2]).await.unwrap();
    stream.write_all(&[0; 1000]).await.unwrap();
    assert_well(&site).await;
    drop(stream);
    assert_well(&site).await;
}

#[tokio::test]
async fn messages_without_sense_are_dropped_and_counted() {
    let server = server().await;
    let site = site("site-1", &server).await;
    let mut stream = introduced(&server, "site-2").await;
    // No map, a map of 60000 entries that are not there, a map without the mandatory headers.
    for headers in [&b"\xc1"[..], b"\xde\xea\x60", b"\x81\xa1a\x01"] {
        stream.write_all(&frame(FrameType::DATA, 1, headers, b"x")).await.unwrap();
    }
    while server.drops().malformed < 3 {
        tokio::task::yield_now().await;
    }
    assert_well(&site).await;
}

#[tokio::test]
async fn a_neighbour_cannot_speak_for_another() {
    let server = server().await;
    let site = site("site-1", &server).await;
    let impostor = super::site("site-2", &server).await;
    impostor.filter(
        fedcell_cell_proto::filter::Place::OutgoingRequest,
        "test",
        "echo",
        |_: &fedcell_cell_proto::filter::FilterContext<'_>, message: &mut fedcell_cell_proto::message::Message| {
            message.headers.insert(fedcell_protocol_defs::cell::HeaderKey::ORIGIN, "site-1");
            fedcell_cell_proto::filter::Verdict::Pass
        },
    );
    impostor.fire("server", "test", "echo").direct().send().await.unwrap();
    while server.drops().forged_origin < 1 {
        tokio::task::yield_now().await;
    }
    assert_well(&site).await;
}

#[tokio::test]
async fn two_thousand_connections_that_never_speak_keep_nobody_out() {
    let server = server().await;
    let early = site("site-1", &server).await;
    let mut silent = Vec::new();
    for _ in 0..2000 {
        silent.push(dial(&server).await);
    }
    let late = site("site-2", &server).await;
    assert_well(&early).await;
    assert_well(&late).await;
    assert!(server.unknown_peers().0 <= 128);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_say_a_name_is_closed() {
    let network = MemoryNetwork::new();
    let server = builder("server", &network).root_url("memory://hub").start().await.unwrap();
    let started = tokio::time::Instant::now();
    let link = network.dial("hub").await.unwrap();
    let mut reading = link.reading;
    let mut buffer = bytes::BytesMut::new();
    assert_eq!(reading.read(&mut buffer, 1024, usize::MAX).await.unwrap(), 0);
    assert_eq!(started.elapsed().as_secs(), 10);
    assert_eq!(server.unknown_peers().0, 0);
}

#[tokio::test]
async fn a_flood_is_read_only_as_fast_as_it_is_handled() {
    let limits = Limits { handlers: 4, waiting_requests: 64, ..Limits::default() };
    let server = Cell::builder("server")
        .security(SecurityMode::Clear)
        .root_url("tcp://127.0.0.1:0")
        .limits(limits)
        .start()
        .await
        .unwrap();
    server.handle("test", "echo", echo);
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let (waiting, handled) = (gate.clone(), std::sync::Arc::new(core::sync::atomic::AtomicUsize::new(0)));
    let count = handled.clone();
    server.handle("test", "slow", move |_: Request| {
        let (gate, count) = (waiting.clone(), count.clone());
        async move {
            drop(gate.acquire().await);
            count.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        }
    });
    let site = site("site-1", &server).await;
    let flooding = {
        let site = site.clone();
        tokio::spawn(async move {
            for _ in 0..2000 {
                site.fire("server", "test", "slow").direct().payload(vec![0; 4096]).send().await.unwrap();
            }
        })
    };
    // All are sent: what the server does not read waits with the sender and in the sockets between.
    flooding.await.unwrap();
    assert_eq!(handled.load(core::sync::atomic::Ordering::Relaxed), 0);
    gate.close();
    while handled.load(core::sync::atomic::Ordering::Relaxed) < 2000 {
        tokio::task::yield_now().await;
    }
    assert_well(&site).await;
}

/// A request to a peer that takes nothing while as much waits for it as may.
#[tokio::test]
async fn requests_to_a_peer_that_takes_nothing_fail_at_once() {
    let limits = Limits { outgoing_soft: 64 * 1024, outgoing_hard: 256 * 1024, ..Limits::default() };
    let builder = Cell::builder("server").security(SecurityMode::Clear).root_url("tcp://127.0.0.1:0").limits(limits);
    let server = builder.start().await.unwrap();
    server.handle("test", "echo", echo);
    let site = site("site-1", &server).await;
    let deaf = introduced(&server, "site-2").await;
    // What the system's buffers take is more than one message: send until the queue itself is full.
    let mut waiting = tokio::task::JoinSet::new();
    let failure = loop {
        let draft = server.request("site-2", "test", "echo").direct().payload(vec![0; 100_000]).timeout(PATIENCE);
        waiting.spawn(async move { draft.send().await.map(drop) });
        match tokio::time::timeout(Duration::from_millis(1), waiting.join_next()).await {
            Ok(Some(ended)) => break ended.unwrap().unwrap_err(),
            _ => assert!(waiting.len() < 500, "nothing fails"),
        }
    };
    let crate::RequestError::Failed(Failure::NotTaken { neighbour }) = &failure else { panic!("{failure:?}") };
    assert_eq!((neighbour.as_str(), failure.return_code()), ("site-2", ReturnCode::COMM_ERROR));
    // The request of another cell comes back as one that cannot be passed on.
    let draft = site.request("site-2", "test", "echo").direct().payload(vec![0; 100_000]).timeout(PATIENCE);
    let response = draft.send().await.unwrap();
    assert_eq!((response.return_code(), response.error()), (ReturnCode::COMM_ERROR, Some("cannot forward")));
    assert!(server.drops().not_taken >= 2);
    assert!(server.outgoing_bytes() <= 256 * 1024, "{}", server.outgoing_bytes());
    assert_well(&site).await;
    drop(deaf);
}
