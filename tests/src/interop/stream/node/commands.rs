//! What a node is told to do with streams and streamed requests.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result};
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use fedcell_cell::proto::cause::with_causes;
use fedcell_cell::proto::stream::StreamError;
use fedcell_cell::stream::StreamReader;
use fedcell_cell::{Answer, Cell, HandlerError, Request};
use fedcell_fobs::Map;
use fedcell_protocol_defs::cell::PayloadEncoding;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::content;
use super::downloads::Store;
use super::objects::Objects;
use crate::interop::cell::node::{Node as CellNode, to_fobs};
use crate::remote::{answer, limit, route, text};

/// Seconds that a command may take.
pub(super) const LIMIT: f64 = 60.0;

/// Bytes of an array from which on it goes to the disk, where the disk is wanted.
const SPILLED: u64 = 1 << 20;

/// What came, by channel and topic.
type Taken = BTreeMap<(String, String), Vec<Value>>;

/// A cell and what has come to it.
#[derive(Debug, Clone)]
pub(super) struct Node {
    cell: Cell,
    base: CellNode,
    taken: Arc<Mutex<Taken>>,
    bell: Arc<Notify>,
    downloads: Store,
    objects: Objects,
}

impl Node {
    pub(super) fn new(cell: Cell, base: CellNode, scratch: Option<&str>) -> Result<Self> {
        let downloads = Store::new(cell.clone(), scratch)?;
        let objects = Objects::new(&cell);
        Ok(Self { cell, base, taken: Arc::default(), bell: Arc::default(), downloads, objects })
    }

    /// Does what a command says; the result is the line to answer with.
    pub(super) async fn serve(&self, command: Value) -> Value {
        let outcome = match command["do"].as_str().unwrap_or_default() {
            "take" => self.take(&command),
            "send" => self.send(&command).await,
            "taken" => self.taken(&command).await,
            "answer" => self.answer(&command),
            "ask" => self.ask(&command).await,
            "hand_on" => self.hand_on(&command),
            "offer" => self.downloads.offer(&command),
            "outcome" => self.downloads.outcome(&command).await,
            "fetch" => self.downloads.fetch(&command).await,
            "consume_objects" => self.objects.consume(&command),
            "send_objects" => self.objects.send(&command).await,
            "objects_taken" => self.objects.taken(&command).await,
            "inspect" => self.inspect(),
            _ => return self.base.serve(command).await,
        };
        answer(&command, outcome)
    }

    fn take(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let node = self.clone();
        if command["kind"] == "blob" {
            self.cell.handle(channel, topic, move |request: Request| {
                let mut record = content::told(request.payload().segments());
                record["origin"] = json!(request.origin().as_str());
                node.keep(request.channel(), request.topic(), record);
                core::future::ready(())
            });
        } else {
            self.cell.handle_stream(channel, topic, move |stream: StreamReader| {
                let node = node.clone();
                async move { node.read(stream).await }
            });
        }
        Ok(json!({}))
    }

