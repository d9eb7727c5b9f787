//! Object streams between whole cells: how many objects there ever are, who ends them, and how.

use std::sync::{Arc, Mutex};

use fedcell_fobs::array::Array;
use fedcell_fobs::typed::Shareable;
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::federation::ShareableCode;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::objects::{Consumed, ObjectConsumer, ObjectHead, ObjectLimits, ObjectStreams};

/// How a stream ended, and what had come.
type Seen = (String, Vec<i64>);

/// Takes numbers until one is negative, refuses 13, and says their sum.
struct Sum {
    numbers: Vec<i64>,
    ended: mpsc::Sender<Seen>,
}

impl ObjectConsumer for Sum {
    fn consume(&mut self, object: Shareable) -> Result<Consumed, Box<dyn core::error::Error + Send + Sync>> {
        let number = object.entries().get("number").and_then(Value::as_i64).ok_or("no number")?;
        match number {
            13 => return Ok(Consumed::refused(ShareableCode::EMPTY_RESULT)),
            ..0 => return Ok(Consumed::last()),
            _ => self.numbers.push(number),
        }
        Ok(Consumed::more())
    }

    fn finish(&mut self, code: ShareableCode<'_>) -> Option<Value> {
        let seen = (code.as_str().to_owned(), core::mem::take(&mut self.numbers));
        let sum = seen.1.iter().sum::<i64>();
        self.ended.try_send(seen).unwrap();
        Some(sum.into())
    }
}

struct Pair {
    server: Cell,
    site: Cell,
    incoming: ObjectStreams,
    outgoing: ObjectStreams,
    ended: mpsc::Receiver<Seen>,
    heads: Arc<Mutex<Vec<ObjectHead>>>,
}

async fn pair(limits: ObjectLimits) -> Pair {
    let network = MemoryNetwork::new();
    let server = builder("server", &network).root_url("memory://hub").start().await.unwrap();
    let site = builder("site-1", &network).root_url("memory://hub").start().await.unwrap();
    site.ready().await;
    let (sender, ended) = mpsc::channel(100);
    let incoming = ObjectStreams::serve(&server, limits);
    let heads: Arc<Mutex<Vec<ObjectHead>>> = Arc::default();
    let told = heads.clone();
    incoming.handle("numbers", "*", move |head| {
        let is_refused = head.topic == *"refused";
        told.lock().unwrap().push(head);
        let (numbers, ended) = (Vec::new(), sender.clone());
        if is_refused { Err(ShareableCode::SERVER_NOT_READY) } else { Ok(Box::new(Sum { numbers, ended })) }
    });
    let outgoing = ObjectStreams::serve(&site, ObjectLimits::default());
    Pair { server, site, incoming, outgoing, ended, heads }
}

fn number(number: i64) -> Shareable {
    let mut object = Shareable::new();
    object.entries_mut().insert("number", number);
    object
}

/// Sends numbers and ends the stream; the code and the result of each reply, and how the stream ended there.
async fn check(numbers: &[i64], replies: &[(&str, Option<i64>)], ended: Option<(&str, &[i64])>) {
    let mut pair = pair(ObjectLimits::default()).await;
    let mut stream = pair.outgoing.open(["server"], "numbers", "sum").open().unwrap();
    let mut found = Vec::new();
    for &next in numbers {
        let (target, reply) = stream.send(number(next), PATIENCE).await.unwrap().remove(0);
        assert_eq!(target.as_str(), "server");
        let reply = reply.unwrap();
        assert_eq!(reply.is_ok(), reply.reply.return_code() == ShareableCode::OK);
        found.push((reply.reply.return_code().as_str().to_owned(), reply.end_result().and_then(Value::as_i64)));
    }
    let expected: Vec<_> = replies.iter().map(|&(code, result)| (code.to_owned(), result)).collect();
    assert_eq!(found, expected, "{numbers:?}");
    stream.end().await.unwrap();
    if let Some((code, seen)) = ended {
        let last = timeout(PATIENCE, pair.ended.recv()).await.expect("the stream does not end").unwrap();
        assert_eq!(last, (code.to_owned(), seen.to_vec()), "{numbers:?}");
    }
    assert_eq!(pair.incoming.incoming(), 0);
    // Once only.
    assert!(pair.ended.try_recv().is_err());
}

