//! A controller that answers on a cell.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fedcell_cell::{Cell, HandlerError, PreparedCell, Request};
use fedcell_fobs::Value;
use fedcell_protocol_defs::cell::Channel;
use fedcell_protocol_defs::federation::{AuxTopic, ServerCommand, ShareableCode, ShareableHeader};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::sleep_until;

use super::error::TaskServiceError;
use super::wording;
use crate::controller::{Controller, Step};
use crate::membership::{MembershipEvent, MembershipService};
use crate::metrics::TaskMeters;

/// Reports that a slow reader may lag behind before it misses some.
const REPORT_BACKLOG: usize = 4096;

/// The workflow of one job as a service. Clones are the same service.
pub struct TaskService<C: Controller> {
    inner: Arc<Inner<C>>,
}

struct Inner<C: Controller> {
    job: String,
    controller: Mutex<C>,
    reports: broadcast::Sender<C::Event>,
    outcome: watch::Sender<Option<Result<(), TaskServiceError>>>,
    changed: Notify,
    meters: TaskMeters,
}

impl<C: Controller> Clone for TaskService<C> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<C> TaskService<C>
where
    C: Controller + Send + 'static,
    C::Event: Clone + Send + 'static,
{
    /// A service that answers nowhere yet, and what its controller reports.
    #[must_use]
    pub fn new(job: impl Into<String>, controller: C) -> (Self, broadcast::Receiver<C::Event>) {
        let (reports, receiver) = broadcast::channel(REPORT_BACKLOG);
        // A run that was over before a restart is over, whether somebody asks or not.
        let (outcome, _) = watch::channel(controller.is_ended().then_some(Ok(())));
        let inner = Inner {
            job: job.into(),
            controller: Mutex::new(controller),
            reports,
            outcome,
            changed: Notify::new(),
            meters: TaskMeters::new(),
        };
        (Self { inner: Arc::new(inner) }, receiver)
    }

    /// Answers requests for tasks, results and what a job asks besides, on the cell of the job. What `members` says of
    /// dead sites is passed on. The task ends with the cell, or when the workflow has.
    pub fn attach(&self, cell: &PreparedCell, members: &MembershipService) {
        self.serve(cell, Channel::SERVER_COMMAND, ServerCommand::GET_TASK.as_str(), Self::answer_get_task);
        self.serve(cell, Channel::SERVER_COMMAND, ServerCommand::SUBMIT_UPDATE.as_str(), Self::answer_submit);
        self.serve(cell, Channel::AUX_COMMUNICATION, AuxTopic::SYNC_RUNNER.as_str(), Self::answer_ready);
        self.serve(cell, Channel::AUX_COMMUNICATION, AuxTopic::JOB_HEART_BEAT.as_str(), Self::answer_ready);
        self.serve(cell, Channel::AUX_COMMUNICATION, AuxTopic::TASK_CHECK.as_str(), Self::answer_task_check);
        let (service, cell, members) = (self.clone(), Cell::clone(cell), members.clone());
        tokio::spawn(async move { service.keep_time(&cell, &members).await });
    }

    fn serve(
        &self,
        cell: &Cell,
        channel: Channel<'static>,
        topic: &'static str,
        answer: fn(&Self, &str, Value) -> Result<Value, HandlerError>,
    ) {
        let service = self.clone();
        cell.handle(channel, topic, move |request: Request| {
            let service = service.clone();
            async move {
                let site = wording::site(&request)?;
                let body = request.fetch().await?;
                // A controller may write to disk.
                let answered = tokio::task::spawn_blocking(move || answer(&service, &site, body)).await;
                let ended = |_| Err(HandlerError::service_unavailable("the workflow has ended"));
                // The arrays of a task stay here until the site has fetched them.
                Ok::<_, HandlerError>(request.body_of(&answered.unwrap_or_else(ended)?)?)
            }
        });
    }

    /// Waits until the workflow has ended, and says how.
    ///
    /// # Errors
    ///
    /// [`TaskServiceError`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn ended(&self) -> Result<(), TaskServiceError> {
        let mut outcome = self.inner.outcome.subscribe();
        let ended = outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        ended.unwrap_or(Err(TaskServiceError::Stopped))
    }

    /// Looks at the controller, or calls a verb of it. May block.
    ///
    /// # Errors
    ///
    /// The controller's own, after which it is not called any more.
    pub fn with<T>(&self, verb: impl FnOnce(&mut C, Instant) -> Result<T, C::Error>) -> Result<T, TaskServiceError> {
        if let Some(Err(error)) = &*self.inner.outcome.borrow() {
            return Err(error.clone());
        }
        let mut controller = self.lock()?;
        let result = verb(&mut controller, tokio::time::Instant::now().into_std());
        while let Some(event) = controller.poll_event() {
            // Nobody has to listen.
            let _ = self.inner.reports.send(event);
        }
        let is_ended = controller.is_ended();
        drop(controller);
        self.inner.changed.notify_one();
        let result = result.map_err(|error| TaskServiceError::Controller(Arc::new(error)));
        match &result {
            Err(error) => self.end(Err(error.clone())),
            Ok(_) if is_ended => self.end(Ok(())),
            Ok(_) => {}
        }
        result
    }

    fn end(&self, outcome: Result<(), TaskServiceError>) {
        self.inner.outcome.send_if_modified(|known| {
            let is_first = known.is_none();
            if is_first {
                *known = Some(outcome);
            }
            is_first
        });
    }

    /// A controller that has panicked is not asked again.
    fn lock(&self) -> Result<MutexGuard<'_, C>, TaskServiceError> {
        self.inner.controller.lock().map_err(|_: PoisonError<_>| {
            self.end(Err(TaskServiceError::Panicked));
            TaskServiceError::Panicked
        })
    }

    async fn keep_time(self, cell: &Cell, members: &MembershipService) {
        let mut membership = members.events();
        loop {
            let Ok(due) = self.lock().map(|controller| controller.poll_timeout()) else { return };
            let timer = async {
                match due {
                    Some(due) => sleep_until(due.into()).await,
                    None => core::future::pending().await,
                }
            };
            tokio::select! {
                // A controller that has failed may have a time that is over, and is not called any more.
                _ = self.ended() => return,
                () = cell.ended() => return self.end(Err(TaskServiceError::Stopped)),
                () = self.inner.changed.notified() => {}
                () = timer => self.apart(C::handle_timeout).await,
                event = membership.recv() => {
                    if let Ok(MembershipEvent::Dead { name } | MembershipEvent::Left { name }) = event {
                        self.apart(move |controller, now| controller.lost(&name, now)).await;
                    }
                }
            }
        }
    }

    /// Calls a verb on a thread that may block.
    async fn apart(&self, verb: impl FnOnce(&mut C, Instant) -> Result<(), C::Error> + Send + 'static) {
        let service = self.clone();
        let done = tokio::task::spawn_blocking(move || service.with(verb)).await;
        if !matches!(done, Ok(Ok(()))) {
            tracing::error!(job = self.inner.job, "the workflow cannot go on");
        }
    }

    fn answer_get_task(&self, site: &str, body: Value) -> Result<Value, HandlerError> {
        wording::shareable(body)?;
        let step = self.with(|controller, now| controller.task_for(site, now)).map_err(|error| unavailable(&error))?;
        let job = self.inner.job.as_str();
        Ok(match step {
            Step::Task(task) => {
                self.inner.meters.tasks.increment(1);
                wording::task(job, task)
            }
            Step::Wait(after) => wording::try_again(job, after),
            Step::End => wording::end_run(job),
        })
    }

    /// A result is answered when it is on disk, counted or not: the site may forget it.
    fn answer_submit(&self, site: &str, body: Value) -> Result<Value, HandlerError> {
        let result = wording::shareable(body)?;
        let receipt =
            self.with(|controller, now| controller.result(site, result, now)).map_err(|error| unavailable(&error))?;
        self.inner.meters.note(receipt);
        tracing::debug!(site, ?receipt, "a result");
        Ok(Value::from(""))
    }

    fn answer_ready(&self, _: &str, _: Value) -> Result<Value, HandlerError> {
        Ok(wording::aux(&self.inner.job, ShareableCode::OK))
    }

    /// Whether the result of a task is still wanted. The result of one that is not is taken all the same, and not
    /// counted; saying so here spares the site sending it.
    fn answer_task_check(&self, site: &str, body: Value) -> Result<Value, HandlerError> {
        let asked = wording::shareable(body)?;
        let id = asked.header(ShareableHeader::TASK_ID.as_str()).and_then(Value::as_str).unwrap_or_default();
        let step = self.with(|controller, now| controller.task_for(site, now)).map_err(|error| unavailable(&error))?;
        let is_wanted = matches!(&step, Step::Task(task) if task.id == id);
        let code = if is_wanted { ShareableCode::OK } else { ShareableCode::TASK_UNKNOWN };
        Ok(wording::aux(&self.inner.job, code))
    }
}

/// The controller is gone; a new one will ask for the same.
fn unavailable(error: &TaskServiceError) -> HandlerError {
    HandlerError::service_unavailable(error.to_string())
}

impl<C: Controller> fmt::Debug for TaskService<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskService").field("job", &self.inner.job).finish_non_exhaustive()
    }
}
