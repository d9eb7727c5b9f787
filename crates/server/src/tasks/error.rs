//! How a job's workflow ends badly.

use std::sync::Arc;

/// A controller could not go on. What it had accepted is on disk; open it again.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TaskServiceError {
    /// The controller's own error.
    #[error("the workflow cannot go on")]
    Controller(#[source] Arc<dyn core::error::Error + Send + Sync>),
    /// The controller panicked.
    #[error("the workflow panicked")]
    Panicked,
    /// The cell has ended before the workflow.
    #[error("the cell of the job has ended")]
    Stopped,
}
