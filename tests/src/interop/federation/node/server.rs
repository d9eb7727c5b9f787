//! Our server as a part of a federation: membership on a cell, and an eye on what it answers.

use core::time::Duration;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use fedcell_auth::UnixTime;
use fedcell_auth::identity::{Identity, ProjectRoot};
use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::proto::filter::{FilterContext, Place, Verdict};
use fedcell_cell::proto::headers::HeaderMap;
use fedcell_cell::proto::message::Message;
use fedcell_cell::security::{Credentials, SecurityMode};
use fedcell_cell::{Cell, CellBuilder};
use fedcell_durable::Files;
use fedcell_protocol_defs::cell::{HeaderKey, Topic, Wildcard};
use fedcell_server::membership::{MembershipService, Registrar, RegistrarConfig, ServerKeys};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::configuration;
use super::job::{self, Jobs, Running};
use crate::remote::{limit, obey_in_turn, put, text};

/// How often a condition is looked at.
const TICK: Duration = Duration::from_millis(20);

/// What was asked, and under which name it is told.
const WATCHED: [(Topic<'static>, &str); 4] = [
    (Topic::CHALLENGE, "challenge"),
    (Topic::REGISTER, "register"),
    (Topic::HEART_BEAT, "heartbeat"),
    (Topic::QUIT, "quit"),
];

type Calls = Arc<Mutex<Vec<Value>>>;

/// What the kit in the workspace says of the server's cell, and the name of its project.
pub(super) fn start(config: &Value) -> Result<(CellBuilder, String)> {
    let workspace = Path::new(text(config, "workspace")?);
    let kit = configuration(workspace, "startup/fed_server.json")?["servers"][0].take();
    let url = format!("{}://{}", text(&kit["service"], "scheme")?, text(&kit["service"], "target")?);
    let mode: SecurityMode = kit["connection_security"].as_str().unwrap_or("mtls").parse()?;
    let mut builder = Cell::builder("server").root_url(url).security(mode);
    builder = builder.credentials(Credentials::from_kit(workspace.join("startup"))?);
    for (address, name) in kit["auth_identity_map"].as_object().into_iter().flatten() {
        builder = builder.identity(address, name.as_str().unwrap_or_default());
    }
    Ok((builder, text(&kit, "name")?.to_owned()))
}

/// The membership of the project, with the keys in the workspace, which keeps its tokens there as `fedcell server` does.
pub(super) fn membership(config: &Value, project: &str, now: UnixTime) -> Result<MembershipService> {
    let workspace = Path::new(text(config, "workspace")?);
    let startup = workspace.join("startup");
    let identity = Identity::load(&startup.join("server.crt"), &startup.join("server.key"))?;
    let certificate = *identity.chain().leaf().fingerprint().as_bytes();
    let keys = ServerKeys { identity: Arc::new(identity), root: ProjectRoot::load(&startup.join("rootCA.pem"))? };
    let service = MembershipService::new(Registrar::new(RegistrarConfig::new(project), Some(keys))?);
    service.keep_tokens_on(Files::at(workspace.join("members"))?, certificate, now)?;
    Ok(service)
}

/// Runs the server until its input ends or it is told to stop.
pub(super) async fn live(config: &Value, lines: mpsc::UnboundedReceiver<Value>) -> Result<()> {
    let (builder, project) = start(config)?;
    let network = MemoryNetwork::new();
    let cell = job::listen(builder, &network).build()?;
    let service = membership(config, &project, cell.now())?;
    service.attach(&cell)?;
    let jobs = Jobs::new(&cell, &service, network);
    let mut running = None;
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    let any = Wildcard::ANY.as_str();
    let watch = move |_: &FilterContext<'_>, message: &mut Message| {
        seen.lock().unwrap_or_else(PoisonError::into_inner).extend(call(&message.headers));
        Verdict::Pass
    };
    if config["watched"] != false {
        cell.filter(Place::OutgoingReply, any, any, watch);
    }
    let cell = cell.start().await?;
    put(&json!({"event": "ready", "pid": std::process::id()}));
    obey_in_turn(lines, async |command| match command["do"].as_str().unwrap_or_default() {
        "submit" => submit(command, &jobs, &mut running).await,
        "wait_job" => wait_job(command, running.as_ref()).await,
        _ => obey(command, &service, &calls).await,
    })
    .await;
    cell.shutdown().await;
    Ok(())
}

/// What a reply says about a request that is watched.
fn call(headers: &HeaderMap) -> Option<Value> {
    let text = |key| headers.text(key).ok().flatten();
    let topic = text(HeaderKey::TOPIC)?;
    let (_, what) = WATCHED.iter().find(|(watched, _)| watched.as_str() == topic)?;
    Some(json!({
        "what": what, "origin": text(HeaderKey::DESTINATION), "code": text(HeaderKey::RETURN_CODE),
        "error": text(HeaderKey::ERROR),
    }))
}

async fn submit(command: &Value, jobs: &Jobs, running: &mut Option<Running>) -> Result<Value> {
    let job = running.insert(jobs.submit(Path::new(text(command, "job")?)).await?);
    Ok(json!({"job": job.id()}))
}

async fn wait_job(command: &Value, running: Option<&Running>) -> Result<Value> {
    timeout(limit(command, 120.0), running.context("no job was submitted")?.ended())
        .await
        .context("the job does not end")?
}

async fn obey(command: &Value, service: &MembershipService, calls: &Calls) -> Result<Value> {
    let name = || text(command, "name");
    let listed = || -> Vec<Value> {
        service.with(|registrar| {
            let told = registrar.sites().map(|member| {
                json!({
                    "name": member.name, "fqcn": member.fqcn.as_str(), "fqsn": member.fqsn, "is_leaf": member.is_leaf,
                })
            });
            told.collect()
        })
    };
    let seen = || calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(match text(command, "do")? {
        "clients" => json!({"clients": listed()}),
        "calls" => json!({"calls": seen()}),
        "wait_client" => {
            let (name, present) = (name()?, command["present"] != false);
            let met = || listed().iter().any(|client| client["name"] == name) == present;
            json!({"met": wait(command, met).await})
        }
        "wait_calls" => {
            let wanted = ["what", "origin", "code"].map(|field| (field, &command[field]));
            let is_wanted =
                |call: &Value| wanted.iter().all(|(field, value)| value.is_null() || call[field] == **value);
            let count = command["count"].as_u64().unwrap_or(1);
            json!({"met": wait(command, || seen().iter().filter(|call| is_wanted(call)).count() as u64 >= count).await})
        }
        "disable" => {
            service.with(|registrar| registrar.disable(name().unwrap_or_default()));
            json!({})
        }
        "enable" => json!({"was": service.with(|registrar| registrar.enable(name().unwrap_or_default()))}),
        other => bail!("no command {other:?}"),
    })
}

async fn wait(command: &Value, condition: impl Fn() -> bool) -> bool {
    let end = Instant::now() + limit(command, 30.0);
    while !condition() {
        if Instant::now() >= end {
            return false;
        }
        sleep(TICK).await;
    }
    true
}
