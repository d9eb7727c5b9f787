//! What an entry of the outbox says about a task.

use fedcell_durable::bincode::{Decode, Encode};

/// Which task of which job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskKey {
    /// Id of the job.
    pub job: String,
    /// Id of the task, unique in the job.
    pub task: String,
}

impl TaskKey {
    /// The task of this id, of the job of that id.
    pub fn new(job: impl Into<String>, task: impl Into<String>) -> Self {
        Self { job: job.into(), task: task.into() }
    }
}

/// A result that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Submission {
    /// The task whose result it is.
    pub key: TaskKey,
    /// Name of the task, as in `train`.
    pub task_name: String,
    /// What was submitted, byte for byte.
    pub result: Vec<u8>,
}

/// The head of an entry's record. A new field is a new version of the format, see `fedcell_durable`.
#[derive(Debug, Encode, Decode)]
#[bincode(crate = "fedcell_durable::bincode")]
pub(super) struct Head {
    job: String,
    task: String,
    task_name: String,
    pub(super) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[bincode(crate = "fedcell_durable::bincode")]
pub(super) enum Stage {
    Begun,
    Result,
}

impl Head {
    pub(super) fn new(key: &TaskKey, task_name: &str, stage: Stage) -> Self {
        Self { job: key.job.clone(), task: key.task.clone(), task_name: task_name.to_owned(), stage }
    }

    pub(super) fn key(&self) -> TaskKey {
        TaskKey::new(self.job.as_str(), self.task.as_str())
    }

    pub(super) fn into_submission(self, result: Vec<u8>) -> Submission {
        Submission { key: TaskKey { job: self.job, task: self.task }, task_name: self.task_name, result }
    }
}

/// Name of an entry: ids come from the network, so they are in the file and not in its name. Sorted as submitted.
pub(super) fn name(number: u64) -> String {
    format!("{number:016x}")
}

pub(super) fn number(name: &str) -> Option<u64> {
    if name.len() == 16 { u64::from_str_radix(name, 16).ok() } else { None }
}
