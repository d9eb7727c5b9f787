//! What an application registers for a task, and what it gets and gives back.

use core::fmt;
use core::pin::Pin;
use std::sync::Arc;

use fedcell_fobs::typed::Shareable;
use fedcell_protocol_defs::federation::ShareableCode;
use tokio_util::sync::CancellationToken;

use crate::communicator::Task;

/// The future of an executor.
pub type Executing = Pin<Box<dyn Future<Output = Result<Shareable, ExecuteError>> + Send>>;

/// Does the tasks of one name.
///
/// Asynchronous closures are executors; [`blocking`] makes one of a function that computes.
pub trait Executor: Send + Sync + 'static {
    /// Does one task. When `stop` is cancelled nobody wants the result any more; the future may be dropped.
    fn execute(&self, task: Arc<Task>, stop: CancellationToken) -> Executing;

    /// Whether a task may be done again from its beginning, if the process ended while it was being done. If not, the
    /// server is told that the task has failed.
    fn is_repeatable(&self) -> bool {
        false
    }
}

impl<F, R> Executor for F
where
    F: Fn(Arc<Task>, CancellationToken) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Shareable, ExecuteError>> + Send + 'static,
{
    fn execute(&self, task: Arc<Task>, stop: CancellationToken) -> Executing {
        Box::pin(self(task, stop))
    }
}

/// Why a task could not be done: a code and a text for the server.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
#[non_exhaustive]
pub struct ExecuteError {
    /// Code, as in [`ShareableCode`].
    pub code: String,
    /// What went wrong, for people.
    pub text: String,
}

impl ExecuteError {
    /// A failure with this code.
    #[must_use]
    pub fn new(code: ShareableCode<'_>, text: impl Into<String>) -> Self {
        Self { code: code.as_str().to_owned(), text: text.into() }
    }

    /// The executor failed.
    #[must_use]
    pub fn failed(text: impl Into<String>) -> Self {
        Self::new(ShareableCode::EXECUTION_EXCEPTION, text)
    }
}

/// An executor of a function that computes and does not wait: it runs on a thread of its own.
pub fn blocking<F>(work: F) -> Blocking
where
    F: Fn(&Task, &CancellationToken) -> Result<Shareable, ExecuteError> + Send + Sync + 'static,
{
    Blocking { work: Arc::new(work), is_repeatable: false }
}

type Work = dyn Fn(&Task, &CancellationToken) -> Result<Shareable, ExecuteError> + Send + Sync;

/// See [`blocking`].
#[derive(Clone)]
pub struct Blocking {
    work: Arc<Work>,
    is_repeatable: bool,
}

impl Blocking {
    /// Says that a task may be done again from its beginning.
    #[must_use]
    pub const fn repeatable(mut self) -> Self {
        self.is_repeatable = true;
        self
    }
}

impl Executor for Blocking {
    fn execute(&self, task: Arc<Task>, stop: CancellationToken) -> Executing {
        let work = Arc::clone(&self.work);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || work(&task, &stop)).await;
            done.unwrap_or_else(|error| Err(panicked(error)))
        })
    }

    fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }
}

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").field("is_repeatable", &self.is_repeatable).finish_non_exhaustive()
    }
}

/// The error of an executor that panicked, with its message if that is text.
pub(super) fn panicked(error: tokio::task::JoinError) -> ExecuteError {
    if error.is_cancelled() {
        return ExecuteError::new(ShareableCode::TASK_ABORTED, "the executor was stopped");
    }
    let panic = error.into_panic();
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ExecuteError::failed(format!("the executor panicked: {}", text.unwrap_or("without a message")))
}
