//! How a site learns of jobs: the server tells its root cell, which starts each job with a cell of its own.
//!
//! ```text
//!  server                         root cell `site-1`                        cell `site-1.JOB`
//!    │ scheduler.check_resource          │
//!    ├──────────────────────────────────>│ room? Launcher::accept
//!    │ train.deploy (zip)                │
//!    ├──────────────────────────────────>│ kept until the start
//!    │ train.start_job                   │
//!    ├──────────────────────────────────>│ started ──────────────────────────────>│ Launcher::launch
//!    │<───────────── __sync_runner__, get_task, submit_update, __job_heartbeat__ ─┤
//!    │ train.check_status, train.abort … │                                        │
//!    ├──────────────────────────────────>│ stop ─────────────────────────────────>│ ends
//!    │<── report_job_failure ────────────┤
//! ```
//!
//! What a job's archive says about executors names classes of Python, which nobody can run here: a site runs what its own
//! program has configured for a job, and may look into the archive to decide that.

mod admin;
mod agent;
mod cells;

pub use agent::{JobAgent, JobEvent, SiteRequest};
pub use cells::{JobCellError, JobCells};

use core::pin::Pin;

use bytes::Bytes;
use fedcell_fobs::Map;
use fedcell_protocol_defs::federation::JobExitCode;
use tokio_util::sync::CancellationToken;

use crate::communicator::Communicator;

/// What the server wants to be run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobOrder {
    /// Id of the job.
    pub id: String,
    /// Its meta data, see [`JobMetaKey`](fedcell_protocol_defs::federation::JobMetaKey).
    pub meta: Map,
    /// Its application, if the server has sent one.
    pub application: Option<Application>,
}

/// The application of a job as it came: unpacked and believed by nobody yet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Application {
    /// Its name within the job.
    pub name: String,
    /// Zip archive of its folder.
    pub archive: Bytes,
}

/// A job that is to be done now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Job {
    /// What the server wants.
    pub order: JobOrder,
    /// The Communicator of the job, on the job's own cell.
    pub communicator: Communicator,
    /// Cancelled when nobody wants the job any more. A job that goes on for 10 s after that is dropped.
    pub stop: CancellationToken,
}

/// How a job ended on this site.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobEnd {
    /// As it should.
    Done,
    /// From outside.
    Aborted,
    /// Badly; the server ends the job for most codes.
    Failed {
        /// What kind of failure.
        code: JobExitCode,
        /// For people.
        reason: String,
    },
}

/// The future of a job.
pub type Launched = Pin<Box<dyn Future<Output = JobEnd> + Send>>;

/// Does the jobs of a site. Asynchronous closures are launchers that take every job.
pub trait Launcher: Send + Sync + 'static {
    /// Whether the site wants this job; asked before the application comes and again at the start.
    ///
    /// # Errors
    ///
    /// Why not, for the people at the server.
    fn accept(&self, order: &JobOrder) -> Result<(), String> {
        _ = order;
        Ok(())
    }

    /// Does the job until its run is over or `stop` is cancelled.
    fn launch(&self, job: Job) -> Launched;
}

impl<F, R> Launcher for F
where
    F: Fn(Job) -> R + Send + Sync + 'static,
    R: Future<Output = JobEnd> + Send + 'static,
{
    fn launch(&self, job: Job) -> Launched {
        Box::pin(self(job))
    }
}
