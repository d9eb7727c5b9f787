//! The jobs of a site: which there are, and the life of each.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fedcell_cell::Cell;
use fedcell_cell_proto::cause::with_causes;
use fedcell_fobs::typed::Application;
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::Topic;
use fedcell_protocol_defs::federation::{AdminTimeout, JobExitCode, JobFailureKey, JobStatus, TaskDefaults};
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::archives::Archives;
use super::cells::JobCells;
use super::{Job, JobEnd, JobOrder, Launcher};
use crate::communicator::{Communicator, Jobs};

/// Jobs that a site runs at a time, if it was told nothing else.
const MOST_JOBS: usize = 8;

/// How long a job that was stopped may take to end by itself, as in the reference.
const GRACE: Duration = Duration::from_secs(10);

/// Reports that a slow reader may lag behind before it misses some.
const EVENT_BACKLOG: usize = 64;

/// What happens to the jobs of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobEvent {
    /// The server has had a job started.
    Started {
        /// Its id.
        job: String,
    },
    /// A job has ended here.
    Ended {
        /// Its id.
        job: String,
        /// How.
        end: JobEnd,
    },
}

/// What an operator asks of the site as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SiteRequest {
    /// To end.
    Shutdown,
    /// To end and begin again.
    Restart,
}

/// Starts and ends the jobs of a site as its server says. Clones are the same.
///
/// It is what [`Communicator::heartbeats`] needs to know of the jobs.
#[derive(Clone)]
pub struct JobAgent {
    inner: Arc<Inner>,
}

struct Inner {
    communicator: Communicator,
    cells: JobCells,
    launcher: Box<dyn Launcher>,
    most: usize,
    table: Mutex<Table>,
    events: broadcast::Sender<JobEvent>,
    asked: watch::Sender<Option<SiteRequest>>,
    /// The site ends: what becomes of its jobs then is no failure of theirs.
    is_leaving: AtomicBool,
}

#[derive(Default)]
struct Table {
    running: BTreeMap<String, Running>,
    archives: Archives,
}

impl Table {
    fn has_room(&self, most: usize) -> Result<(), String> {
        let running = self.running.len();
        if running < most { Ok(()) } else { Err(format!("{running} jobs run here already")) }
    }
}

struct Running {
    status: JobStatus,
    application: String,
    stop: CancellationToken,
    ended: CancellationToken,
    communicator: Option<Communicator>,
}

/// What is told of a job that runs.
pub(super) struct Shown {
    pub(super) job: String,
    pub(super) application: String,
    pub(super) status: JobStatus,
}

impl JobAgent {
    /// Has `launcher` do the jobs of the site that `communicator` registers, on cells below its root cell.
    #[must_use]
    pub fn new(communicator: Communicator, cells: JobCells, launcher: impl Launcher) -> Self {
        Self::with_room(communicator, cells, launcher, MOST_JOBS)
    }

    /// The same with another number of jobs at a time; 8 otherwise.
    #[must_use]
    pub fn with_room(communicator: Communicator, cells: JobCells, launcher: impl Launcher, most: usize) -> Self {
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        let (asked, _) = watch::channel(None);
        let (launcher, table) = (Box::new(launcher), Mutex::default());
        let inner =
            Inner { communicator, cells, launcher, most, table, events, asked, is_leaving: AtomicBool::new(false) };
        Self { inner: Arc::new(inner) }
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<JobEvent> {
        self.inner.events.subscribe()
    }

    /// Waits until an operator wants the site to end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn asked_to_leave(&self) -> SiteRequest {
        let mut asked = self.inner.asked.subscribe();
        match asked.wait_for(Option::is_some).await.ok().and_then(|asked| *asked) {
            Some(request) => request,
            None => core::future::pending().await,
        }
    }

