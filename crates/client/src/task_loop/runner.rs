//! The loop itself.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant as StdInstant;

use fedcell_cell_proto::cause::with_causes;
use fedcell_durable::{Files, Storage};
use fedcell_fobs::typed::{FobsType as _, Shareable};
use fedcell_protocol_defs::federation::ShareableCode;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::event::{LoopEvent, Outcome};
use super::executor::{ExecuteError, Executor, panicked};
use super::store::ResultStore;
use crate::communicator::{Communicator, Pulled, Task, TaskError};
use crate::metrics::LoopMeters;
use crate::outbox::{Begin, Outbox, OutboxError, Submission, TaskKey};

/// Reports that a slow reader may lag behind before it misses some.
const EVENT_BACKLOG: usize = 256;

/// Changes a task before its executor sees it, or a result before the server does.
pub trait TaskFilter: Send + Sync + 'static {
    /// Changes it, or says why it must not go on.
    ///
    /// # Errors
    ///
    /// The reason, for the server's people to read.
    fn filter(&self, data: Shareable) -> Result<Shareable, String>;
}

impl<F: Fn(Shareable) -> Result<Shareable, String> + Send + Sync + 'static> TaskFilter for F {
    fn filter(&self, data: Shareable) -> Result<Shareable, String> {
        self(data)
    }
}