#[tokio::test]
async fn streams_end_by_either_side() {
    let ok = ("OK", None);
    check(&[], &[], None).await;
    check(&[-1], &[("OK", Some(0))], Some(("OK", &[]))).await;
    check(&[1, 2, 3, -1], &[ok, ok, ok, ("OK", Some(6))], Some(("OK", &[1, 2, 3]))).await;
    // The sender has no more, and the receiver did not know.
    check(&[1, 2], &[ok, ok], Some(("TASK_ABORTED", &[1, 2]))).await;
    // The receiver does not want it; what comes nevertheless is none of a stream that it knows.
    let refused = ("EMPTY_RESULT", Some(1));
    check(&[1, 13, 5], &[ok, refused, ("BAD_REQUEST_DATA", None)], Some(("EMPTY_RESULT", &[1]))).await;
}

#[tokio::test]
async fn a_consumer_that_fails_ends_its_stream() {
    let mut pair = pair(ObjectLimits::default()).await;
    let mut stream = pair.outgoing.open(["server"], "numbers", "sum").open().unwrap();
    let (_, reply) = stream.send(Shareable::new(), PATIENCE).await.unwrap().remove(0);
    assert_eq!(reply.unwrap().reply.return_code(), ShareableCode::EXECUTION_EXCEPTION);
    assert_eq!(pair.ended.recv().await.unwrap(), ("EXECUTION_EXCEPTION".to_owned(), vec![]));
}

#[tokio::test]
async fn streams_that_nobody_takes_are_refused() {
    let pair = pair(ObjectLimits::default()).await;
    for (channel, topic, code) in [
        ("numbers", "refused", ShareableCode::SERVER_NOT_READY),
        ("letters", "sum", ShareableCode::EXECUTION_EXCEPTION),
    ] {
        let mut stream = pair.outgoing.open(["server"], channel, topic).open().unwrap();
        let (_, reply) = stream.send(number(1), PATIENCE).await.unwrap().remove(0);
        assert_eq!(reply.unwrap().reply.return_code(), code);
    }
    assert_eq!(pair.incoming.incoming(), 0);
    assert_eq!((pair.server.streams().1, pair.site.peers().len()), (0, 1));
}

#[tokio::test]
async fn a_dropped_stream_ends_there_and_a_silent_one_ends_by_itself() {
    let mut pair = pair(ObjectLimits::default()).await;
    let context: Map = [("model", "resnet")].into_iter().collect();
    let mut stream = pair.outgoing.open(["server"], "numbers", "sum").context(context).open().unwrap();
    let id = stream.id().clone();
    drop(stream.send(number(4), PATIENCE).await.unwrap());
    drop(stream);
    let ended = timeout(PATIENCE, pair.ended.recv()).await.expect("the stream does not end").unwrap();
    assert_eq!(ended, ("TASK_ABORTED".to_owned(), vec![4]));
    {
        let heads = pair.heads.lock().unwrap();
        let head = &heads[0];
        assert_eq!((head.origin.as_str(), &head.id, head.topic.as_str()), ("site-1", &id, "sum"));
        assert_eq!(head.context.get("model"), Some(&Value::from("resnet")));
    }
    let mut limits = ObjectLimits::default();
    limits.silence = Duration::from_millis(20);
    let mut silent = self::pair(limits).await;
    let mut stream = silent.outgoing.open(["server"], "numbers", "sum").open().unwrap();
    drop(stream.send(number(5), PATIENCE).await.unwrap());
    let ended = timeout(PATIENCE, silent.ended.recv()).await.expect("the stream does not end").unwrap();
    assert_eq!(ended, ("TIMEOUT".to_owned(), vec![5]));
}

/// Takes whatever comes and keeps its arrays.
struct Keep(mpsc::Sender<Array>);

impl ObjectConsumer for Keep {
    fn consume(&mut self, object: Shareable) -> Result<Consumed, Box<dyn core::error::Error + Send + Sync>> {
        match object.entries().get("array") {
            Some(Value::Array(array)) => self.0.try_send((**array).clone())?,
            other => return Err(format!("{other:?} is no array").into()),
        }
        Ok(Consumed::more())
    }
}

#[tokio::test]
async fn objects_have_arrays() {
    let pair = pair(ObjectLimits::default()).await;
    let (sender, mut arrays) = mpsc::channel(10);
    pair.incoming.handle("models", "layers", move |_| Ok(Box::new(Keep(sender.clone()))));
    let mut stream = pair.outgoing.open(["server"], "models", "layers").open().unwrap();
    for length in [1, 100_000, 3 << 20] {
        let array = Array::from_elements([length], &vec![7_i8; length]).unwrap();
        let mut object = Shareable::new();
        object.entries_mut().insert("array", array.clone());
        let (_, reply) = stream.send(object, PATIENCE).await.unwrap().remove(0);
        assert!(reply.unwrap().is_ok());
        assert_eq!(arrays.recv().await.unwrap(), array);
    }
}
