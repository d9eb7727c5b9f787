//! `fedcell site`: registers, trains on its own images, submits.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use clap::{Arg, ArgMatches, Command};
use fedcell_client::communicator::Jobs;
use fedcell_client::outbox::{Outbox, OutboxLimits, RetryPolicy};
use fedcell_client::task_loop::{LoopEvent, Outcome, ResultStore, blocking};
use fedcell_client::{Communicator, TaskLoop};
use fedcell_protocol_defs::federation::WorkflowTask;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::JOB;
use super::digits::{self, Digits};
use super::workspace::Workspace;
use crate::doctor::startup::Role;
use crate::exit::{Failure, Kind};
use crate::{print, stop};

/// Name of the command.
pub(crate) const NAME: &str = "site";

const TASK_TIMEOUT: &str = "task-timeout";

/// How long a result that was not acknowledged waits, at first and at most.
const RETRY: RetryPolicy = RetryPolicy::new(Duration::from_millis(500), Duration::from_secs(5));

pub(crate) fn command() -> Command {
    let command = Command::new(NAME).about("Run a site that trains on its own images").long_about(
        "Run a site that trains on its own images.\n\nRegisters with the certificate of its kit, directly or through a \
         relay, as the kit says; does the tasks of the job, and keeps its results in the workspace until the server has \
         acknowledged them. A site that is started again with its workspace goes on. Prints one JSON object a line.",
    );
    super::job_arguments(command, "Where results wait for the server").arg(super::join::argument()).arg(
        Arg::new(TASK_TIMEOUT)
            .long(TASK_TIMEOUT)
            .value_name("SECONDS")
            .default_value("0")
            .value_parser(super::seconds)
            .help("How long a task may take before the server is told that it has failed; 0 is without end"),
    )
}

/// The one job of this process.
struct OneJob {
    id: String,
    stop: CancellationToken,
    /// The server has said that it does not know the job.
    is_unknown: AtomicBool,
}

impl Jobs for OneJob {
    fn running(&self) -> Vec<String> {
        vec![self.id.clone()]
    }

    fn abort(&self, job: &str) {
        if job == self.id {
            self.is_unknown.store(true, Ordering::Relaxed);
            self.stop.cancel();
        }
    }
}

/// Runs the site until the job has ended.
///
/// # Errors
///
/// [`Failure`] if it cannot start, or the server does not take it.
pub(crate) async fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let startup = super::kit(arguments, Role::Site)?;
    let digits = Digits::read(arguments);
    let name = startup.name.clone().unwrap_or_default();
    let Some(number) = digits.site_names().iter().position(|site| *site == name) else {
        let text = format!("{name} is none of the {} sites of the job, site-1 to site-{0}", digits.sites);
        return Err(Failure::text(Kind::Configuration, text));
    };
    let share = digits.split().shares.into_iter().nth(number).unwrap_or_default();
    let job = arguments.get_one::<String>(JOB).cloned().unwrap_or_default();
    let wait = super::join::patience(arguments);
    let mut config = super::client_config(&startup)?;
    super::shorten(&mut config, arguments);
    config.register_patience = wait;
    let communicator = Communicator::new(config);
    let (_workspace, files) = Workspace::open(arguments)?;
    let retry = RetryPolicy::new(super::at_most(arguments, RETRY.first), super::at_most(arguments, RETRY.most));
    let outbox = Outbox::open(files, OutboxLimits::default(), retry, Instant::now())
        .map_err(|error| Failure::new(Kind::Configuration, error))?;
    let waiting = outbox.waiting();
    let (cell, mut events) = super::builder(&startup, arguments)?.start_watched().await?;
    communicator.set_cell(cell.clone());
    let stop = CancellationToken::new();
    let (work, images) = (Arc::new(share), digits.seed);
    let executor = {
        let work = Arc::clone(&work);
        blocking(move |task, _| digits::execute(task, &work, images, number)).repeatable()
    };
    let mut task_loop = TaskLoop::new(communicator.clone(), &job, ResultStore::new(outbox))
        .executor(WorkflowTask::TASK_TRAIN.as_str(), executor);
    if let Some(limit) = arguments.get_one::<Duration>(TASK_TIMEOUT).filter(|limit| !limit.is_zero()) {
        task_loop = task_loop.patience(*limit);
    }
    let reports = task_loop.events();
    let life = async {
        super::join::join(&startup, &cell, &mut events, &communicator, wait, &stop).await?;
        print::json(&json!({
            "event": "registered", "name": name, "fqcn": cell.address().as_str(), "images": work.len(),
            "waiting": waiting, "pid": std::process::id(),
        }))?;
        let jobs = OneJob { id: job.clone(), stop: stop.clone(), is_unknown: AtomicBool::new(false) };
        let ended = tokio::select! {
            ended = task_loop.run(&stop) => match ended {
                // The reports of the last moment are not waited for.
                Ok(()) if !stop.is_cancelled() => print::json(&json!({"event": "ended"})),
                ended => ended.map_err(Failure::local),
            },
            ended = communicator.heartbeats(&jobs, &stop) => ended.map_err(|error| Failure::new(Kind::Network, error)),
            failed = report(reports) => failed,
        };
        if jobs.is_unknown.load(Ordering::Relaxed) {
            return Err(Failure::text(Kind::Answered, format!("the server does not know the job {job}")));
        }
        ended
    };
    let outcome = tokio::select! {
        outcome = life => outcome,
        reason = stop::requested() => reason.map(|reason| tracing::info!(reason, "stopping")),
        () = cell.ended() => Err(Failure::text(Kind::Network, "the cell of the site has ended")),
    };
    stop.cancel();
    if communicator.is_registered() {
        // A server that is gone forgets the site by itself.
        _ = tokio::time::timeout(Duration::from_secs(2), communicator.quit()).await;
    }
    cell.shutdown().await;
    outcome
}

/// Prints what the loop does; ends with a failure only.
async fn report(mut events: tokio::sync::broadcast::Receiver<LoopEvent>) -> Result<(), Failure> {
    loop {
        let line = match events.recv().await {
            Ok(LoopEvent::Started { id, .. }) => json!({"event": "started", "task": id}),
            Ok(LoopEvent::Done { id, outcome: Outcome::Result, took }) => {
                json!({"event": "done", "task": id, "seconds": took.as_secs_f64()})
            }
            Ok(LoopEvent::Done { id, outcome: Outcome::Failed { reason }, .. }) => {
                json!({"event": "failed", "task": id, "reason": reason})
            }
            Ok(LoopEvent::Acknowledged { id, bytes }) => json!({"event": "acknowledged", "task": id, "bytes": bytes}),
            Ok(LoopEvent::Waiting { reason }) => json!({"event": "waiting", "reason": reason}),
            Ok(_) | Err(RecvError::Lagged(_)) => continue,
            // The loop itself says how it ended.
            Err(RecvError::Closed) => return core::future::pending().await,
        };
        print::json(&line)?;
    }
}
