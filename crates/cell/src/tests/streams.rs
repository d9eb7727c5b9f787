//! Streams between whole cells: requests and replies, bytes, cancellation, and what is left behind.

use std::sync::Arc;

use bytes::Bytes;
use fedcell_cell_proto::message::Payload;
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_cell_proto::stream::StreamError;
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{Channel, ReturnCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

use super::*;
use crate::stream::{StreamReader, StreamWriter};
use crate::{HandlerError, Limits, RequestError};

const MIB: usize = 1024 * 1024;

/// Bytes that tell where they stand.
fn pattern(length: usize) -> Vec<u8> {
    (0..length.div_ceil(8)).flat_map(|number| (number as u64).to_le_bytes()).take(length).collect()
}

/// Segments of uneven sizes with these bytes.
fn segments(bytes: &Bytes) -> Payload {
    let mut rest = bytes.clone();
    let mut payload = Payload::empty();
    for size in (1..).map(|number: usize| number * number * 7919 % 700_000) {
        if rest.is_empty() {
            return payload;
        }
        payload.push(rest.split_to(size.min(rest.len())));
    }
    unreachable!("the sizes never end")
}

/// A server and a site in memory.
async fn pair() -> (Cell, Cell) {
    pair_with(Limits::default()).await
}

async fn pair_with(limits: Limits) -> (Cell, Cell) {
    let network = MemoryNetwork::new();
    let server = builder("server", &network).root_url("memory://hub").limits(limits.clone()).start().await.unwrap();
    server.handle("test", "echo", echo);
    let site = builder("site-1", &network).root_url("memory://hub").limits(limits).start().await.unwrap();
    site.handle("test", "echo", echo);
    site.ready().await;
    (server, site)
}

/// Waits until no stream, no request and no byte is left in the cell.
async fn settled(cell: &Cell) {
    let quiet = async {
        while cell.streams() != (0, 0, 0) || cell.waiting_requests() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, quiet).await.unwrap_or_else(|_| panic!("{cell:?} has left {:?}", cell.streams()));
}

async fn check_echo(from: &Cell, to: &str, size: usize) {
    let sent = Bytes::from(pattern(size));
    let draft = from.request(to, "test", "echo").payload(segments(&sent)).timeout(PATIENCE);
    assert!(draft.is_streamed());
    let response = draft.send().await.unwrap().success().unwrap();
    assert!(response.bytes() == sent, "{size} bytes to {to} came back as {}", response.payload().len());
}

#[tokio::test]
async fn streamed_requests_of_every_size_are_answered() {
    let (server, site) = pair().await;
    for size in [0, 1, 11, 65_536, 65_537, MIB - 1, MIB, MIB + 1, 2 * MIB, 5_000_000] {
        check_echo(&site, "server", size).await;
    }
    check_echo(&server, "site-1", 3_000_000).await;
    check_echo(&server, "server", 3_000_000).await;
    settled(&server).await;
    settled(&site).await;
}

#[tokio::test]
async fn streamed_requests_go_over_tcp_and_through_relays() {
    let server = server().await;
    let (relay, child) = relay_and_child(&server).await;
    child.handle("test", "echo", echo);
    for size in [0, 1000, 7_000_000] {
        check_echo(&child, "server", size).await;
        check_echo(&server, "relay-1.site-2", size).await;
    }
    for cell in [&server, &relay, &child] {
        settled(cell).await;
    }
}

#[tokio::test]
async fn the_form_follows_the_channel() {
    let (server, site) = pair().await;
    let (sender, mut seen) = mpsc::unbounded_channel();
    for channel in ["aux_communication", "task"] {
        let sender = sender.clone();
        server.handle(channel, "form", move |request: Request| {
            sender.send((request.channel().to_owned(), request.topic().to_owned(), request.is_streamed())).unwrap();
            async { Body::none() }
        });
    }
    let task = Channel::SERVER_MAIN.as_str();
    for (draft, channel, expected) in [
        (site.request("server", "aux_communication", "form"), "aux_communication", true),
        (site.request("server", task, "form"), task, false),
        (site.request("server", "aux_communication", "form").direct(), "aux_communication", false),
        (site.request("server", task, "form").streamed(), task, true),
    ] {
        assert_eq!(draft.is_streamed(), expected);
        draft.send().await.unwrap().success().unwrap();
        assert_eq!(seen.recv().await.unwrap(), (channel.to_owned(), "form".to_owned(), expected));
    }
}

#[tokio::test]
async fn objects_headers_and_failures_come_through_streams() {
    let (server, site) = pair().await;
    server.handle("test", "headers", async |request: Request| {
        Reply::ok(Body::bytes(request.headers().text("who").unwrap().unwrap().as_bytes().to_vec()))
    });
    server.handle("test", "busy", async |_: Request| -> Result<Reply, HandlerError> {
        Err(HandlerError::service_unavailable("not yet"))
    });
    server.handle("test", "decodes", async |request: Request| -> Result<Reply, HandlerError> {
        request.value()?;
        Ok(Reply::ok(Body::none()))
    });
    let object = Value::Map(Map::from([("list", Value::List(vec![Value::from(1_i64), Value::from("two")]))]));
    let response = site.request("server", "test", "echo").value(&object).send().await.unwrap();
    assert_eq!(response.value().unwrap(), object);
    assert_eq!(site.request("server", "test", "echo").send().await.unwrap().value().unwrap(), Value::Null);
    let response = site.request("server", "test", "headers").header("who", "me").send().await.unwrap();
    assert_eq!(response.bytes(), "me");
    let response = site.request("server", "test", "busy").send().await.unwrap();
    assert_eq!((response.return_code(), response.error()), (ReturnCode::SERVICE_UNAVAILABLE, Some("not yet")));
    let bad = Body::fobs(b"no container".to_vec());
    let response = site.request("server", "test", "decodes").body(bad).send().await.unwrap();
    assert_eq!(response.return_code(), ReturnCode::INVALID_REQUEST);
    for size in [10, 3 * MIB] {
        let nobody = site.request("server", "test", "nobody").payload(vec![0; size]).send().await.unwrap_err();
        assert_eq!(nobody.return_code(), ReturnCode::COMM_ERROR, "{nobody}");
        let RequestError::Stream { target, error: StreamError::Reported { text, .. } } = nobody else {
            panic!("{nobody:?}")
        };
        assert_eq!(target.as_str(), "server");
        assert!(text.contains("test:nobody"), "{text}");
    }
    // Cells on the way tell of a chunk that they cannot pass on only if its stream is optional.
    let brief = Duration::from_millis(300);
    for (draft, code) in [
        (server.request("site-9", "test", "echo"), ReturnCode::COMM_ERROR),
        (site.request("site-9", "test", "echo").optional(), ReturnCode::COMM_ERROR),
        (site.request("site-9", "test", "echo"), ReturnCode::TIMEOUT),
    ] {
        let error = draft.timeout(brief).send().await.unwrap_err();
        assert_eq!(error.return_code(), code, "{error}");
    }
    settled(&server).await;
    settled(&site).await;
}

#[tokio::test]
async fn a_streamed_broadcast_brings_an_outcome_for_each_target() {
    let server = server().await;
    let (_one, _two) = (site("site-1", &server).await, site("site-2", &server).await);
    let targets = ["site-1", "site-2", "site-3"];
    let payload = Bytes::from(pattern(3 * MIB));
    let outcomes = server.broadcast(targets, "test", "echo").payload(payload.clone()).send().await.unwrap();
    for ((target, outcome), expected) in outcomes.into_iter().zip(targets) {
        assert_eq!(target.as_str(), expected);
        match outcome {
            Ok(response) => assert!(response.bytes() == payload),
            Err(error) => assert_eq!((expected, error.return_code()), ("site-3", ReturnCode::COMM_ERROR)),
        }
    }
    settled(&server).await;
}

#[tokio::test]
async fn a_reply_to_a_streamed_request_may_come_later() {
    let (server, site) = pair().await;
    let (sender, mut tokens) = mpsc::unbounded_channel();
    server.handle("test", "later", move |request: Request| {
        sender.send(request.reply_to().clone()).unwrap();
        async {}
    });
    let waiting = tokio::spawn(site.request("server", "test", "later").send());
    let token = tokens.recv().await.unwrap();
    server.reply(&token, Reply::ok(Body::bytes(pattern(2 * MIB)))).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().payload().len(), 2 * MIB);
    site.fire("server", "test", "later").payload(pattern(2 * MIB)).send().await.unwrap();
    assert!(!tokens.recv().await.unwrap().is_expected());
    settled(&server).await;
    settled(&site).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_names_who_gave_none() {
    let (server, site) = pair().await;
    server.handle("test", "silent", async |_: Request| {});
    let started = tokio::time::Instant::now();
    let error = site.request("server", "test", "silent").payload(pattern(3 * MIB)).send().await.unwrap_err();
    assert_eq!(error.return_code(), ReturnCode::TIMEOUT);
    assert_eq!(error.to_string(), "server gave no reply for 10 s");
    assert!(started.elapsed() >= Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(site.waiting_requests(), 0);
}

#[tokio::test]
async fn a_request_that_is_given_up_ends_its_streams() {
    let (server, site) = pair().await;
    let (started, mut has_started) = mpsc::unbounded_channel();
    server.handle("test", "never", move |_: Request| {
        started.send(()).unwrap();
        core::future::pending::<()>()
    });
    let endless = site.request("server", "test", "never").payload(pattern(MIB)).send();
    let request = tokio::spawn(endless);
    has_started.recv().await.unwrap();
    assert_eq!(site.waiting_requests(), 1);
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    settled(&site).await;
    // A stream that nobody reads fills its window; given up, it is gone at both ends.
    server.handle_stream("test", "stuck", async |_reader: StreamReader| core::future::pending::<()>().await);
    let request = tokio::spawn(site.request("server", "test", "stuck").payload(vec![0; 100 * MIB]).send());
    while server.streams().1 == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    settled(&site).await;
    settled(&server).await;
}

#[tokio::test]
async fn a_reply_can_be_read_as_it_comes() {
    let (server, site) = pair().await;
    let payload = Bytes::from(pattern(10_000_000));
    let answer = payload.clone();
    server.handle("test", "large", move |_: Request| {
        let body = Body::bytes(answer.clone());
        async move { body }
    });
    let mut reader = site.request("server", "test", "large").timeout(PATIENCE).receive().await.unwrap();
    assert_eq!((reader.return_code(), reader.size()), (ReturnCode::OK, Some(payload.len() as u64)));
    let mut place = 0;
    while let Some(chunk) = reader.chunk().await.unwrap() {
        assert!(payload[place..].starts_with(&chunk), "at {place}");
        place += chunk.len();
    }
    assert_eq!(place, payload.len());
    settled(&site).await;
    for draft in [site.request("server", "test", "echo"), site.request("server", "test", "echo").direct()] {
        let mut read = Vec::new();
        let mut reader = draft.payload(b"small".to_vec()).receive().await.unwrap();
        reader.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"small");
    }
    // Half a reply is enough.
    let mut reader = site.request("server", "test", "large").timeout(PATIENCE).receive().await.unwrap();
    reader.chunk().await.unwrap().unwrap();
    drop(reader);
    settled(&site).await;
    settled(&server).await;
}

#[tokio::test]
async fn what_is_too_large_to_be_collected_is_refused() {
    let limits = Limits { blob_size: 3 * MIB as u64, blobs_total: 4 * MIB as u64, ..Limits::default() };
    let (server, site) = pair_with(limits).await;
    check_echo(&site, "server", 3 * MIB).await;
    let error = site.request("server", "test", "echo").payload(pattern(3 * MIB + 1)).send().await.unwrap_err();
    let RequestError::Stream { error: StreamError::Reported { too_large: true, .. }, .. } = error else {
        panic!("{error:?}")
    };
    // Who asks for a reply that is too large is told so at once, and not that nothing came.
    server.handle("test", "large", async |_: Request| Body::bytes(pattern(4 * MIB)));
    let error = site.request("server", "test", "large").timeout(PATIENCE).send().await.unwrap_err();
    assert!(matches!(error, RequestError::Stream { error: StreamError::TooLarge { .. }, .. }), "{error:?}");
    // Two together are more than the bound for all; neither harms the next.
    let two = [(); 2].map(|()| tokio::spawn(site.request("server", "test", "echo").payload(pattern(3 * MIB)).send()));
    for request in two {
        if let Err(error) = request.await.unwrap() {
            assert_eq!(error.return_code(), ReturnCode::COMM_ERROR, "{error}");
        }
    }
    check_echo(&site, "server", 3 * MIB).await;
    settled(&server).await;
    settled(&site).await;
}

#[tokio::test]
async fn a_message_of_another_size_than_was_said_is_refused_however_many_chunks_it_has() {
    let (server, site) = pair().await;
    let (sender, mut received) = mpsc::unbounded_channel();
    server.handle("test", "size", move |request: Request| {
        sender.send(request.bytes().len()).unwrap();
        async { Body::none() }
    });
    for (size, declared) in [(3, 5), (3, 2), (3 * MIB, 4 * MIB), (3, 3)] {
        let draft = site.open_stream("server", "test", "size").size(declared as u64).reliable(true);
        let mut writer = draft.open().unwrap();
        writer.send(pattern(size).into()).await.unwrap();
        // It may have left before it is refused.
        drop(writer.finish().await);
    }
    assert_eq!(timeout(PATIENCE, received.recv()).await.unwrap(), Some(3));
    assert!(received.try_recv().is_err(), "one that is not what was said");
    settled(&site).await;
}

/// Registers a reader that collects all and says how it ended.
fn collect(cell: &Cell, topic: &str) -> mpsc::UnboundedReceiver<Result<Vec<u8>, StreamError>> {
    let (sender, received) = mpsc::unbounded_channel();
    cell.handle_stream("test", topic, move |mut reader: StreamReader| {
        let sender = sender.clone();
        async move {
            let mut all = Vec::new();
            let end = loop {
                match reader.chunk().await {
                    Ok(Some(chunk)) => all.extend_from_slice(&chunk),
                    Ok(None) => break Ok(all),
                    Err(error) => break Err(error),
                }
            };
            sender.send(end).unwrap();
        }
    });
    received
}

#[tokio::test]
async fn bytes_are_written_and_read() {
    let (server, site) = pair().await;
    let mut received = collect(&server, "bytes");
    for reliable in [false, true] {
        for size in [0, 1, 300_000, 3 * MIB + 5] {
            let bytes = pattern(size);
            let mut writer = site.open_stream("server", "test", "bytes").reliable(reliable).open().unwrap();
            for piece in bytes.chunks(70_001) {
                writer.write_all(piece).await.unwrap();
            }
            assert_eq!(writer.finish().await.unwrap(), size as u64);
            assert!(received.recv().await.unwrap().unwrap() == bytes, "{size} bytes, reliable {reliable}");
        }
    }
    // Without copies, with headers, and read byte by byte through a small buffer.
    let (sender, told) = oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    server.handle_stream("test", "named", move |mut reader: StreamReader| {
        let sender = sender.lock().unwrap().take().unwrap();
        async move {
            assert_eq!((reader.origin().as_str(), reader.size()), ("site-1", Some(2 * MIB as u64)));
            assert_eq!((reader.file_name(), reader.headers().text("who").unwrap()), (Some("model.bin"), Some("me")));
            let mut all = Vec::new();
            let mut buffer = [0; 1000];
            loop {
                match reader.read(&mut buffer).await.unwrap() {
                    0 => break,
                    count => all.extend_from_slice(&buffer[..count]),
                }
            }
            assert_eq!(reader.received(), 2 * MIB as u64);
            sender.send(all).unwrap();
        }
    });
    let bytes = Bytes::from(pattern(2 * MIB));
    let draft = site.open_stream("server", "test", "named").size(2 * MIB as u64).file_name("model.bin");
    let mut writer = draft.header("who", "me").open().unwrap();
    writer.send(bytes.slice(..1_500_000)).await.unwrap();
    writer.send(bytes.slice(1_500_000..)).await.unwrap();
    writer.shutdown().await.unwrap();
    assert!(told.await.unwrap() == bytes);
    settled(&server).await;
    settled(&site).await;
}

/// Writes zeros until the writer has waited for `patience`; gives how many bytes went.
async fn fill(writer: &mut StreamWriter, patience: Duration) -> usize {
    let piece = Bytes::from(vec![0; 100_000]);
    let mut written = 0;
    while let Ok(sent) = timeout(patience, writer.send(piece.clone())).await {
        sent.unwrap();
        written += piece.len();
    }
    written
}

#[tokio::test]
async fn a_reader_that_takes_nothing_holds_up_its_own_sender_only() {
    let (server, site) = pair().await;
    let gate = Arc::new(Notify::new());
    let opened = gate.clone();
    server.handle_stream("test", "stuck", move |mut reader: StreamReader| {
        let gate = opened.clone();
        async move {
            gate.notified().await;
            while reader.chunk().await.unwrap().is_some() {}
        }
    });
    let mut received = collect(&server, "bytes");
    let mut stuck = site.open_stream("server", "test", "stuck").window(4 * MIB as u64).open().unwrap();
    let written = fill(&mut stuck, Duration::from_millis(200)).await;
    // No more than the window with what waits to be cut into chunks; less, while nothing is acknowledged.
    assert!((MIB..8 * MIB).contains(&written), "{written}");
    assert_eq!(stuck.progress().acknowledged, 0);
    // Others go on meanwhile.
    check_echo(&site, "server", 5_000_000).await;
    let mut other = site.open_stream("server", "test", "bytes").open().unwrap();
    other.write_all(&pattern(10_000_000)).await.unwrap();
    other.finish().await.unwrap();
    assert_eq!(received.recv().await.unwrap().unwrap().len(), 10_000_000);
    // And when it takes all, so does the stuck one.
    gate.notify_one();
    let more = timeout(PATIENCE, stuck.send(Bytes::from(vec![0; 10 * MIB]))).await;
    more.unwrap().unwrap();
    assert_eq!(timeout(PATIENCE, stuck.finish()).await.unwrap().unwrap(), (written + 10 * MIB) as u64);
    settled(&server).await;
    settled(&site).await;
}

#[tokio::test]
async fn whoever_leaves_a_stream_tells_the_other_end() {
    let (server, site) = pair().await;
    let mut received = collect(&server, "bytes");
    let mut writer = site.open_stream("server", "test", "bytes").open().unwrap();
    writer.send(Bytes::from(pattern(3 * MIB))).await.unwrap();
    drop(writer);
    let error = received.recv().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("the writer has left"), "{error}");
    server.handle_stream("test", "leaves", async |mut reader: StreamReader| {
        reader.chunk().await.unwrap();
    });
    server.handle_stream("test", "refuses", async |reader: StreamReader| reader.refuse("not today"));
    for (topic, said) in [("leaves", "the reader has left"), ("refuses", "not today"), ("nobody", "no handler")] {
        let mut writer = site.open_stream("server", "test", topic).reliable(true).open().unwrap();
        let piece = Bytes::from(pattern(MIB));
        let error = loop {
            match timeout(PATIENCE, writer.send(piece.clone())).await.unwrap() {
                Ok(()) => {}
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains(said), "{topic}: {error}");
    }
    settled(&server).await;
    settled(&site).await;
}

#[tokio::test]
async fn a_reliable_stream_outlives_its_connection() {
    let server = server().await;
    let site = site("site-1", &server).await;
    let gate = Arc::new(Notify::new());
    let opened = gate.clone();
    let (sender, mut received) = mpsc::unbounded_channel();
    server.handle_stream("test", "bytes", move |mut reader: StreamReader| {
        let (gate, sender) = (opened.clone(), sender.clone());
        async move {
            gate.notified().await;
            let mut all = Vec::new();
            while let Some(chunk) = reader.chunk().await.unwrap() {
                all.extend_from_slice(&chunk);
            }
            sender.send(all).unwrap();
        }
    });
    let bytes = Bytes::from(pattern(16 * MIB));
    let draft = site.open_stream("server", "test", "bytes").reliable(true).window(4 * MIB as u64);
    let mut writer = draft.open().unwrap();
    let sending = {
        let bytes = bytes.clone();
        tokio::spawn(async move {
            for at in (0..bytes.len()).step_by(MIB) {
                writer.send(bytes.slice(at..at + MIB)).await?;
            }
            writer.finish().await
        })
    };
    while server.streams().1 == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.endpoint().close_connections(|_| true);
    gate.notify_one();
    assert_eq!(timeout(PATIENCE, sending).await.unwrap().unwrap().unwrap(), bytes.len() as u64);
    assert!(received.recv().await.unwrap() == bytes);
    settled(&site).await;
}

#[tokio::test]
async fn a_shutdown_waits_for_streams_that_leave() {
    let (server, site) = pair().await;
    let mut received = collect(&server, "bytes");
    let mut writer = site.open_stream("server", "test", "bytes").open().unwrap();
    writer.send(Bytes::from(pattern(10 * MIB))).await.unwrap();
    let sent = tokio::spawn(writer.finish());
    tokio::task::yield_now().await;
    site.shutdown().await;
    assert_eq!(sent.await.unwrap().unwrap(), 10 * MIB as u64);
    assert_eq!(received.recv().await.unwrap().unwrap().len(), 10 * MIB);
    let error = site.request("server", "test", "echo").send().await.unwrap_err();
    assert_eq!(error.return_code(), ReturnCode::COMM_ERROR);
}

/// Its reader takes a chunk each second, and acknowledges nothing for longer than handlers are waited for.
#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_a_reader_that_is_slow_and_for_none_that_has_stopped() {
    let mut limits = Limits::default();
    (limits.streams.window, limits.streams.ack_interval) = (16 * MIB as u64, 8 * MIB as u64);
    let (server, site) = pair_with(limits).await;
    let (sender, mut received) = mpsc::channel(1);
    server.handle_stream("test", "slow", move |mut reader: StreamReader| {
        let sender = sender.clone();
        async move {
            let mut length = 0;
            while let Some(chunk) = reader.chunk().await.unwrap() {
                length += chunk.len();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            sender.send(length).await.unwrap();
        }
    });
    server.handle_stream("test", "never", async |_reader: StreamReader| core::future::pending::<()>().await);
    let send = |topic| {
        let mut writer = site.open_stream("server", "test", topic).open().unwrap();
        tokio::spawn(async move {
            writer.send(Bytes::from(pattern(60 * MIB))).await.unwrap();
            writer.finish().await
        })
    };
    let (slow, started) = (send("slow"), tokio::time::Instant::now());
    tokio::task::yield_now().await;
    let ending = site.clone();
    let ended = tokio::spawn(async move { ending.drained().await });
    assert_eq!(received.recv().await, Some(60 * MIB));
    assert_eq!(slow.await.unwrap().unwrap(), 60 * MIB as u64);
    ended.await.unwrap();
    assert!(started.elapsed() > 4 * site.endpoint().limits().drain, "{:?}", started.elapsed());

    let (stuck, started) = (send("never"), tokio::time::Instant::now());
    tokio::task::yield_now().await;
    site.shutdown().await;
    assert!(stuck.await.unwrap().is_err() && started.elapsed() < Duration::from_secs(120), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_shutdown_waits_for_replies_that_handlers_are_making_and_that_leave() {
    // Many windows of bytes: without acknowledgements the reply would get nowhere.
    let mut limits = Limits::default();
    (limits.streams.chunk_size, limits.streams.window) = (64 << 10, 256 << 10);
    let (server, site) = pair_with(limits).await;
    let (started, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (starting, waiting) = (started.clone(), gate.clone());
    server.handle("test", "large", move |_: Request| {
        let (started, gate) = (starting.clone(), waiting.clone());
        async move {
            started.notify_one();
            gate.notified().await;
            Body::bytes(pattern(10 * MIB))
        }
    });
    let asking = tokio::spawn(site.request("server", "test", "large").send());
    started.notified().await;
    let ending = server.clone();
    let ended = tokio::spawn(async move { ending.shutdown().await });
    tokio::task::yield_now().await;
    gate.notify_one();
    let reply = timeout(PATIENCE, asking).await.unwrap().unwrap().unwrap();
    assert!(reply.bytes() == pattern(10 * MIB));
    timeout(PATIENCE, ended).await.unwrap().unwrap();
}