/// Why a loop cannot go on. What is on disk is there when the next one begins.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoopError {
    /// The outbox.
    #[error("tasks and results cannot be kept on disk")]
    Outbox(#[from] OutboxError),
    /// The job has no possible address.
    #[error("the job cannot be run")]
    Job(#[source] TaskError),
    /// A result that cannot be encoded, or a record that is none.
    #[error("a result cannot be written or read")]
    Result(#[source] fedcell_fobs::Error),
}

/// Does the tasks of one job, one at a time.
pub struct TaskLoop<S: Storage = Files> {
    communicator: Communicator,
    job: String,
    store: ResultStore<S>,
    executors: HashMap<String, Arc<dyn Executor>>,
    task_filters: Vec<Arc<dyn TaskFilter>>,
    result_filters: Vec<Arc<dyn TaskFilter>>,
    patience: Option<Duration>,
    events: broadcast::Sender<LoopEvent>,
    meters: LoopMeters,
}

impl<S: Storage + Send + 'static> TaskLoop<S> {
    /// A loop without executors.
    #[must_use]
    pub fn new(communicator: Communicator, job: impl Into<String>, store: ResultStore<S>) -> Self {
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        Self {
            communicator,
            job: job.into(),
            store,
            executors: HashMap::new(),
            task_filters: Vec::new(),
            result_filters: Vec::new(),
            patience: None,
            events,
            meters: LoopMeters::new(),
        }
    }

    /// Registers the executor of the tasks with this name.
    #[must_use]
    pub fn executor(mut self, task_name: impl Into<String>, executor: impl Executor) -> Self {
        self.executors.insert(task_name.into(), Arc::new(executor));
        self
    }

    /// Adds a filter behind those for tasks.
    #[must_use]
    pub fn task_filter(mut self, filter: impl TaskFilter) -> Self {
        self.task_filters.push(Arc::new(filter));
        self
    }

    /// Adds a filter behind those for results.
    #[must_use]
    pub fn result_filter(mut self, filter: impl TaskFilter) -> Self {
        self.result_filters.push(Arc::new(filter));
        self
    }

    /// Sets how long an executor may take; without end if it is not set. The server is told that the task has failed
    /// then.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<LoopEvent> {
        self.events.subscribe()
    }

    /// Runs until the server says that the run is over, or `stop` is cancelled. Whatever the server does not acknowledge
    /// stays on disk.
    ///
    /// # Errors
    ///
    /// [`LoopError`]. That the server is away is none: the loop waits for it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves tasks and results on disk as if the process had ended.
    pub async fn run(&self, stop: &CancellationToken) -> Result<(), LoopError> {
        self.with(Outbox::take_over).await?;
        // A message of the server ends the run as its answer to a request for a task does, and sooner.
        let over = stop.child_token();
        let mut work = core::pin::pin!(self.work(&over));
        let ended = tokio::select! {
            ended = &mut work => ended?,
            () = self.communicator.run_over() => {
                over.cancel();
                _ = work.await?;
                true
            }
        };
        if ended {
            self.with(|outbox, job, _| outbox.end_job(job)).await??;
            self.tell(LoopEvent::Ended);
        }
        Ok(())
    }

    /// Until there is nothing more to do, or `stop`. Whether the server has said that the run is over.
    async fn work(&self, stop: &CancellationToken) -> Result<bool, LoopError> {
        let (mut last, mut is_away): (Option<String>, _) = (None, false);
        while !stop.is_cancelled() {
            self.deliver(stop).await?;
            let Some(pulled) = stop.run_until_cancelled(self.communicator.pull_task(&self.job, last.as_deref())).await
            else {
                break;
            };
            let is_back = core::mem::replace(&mut is_away, pulled.is_err()) && !is_away;
            if is_back {
                self.with(Outbox::reconnected).await?;
            }
            let pause = match pulled {
                Ok(Pulled::Task(task)) => {
                    last = Some(task.id.clone());
                    if self.handle(*task, stop).await? {
                        continue;
                    }
                    self.communicator.config().fetch_interval()
                }
                Ok(Pulled::TryAgain { after }) => after,
                Ok(Pulled::EndRun) => return Ok(true),
                Err(error @ TaskError::Job { .. }) => return Err(LoopError::Job(error)),
                Err(error) => {
                    self.tell(LoopEvent::Waiting { reason: with_causes(&error) });
                    self.communicator.config().fetch_interval()
                }
            };
            // It answers again: results need not wait any longer. Not before the task is looked at: while its result is
            // here, it is not done again.
            if !is_back {
                stop.run_until_cancelled(sleep(pause)).await;
            }
        }
        Ok(false)
    }

    /// From a task to its result on disk. Whether there is a new one.
    async fn handle(&self, task: Task, stop: &CancellationToken) -> Result<bool, LoopError> {
        let (key, name) = (TaskKey::new(self.job.as_str(), task.id.as_str()), task.name.clone());
        let begun = {
            let (key, name) = (key.clone(), name.clone());
            self.store.with(move |outbox, _| outbox.begin(&key, &name)).await?
        };
        let executor = self.executors.get(&name);
        let is_again = begun == Begin::Interrupted && executor.is_some_and(|executor| executor.is_repeatable());
        let started = Instant::now();
        let outcome = match begun {
            // Its result is on its way already.
            Begin::Submitted | Begin::Running => return Ok(false),
            Begin::Interrupted if !is_again => {
                Err(ExecuteError::failed("the process ended while it did this task, and the task cannot be done again"))
            }
            _ => {
                self.tell(LoopEvent::Started { task: name.clone(), id: task.id.clone() });
                self.execute(&task, executor, stop).await
            }
        };
        if stop.is_cancelled() {
            // Nobody knows whether it was finished: the next process finds it interrupted.
            return Ok(false);
        }
        let outcome = outcome.and_then(|result| {
            let failed = |reason| ExecuteError::new(ShareableCode::TASK_RESULT_FILTER_ERROR, reason);
            filtered(&self.result_filters, result).map_err(failed)
        });
        let (result, outcome) = match outcome {
            Ok(result) => (task.answer(result), Outcome::Result),
            Err(error) => {
                tracing::warn!(task = name, id = task.id, error = error.text, "a task has failed");
                (task.failed(ShareableCode::new(&error.code), &error.text), Outcome::Failed { reason: error.text })
            }
        };
        let encoded = fedcell_fobs::encode(&result.into_value()).map_err(LoopError::Result)?.into_segments();
        let stored = key.clone();
        self.store
            .with(move |outbox, now| {
                let parts: Vec<&[u8]> = encoded.iter().map(AsRef::as_ref).collect();
                outbox.submit(&stored, &name, &parts, now)
            })
            .await?;
        self.tell(LoopEvent::Done { id: key.task, outcome, took: started.elapsed() });
        Ok(true)
    }

    /// Has the executor do the task, on a task of its own: a panic ends nothing but that.
    async fn execute(
        &self,
        task: &Task,
        executor: Option<&Arc<dyn Executor>>,
        stop: &CancellationToken,
    ) -> Result<Shareable, ExecuteError> {
        let Some(executor) = executor else {
            let known: Vec<&str> = self.executors.keys().map(String::as_str).collect();
            let text = format!("no executor for task `{}`, there is one for {}", task.name, known.join(", "));
            return Err(ExecuteError::new(ShareableCode::TASK_UNKNOWN, text));
        };
        let mut task = task.clone();
        task.data = filtered(&self.task_filters, task.data)
            .map_err(|reason| ExecuteError::new(ShareableCode::TASK_DATA_FILTER_ERROR, reason))?;
        let cancel = stop.child_token();
        let (executor, token) = (Arc::clone(executor), cancel.clone());
        let mut running = tokio::spawn(async move { executor.execute(Arc::new(task), token).await });
        let done = async {
            match self.patience {
                None => Some((&mut running).await),
                Some(patience) => timeout(patience, &mut running).await.ok(),
            }
        };
        let aborted = self.communicator.task_aborted();
        let done = async {
            tokio::select! {
                done = done => Ok(done),
                () = aborted => Err(ExecuteError::new(ShareableCode::TASK_ABORTED, "the task was aborted")),
            }
        };
        let done = match stop.run_until_cancelled(done).await {
            Some(Err(aborted)) => {
                cancel.cancel();
                running.abort();
                return Err(aborted);
            }
            Some(Ok(done)) => Some(done),
            None => None,
        };
        match done {
            Some(Some(done)) => done.unwrap_or_else(|error| Err(panicked(error))),
            late => {
                cancel.cancel();
                running.abort();
                let text = match (late, self.patience) {
                    (Some(_), Some(patience)) => {
                        format!("the executor was not done after {} s", patience.as_secs_f64())
                    }
                    _ => "the executor was stopped".to_owned(),
                };
                Err(ExecuteError::new(ShareableCode::EXECUTION_EXCEPTION, text))
            }
        }
    }

    /// Does something about the job with the outbox, where it may block.
    async fn with<T: Send + 'static>(&self, verb: fn(&mut Outbox<S>, &str, StdInstant) -> T) -> Result<T, OutboxError> {
        let job = self.job.clone();
        self.store.with(move |outbox, now| Ok(verb(outbox, &job, now))).await
    }

    /// Sends what is due of the job, until nothing is or the server does not take it.
    async fn deliver(&self, stop: &CancellationToken) -> Result<(), LoopError> {
        while let Some(submission) = self.with(Outbox::next).await?? {
            let sent = stop.run_until_cancelled(self.send(&submission)).await.unwrap_or(Ok(false))?;
            let key = submission.key.clone();
            if sent {
                self.store.with(move |outbox, _| outbox.settled(&key)).await?;
                self.tell(LoopEvent::Acknowledged { id: submission.key.task, bytes: submission.result.len() });
            } else {
                self.store
                    .with(move |outbox, now| {
                        outbox.unanswered(&key, now);
                        Ok(())
                    })
                    .await?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the server has the result.
    async fn send(&self, submission: &Submission) -> Result<bool, LoopError> {
        let value = fedcell_fobs::decode(&[submission.result.clone().into()]).map_err(LoopError::Result)?;
        let result = Shareable::from_value(value).map_err(LoopError::Result)?;
        match self.communicator.submit_update(&submission.key.job, result).await {
            Ok(()) => Ok(true),
            Err(error) => {
                self.tell(LoopEvent::Waiting { reason: with_causes(&error) });
                Ok(false)
            }
        }
    }

    fn tell(&self, event: LoopEvent) {
        self.meters.note(&event);
        // Nobody has to listen.
        let _ = self.events.send(event);
    }
}

fn filtered(filters: &[Arc<dyn TaskFilter>], data: Shareable) -> Result<Shareable, String> {
    filters.iter().try_fold(data, |data, filter| filter.filter(data))
}

impl<S: Storage> fmt::Debug for TaskLoop<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLoop").field("job", &self.job).finish_non_exhaustive()
    }
}
