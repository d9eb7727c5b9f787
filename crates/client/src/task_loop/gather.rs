//! The executor of a site between its parent and its children: it hands the task on, and makes one result of theirs.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fedcell_fobs::typed::Shareable;
use fedcell_protocol_defs::federation::ShareableCode;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::executor::{ExecuteError, Executing, Executor};
use crate::communicator::{ChildEvent, Communicator, Task};

/// Makes one result of those of the children, by name.
type Combine = dyn Fn(&Task, &BTreeMap<String, Shareable>) -> Result<Shareable, ExecuteError> + Send + Sync;

/// Offers each task to the children and waits until all have brought a result, or for so long; see [`gather`].
#[derive(Clone)]
pub struct Gather {
    communicator: Communicator,
    children: BTreeSet<String>,
    patience: Duration,
    combine: Arc<Combine>,
}

/// An executor that has the children of a site do its tasks.
///
/// `communicator` is that of the job, whose cell the children ask. What the named `children` bring within `patience` goes
/// to `combine`, the first result of each; nobody else's counts. If nobody has brought anything, the task has failed.
pub fn gather<F>(
    communicator: Communicator,
    children: impl IntoIterator<Item = impl Into<String>>,
    patience: Duration,
    combine: F,
) -> Gather
where
    F: Fn(&Task, &BTreeMap<String, Shareable>) -> Result<Shareable, ExecuteError> + Send + Sync + 'static,
{
    let children = children.into_iter().map(Into::into).collect();
    Gather { communicator, children, patience, combine: Arc::new(combine) }
}

impl Gather {
    async fn collect(&self, task: Arc<Task>) -> BTreeMap<String, Shareable> {
        let deadline = sleep(self.patience);
        tokio::pin!(deadline);
        let mut offer = self.communicator.offer(task);
        let mut results = BTreeMap::new();
        while results.len() < self.children.len() {
            let event = tokio::select! {
                event = offer.next() => event,
                () = &mut deadline => break,
            };
            match event {
                Some(ChildEvent::Result { child, result }) if self.children.contains(&child) => {
                    results.entry(child).or_insert(*result);
                }
                Some(ChildEvent::Result { child, .. }) => tracing::warn!(child, "a result of a site that is no child"),
                Some(_) => {}
                None => break,
            }
        }
        results
    }
}

impl Executor for Gather {
    fn execute(&self, task: Arc<Task>, stop: CancellationToken) -> Executing {
        let gather = self.clone();
        Box::pin(async move {
            let stopped = || ExecuteError::new(ShareableCode::TASK_ABORTED, "the task was stopped");
            let collected = stop.run_until_cancelled(gather.collect(Arc::clone(&task))).await;
            let results = collected.ok_or_else(stopped)?;
            if results.is_empty() {
                let wanted = gather.children.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                let seconds = gather.patience.as_secs_f64();
                return Err(ExecuteError::failed(format!("none of {wanted} has brought a result within {seconds} s")));
            }
            let combined = tokio::task::spawn_blocking(move || (gather.combine)(&task, &results)).await;
            combined.unwrap_or_else(|error| Err(super::executor::panicked(error)))
        })
    }

    /// The children keep what they have done, and are asked again.
    fn is_repeatable(&self) -> bool {
        true
    }
}

impl fmt::Debug for Gather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("children", &self.children)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}
