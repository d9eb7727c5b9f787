//! Object streams of our cell under remote control; `tests/reference/object_streams.py` is the same on the other side.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use fedcell_cell::Cell;
use fedcell_cell::objects::{Consumed, ObjectConsumer, ObjectLimits, ObjectStreams};
use fedcell_cell::proto::cause::with_causes;
use fedcell_fobs::array::{Array, DType, Order};
use fedcell_fobs::typed::Shareable;
use fedcell_fobs::{Blob, Map, Value as Fobs};
use fedcell_protocol_defs::federation::{ShareableCode, ShareableHeader};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::commands::LIMIT;
use super::content;
use crate::remote::{limit, route, text};

/// Longest that one object may take.
const PATIENCE: Duration = Duration::from_secs(30);

type Ended = Arc<Mutex<BTreeMap<(String, String), Vec<Value>>>>;

/// The object streams of a cell, and how those that came have ended.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    streams: ObjectStreams,
    ended: Ended,
    bell: Arc<Notify>,
}

/// Takes objects until the last, and refuses or fails at one if it is told to.
struct Taker {
    refuse_at: Option<i64>,
    fail_at: Option<i64>,
    route: (String, String),
    kind: Value,
    objects: Vec<Value>,
    ended: Ended,
    bell: Arc<Notify>,
}

impl ObjectConsumer for Taker {
    fn consume(&mut self, object: Shareable) -> Result<Consumed, Box<dyn core::error::Error + Send + Sync>> {
        let number = object.entries().get("number").and_then(Fobs::as_i64);
        if self.fail_at.is_some() && number == self.fail_at {
            return Err("as it was told".into());
        }
        if self.refuse_at.is_some() && number == self.refuse_at {
            return Ok(Consumed::refused(ShareableCode::EMPTY_RESULT));
        }
        self.objects.push(told(&object));
        let is_last = object.entries().get("last") == Some(&Fobs::Bool(true));
        Ok(if is_last { Consumed::last() } else { Consumed::more() })
    }

    fn finish(&mut self, code: ShareableCode<'_>) -> Option<Fobs> {
        let record = json!({"ended": code.as_str(), "objects": self.objects, "kind": self.kind});
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.entry(self.route.clone()).or_default().push(record);
        self.bell.notify_waiters();
        let count: Map = [("count", self.objects.len() as u64)].into_iter().collect();
        Some(count.into())
    }
}

impl Objects {
    pub(super) fn new(cell: &Cell) -> Self {
        let streams = ObjectStreams::serve(cell, ObjectLimits::default());
        Self { streams, ended: Arc::default(), bell: Arc::default() }
    }

    /// Takes object streams, one consumer each.
    pub(super) fn consume(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let (refuse_at, fail_at) = (command["refuse_at"].as_i64(), command["fail_at"].as_i64());
        let (ended, bell) = (self.ended.clone(), self.bell.clone());
        self.streams.handle(channel, topic, move |head| {
            let kind = head.context.get("kind").and_then(Fobs::as_str).map_or(Value::Null, Value::from);
            let route = (head.channel.as_str().to_owned(), head.topic.as_str().to_owned());
            let (objects, ended, bell) = (Vec::new(), ended.clone(), bell.clone());
            Ok(Box::new(Taker { refuse_at, fail_at, route, kind, objects, ended, bell }))
        });
        Ok(json!({}))
    }

    /// Sends an object stream.
    pub(super) async fn send(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let number = |key: &str| command[key].as_u64().with_context(|| format!("no {key}"));
        let (count, size) = (number("count")?, usize::try_from(number("size")?)?);
        let (fail_at, last) = (command["fail_at"].as_u64(), command["last"] != false);
        let context: Map = [("kind", "test")].into_iter().collect();
        let mut stream = self.streams.open([text(command, "target")?], channel, topic).context(context).open()?;
        let (mut sent, mut codes, mut end, mut failure) = (Vec::new(), Vec::new(), Value::Null, Value::Null);
        for number in 0..=count {
            if Some(number) == fail_at {
                failure = json!("as it was told");
                break;
            }
            if number == count {
                break;
            }
            let object = made(number, last && number + 1 == count, size)?;
            sent.push(told(&object));
            let (_, reply) = stream.send(object, PATIENCE).await?.pop().context("no reply")?;
            let reply = reply.map_err(|error| anyhow::anyhow!(with_causes(&error)))?;
            codes.push(json!(reply.reply.return_code().as_str()));
            end = reply.end_result().map_or(Value::Null, content::tree);
            if !reply.is_ok() {
                break;
            }
        }
        stream.end().await?;
        Ok(json!({"sent": sent, "codes": codes, "end": end, "failure": failure}))
    }

    /// The streams that have ended, as soon as one has.
    pub(super) async fn taken(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let key = (channel.to_owned(), topic.to_owned());
        let look = || self.ended.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let one = async {
            loop {
                // Made before the look, so that nothing falls between look and wait.
                let more = self.bell.notified();
                if look().is_some() {
                    return;
                }
                more.await;
            }
        };
        // Without one, the list is empty.
        let _ = tokio::time::timeout(limit(command, LIMIT), one).await;
        Ok(json!({"streams": look().unwrap_or_default()}))
    }
}

fn made(number: u64, is_last: bool, size: usize) -> Result<Shareable> {
    let array = Array::new(DType::parse(b"|u1")?, [size], Order::C, Blob::from(content::content(size)?))?;
    let mut object = Shareable::new();
    let entries = object.entries_mut();
    entries.insert("number", number);
    entries.insert("last", is_last);
    entries.insert("data", Fobs::Bytes(content::content(size)?.into()));
    entries.insert("array", Fobs::Array(Box::new(array)));
    Ok(object)
}

/// An object without its headers.
fn told(object: &Shareable) -> Value {
    let mut entries = object.entries().clone();
    entries.remove(ShareableHeader::HEADERS.as_str());
    content::tree(&Fobs::Map(entries))
}
