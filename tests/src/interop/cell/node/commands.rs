//! What a node is told to do.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use fedcell_cell::proto::filter::{FilterContext, Place, Verdict};
use fedcell_cell::proto::headers::HeaderMap;
use fedcell_cell::proto::message::Message;
use fedcell_cell::proto::request::Reply;
use fedcell_cell::{Answer, Cell, HandlerError, Request, RequestError, Response};
use fedcell_protocol_defs::cell::{Channel, HeaderKey, ReturnCode, Topic};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::state::State;
use super::{inspect, payload};
use crate::remote::{answer, limit, route, text};

/// Seconds that a command may take.
pub(super) const LIMIT: f64 = 10.0;

/// A cell and what has happened to it.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    cell: Cell,
    state: Arc<State>,
}

/// What a handler does with its requests.
#[derive(Debug, Clone)]
enum Kind {
    Echo,
    Keep,
    Note,
    Refuse(String),
}

impl Node {
    pub(crate) fn new(cell: Cell, state: Arc<State>) -> Self {
        let byes = Arc::clone(&state);
        cell.filter(Place::Incoming, Channel::CELLNET, Topic::BYE, move |_: &FilterContext<'_>, _: &mut Message| {
            byes.change(|facts| facts.byes += 1);
            Verdict::Pass
        });
        Self { cell, state }
    }

    /// Does what a command says; the result is the line to answer with.
    pub(crate) async fn serve(&self, command: Value) -> Value {
        answer(&command, self.execute(&command).await)
    }

    async fn execute(&self, command: &Value) -> Result<Value> {
        match command["do"].as_str().unwrap_or_default() {
            "handle" => self.handle(command),
            "request" => self.request(command).await,
            "multi" => self.multi(command).await,
            "fire" => self.fire(command).await,
            "queue" => self.queue(command),
            "release" => self.release().await,
            "watch" => self.watch(command),
            "wait_peer" => self.wait_peer(command).await,
            "wait_count" => self.wait_count(command).await,
            "wait_byes" => self.wait_byes(command).await,
            "wait_attempts" => self.wait_attempts(command).await,
            "net" => inspect::net(&self.cell, command).await,
            "change_root" => inspect::change_root(&self.cell, command).await,
            "report" => Ok(self.report()),
            other => bail!("no command {other:?}"),
        }
    }

    fn handle(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let kind = match text(command, "kind")? {
            "echo" => Kind::Echo,
            "keep" => Kind::Keep,
            "note" => Kind::Note,
            kind => Kind::Refuse(kind.strip_prefix("refuse:").context("unknown kind of handler")?.to_owned()),
        };
        let state = Arc::clone(&self.state);
        self.cell.handle(channel, topic, move |request: Request| {
            let (state, kind) = (Arc::clone(&state), kind.clone());
            async move { take(&state, &kind, &request) }
        });
        Ok(json!({}))
    }

    async fn request(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let targets = targets(command)?;
        let body = payload::make(&command["payload"])?;
        let sent = payload::tell(&body)?;
        let start = Instant::now();
        let mut draft = self.cell.broadcast(targets.iter().copied(), channel, topic).direct().body(body);
        draft = draft.timeout(limit(command, LIMIT)).secure(command["secure"] == true);
        if command["optional"] == true {
            draft = draft.optional();
        }
        let mut replies = Map::new();
        match draft.send().await {
            Ok(outcomes) => {
                for (target, outcome) in outcomes {
                    replies.insert(target.as_str().to_owned(), tell_outcome(&outcome)?);
                }
            }
            Err(error) => {
                let outcome = Err(error);
                for target in targets {
                    replies.insert(target.to_owned(), tell_outcome(&outcome)?);
                }
            }
        }
        Ok(json!({"sent": sent, "replies": replies, "seconds": start.elapsed().as_secs_f64()}))
    }

    async fn multi(&self, command: &Value) -> Result<Value> {
        let mut requests = JoinSet::new();
        for message in command["messages"].as_array().context("no messages")? {
            let (channel, topic) = route(message)?;
            let target = text(message, "target")?.to_owned();
            let draft = self.cell.request(&target, channel, topic).direct().body(payload::make(&message["payload"])?);
            let draft = draft.timeout(limit(command, LIMIT));
            requests.spawn(async move { (target, draft.send().await) });
        }
        let mut replies = Map::new();
        for (target, outcome) in requests.join_all().await {
            replies.insert(target, tell_outcome(&outcome)?);
        }
        Ok(json!({"replies": replies}))
    }

    async fn fire(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let targets = targets(command)?;
        let (mut sent, mut failures) = (Vec::new(), Map::new());
        for _ in 0..command["count"].as_u64().unwrap_or(1) {
            let body = payload::make(&command["payload"])?;
            sent.push(payload::tell(&body)?);
            let draft = self.cell.fire_all(targets.iter().copied(), channel, topic).direct().body(body);
            if let Err(error) = draft.secure(command["secure"] == true).send().await {
                failures.insert(targets.join(" "), error.to_string().into());
            }
        }
        Ok(json!({"sent": sent, "failures": failures}))
    }

    fn queue(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let targets = targets(command)?;
        let mut sent = Vec::new();
        for _ in 0..command["count"].as_u64().unwrap_or(1) {
            let body = payload::make(&command["payload"])?;
            sent.push(payload::tell(&body)?);
            self.cell.fire_all(targets.iter().copied(), channel, topic).direct().body(body).queue()?;
        }
        Ok(json!({"sent": sent}))
    }

    async fn release(&self) -> Result<Value> {
        let kept = self.state.change(|facts| core::mem::take(&mut facts.kept));
        let released = kept.len();
        let mut failures = Vec::new();
        for (reply_to, body) in kept {
            if let Err(failure) = self.cell.reply(&reply_to, Reply::ok(body)).await {
                failures.push(failure.to_string());
            }
        }
        Ok(json!({"released": released, "failures": failures}))
    }

    fn watch(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let state = Arc::clone(&self.state);
        self.cell.filter(Place::Incoming, channel, topic, move |_: &FilterContext<'_>, message: &mut Message| {
            let mut record = payload::tell_raw(&message.payload).unwrap_or_default();
            record["destination"] = json!(message.headers.text(HeaderKey::DESTINATION).ok().flatten());
            record["encrypted"] = json!(message.headers.flag(HeaderKey::ENCRYPTED).ok().flatten().unwrap_or(false));
            state.change(|facts| facts.passed.push(record));
            Verdict::Pass
        });
        Ok(json!({}))
    }

    async fn wait_peer(&self, command: &Value) -> Result<Value> {
        let peer = text(command, "fqcn")?;
        let up = command["up"] != false;
        let connected = || self.cell.peers().iter().any(|name| name.as_str() == peer);
        Ok(json!({"met": self.state.wait(limit(command, LIMIT), || connected() == up).await}))
    }

    async fn wait_count(&self, command: &Value) -> Result<Value> {
        let (channel, topic) = route(command)?;
        let key = (channel.to_owned(), topic.to_owned());
        let count = command["count"].as_u64().unwrap_or(1);
        let met = || self.state.read(|facts| facts.received.get(&key).map_or(0, Vec::len) as u64 >= count);
        Ok(json!({"met": self.state.wait(limit(command, LIMIT), met).await}))
    }

    async fn wait_byes(&self, command: &Value) -> Result<Value> {
        let count = command["count"].as_u64().unwrap_or(1);
        let met = || self.state.read(|facts| facts.byes >= count);
        Ok(json!({"met": self.state.wait(limit(command, LIMIT), met).await}))
    }

    async fn wait_attempts(&self, command: &Value) -> Result<Value> {
        let count = command["count"].as_u64().unwrap_or(1);
        let met = || self.state.read(|facts| facts.attempts >= count);
        let met = self.state.wait(limit(command, LIMIT), met).await;
        Ok(json!({"met": met, "last": self.state.read(|facts| facts.last_failure.clone())}))
    }

    fn report(&self) -> Value {
        let mut peers: Vec<_> = self.cell.peers().iter().map(|peer| peer.as_str().to_owned()).collect();
        peers.sort();
        let waiting = self.cell.waiting_requests();
        self.state.read(|facts| {
            let received: Vec<_> = facts.received.iter().collect();
            let received = received
                .into_iter()
                .map(|((channel, topic), messages)| json!({"channel": channel, "topic": topic, "messages": messages}));
            json!({
                "received": received.collect::<Vec<_>>(), "peers": peers, "seen": facts.seen,
                "passed": facts.passed, "byes": facts.byes,
                "attempts": facts.attempts, "waiting": waiting,
            })
        })
    }
}