    /// Stops all jobs and waits until they have ended, because the site ends. The server is not told that they were
    /// aborted: it would end them everywhere, and the site may come back.
    ///
    /// # Cancel safety
    ///
    /// Jobs that were told to stop do so.
    pub async fn stop_all(&self) {
        self.inner.is_leaving.store(true, Ordering::Relaxed);
        let all: Vec<_> = self.table().running.values().map(|job| (job.stop.clone(), job.ended.clone())).collect();
        for (stop, _) in &all {
            stop.cancel();
        }
        for (_, ended) in all {
            ended.cancelled().await;
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.inner.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn communicator(&self) -> &Communicator {
        &self.inner.communicator
    }

    pub(super) fn leave(&self, request: SiteRequest) {
        self.inner.asked.send_replace(Some(request));
    }

    /// Whether there is room for this job and the launcher wants it.
    pub(super) fn accept(&self, order: &JobOrder) -> Result<(), String> {
        self.table().has_room(self.inner.most)?;
        self.inner.launcher.accept(order)
    }

    /// Keeps the application of a job.
    pub(super) fn keep(&self, job: &str, application: Application) -> Result<(), String> {
        self.table().archives.keep(job, application)
    }

    /// Forgets the application of a job.
    pub(super) fn drop_archive(&self, job: &str) -> bool {
        self.table().archives.remove(job)
    }

    pub(super) fn archive(&self, job: &str) -> Option<Application> {
        self.table().archives.of(job).cloned()
    }

    pub(super) fn shown(&self) -> Vec<Shown> {
        let shown = |(job, running): (&String, &Running)| Shown {
            job: job.clone(),
            application: running.application.clone(),
            status: running.status,
        };
        self.table().running.iter().map(shown).collect()
    }

    /// Starts a job. Whether it was not running already.
    pub(super) fn start(&self, root: &Cell, order: JobOrder) -> Result<bool, String> {
        if self.table().running.contains_key(&order.id) {
            return Ok(false);
        }
        root.address().child(&order.id).map_err(|error| error.to_string())?;
        self.accept(&order)?;
        let running = Running {
            status: JobStatus::STARTING,
            application: order.application.as_ref().map(|app| app.name.clone()).unwrap_or_default(),
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
            communicator: None,
        };
        let (stop, ended, job) = (running.stop.clone(), running.ended.clone(), order.id.clone());
        {
            // Others may have been started while the launcher was asked.
            let mut table = self.table();
            if table.running.contains_key(&job) {
                return Ok(false);
            }
            table.has_room(self.inner.most)?;
            table.running.insert(job.clone(), running);
        }
        self.tell(JobEvent::Started { job: job.clone() });
        let (agent, root) = (self.clone(), root.clone());
        tokio::spawn(async move {
            // On a task of its own: a launcher that panics ends nothing but its job.
            let life = tokio::spawn({
                let (agent, root) = (agent.clone(), root.clone());
                async move { agent.live(&root, order, stop).await }
            });
            let end = life.await.unwrap_or_else(|error| failed(JobExitCode::EXCEPTION, &error));
            {
                let mut table = agent.table();
                table.running.remove(&job);
                table.archives.remove(&job);
            }
            tracing::info!(job, ?end, "a job has ended");
            if end != JobEnd::Aborted || !agent.inner.is_leaving.load(Ordering::Relaxed) {
                agent.report(&root, &job, &end).await;
            }
            agent.tell(JobEvent::Ended { job, end });
            ended.cancel();
        });
        Ok(true)
    }

    /// Stops a job and waits until it has ended. Whether it ran.
    pub(super) async fn abort_job(&self, job: &str) -> bool {
        let Some((stop, ended)) = self.table().running.get(job).map(|job| (job.stop.clone(), job.ended.clone())) else {
            return false;
        };
        stop.cancel();
        ended.cancelled().await;
        true
    }

    /// Stops the task that a job does now. Whether the job runs.
    pub(super) fn abort_task(&self, job: &str) -> bool {
        let communicator = self.table().running.get(job).map(|job| job.communicator.clone());
        if let Some(Some(communicator)) = &communicator {
            communicator.abort_task();
        }
        communicator.is_some()
    }

    async fn live(&self, root: &Cell, order: JobOrder, stop: CancellationToken) -> JobEnd {
        let job = order.id.clone();
        let cell = match self.inner.cells.start(root.address(), &job).await {
            Ok(cell) => cell,
            Err(error) => return failed(JobExitCode::INFRASTRUCTURE_ERROR, &error),
        };
        let parent = order.cell_of_parent(&self.inner.communicator.config().fqsn);
        let communicator = self.inner.communicator.for_job_below(&job, cell.clone(), parent);
        if let Some(running) = self.table().running.get_mut(&job) {
            running.status = JobStatus::STARTED;
            running.communicator = Some(communicator.clone());
        }
        let launched = async {
            if let Err(error) = synced(&communicator, &job).await {
                return error;
            }
            let launch =
                self.inner.launcher.launch(Job { order, communicator: communicator.clone(), stop: stop.clone() });
            tokio::select! {
                end = launch => end,
                never = heartbeats(&communicator, &job) => never,
            }
        };
        let given_up = async {
            stop.cancelled().await;
            sleep(GRACE).await;
        };
        let end = tokio::select! {
            end = launched => end,
            () = given_up => JobEnd::Aborted,
        };
        cell.shutdown().await;
        if stop.is_cancelled() && end == JobEnd::Done { JobEnd::Aborted } else { end }
    }

    /// Tells the server how the job ended here.
    async fn report(&self, root: &Cell, job: &str, end: &JobEnd) {
        let (code, reason) = match end {
            JobEnd::Done => (JobExitCode::SUCCESS, Value::Null),
            JobEnd::Aborted => (JobExitCode::ABORTED, Value::Null),
            JobEnd::Failed { code, reason } => (*code, Value::from(reason.as_str())),
        };
        let body = Map::from([
            (JobFailureKey::JOB_ID.as_str(), Value::from(job)),
            (JobFailureKey::CODE.as_str(), Value::from(code.get())),
            (JobFailureKey::REASON.as_str(), reason),
        ]);
        let draft = self.inner.communicator.maintenance(root, Topic::REPORT_JOB_FAILURE.as_str());
        let draft = draft.timeout(Duration::from_secs_f64(AdminTimeout::REPORT_JOB_FAILURE));
        if let Err(error) = draft.value(&body.into()).optional().send().await {
            tracing::info!(job, %error, "the server was not told that the job has ended");
        }
    }

    fn tell(&self, event: JobEvent) {
        // Nobody has to listen.
        let _ = self.inner.events.send(event);
    }
}

/// Waits until the server's side of the job is up, as long as the reference does.
async fn synced(communicator: &Communicator, job: &str) -> Result<(), JobEnd> {
    let started = Instant::now();
    while let Err(error) = communicator.sync_runner(job).await {
        tracing::debug!(job, error = with_causes(&error), "the server's side of the job is not up");
        if started.elapsed() > Duration::from_secs_f64(TaskDefaults::MAX_RUNNER_SYNC_TIMEOUT) {
            return Err(failed(JobExitCode::INFRASTRUCTURE_ERROR, &error));
        }
        sleep(Duration::from_secs_f64(TaskDefaults::RUNNER_SYNC_PAUSE)).await;
    }
    Ok(())
}

/// Says for ever that the job is alive.
async fn heartbeats(communicator: &Communicator, job: &str) -> JobEnd {
    loop {
        if let Err(error) = communicator.send_job_heartbeat(job).await {
            tracing::debug!(job, error = with_causes(&error), "a heartbeat of the job was not sent");
        }
        sleep(Duration::from_secs_f64(TaskDefaults::JOB_HEARTBEAT_INTERVAL)).await;
    }
}

fn failed(code: JobExitCode, error: &(dyn core::error::Error + 'static)) -> JobEnd {
    JobEnd::Failed { code, reason: with_causes(error) }
}

impl Jobs for JobAgent {
    fn running(&self) -> Vec<String> {
        self.table().running.keys().cloned().collect()
    }

    fn abort(&self, job: &str) {
        if let Some(running) = self.table().running.get(job) {
            running.stop.cancel();
        }
    }
}

impl fmt::Debug for JobAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobAgent").field("running", &self.running()).finish_non_exhaustive()
    }
}
