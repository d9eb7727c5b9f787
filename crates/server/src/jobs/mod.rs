//! How sites learn of a job: the root cell tells each of them, those that come later included.
//!
//! ```text
//!   root cell `server`, channel `admin`                     a site's root cell
//!     Dispatcher::dispatch ──► scheduler.check_resource ──────────►│
//!            ▲                 train.deploy, if there is an archive │
//!            │                 train.start_job ────────────────────►│
//!     MembershipEvent::Arrived                                      │
//!                              report_job_failure ◄─────────────────┤ JobsEvent::Ended
//!     Dispatch::recall ──────► train.abort ────────────────────────►│
//! ```

mod dispatcher;
mod wording;

pub use dispatcher::{Dispatch, Dispatcher, JobsEvent};

use fedcell_fobs::Map;
use fedcell_fobs::typed::Application;
use fedcell_protocol_defs::federation::JobMetaKey;

/// A job that sites are to do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JobOrder {
    /// Id of the job, a UUID.
    pub id: String,
    /// The sites that take part; every site if none is named.
    pub sites: Vec<String>,
    /// What sites are told about the job, see [`JobMetaKey`].
    pub meta: Map,
    /// The application that sites get first, if any: sites of the reference need one, ours do what they are configured
    /// for.
    pub application: Option<Application>,
}

impl JobOrder {
    /// A job for every site, without an application.
    #[must_use]
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        let id = id.into();
        let mut meta = Map::new();
        meta.insert(JobMetaKey::JOB_ID.as_str(), id.as_str());
        meta.insert(JobMetaKey::JOB_NAME.as_str(), name.into());
        meta.insert(JobMetaKey::RESOURCE_SPEC.as_str(), Map::new());
        meta.insert(JobMetaKey::DEPLOY_MAP.as_str(), Map::new());
        Self { id, sites: Vec::new(), meta, application: None }
    }

    fn is_for(&self, site: &str) -> bool {
        self.sites.is_empty() || self.sites.iter().any(|wanted| wanted == site)
    }
}