    async fn read(&self, mut stream: StreamReader) -> Result<(), StreamError> {
        let (mut digest, mut length) = (Context::new(&SHA256), 0);
        let outcome = loop {
            match stream.chunk().await {
                Ok(Some(piece)) => {
                    digest.update(&piece);
                    length += piece.len();
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let mut record = match &outcome {
            Ok(()) => json!({"len": length, "sha256": content::hex(digest.finish().as_ref())}),
            Err(error) => json!({"error": error.to_string()}),
        };
        record["origin"] = json!(stream.origin().as_str());
        self.keep(stream.channel(), stream.topic(), record);
        outcome
    }

    fn keep(&self, channel: &str, topic: &str, record: Value) {
        let route = (channel.to_owned(), topic.to_owned());
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).entry(route).or_default().push(record);
        self.bell.notify_waiters();
    }

    async fn send(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let target = text(command, "target")?;
        let data = content::content(usize::try_from(command["size"].as_u64().context("no size")?)?)?;
        let sent = content::told([&data]);
        let (secure, reliable) = (command["secure"] == true, command["reliable"] == true);
        let start = Instant::now();
        let sending = async {
            if command["kind"] == "blob" && !reliable {
                let draft = self.cell.fire(target, channel, topic).payload(data).secure(secure);
                return draft.send().await.map_err(|error| error.to_string());
            }
            let mut draft = self.cell.open_stream(target, channel, topic).reliable(reliable);
            if command["known"] != false {
                draft = draft.size(data.len() as u64);
            }
            if secure {
                draft = draft.sealed();
            }
            let mut stream = draft.open().map_err(|error| error.to_string())?;
            // Pieces that fit no chunk.
            for piece in pieces(&data) {
                stream.send(piece).await.map_err(|error| error.to_string())?;
            }
            stream.finish().await.map(drop).map_err(|error| error.to_string())
        };
        let limit = limit(command, LIMIT);
        let outcome = tokio::time::timeout(limit, sending).await;
        let failure = outcome.unwrap_or_else(|_| Err(format!("not done within {limit:?}"))).err();
        Ok(json!({"sent": sent, "failure": failure, "seconds": start.elapsed().as_secs_f64()}))
    }

    /// What came, once so many have. Waits for as long as more comes.
    async fn taken(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let key = (channel.to_owned(), topic.to_owned());
        let count = usize::try_from(command["count"].as_u64().unwrap_or(1))?;
        let look = || {
            let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.get(&key).cloned().unwrap_or_default()
        };
        let all = async {
            loop {
                // Made before the look, so that nothing falls between look and wait.
                let more = self.bell.notified();
                if look().len() >= count {
                    break;
                }
                more.await;
            }
        };
        let met = tokio::time::timeout(limit(command, LIMIT), all).await.is_ok();
        Ok(json!({"met": met, "taken": look()}))
    }

    fn answer(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let tells = command["kind"] == "tell";
        let spill = (command["kind"] == "spill").then(|| self.downloads.folder());
        self.cell.handle(channel, topic, move |request: Request| {
            let spill = spill.clone();
            async move {
                if tells {
                    let told = content::describe_received(request.headers(), request.payload(), request.fetch());
                    let value = to_fobs(&told.await.map_err(refusal)?).map_err(refusal)?;
                    return Ok::<Answer, HandlerError>(fedcell_cell::fobs_body(&value)?.into());
                }
                if content::received_encoding(request.headers()).map_err(refusal)? != PayloadEncoding::FOBS {
                    return Ok(request.body().into());
                }
                // Arrays are fetched, and stay here for whoever asked: on the disk, or in memory.
                if let Some(folder) = spill {
                    let fetched = request.fetch().spill(folder, SPILLED).await.map_err(refusal)?;
                    return Ok(request.body_of(&fetched.value)?.into());
                }
                let value = request.fetch().await.map_err(refusal)?;
                Ok(request.body_of(&value)?.into())
            }
        });
        Ok(json!({}))
    }

    /// Handles requests by handing their body on as it came, references and all.
    fn hand_on(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let (target, other) = (text(command, "target")?.to_owned(), text(command, "other")?.to_owned());
        self.cell.downloads().pass_through(channel, topic);
        self.cell.handle(channel, topic, move |request: Request| {
            let (target, other) = (target.clone(), other.clone());
            async move {
                let value = request.fetch().await.map_err(refusal)?;
                let here = to_fobs(&content::tree(&value)).map_err(refusal)?;
                let asked = request.cell().request(target.as_str(), request.channel(), other).value(&value);
                let there = asked.timeout(Duration::from_secs(60)).send().await.map_err(refusal)?.value()?;
                let both = Map::from([("here", here), ("there", there)]);
                Ok::<Answer, HandlerError>(fedcell_cell::fobs_body(&both.into())?.into())
            }
        });
        Ok(json!({}))
    }

    async fn ask(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let target = text(command, "target")?;
        let mut draft = self.cell.request(target, channel, topic).timeout(limit(command, LIMIT));
        if command["secure"] == true {
            draft = draft.secure(true);
        }
        let sent;
        if let Some(object) = content::object(&command["payload"])? {
            sent = json!({"encoding": "fobs", "value": content::tree(&object)});
            draft = draft.value(&object);
        } else {
            let body = content::body(&command["payload"])?;
            sent = content::describe(body.encoding(), body.payload())?;
            draft = draft.body(body);
        }
        let start = Instant::now();
        let outcome = draft.send().await;
        let seconds = start.elapsed().as_secs_f64();
        let mut answer = match outcome {
            Ok(response) => json!({
                "code": response.return_code().as_str(), "reason": response.error(),
                "reply": content::describe_received(response.headers(), response.payload(), response.fetch(&self.cell)).await?,
            }),
            Err(error) => json!({"code": error.return_code().as_str(), "reason": with_causes(&error)}),
        };
        answer["sent"] = sent;
        answer["seconds"] = json!(seconds);
        Ok(answer)
    }

    /// What this process holds.
    fn inspect(&self) -> Result<Value> {
        let (outgoing, incoming, collected) = self.cell.streams();
        let status = std::fs::read_to_string("/proc/self/status")?;
        let memory = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
            anyhow::Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
        };
        Ok(json!({
            "streams": outgoing + incoming,
            "collected": collected,
            "waiting": self.cell.waiting_requests() + self.downloads.open(),
            "tasks": tokio::runtime::Handle::current().metrics().num_alive_tasks(),
            "files": std::fs::read_dir("/proc/self/fd")?.count(),
            "resident": memory("VmRSS:")?,
            "peak": memory("VmHWM:")?,
        }))
    }
}

/// Cuts bytes into pieces of many lengths, none of them a multiple of a chunk.
fn pieces(data: &Bytes) -> impl Iterator<Item = Bytes> + '_ {
    let mut start = 0;
    let lengths = [1, 1000, 70_001, 300_007, (1 << 20) + 1].into_iter().cycle();
    lengths.map_while(move |length| {
        let end = (start + length).min(data.len());
        let piece = data.slice(start..end);
        start = end;
        (!piece.is_empty()).then_some(piece)
    })
}

fn refusal(error: impl core::fmt::Display) -> HandlerError {
    HandlerError::invalid_request(error.to_string())
}
