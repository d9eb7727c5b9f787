//! Requests, replies and messages between two cells.

use std::sync::{Arc, Mutex};

use fedcell_cell_proto::filter::{FilterContext, Place, Verdict};
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::ReturnCode;
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::{Answer, CellEvent, HandlerError, RequestError};

#[tokio::test]
async fn a_request_is_answered_in_memory() {
    let network = MemoryNetwork::new();
    let server = builder("server", &network).root_url("memory://hub").start().await.unwrap();
    server.handle("test", "echo", echo);
    let site = builder("site-1", &network).root_url("memory://hub").start().await.unwrap();
    site.ready().await;
    let response = site.request("server", "test", "echo").direct().payload(b"ping".to_vec()).send().await.unwrap();
    assert_eq!(response.bytes(), "ping");
    assert_eq!(response.return_code(), ReturnCode::OK);
}

#[tokio::test]
async fn objects_headers_and_empty_bodies_come_through() {
    let server = server().await;
    server.handle("test", "headers", async |request: Request| {
        Reply::ok(Body::bytes(request.headers().text("who").unwrap().unwrap().as_bytes().to_vec()))
    });
    let site = site("site-1", &server).await;
    let object = Value::Map(Map::from([("list", Value::List(vec![Value::from(1_i64), Value::from("two")]))]));
    let response = site.request("server", "test", "echo").direct().value(&object).send().await.unwrap();
    assert_eq!(response.value().unwrap(), object);
    let response = site.request("server", "test", "echo").direct().send().await.unwrap();
    assert_eq!(response.value().unwrap(), Value::Null);
    let response = site.request("server", "test", "headers").direct().header("who", "me").send().await.unwrap();
    assert_eq!(response.bytes(), "me");
}

