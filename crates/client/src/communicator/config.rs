//! What a Communicator is told once: who it is, whom it believes, how long it waits.

use core::time::Duration;

use fedcell_auth::CommonName;
use fedcell_auth::challenge::ClientParty;
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_fobs::Map;
use fedcell_fobs::typed::FlContext;
use fedcell_protocol_defs::federation::{ClientType, ContextKey, RegistrationDefaults, TaskDefaults};

/// What a [`Communicator`](super::Communicator) is told once.
///
/// The times are those of the reference's `Communicator`; a client of the reference raises some of them from its kit.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Name of the client: the common name of its certificate.
    pub client_name: CommonName,
    /// Name of the project that client and server were provisioned for.
    pub project: String,
    /// What kind of participant this is. A site, unless said otherwise.
    pub client_type: ClientType<'static>,
    /// Certificate, root and expected server for the challenge. None in a federation without keys, which has no
    /// challenge and whose server must be told so, too.
    pub party: Option<ClientParty>,
    /// What the site tells its server about itself, for applications to read; at most 64 KiB as JSON, or the server
    /// drops it. Sites only.
    pub site_config: Option<Map>,
    /// Dotted path of the site in the hierarchy of sites; its name if it stands alone.
    pub fqsn: String,
    /// Whether no site stands below this one.
    pub is_leaf: bool,
    /// Cell of the site above this one in the hierarchy, from which tasks come; the server if none.
    pub parent: Option<FqcnBuf>,
    /// Pause before a challenge or registration that got no answer is repeated; 2 s.
    pub register_interval: Duration,
    /// How long a registration is tried at all; without end if none.
    pub register_patience: Option<Duration>,
    /// How long a registration waits for [`set_cell`](super::Communicator::set_cell); 15 s.
    pub cell_patience: Duration,
    /// How long to wait for a task or for the reply to a result; 5 s.
    pub task_timeout: Duration,
    /// How long to wait for the reply to a challenge, registration, heartbeat or goodbye; 5 s.
    pub maintenance_timeout: Duration,
    /// Pause between heartbeats; 10 s.
    pub heartbeat_interval: Duration,
}

impl Config {
    /// A site with the reference's times.
    #[must_use]
    pub fn new(client_name: CommonName, project: impl Into<String>) -> Self {
        Self {
            fqsn: client_name.as_str().to_owned(),
            client_name,
            project: project.into(),
            client_type: ClientType::REGULAR,
            party: None,
            site_config: None,
            is_leaf: true,
            parent: None,
            register_interval: Duration::from_secs_f64(RegistrationDefaults::REGISTER_INTERVAL),
            register_patience: None,
            cell_patience: Duration::from_secs(15),
            task_timeout: Duration::from_secs(5),
            maintenance_timeout: Duration::from_secs(5),
            heartbeat_interval: Duration::from_secs_f64(RegistrationDefaults::HEARTBEAT_INTERVAL),
        }
    }

    /// Sets what the challenge needs.
    #[must_use]
    pub fn with_party(mut self, party: ClientParty) -> Self {
        self.party = Some(party);
        self
    }

    /// The context that the server gets to see: who speaks, for which job. `job` is empty outside of jobs.
    #[must_use]
    pub fn context(&self, job: &str) -> FlContext {
        let mut context = FlContext::new();
        context.put_public(ContextKey::RUN_NUM.as_str(), job);
        context.put_public(ContextKey::IDENTITY_NAME.as_str(), self.client_name.as_str());
        context.put_public(ContextKey::FQSN.as_str(), self.fqsn.as_str());
        context.put_public(ContextKey::IS_LEAF.as_str(), self.is_leaf);
        if !job.is_empty() {
            context.put_public(ContextKey::CLIENT_NAME.as_str(), self.client_name.as_str());
            context.put_public(ContextKey::CURRENT_JOB_ID.as_str(), job);
        }
        context
    }

    /// Pause after a task request that got no answer.
    #[must_use]
    pub fn fetch_interval(&self) -> Duration {
        Duration::from_secs_f64(TaskDefaults::FETCH_INTERVAL)
    }
}
