//! The sites below this one: they ask it for the task that it has in hand, and bring it their results.
//!
//! ```text
//!   the parent's job cell        this site's job cell `site-1.JOB`            a child's job cell
//!        │<── pull_task ───────────────────│                                          │
//!        │── task ────────────────────────>│ offer                                    │
//!        │                                 │<── __sync_runner__, __job_heartbeat__ ───│
//!        │                                 │<── get_task ─────────────────────────────│
//!        │                                 │── the offered task, or try again ───────>│  ChildEvent::Taken
//!        │                                 │<── __task_check__, submit_update ────────│  ChildEvent::Result
//!        │<── submit_update ───────────────│ the offer ends                           │
//! ```

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fedcell_cell::{Cell, HandlerError, Request};
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::request::Reply;
use fedcell_fobs::Value;
use fedcell_fobs::typed::{FobsType as _, Shareable};
use fedcell_protocol_defs::cell::Channel;
use fedcell_protocol_defs::federation::{
    AuxTopic, ContextKey, ServerCommand, ServerCommandKey, ShareableCode, ShareableHeader, SpecialTaskName,
};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::machine::Communicator;
use super::task::Task;

/// Results of children that wait for the executor; the next child waits with its request.
const BACKLOG: usize = 16;

/// What a child has done.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ChildEvent {
    /// It has been given the task. A child whose answer was lost is given it again.
    Taken {
        /// Name of the child.
        child: String,
    },
    /// It has brought a result of the task, with its arrays. A child that did not hear of it sends it again.
    Result {
        /// Name of the child.
        child: String,
        /// What it brought.
        result: Box<Shareable>,
    },
}

/// A task that the children can ask for as long as this value lives.
pub struct Offer {
    communicator: Communicator,
    number: u64,
    events: mpsc::Receiver<ChildEvent>,
}

impl Offer {
    /// The next thing that a child has done; none if another offer has taken the place of this one.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn next(&mut self) -> Option<ChildEvent> {
        self.events.recv().await
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        let mut offered = self.communicator.children().offered();
        if offered.as_ref().is_some_and(|offered| offered.number == self.number) {
            *offered = None;
        }
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer").field("number", &self.number).finish_non_exhaustive()
    }
}

/// What children ask at.
#[derive(Default)]
pub(super) struct Desk {
    offered: Mutex<Option<Offered>>,
    offers: AtomicU64,
    /// The server has said that the run is over.
    over: CancellationToken,
    /// An operator wants the task of now to be stopped.
    aborts: Notify,
}

struct Offered {
    number: u64,
    task: Arc<Task>,
    events: mpsc::Sender<ChildEvent>,
}

impl Desk {
    fn offered(&self) -> MutexGuard<'_, Option<Offered>> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The offered task, and where to tell of it.
    fn current(&self) -> Option<(Arc<Task>, mpsc::Sender<ChildEvent>)> {
        self.offered().as_ref().map(|offered| (Arc::clone(&offered.task), offered.events.clone()))
    }

    /// The run is over: children are told so when they ask.
    fn end(&self) {
        self.over.cancel();
    }
}

impl Communicator {
    /// Gives this task to every child that asks, until the offer is dropped; what they do is told by the offer. Before
    /// and after that children are told to try again.
    ///
    /// One task is on offer at a time: a new offer takes the place of the one before.
    #[must_use = "the offer ends when it is dropped"]
    pub fn offer(&self, task: Arc<Task>) -> Offer {
        let (sender, events) = mpsc::channel(BACKLOG);
        let number = self.children().offers.fetch_add(1, Ordering::Relaxed);
        *self.children().offered() = Some(Offered { number, task, events: sender });
        Offer { communicator: self.clone(), number, events }
    }

    /// Stops the task that a loop does with this Communicator now, if any: it is answered as aborted.
    pub fn abort_task(&self) {
        self.children().aborts.notify_waiters();
    }

