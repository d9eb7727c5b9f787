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
mod archives;
mod cells;

pub use agent::{JobAgent, JobEvent, SiteRequest};
pub use cells::{JobCellError, JobCells};

use core::pin::Pin;

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_fobs::typed::Application;
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::federation::{ClientDictKey, JobExitCode, JobMetaKey};
use tokio_util::sync::CancellationToken;

use crate::communicator::Communicator;

/// What the server wants to be run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobOrder {
    /// Id of the job.
    pub id: String,
    /// Its meta data, see [`JobMetaKey`].
    pub meta: Map,
    /// Its application, if the server has sent one: unpacked and believed by nobody yet.
    pub application: Option<Application>,
}

impl JobOrder {
    /// The cell of the site above the one at `fqsn`, which the order names if that site takes part. None for a site that
    /// stands alone.
    #[must_use]
    pub fn cell_of_parent(&self, fqsn: &str) -> Option<FqcnBuf> {
        let (above, _) = fqsn.rsplit_once('.')?;
        let parent = above.rsplit('.').next()?;
        let text = |client: &Value, key: ClientDictKey<'_>| {
            client.as_map().and_then(|client| client.get(key.as_str())).and_then(Value::as_str).map(str::to_owned)
        };
        let client =
            self.clients()?.iter().find(|client| text(client, ClientDictKey::NAME).as_deref() == Some(parent))?;
        FqcnBuf::parse(&text(client, ClientDictKey::FQCN).unwrap_or_else(|| parent.to_owned())).ok()
    }

    /// The sites that take part. The reference's server writes the key by the name of its constant.
    fn clients(&self) -> Option<&[Value]> {
        let wanted = JobMetaKey::JOB_CLIENTS;
        let is_wanted = |key: &Value| match key {
            Value::Enum(member) => wanted.name() == Some(member.member.as_str()),
            key => key.as_str() == Some(wanted.as_str()),
        };
        self.meta.iter().find(|(key, _)| is_wanted(key)).and_then(|(_, clients)| match clients {
            Value::List(clients) => Some(clients.as_slice()),
            _ => None,
        })
    }
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
