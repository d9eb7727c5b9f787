//! Our client as a part of a federation. Its attempts are the connections that came to nothing.

use core::time::Duration;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::{Cell, CellEvent, Events};
use fedcell_client::Kit;
use fedcell_client::communicator::{Communicator, Task};
use fedcell_client::jobs::{Job, JobAgent, JobCells, JobEnd};
use fedcell_client::outbox::{Outbox, OutboxLimits, RetryPolicy};
use fedcell_client::task_loop::{ExecuteError, ResultStore, TaskLoop, blocking};
use fedcell_durable::Files;
use fedcell_fobs::Map;
use fedcell_fobs::array::Array;
use fedcell_fobs::typed::Shareable;
use fedcell_protocol_defs::federation::{JobExitCode, MetaKey, ShareableCode};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::MODEL;
use crate::remote::{limit, obey_in_turn, put, text};

/// Runs the client until its input ends or it is told to stop.
pub(super) async fn live(config: &Value, lines: mpsc::UnboundedReceiver<Value>) -> Result<()> {
    let name = text(config, "name")?;
    let workspace = Path::new(text(config, "workspace")?);
    let kit = Kit::open(workspace)?;
    let cells = JobCells::new(MemoryNetwork::new(), name);
    let cell = cells.listen(kit.cell()?).build()?;
    let events = cell.events();
    let mut settings = kit.config()?;
    settings.heartbeat_interval = Duration::from_secs_f64(config["heartbeat"].as_f64().unwrap_or(10.0));
    let communicator = Communicator::new(settings);
    communicator.set_cell(Cell::clone(&cell));
    let agent = JobAgent::new(communicator.clone(), cells, add_one);
    agent.attach(&cell);
    let cell = cell.start().await?;
    let (sender, attempts) = watch::channel(0);
    tokio::spawn(watch_attempts(events, sender));
    let stop = CancellationToken::new();
    tokio::spawn(join(communicator.clone(), agent, stop.clone()));
    obey_in_turn(lines, async |command| {
        Ok(match text(command, "do")? {
            "quit" => {
                stop.cancel();
                communicator.quit().await?;
                json!({})
            }
            "attempts" => json!({"attempts": *attempts.borrow()}),
            "wait_attempts" => {
                let count = command["count"].as_u64().unwrap_or(1);
                let mut attempts = attempts.clone();
                json!({"met": timeout(limit(command, 30.0), attempts.wait_for(|seen| *seen >= count)).await.is_ok()})
            }
            other => bail!("no command {other:?}"),
        })
    })
    .await;
    cell.shutdown().await;
    Ok(())
}

/// Registers, says how that went, and stays.
async fn join(communicator: Communicator, agent: JobAgent, stop: CancellationToken) {
    let outcome = match communicator.register(&stop).await {
        Ok(registered) => {
            put(&json!({
                "event": "registered", "pid": std::process::id(), "token": true, "signature": true,
                "ssid": registered.session,
            }));
            communicator.heartbeats(&agent, &stop).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        put(&json!({"event": "refused", "reason": format!("{:#}", anyhow::Error::from(error))}));
    }
}

/// What the reference's `NPTrainer` does: adds one to every number of the model.
async fn add_one(job: Job) -> JobEnd {
    let work = || -> Result<TaskLoop> {
        let folder = tempfile::tempdir()?.keep();
        let outbox = Outbox::open(Files::at(folder)?, OutboxLimits::default(), RetryPolicy::default(), Instant::now())?;
        let task_loop = TaskLoop::new(job.communicator.clone(), &job.order.id, ResultStore::new(outbox));
        Ok(task_loop.executor(
            "train",
            blocking(|task, _| trained(task).map_err(|error| ExecuteError::failed(error.to_string()))),
        ))
    };
    let failed = |reason| JobEnd::Failed { code: JobExitCode::EXECUTION_ERROR, reason };
    match work() {
        Ok(task_loop) => match task_loop.run(&job.stop).await {
            Ok(()) => JobEnd::Done,
            Err(error) => failed(error.to_string()),
        },
        Err(error) => failed(error.to_string()),
    }
}

fn trained(task: &Task) -> Result<Shareable> {
    let mut dxo = task.data.clone().take_dxo()?;
    let map = dxo.data.as_map().context("no model")?;
    let array = map.get(MODEL).and_then(|model| model.as_array()).context("no array in the model")?;
    let raised: Vec<f64> = match array.to_vec::<f32>() {
        Ok(numbers) => numbers.into_iter().map(|number| f64::from(number) + 1.0).collect(),
        Err(_) => array.to_vec::<f64>()?.into_iter().map(|number| number + 1.0).collect(),
    };
    let shape: Vec<usize> = array.shape().to_vec();
    dxo.data = Map::from([(MODEL, Array::from_elements(shape, &raised)?)]).into();
    dxo.meta.insert(MetaKey::NUM_STEPS_CURRENT_ROUND.as_str(), 1);
    let mut result = Shareable::reply(ShareableCode::OK);
    result.set_dxo(dxo);
    Ok(result)
}

async fn watch_attempts(mut events: Events, attempts: watch::Sender<u64>) {
    while let Some(event) = events.next().await {
        if matches!(
            event,
            CellEvent::DialFailed { .. } | CellEvent::ConnectionRefused { .. } | CellEvent::PeerDown { .. }
        ) {
            attempts.send_modify(|seen| *seen += 1);
        }
    }
}