    /// Waits until the task of now is to be stopped; counts from the first poll, or from `enable` on.
    pub(crate) fn task_aborted(&self) -> Notified<'_> {
        self.children().aborts.notified()
    }

    /// Waits until the server has said that the run is over: by a message, or in answer to
    /// [`pull_task`](Self::pull_task). Of a Communicator [of one job](Self::for_job) only; for another one never.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn run_over(&self) {
        self.children().over.cancelled().await;
    }

    /// The server has said that the run of this job is over.
    pub(super) fn note_run_over(&self, job: &str) {
        if self.job() == Some(job) {
            self.children().end();
        }
    }

    /// Has a cell answer what the sites below this one ask, and hear that the run is over.
    pub(super) fn answer_children(&self, cell: &Cell) {
        type Answer = fn(&Communicator, &Request, &Shareable) -> Result<Value, HandlerError>;
        let topics: [(AuxTopic<'static>, Answer); 4] = [
            (AuxTopic::SYNC_RUNNER, Self::answer_alive),
            (AuxTopic::JOB_HEART_BEAT, Self::answer_alive),
            (AuxTopic::TASK_CHECK, Self::answer_task_check),
            (AuxTopic::END_RUN, Self::answer_end_run),
        ];
        for (topic, answer) in topics {
            let communicator = self.downgrade();
            cell.handle(Channel::AUX_COMMUNICATION, topic, move |request: Request| {
                let communicator = communicator.clone();
                async move {
                    let communicator = communicator.upgrade().ok_or_else(gone)?;
                    let asked = shareable(request.value()?)?;
                    Ok::<_, HandlerError>(Reply::ok(request.body_of(&answer(&communicator, &request, &asked)?)?))
                }
            });
        }
        let communicator = self.downgrade();
        cell.handle(Channel::SERVER_COMMAND, ServerCommand::GET_TASK, move |request: Request| {
            let communicator = communicator.clone();
            async move {
                let communicator = communicator.upgrade().ok_or_else(gone)?;
                let asked = shareable(request.value()?)?;
                let task = communicator.answer_get_task(request.origin(), &asked).await?;
                Ok::<_, HandlerError>(Reply::ok(request.body_of(&task)?))
            }
        });
        let communicator = self.downgrade();
        cell.handle(Channel::SERVER_COMMAND, ServerCommand::SUBMIT_UPDATE, move |request: Request| {
            let communicator = communicator.clone();
            async move {
                let communicator = communicator.upgrade().ok_or_else(gone)?;
                let result = shareable(request.fetch().await?)?;
                communicator.take_result(request.origin(), result).await?;
                Ok::<_, HandlerError>(Reply::ok(request.body_of(&Shareable::new().into_value())?))
            }
        });
    }

    fn answer_alive(&self, _: &Request, _: &Shareable) -> Result<Value, HandlerError> {
        Ok(self.aux_reply(ShareableCode::OK))
    }

    fn answer_task_check(&self, _: &Request, asked: &Shareable) -> Result<Value, HandlerError> {
        let known = self.children().current().is_some_and(|(task, _)| asked.task_id() == Some(&task.id));
        let code = match asked.task_id() {
            None => ShareableCode::BAD_REQUEST_DATA,
            Some(_) if known => ShareableCode::OK,
            Some(_) => ShareableCode::TASK_UNKNOWN,
        };
        Ok(self.aux_reply(code))
    }

    /// Only the job on the server says so.
    fn answer_end_run(&self, request: &Request, _: &Shareable) -> Result<Value, HandlerError> {
        if !request.origin().is_on_server() {
            return Err(HandlerError::invalid_request("only the server ends a run"));
        }
        self.note_run_over(self.job().unwrap_or_default());
        Ok(self.aux_reply(ShareableCode::OK))
    }

    /// The offered task, unless the child has had it already; or that the run is over; or to try again.
    async fn answer_get_task(&self, origin: Fqcn<'_>, asked: &Shareable) -> Result<Value, HandlerError> {
        let child = child_name(origin, asked)?;
        let last = asked.header(ServerCommandKey::LAST_TASK_ID.as_str()).and_then(Value::as_str);
        let current = self.children().current();
        let Some((task, events)) = current.filter(|(task, _)| last != Some(&task.id)) else {
            let name = match self.children().over.is_cancelled() {
                true => SpecialTaskName::END_RUN,
                false => SpecialTaskName::TRY_AGAIN,
            };
            return Ok(self.special(name));
        };
        let mut data = task.data.clone();
        data.set_peer_context(self.config().context(&task.job));
        tracing::debug!(child, task = task.id, "a task for a child");
        // An executor that has stopped listening has ended the offer, or is about to.
        _ = events.send(ChildEvent::Taken { child }).await;
        Ok(data.into_value())
    }

    /// A result of another task than the offered one is dropped: the child has no use for it any more either.
    async fn take_result(&self, origin: Fqcn<'_>, result: Shareable) -> Result<(), HandlerError> {
        let child = child_name(origin, &result)?;
        let current = self.children().current();
        let Some((_, events)) = current.filter(|(task, _)| result.task_id() == Some(&task.id)) else {
            tracing::info!(child, task = result.task_id(), "dropped a child's result of a task that is over");
            return Ok(());
        };
        _ = events.send(ChildEvent::Result { child, result: Box::new(result) }).await;
        Ok(())
    }

    fn special(&self, name: SpecialTaskName<'_>) -> Value {
        let mut answer = Shareable::new();
        answer.set_header(ServerCommandKey::TASK_NAME.as_str(), name.as_str());
        answer.set_header(ShareableHeader::TASK_ID.as_str(), "");
        answer.set_peer_context(self.config().context(self.job().unwrap_or_default()));
        answer.into_value()
    }

    fn aux_reply(&self, code: ShareableCode<'_>) -> Value {
        let mut answer = Shareable::reply(code);
        answer.set_peer_context(self.config().context(self.job().unwrap_or_default()));
        answer.into_value()
    }
}

/// Who asks: the name in the context, which must stand in the address of the cell that asks. The address has been checked
/// on the way, the context by nobody.
fn child_name(origin: Fqcn<'_>, asked: &Shareable) -> Result<String, HandlerError> {
    let bad = |text: &str| HandlerError::invalid_request(text);
    let context = asked.peer_context().map_err(|_| bad("expected a context that reads"))?;
    let context = context.ok_or_else(|| bad("expected the context of the site that asks"))?;
    let name = context.get(ContextKey::IDENTITY_NAME.as_str()).and_then(Value::as_str).unwrap_or_default();
    if !origin.segments().any(|segment| segment == name) {
        return Err(bad("the site in the context is not the one whose cell asks"));
    }
    Ok(name.to_owned())
}

fn shareable(value: Value) -> Result<Shareable, HandlerError> {
    Shareable::from_value(value).map_err(|_| HandlerError::invalid_request("expected the payload to be a Shareable"))
}

fn gone() -> HandlerError {
    HandlerError::service_unavailable("the site has left the job")
}
