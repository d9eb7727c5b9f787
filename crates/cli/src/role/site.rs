//! `fedcell site`: registers, trains on its own images when the server has a job, submits.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use clap::{Arg, ArgAction, ArgMatches, Command};
use fedcell_cell::Cell;
use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::proto::cause::with_causes;
use fedcell_client::jobs::{Job, JobAgent, JobCells, JobEnd, JobEvent, JobOrder, Launched, Launcher};
use fedcell_client::kit::Role;
use fedcell_client::outbox::{Outbox, OutboxLimits, RetryPolicy};
use fedcell_client::task_loop::{LoopEvent, Outcome, ResultStore, blocking};
use fedcell_client::{Communicator, TaskLoop};
use fedcell_protocol_defs::federation::{JobExitCode, WorkflowTask};
use serde_json::json;
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::JOB;
use super::digits::{self, Digits};
use super::workspace::Workspace;
use crate::exit::{Failure, Kind};
use crate::learning::digits::Image;
use crate::probes::Probes;
use crate::{print, stop};

/// Name of the command.
pub(crate) const NAME: &str = "site";

const STAY: &str = "stay";
const TASK_TIMEOUT: &str = "task-timeout";

/// How long a result that was not acknowledged waits, at first and at most.
const RETRY: RetryPolicy = RetryPolicy::new(Duration::from_millis(500), Duration::from_secs(5));

/// How long jobs may take to stop when the site ends.
const JOBS_END: Duration = Duration::from_secs(3);

pub(crate) fn command() -> Command {
    let command = Command::new(NAME).about("Run a site that trains on its own images").long_about(
        "Run a site that trains on its own images.\n\nRegisters with the certificate of its kit, directly or through a \
         relay, as the kit says; does the tasks of the job that the server starts, and keeps its results in the workspace \
         until the server has acknowledged them. A site that is started again with its workspace goes on. Prints one JSON \
         object a line.",
    );
    super::job_arguments(command, Role::Site, "Take this job only", "Where results wait for the server")
        .arg(super::join::argument())
        .arg(
            Arg::new(TASK_TIMEOUT)
                .long(TASK_TIMEOUT)
                .value_name("SECONDS")
                .default_value("0")
                .value_parser(crate::seconds::any)
                .help("How long a task may take before the server is told that it has failed; 0 is without end"),
        )
        .arg(
            Arg::new(STAY)
                .long(STAY)
                .action(ArgAction::SetTrue)
                .help("Wait for the next job when one has ended, until the server or a signal ends the site"),
        )
}

/// The work of every job: the network that reads digits, on this site's images.
#[derive(Clone)]
struct Work {
    images: Arc<Vec<Image>>,
    digits: Digits,
    number: usize,
    store: ResultStore,
    /// How long a task may take, if not without end.
    patience: Option<Duration>,
    /// The only job that the site takes, if it was told one; and whether the server has another one instead.
    only: Option<String>,
    has_another: Arc<Notify>,
}

impl Launcher for Work {
    fn accept(&self, order: &JobOrder) -> Result<(), String> {
        match &self.only {
            Some(only) if *only != order.id => {
                self.has_another.notify_one();
                Err(format!("this site takes the job {only} only"))
            }
            _ => Ok(()),
        }
    }

    fn launch(&self, job: Job) -> Launched {
        let work = self.clone();
        Box::pin(async move { work.run(job).await })
    }
}

impl Work {
    async fn run(self, job: Job) -> JobEnd {
        let (images, seed, number) = (self.images, self.digits.seed, self.number);
        let executor = blocking(move |task, _| digits::execute(task, &images, seed, number)).repeatable();
        let mut task_loop = TaskLoop::new(job.communicator, &job.order.id, self.store)
            .executor(WorkflowTask::TASK_TRAIN.as_str(), executor);
        if let Some(patience) = self.patience {
            task_loop = task_loop.patience(patience);
        }
        let events = task_loop.events();
        let ended = tokio::select! {
            // The reports of the last moment are not waited for.
            ended = task_loop.run(&job.stop) => ended.map_err(|error| with_causes(&error)),
            failed = report(events) => failed.map_err(|failure| format!("{failure}")),
        };
        match ended {
            Ok(()) => JobEnd::Done,
            Err(reason) => JobEnd::Failed { code: JobExitCode::EXECUTION_ERROR, reason },
        }
    }
}