/// Writes a request down and answers it as the handler's kind says.
fn take(state: &State, kind: &Kind, request: &Request) -> Result<Answer, HandlerError> {
    let mut record = payload::tell_received(request.headers(), request.payload())
        .map_err(|error| HandlerError::invalid_request(error.to_string()))?;
    record["origin"] = json!(request.origin().as_str());
    record["route"] = hops(request.headers());
    record["secure"] = json!(request.headers().flag(HeaderKey::SECURE)?.unwrap_or(false));
    record["sealed"] = json!(request.headers().contains(HeaderKey::CLEAR_PAYLOAD_LEN));
    state.change(|facts| {
        facts.received.entry((request.channel().to_owned(), request.topic().to_owned())).or_default().push(record);
        if let Kind::Keep = kind {
            facts.kept.push((request.reply_to().clone(), request.body()));
        }
    });
    match kind {
        Kind::Echo => Ok(request.body().into()),
        Kind::Keep | Kind::Note => Ok(Answer::Nothing),
        Kind::Refuse(code) => Err(HandlerError::new(known(code), "asked to refuse")),
    }
}

/// The codes by which a handler may be told to refuse.
fn known(code: &str) -> ReturnCode<'static> {
    let all = [
        ReturnCode::SERVICE_UNAVAILABLE,
        ReturnCode::INVALID_SESSION,
        ReturnCode::INVALID_REQUEST,
        ReturnCode::AUTHENTICATION_ERROR,
        ReturnCode::ABORT_RUN,
    ];
    all.into_iter().find(|known| known.as_str() == code).unwrap_or(ReturnCode::PROCESS_EXCEPTION)
}

fn tell_outcome(outcome: &Result<Response, RequestError>) -> Result<Value> {
    Ok(match outcome {
        Ok(response) => {
            let mut told = payload::tell_received(response.headers(), response.payload())?;
            told["code"] = json!(response.return_code().as_str());
            told["error"] = json!(response.error());
            told["route"] = hops(response.headers());
            told["sealed"] = json!(response.headers().contains(HeaderKey::CLEAR_PAYLOAD_LEN));
            told
        }
        Err(error) => json!({"code": error.return_code().as_str(), "error": error.to_string(), "encoding": "none"}),
    })
}

fn hops(headers: &HeaderMap) -> Value {
    headers.route().hops().map(|hop| hop.cell).collect::<Vec<_>>().into()
}

fn targets(command: &Value) -> Result<Vec<&str>> {
    let targets = command["targets"].as_array().context("no targets")?;
    targets.iter().map(|target| target.as_str().context("a target that is no text")).collect()
}
