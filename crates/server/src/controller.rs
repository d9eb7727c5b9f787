//! What a workflow is to the coordinator: tasks for sites that ask, results from sites that have one.

use core::time::Duration;
use std::time::Instant;

use fedcell_fobs::typed::Shareable;

/// A workflow: says what each site is to do, and takes what it has done.
///
/// The coordinator asks; a controller never calls. It reads no clock and talks to nobody: the moment is an argument, it
/// never goes back, and [`handle_timeout`](Self::handle_timeout) is called when [`poll_timeout`](Self::poll_timeout) has
/// come. After every call that changes something, drain [`poll_event`](Self::poll_event).
///
/// A controller may write to disk, and has done so before it returns: what [`result`](Self::result) has accepted
/// survives a crash. So its calls may block, and an error is the end of this instance: open it anew from what is on
/// disk, and let sites ask and send again.
pub trait Controller {
    /// What is reported while it runs.
    type Event;

    /// What ends it.
    type Error: core::error::Error + Send + Sync + 'static;

    /// A site asks what to do. Asking again gives the same.
    ///
    /// # Errors
    ///
    /// The controller's own.
    fn task_for(&mut self, site: &str, now: Instant) -> Result<Step, Self::Error>;

    /// A site, which the coordinator has authenticated, sends a result whose arrays are all here.
    ///
    /// # Errors
    ///
    /// The controller's own; the result has not been taken, and the site is to send it again.
    fn result(&mut self, site: &str, result: Shareable, now: Instant) -> Result<Receipt, Self::Error>;

    /// A site has not been heard of for too long. When it asks again, it is back.
    ///
    /// # Errors
    ///
    /// The controller's own.
    fn lost(&mut self, site: &str, now: Instant) -> Result<(), Self::Error>;

    /// When to call [`handle_timeout`](Self::handle_timeout).
    fn poll_timeout(&self) -> Option<Instant>;

    /// The time that was asked for has come.
    ///
    /// # Errors
    ///
    /// The controller's own.
    fn handle_timeout(&mut self, now: Instant) -> Result<(), Self::Error>;

    /// The next report.
    fn poll_event(&mut self) -> Option<Self::Event>;

    /// Whether nothing is left to do. Sites that ask are told so.
    fn is_ended(&self) -> bool;
}

/// What a site that asks gets.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// A task.
    Task(Task),
    /// Nothing yet; it is to ask again after this time.
    Wait(Duration),
    /// There will be no more tasks.
    End,
}

/// A task for one site.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Task {
    /// What is to be done, as in `train`.
    pub name: String,
    /// Unique in the job.
    pub id: String,
    /// The task's data, with the headers and cookies of a task. Shares its arrays with the controller.
    pub data: Shareable,
}

impl Task {
    /// A task.
    #[must_use]
    pub fn new(name: impl Into<String>, id: impl Into<String>, data: Shareable) -> Self {
        Self { name: name.into(), id: id.into(), data }
    }
}

/// What became of a result. Each is to be answered with success, so that the site forgets the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Receipt {
    /// It counts.
    Counted,
    /// It is here, and does not count: the site has failed, or what it sent cannot be used.
    Refused,
    /// It was here before, and was counted or refused then.
    Repeated,
    /// Nobody waits for it: the task is over, or never was.
    Unknown,
}
