//! Why a kit cannot be used.

use std::path::PathBuf;

use fedcell_auth::BadName;
use fedcell_auth::challenge::PartyError;
use fedcell_auth::identity::IdentityError;
use fedcell_cell::security::{SecurityError, UnknownMode};
use fedcell_cell_proto::address::FqcnError;

use super::MAX_FILE;

/// Why a kit cannot be used. Whoever provisioned or changed it is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// There is no kit.
    #[error("{} is no kit: it has no fed_server.json, fed_client.json, fed_relay.json or fed_admin.json", path.display())]
    NoKit {
        /// The folder.
        path: PathBuf,
    },
    /// A file of it cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// A file is too large for what it should be.
    #[error("{} has {length} bytes, a configuration has at most {MAX_FILE}", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
    },
    /// A file is no JSON.
    #[error("{} is no JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: serde_json::Error,
    },
    /// A file of it is missing that this role needs.
    #[error("{} is missing, it says {says}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What stands in it.
        says: &'static str,
    },
    /// What a file says cannot be used.
    #[error("{} cannot be used", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        flaw: Flaw,
    },
    /// It lacks what a participant of its role is told.
    #[error("the kit does not name its {what}")]
    Unnamed {
        /// `participant`, `project` or `server`.
        what: &'static str,
    },
    /// A name that no certificate can have.
    #[error(transparent)]
    Name(#[from] BadName),
    /// Its certificate, its key or its root.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// They do not go together.
    #[error(transparent)]
    Party(#[from] PartyError),
    /// Its certificates are of no use for connections.
    #[error("the certificates of the kit cannot be used")]
    Credentials(#[from] SecurityError),
}

/// What is wrong with what a configuration says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// A part is not there.
    #[error("there is no {0} in it")]
    NoPart(&'static str),
    /// A text is not there.
    #[error("{0} is missing or no text")]
    NoText(&'static str),
    /// A port is not there, or is none.
    #[error("{0} is no port")]
    NoPort(&'static str),
    /// Something else stands where a host and a port should.
    #[error("{0:?} is no host and port")]
    NoTarget(String),
    /// It does not say where a relay listens.
    #[error("it does not say on which host and port the relay listens")]
    NoListener,
    /// An address that no cell can have.
    #[error("fqcn {text:?} is no address of a cell")]
    Address {
        /// What stands there.
        text: String,
        /// Why it is none.
        #[source]
        cause: FqcnError,
    },
    /// A protection that there is none of.
    #[error(transparent)]
    Security(#[from] UnknownMode),
}
