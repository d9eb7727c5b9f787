//! What a registrar is told once, and why it may refuse that.

use core::time::Duration;
use std::sync::Arc;

use fedcell_auth::challenge::{ChallengeLimits, PartyError, SigningFailed};
use fedcell_auth::identity::{Identity, ProjectRoot};
use fedcell_protocol_defs::federation::RegistrationDefaults;

/// What a registrar is told once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RegistrarConfig {
    /// Name of the project; a client of another one is refused.
    pub project: String,
    /// How many sites may take part; 1000.
    pub max_clients: usize,
    /// After how long without a heartbeat a site counts as dead; 600 s.
    pub client_timeout: Duration,
    /// How many challenges may be open, and how often they may be asked for; as [`ChallengeLimits`] has it.
    pub challenges: ChallengeLimits,
}

impl RegistrarConfig {
    /// The reference's times, and room for many sites.
    #[must_use]
    pub fn new(project: impl Into<String>) -> Self {
        Self {
            project: project.into(),
            max_clients: 1000,
            client_timeout: Duration::from_secs_f64(RegistrationDefaults::CLIENT_TIMEOUT),
            challenges: ChallengeLimits::default(),
        }
    }
}

/// The server's own identity and the root of the project, which a secure server has.
#[derive(Debug, Clone)]
pub struct ServerKeys {
    /// Certificate and key of the server.
    pub identity: Arc<Identity>,
    /// The root that every participant's certificate leads to.
    pub root: ProjectRoot,
}

/// A registrar cannot be set up as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrarError {
    /// The server's name is one that the protocol reserves.
    #[error("the server's certificate cannot be used")]
    Party(#[from] PartyError),
    /// The server's key cannot be used.
    #[error("the server's key cannot be used")]
    Key(#[from] SigningFailed),
}
