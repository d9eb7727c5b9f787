//! What a task loop reports while it runs.

use core::time::Duration;

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoopEvent {
    /// A task came and is being done.
    Started {
        /// Its name.
        task: String,
        /// Its id.
        id: String,
    },
    /// A task was done, well or not; its result is on disk.
    Done {
        /// Its id.
        id: String,
        /// How.
        outcome: Outcome,
        /// How long it took.
        took: Duration,
    },
    /// The server has the result.
    Acknowledged {
        /// Id of the task.
        id: String,
        /// Size of the result in bytes.
        bytes: usize,
    },
    /// The server could not be reached or did not answer; it is asked again.
    Waiting {
        /// What went wrong.
        reason: String,
    },
    /// The run is over.
    Ended,
}

/// How a task ended at its executor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// With a result.
    Result,
    /// Without one: what the server is told.
    Failed {
        /// The text.
        reason: String,
    },
}
