//! A job of many sites whose training costs nothing, for what rounds cost: a server with one job, and some of its sites.
//!
//! Roles `job` (`workspace`, `sites`, `rounds`; event `ready`, command `finish`, which gives the seconds of each round) and
//! `sites` (`names`, `crowd`, `url`, `identity`, `project`, `folder`; event `ready` when all have registered).

use core::time::Duration;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use fedcell_cell::Cell;
use fedcell_cell::security::SecurityMode;
use fedcell_client::communicator::Task;
use fedcell_client::outbox::{Outbox, OutboxLimits, RetryPolicy};
use fedcell_client::task_loop::{ExecuteError, ResultStore, TaskLoop, blocking};
use fedcell_durable::Files;
use fedcell_fobs::array::Array;
use fedcell_fobs::typed::{Dxo, Shareable};
use fedcell_protocol_defs::federation::{DataKind, ShareableCode};
use fedcell_server::tasks::TaskService;
use fedcell_server::{Model, Run, RunConfig, RunEvent};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::sequence::joined;
use super::server::{membership, start};
use crate::remote::{put, text};

const JOB: &str = "0d3b5a3e-8f0a-4a53-9d9f-0c2b8f1d2e11";

/// How soon a site that has nothing to do asks again.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Values of the model: as many as the reference's example has.
const VALUES: usize = 9;

/// Runs the server and its job.
pub(super) async fn job(config: &Value, mut lines: mpsc::UnboundedReceiver<Value>) -> Result<()> {
    let (builder, project) = start(config)?;
    let root = builder.listen_internal("tcp://127.0.0.1:0").build()?;
    let members = membership(config, &project, root.now())?;
    members.attach(&root)?;
    let root = root.start().await?;
    let inner = root.connectors().into_iter().find(|connector| connector.security == SecurityMode::Clear);
    let url = inner.context("no listener for jobs")?.url;
    let job_cell = Cell::builder(format!("server.{JOB}")).security(SecurityMode::Clear).parent_url(&url).build()?;
    members.add_job(JOB, &job_cell)?;

    let rounds = u32::try_from(config["rounds"].as_u64().context("no rounds")?)?;
    let mut settings = RunConfig::new(JOB, names(&config["sites"])?, rounds);
    settings.ask_again = ASK_AGAIN;
    let storage = Files::at(Path::new(text(config, "workspace")?).join("job"))?;
    let run = Run::open(settings, model(&[0.0; VALUES])?, storage, Instant::now())?;
    let (tasks, mut reports) = TaskService::new(JOB, run);
    tasks.attach(&job_cell, &members);
    let job_cell = job_cell.start().await?;
    job_cell.ready().await;
    put(&json!({"event": "ready", "pid": std::process::id()}));

    let command = lines.recv().await.context("no command")?;
    // The first round waits for the last site; what counts begins when it closes.
    let mut seconds = Vec::new();
    let mut last: Option<Instant> = None;
    while let Ok(event) = reports.recv().await {
        match event {
            RunEvent::RoundClosed { .. } => {
                let now = Instant::now();
                seconds.extend(last.map(|last| now.duration_since(last).as_secs_f64()));
                last = Some(now);
            }
            RunEvent::Ended { .. } => break,
            _ => {}
        }
    }
    tasks.ended().await?;
    put(&json!({"id": command["id"], "seconds": seconds}));
    // The sites still ask until they are told that it is over.
    while lines.recv().await.is_some() {}
    Ok(())
}

/// Runs some sites, each with a cell, a connection and an outbox on disk of its own.
pub(super) async fn sites(config: &Value, mut lines: mpsc::UnboundedReceiver<Value>) -> Result<()> {
    let mut loops = JoinSet::new();
    for name in names(&config["names"])? {
        let (cell, communicator) = joined(config, &name).await?;
        let storage = Files::at(Path::new(text(config, "folder")?).join(&name))?;
        let outbox = Outbox::open(storage, OutboxLimits::default(), RetryPolicy::default(), Instant::now())?;
        loops.spawn(async move {
            let task_loop = TaskLoop::new(communicator, JOB, ResultStore::new(outbox));
            let outcome = task_loop.executor("train", blocking(train)).run(&CancellationToken::new()).await;
            cell.shutdown().await;
            outcome
        });
    }
    put(&json!({"event": "ready", "pid": std::process::id()}));
    while let Some(ended) = loops.join_next().await {
        ended??;
    }
    while lines.recv().await.is_some() {}
    Ok(())
}

/// Adds one to each value.
fn train(task: &Task, _: &CancellationToken) -> Result<Shareable, ExecuteError> {
    let failed = |error: String| ExecuteError::failed(error);
    let dxo = task.data.clone().take_dxo().map_err(|error| failed(error.to_string()))?;
    let weights = dxo.data.as_map().and_then(|map| map.get("w")).and_then(|weights| weights.as_array());
    let weights = weights.ok_or_else(|| failed("the model lacks its array".to_owned()))?;
    let values = weights.to_vec::<f32>().map_err(|error| failed(error.to_string()))?;
    let trained: Vec<f32> = values.iter().map(|value| value + 1.0).collect();
    let mut result = Shareable::reply(ShareableCode::OK);
    let trained = model(&trained).map_err(|error| failed(error.to_string()))?;
    result.set_dxo(Dxo::new(DataKind::WEIGHTS, trained.to_map()));
    Ok(result)
}

fn model(values: &[f32]) -> Result<Model> {
    Ok(Model::new(vec![("w".into(), Array::from_elements([values.len()], values)?)])?)
}

fn names(value: &Value) -> Result<Vec<String>> {
    Ok(serde_json::from_value(value.clone())?)
}