/// Runs the site until its job has ended, or for good if it is to stay.
///
/// # Errors
///
/// [`Failure`] if it cannot start, the server does not take it, or the job fails here.
pub(crate) async fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let kit = super::kit(arguments, Role::Site)?;
    let digits = Digits::read(arguments);
    let name = kit.name.clone().unwrap_or_default();
    let Some(number) = digits.site_names().iter().position(|site| *site == name) else {
        let text = format!("{name} is none of the {} sites of the job, site-1 to site-{0}", digits.sites);
        return Err(Failure::text(Kind::Configuration, text));
    };
    let images = Arc::new(digits.split().shares.into_iter().nth(number).unwrap_or_default());
    let wait = super::join::patience(arguments);
    let config = super::config(&kit, arguments, wait)?;
    let probes = Probes::start(arguments).await?;
    let communicator = Communicator::new(config);
    let (_workspace, files) = Workspace::open(arguments)?;
    let retry = RetryPolicy::new(super::at_most(arguments, RETRY.first), super::at_most(arguments, RETRY.most));
    let outbox = Outbox::open(files, OutboxLimits::default(), retry, Instant::now())
        .map_err(|error| Failure::new(Kind::Configuration, error))?;
    let waiting = outbox.waiting();
    let cells = JobCells::new(MemoryNetwork::new(), &name);
    let cell = cells.listen(super::builder(&kit, arguments)?).build()?;
    let mut events = cell.events();
    let work = Work {
        images: Arc::clone(&images),
        digits,
        number,
        store: ResultStore::new(outbox),
        patience: arguments.get_one::<Duration>(TASK_TIMEOUT).copied().filter(|limit| !limit.is_zero()),
        only: arguments.get_one::<String>(JOB).cloned(),
        has_another: Arc::new(Notify::new()),
    };
    let (only, has_another) = (work.only.clone().unwrap_or_default(), Arc::clone(&work.has_another));
    let agent = JobAgent::new(communicator.clone(), cells, work);
    agent.attach(&cell);
    communicator.set_cell(Cell::clone(&cell));
    probes.watch(super::join::readiness(&cell, &communicator));
    let cell = cell.start().await?;
    let stop = CancellationToken::new();
    let life = async {
        let mut told = agent.events();
        super::join::join(&kit, &cell, &mut events, &communicator, wait, &stop).await?;
        print::json(&json!({
            "event": "registered", "name": name, "fqcn": cell.address().as_str(), "images": images.len(),
            "waiting": waiting, "pid": std::process::id(),
        }))?;
        tokio::select! {
            ended = jobs(&mut told, arguments.get_flag(STAY)) => ended,
            ended = communicator.heartbeats(&agent, &stop) => ended.map_err(|error| Failure::new(Kind::Network, error)),
            () = has_another.notified() => {
                Err(Failure::text(Kind::Answered, format!("the server does not know the job {only}")))
            }
            request = agent.asked_to_leave() => {
                tracing::info!(?request, "the server wants this site to end");
                Ok(())
            }
        }
    };
    let outcome = tokio::select! {
        outcome = life => outcome,
        reason = stop::requested() => reason.map(|reason| tracing::info!(reason, "stopping")),
        () = cell.ended() => Err(Failure::text(Kind::Network, "the cell of the site has ended")),
    };
    _ = tokio::time::timeout(JOBS_END, agent.stop_all()).await;
    stop.cancel();
    if communicator.is_registered() {
        // A server that is gone forgets the site by itself.
        _ = tokio::time::timeout(Duration::from_secs(2), communicator.quit()).await;
    }
    cell.shutdown().await;
    outcome
}

/// Prints what becomes of jobs; ends with the first one, unless the site stays.
async fn jobs(events: &mut tokio::sync::broadcast::Receiver<JobEvent>, stays: bool) -> Result<(), Failure> {
    loop {
        match events.recv().await {
            Ok(JobEvent::Started { job }) => print::json(&json!({"event": "job", "id": job}))?,
            Ok(JobEvent::Ended { job, end }) => {
                let outcome = match end {
                    JobEnd::Done => {
                        print::json(&json!({"event": "ended"}))?;
                        Ok(())
                    }
                    JobEnd::Aborted => {
                        print::json(&json!({"event": "aborted", "id": job}))?;
                        Err(Failure::text(Kind::Answered, format!("the server has stopped the job {job}")))
                    }
                    JobEnd::Failed { reason, .. } => {
                        print::json(&json!({"event": "job-failed", "id": job, "reason": reason}))?;
                        Err(Failure::text(Kind::Local, format!("the job {job} has failed here: {reason}")))
                    }
                    _ => Ok(()),
                };
                if !stays {
                    return outcome;
                }
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return core::future::pending().await,
        }
    }
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
