//! A site: `site KIT JOB WORKSPACE` registers with a kit, does the tasks `train` of a job, and ends with the job.

use core::error::Error;
use std::path::Path;
use std::time::Instant;

use fedcell_client::communicator::{Communicator, Task};
use fedcell_client::kit::Kit;
use fedcell_client::outbox::{Outbox, OutboxLimits, RetryPolicy};
use fedcell_client::task_loop::{ExecuteError, ResultStore, TaskLoop, blocking};
use fedcell_durable::Files;
use fedcell_fobs::typed::{Dxo, Shareable};
use fedcell_protocol_defs::federation::{DataKind, ShareableCode};
use tokio_util::sync::CancellationToken;

/// Where a framework trains: the weights of the task come in, and go out changed.
fn train(task: &Task, _stop: &CancellationToken) -> Result<Shareable, ExecuteError> {
    let model = task.data.clone().take_dxo().map_err(|error| ExecuteError::failed(error.to_string()))?.data;
    let weights = model.as_map().cloned().ok_or_else(|| ExecuteError::failed("the task has no model"))?;
    let mut result = Shareable::reply(ShareableCode::OK);
    result.set_dxo(Dxo::new(DataKind::WEIGHTS, weights));
    Ok(result)
}

async fn site(kit: &Path, job: &str, workspace: &Path) -> Result<(), Box<dyn Error>> {
    let kit = Kit::open(kit)?;
    let communicator = Communicator::new(kit.config()?);
    let cell = kit.cell()?.start().await?;
    communicator.set_cell(cell.clone());
    let stop = CancellationToken::new();
    communicator.register(&stop).await?;

    let outbox = Outbox::open(Files::at(workspace)?, OutboxLimits::default(), RetryPolicy::default(), Instant::now())?;
    let tasks = TaskLoop::new(communicator.clone(), job, ResultStore::new(outbox));
    tasks.executor("train", blocking(train).repeatable()).run(&stop).await?;
    communicator.quit().await?;
    cell.shutdown().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kit, job, workspace] = arguments.as_slice() else { return Err("expected KIT JOB WORKSPACE".into()) };
    site(Path::new(kit), job, Path::new(workspace)).await
}