#[tokio::test]
async fn large_payloads_come_through_both_ways() {
    let server = server().await;
    let site = site("site-1", &server).await;
    let payload: Vec<u8> = (0..5_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    let response = site.request("server", "test", "echo").direct().payload(payload.clone()).send().await.unwrap();
    assert!(response.bytes() == payload);
    let response = server.request("site-1", "test", "echo").direct().payload(payload.clone()).send().await.unwrap();
    assert!(response.bytes() == payload);
}

#[tokio::test]
async fn handlers_map_to_return_codes() {
    let server = server().await;
    server.handle("test", "busy", async |_: Request| -> Result<Reply, HandlerError> {
        Err(HandlerError::service_unavailable("not yet"))
    });
    server.handle("test", "fails", async |_: Request| -> Result<Reply, HandlerError> {
        Err(std::io::Error::other("a secret of this cell"))?
    });
    server.handle("test", "decodes", async |request: Request| -> Result<Reply, HandlerError> {
        request.value()?;
        Ok(Reply::ok(Body::none()))
    });
    server.handle("test", "panics", async |_: Request| -> Answer { panic!("on purpose") });
    let site = site("site-1", &server).await;
    for (topic, code, text) in [
        ("busy", ReturnCode::SERVICE_UNAVAILABLE, Some("not yet")),
        ("fails", ReturnCode::PROCESS_EXCEPTION, None),
        ("panics", ReturnCode::PROCESS_EXCEPTION, None),
        ("nobody", ReturnCode::PROCESS_EXCEPTION, Some("no callback")),
    ] {
        let response = site.request("server", "test", topic).direct().send().await.unwrap();
        assert_eq!((response.return_code(), response.error()), (code, text), "{topic}");
        let error = response.success().unwrap_err();
        assert_eq!(error.return_code(), code);
    }
    let bad = Body::fobs(b"no container".to_vec());
    let response = site.request("server", "test", "decodes").direct().body(bad).send().await.unwrap();
    assert_eq!(response.return_code(), ReturnCode::INVALID_REQUEST);
    // None of it has harmed the cell.
    site.request("server", "test", "echo").direct().send().await.unwrap().success().unwrap();
}

#[tokio::test]
async fn what_cannot_be_delivered_is_an_error_with_a_code() {
    let server = server().await;
    server.handle("test", "silent", async |_: Request| {});
    let site = site("site-1", &server).await;
    let timeout = Duration::from_millis(50);
    for (target, topic, code) in
        [("not an address", "echo", ReturnCode::INVALID_TARGET), ("server", "silent", ReturnCode::TIMEOUT)]
    {
        let error = site.request(target, "test", topic).direct().timeout(timeout).send().await.unwrap_err();
        assert_eq!(error.return_code(), code, "{error}");
    }
    let error = server.request("site-2", "test", "echo").direct().send().await.unwrap_err();
    assert_eq!(error.return_code(), ReturnCode::TARGET_UNREACHABLE, "{error}");
    // Of a cell that is not there the server says that it cannot forward.
    let response = site.request("site-2", "test", "echo").direct().send().await.unwrap();
    assert_eq!(response.return_code(), ReturnCode::COMM_ERROR);
    assert_eq!(response.error(), Some("cannot forward"));
}

#[tokio::test]
async fn each_target_gets_its_own_body() {
    let server = server().await;
    let (_one, _two) = (site("site-1", &server).await, site("site-2", &server).await);
    let object = Value::Map(Map::from([("round", Value::from(7_i64))]));
    let draft = server.request_each("test", "echo").payload_to("site-1", b"for one".to_vec());
    let draft = draft.value_to(address("site-2"), &object).payload_to("site-3", b"for nobody".to_vec());
    let mut outcomes = draft.timeout(PATIENCE).send().await.unwrap();
    outcomes.sort_by(|(one, _), (other, _)| one.cmp(other));
    let targets: Vec<_> = outcomes.iter().map(|(target, _)| target.as_str()).collect();
    assert_eq!(targets, ["site-1", "site-2", "site-3"]);
    assert_eq!(outcomes[0].1.as_ref().unwrap().bytes(), "for one");
    assert_eq!(outcomes[1].1.as_ref().unwrap().value().unwrap(), object);
    assert_eq!(outcomes[2].1.as_ref().unwrap_err().return_code(), ReturnCode::TARGET_UNREACHABLE);
    assert_eq!(server.waiting_requests(), 0);

    assert!(server.request_each("test", "echo").send().await.unwrap().is_empty());
    let bad = server.request_each("test", "echo").to("site-1", Body::none()).to("no address", Body::none());
    assert_eq!(bad.send().await.unwrap_err().return_code(), ReturnCode::INVALID_TARGET);
}

#[tokio::test]
async fn each_target_is_told_something_else() {
    let server = server().await;
    let (one, two) = (site("site-1", &server).await, site("site-2", &server).await);
    let (sender, mut heard) = mpsc::unbounded_channel();
    for cell in [&one, &two] {
        let sender = sender.clone();
        cell.handle("test", "told", move |request: Request| {
            let sent = sender.send((request.cell().address().to_owned(), request.bytes()));
            async move { sent.unwrap() }
        });
    }
    let draft = server.request_each("test", "told").payload_to("site-1", b"one".to_vec());
    draft.payload_to("site-2", b"two".to_vec()).fire().await.unwrap();
    let mut told = vec![heard.recv().await.unwrap(), heard.recv().await.unwrap()];
    told.sort();
    assert_eq!(told, [(address("site-1"), "one".into()), (address("site-2"), "two".into())]);
}

#[tokio::test]
async fn a_broadcast_brings_an_outcome_for_each_target() {
    let server = server().await;
    let (_one, _two) = (site("site-1", &server).await, site("site-2", &server).await);
    let mut outcomes = server
        .broadcast(["site-1", "site-2", "site-3"], "test", "echo")
        .direct()
        .payload(b"all".to_vec())
        .send()
        .await
        .unwrap();
    outcomes.sort_by(|(one, _), (other, _)| one.cmp(other));
    let told: Vec<_> = outcomes
        .iter()
        .map(|(target, outcome)| {
            (target.as_str(), outcome.as_ref().map(crate::Response::bytes).map_err(RequestError::return_code))
        })
        .collect();
    assert_eq!(told[0], ("site-1", Ok("all".into())));
    assert_eq!(told[1], ("site-2", Ok("all".into())));
    assert_eq!(told[2], ("site-3", Err(ReturnCode::TARGET_UNREACHABLE)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_peer_arrive_in_the_order_sent() {
    const COUNT: u32 = 20_000;
    let server = server().await;
    let (sender, mut received) = mpsc::unbounded_channel();
    server.handle("test", "number", move |request: Request| {
        let sender = sender.clone();
        async move {
            let number = u32::from_le_bytes(request.bytes().as_ref().try_into().unwrap());
            sender.send(number).unwrap();
        }
    });
    let site = site("site-1", &server).await;
    for number in 0..COUNT {
        site.fire("server", "test", "number").direct().payload(number.to_le_bytes().to_vec()).send().await.unwrap();
    }
    for expected in 0..COUNT {
        assert_eq!(received.recv().await, Some(expected));
    }
}

#[tokio::test]
async fn a_hundred_blocked_handlers_do_not_stop_the_others() {
    let server = server().await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let waiting = gate.clone();
    server.handle("test", "blocked", move |request: Request| {
        let gate = waiting.clone();
        async move {
            drop(gate.acquire().await);
            request.body()
        }
    });
    let site = site("site-1", &server).await;
    let blocked: Vec<_> = (0..100)
        .map(|_| tokio::spawn(site.request("server", "test", "blocked").direct().timeout(PATIENCE).send()))
        .collect();
    for _ in 0..10 {
        site.request("server", "test", "echo").direct().timeout(PATIENCE).send().await.unwrap();
    }
    assert!(blocked.iter().all(|request| !request.is_finished()));
    gate.close();
    for request in blocked {
        request.await.unwrap().unwrap().success().unwrap();
    }
}

#[tokio::test]
async fn a_reply_may_come_later() {
    let server = server().await;
    let (sender, mut tokens) = mpsc::unbounded_channel();
    server.handle("test", "later", move |request: Request| {
        sender.send(request.reply_to().clone()).unwrap();
        async {}
    });
    let site = site("site-1", &server).await;
    let waiting = tokio::spawn(site.request("server", "test", "later").direct().send());
    let token = tokens.recv().await.unwrap();
    assert!(!waiting.is_finished());
    server.reply(&token, Reply::ok(Body::bytes(b"now".to_vec()))).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().bytes(), "now");
}

#[tokio::test]
async fn a_request_that_is_given_up_leaves_nothing_behind() {
    let server = server().await;
    let (started, has_started) = oneshot::channel();
    let started = Mutex::new(Some(started));
    server.handle("test", "never", move |_: Request| {
        if let Some(started) = started.lock().unwrap().take() {
            started.send(()).unwrap();
        }
        core::future::pending::<()>()
    });
    let site = site("site-1", &server).await;
    let request = tokio::spawn(site.request("server", "test", "never").direct().send());
    has_started.await.unwrap();
    assert_eq!(site.endpoint().inspect(|node| node.exchange().pending_requests()), 1);
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    assert_eq!(site.endpoint().inspect(|node| node.exchange().pending_requests()), 0);
}

#[tokio::test]
async fn filters_stand_in_their_places() {
    let server = server().await;
    server.filter(Place::IncomingRequest, "test", "echo", |_: &FilterContext<'_>, message: &mut Message| {
        if message.headers.contains("forbidden") {
            Verdict::Refuse(Box::new(Reply::failed(ReturnCode::AUTHENTICATION_ERROR, "no")))
        } else {
            Verdict::Pass
        }
    });
    let site = site("site-1", &server).await;
    site.filter(Place::OutgoingRequest, "test", "echo", |_: &FilterContext<'_>, message: &mut Message| {
        message.headers.insert("seen", true);
        Verdict::Pass
    });
    let response = site.request("server", "test", "echo").direct().header("forbidden", true).send().await.unwrap();
    assert_eq!(response.return_code(), ReturnCode::AUTHENTICATION_ERROR);
    site.request("server", "test", "echo").direct().send().await.unwrap().success().unwrap();
}

#[tokio::test]
async fn queued_messages_arrive_as_if_each_had_come_alone() {
    let server = server().await;
    let (sender, mut received) = mpsc::unbounded_channel();
    server.handle("test", "queued", move |request: Request| {
        sender.send(request.value().unwrap()).unwrap();
        async {}
    });
    let site = site("site-1", &server).await;
    for number in 0..3_i64 {
        site.fire("server", "test", "queued").direct().value(&Value::from(number)).queue().unwrap();
    }
    for expected in 0..3_i64 {
        assert_eq!(received.recv().await, Some(Value::from(expected)));
    }
}

#[tokio::test]
async fn goodbyes_are_heard_and_said() {
    let server = server().await;
    let mut events = server.events();
    let site = site("site-1", &server).await;
    assert!(matches!(events.next().await, Some(CellEvent::PeerUp { peer, .. }) if peer.as_str() == "site-1"));
    site.shutdown().await;
    assert!(matches!(events.next().await, Some(CellEvent::PeerDown { peer }) if peer.as_str() == "site-1"));
    assert!(server.peers().is_empty());
    let error = site.request("server", "test", "echo").direct().send().await.unwrap_err();
    assert_eq!(error.return_code(), ReturnCode::TARGET_UNREACHABLE);
    server.shutdown().await;
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn a_shutdown_waits_for_handlers_and_their_replies() {
    let server = server().await;
    let (started, has_started) = oneshot::channel();
    let (open, gate) = oneshot::channel::<()>();
    let state = Mutex::new(Some((started, gate)));
    server.handle("test", "slow", move |request: Request| {
        let (started, gate) = state.lock().unwrap().take().unwrap();
        async move {
            started.send(()).unwrap();
            gate.await.unwrap();
            request.body()
        }
    });
    let site = site("site-1", &server).await;
    let waiting = tokio::spawn(site.request("server", "test", "slow").direct().payload(b"last".to_vec()).send());
    has_started.await.unwrap();
    let ending = server.clone();
    let shutdown = tokio::spawn(async move { ending.shutdown().await });
    let mut events = site.events();
    assert!(matches!(events.next().await, Some(CellEvent::PeerDown { .. })));
    open.send(()).unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().bytes(), "last");
    shutdown.await.unwrap();
}
