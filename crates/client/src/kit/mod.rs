//! Startup kits, as the reference or `fedcell provision` has made them: whose they are, what they connect to, and the
//! cell and the configuration of a participant that has one.

mod error;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fedcell_auth::CommonName;
use fedcell_auth::challenge::ClientParty;
use fedcell_auth::identity::{Identity, ProjectRoot};
use fedcell_cell::security::{Credentials, SecurityMode};
use fedcell_cell::{Cell, CellBuilder};
use fedcell_cell_proto::address::Fqcn;
use fedcell_protocol_defs::config::{KitFile, Scheme};
use fedcell_protocol_defs::federation::ClientType;

use crate::Config;

pub use error::{Flaw, KitError};

/// Largest configuration file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Whose kit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// The server's.
    Server,
    /// A relay's.
    Relay,
    /// A site's.
    Site,
    /// An administrator's.
    Admin,
}

impl Role {
    /// The role with its article, for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "a server",
            Self::Relay => "a relay",
            Self::Site => "a site",
            Self::Admin => "an administrator",
        }
    }
}

/// What a kit's configuration says. Its certificates are read when they are needed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Kit {
    /// Whose it is.
    pub role: Role,
    /// The folder `startup`, with the certificates.
    pub startup: PathBuf,
    /// Name of the project.
    pub project: Option<String>,
    /// Name in the certificate, if the configuration has one.
    pub name: Option<String>,
    /// How its own connections are protected, unless it is said of one of them.
    pub security: SecurityMode,
    /// Name in the certificate of the server, wherever it is; none in the server's own kit.
    pub server_identity: Option<String>,
    /// Dotted path of a site in the hierarchy of sites, if it is not its name.
    pub fqsn: Option<String>,
    /// Whether no site stands below this one.
    pub is_leaf: bool,
    /// Where it listens, if it does.
    pub listen: Option<Listen>,
    /// Whom it dials, if it does.
    pub uplink: Option<Uplink>,
    /// Names in certificates, by address.
    pub identities: BTreeMap<String, String>,
}

/// Where a participant listens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listen {
    /// Scheme, as in `tcp`.
    pub scheme: String,
    /// Host and port where others reach it: for cells first, then for administrators if that is another port.
    pub places: Vec<(String, u16)>,
    /// How connections that it takes are protected.
    pub security: SecurityMode,
}

/// Whom a participant dials.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Uplink {
    /// Address of that cell.
    pub fqcn: String,
    /// Name in its certificate.
    pub identity: Option<String>,
    /// Scheme, as in `tcp`.
    pub scheme: String,
    /// Its host, an IPv6 address in brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: SecurityMode,
}

impl Listen {
    /// With this scheme, at a place that is still to be said.
    #[must_use]
    pub fn new(scheme: Scheme<'_>, security: SecurityMode) -> Self {
        Self { scheme: scheme.as_str().to_owned(), places: Vec::new(), security }
    }
}

impl Uplink {
    /// The cell of this address at this place, with the name in its certificate that its address says.
    #[must_use]
    pub fn new(fqcn: Fqcn<'_>, scheme: Scheme<'_>, host: &str, port: u16, security: SecurityMode) -> Self {
        let (scheme, host) = (scheme.as_str().to_owned(), host.to_owned());
        Self { fqcn: fqcn.as_str().to_owned(), identity: None, scheme, host, port, security }
    }

    /// Where it is, as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}:{}", self.scheme, self.host, self.port)
    }

    /// Whether it is the server itself.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.fqcn == Fqcn::SERVER.as_str()
    }
}

impl Kit {
    /// Reads the configuration of a kit; `path` is its folder, or `startup` in it.
    ///
    /// # Errors
    ///
    /// [`KitError`] if there is no kit, or its configuration cannot be understood.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, KitError> {
        read::kit(path.as_ref())
    }

    /// A kit that says nothing but whose it is and how its connections are protected, to be filled by hand where there is
    /// none to be read; its files are in no folder yet.
    #[must_use]
    pub const fn new(role: Role, security: SecurityMode) -> Self {
        Self {
            role,
            startup: PathBuf::new(),
            project: None,
            name: None,
            security,
            server_identity: None,
            fqsn: None,
            is_leaf: true,
            listen: None,
            uplink: None,
            identities: BTreeMap::new(),
        }
    }

    /// A file of it.
    #[must_use]
    pub fn file(&self, file: KitFile<'_>) -> PathBuf {
        self.startup.join(file.as_str())
    }

    /// Address of the participant's cell.
    #[must_use]
    pub fn address(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        match &self.uplink {
            None => Fqcn::SERVER.as_str().to_owned(),
            Some(uplink) if uplink.is_server() => name.to_owned(),
            Some(uplink) => format!("{}.{name}", uplink.fqcn),
        }
    }

    /// The participant's cell: its address and protection, and what it dials. Where it listens is up to the caller.
    ///
    /// # Errors
    ///
    /// [`KitError`] if its connections are protected and its certificates cannot be used.
    pub fn cell(&self) -> Result<CellBuilder, KitError> {
        self.cell_at(&self.address())
    }

    /// A cell at another address, below the participant's, with what is the participant's otherwise.
    ///
    /// # Errors
    ///
    /// As [`cell`](Self::cell).
    pub fn cell_at(&self, address: &str) -> Result<CellBuilder, KitError> {
        let mut builder = Cell::builder(address).security(self.security);
        for (address, identity) in &self.identities {
            builder = builder.identity(address, identity);
        }
        if let Some(uplink) = &self.uplink {
            if let Some(identity) = &uplink.identity {
                builder = builder.identity(&uplink.fqcn, identity);
            }
            builder = if uplink.is_server() {
                builder.root_url(uplink.url())
            } else {
                builder.parent_url_with(uplink.url(), uplink.security)
            };
        }
        if self.protections().any(|security| security != SecurityMode::Clear) {
            builder = builder.credentials(Credentials::from_kit(&self.startup)?);
        }
        Ok(builder)
    }

    /// What a [`Communicator`](crate::Communicator) of the participant is told, with the reference's times.
    ///
    /// # Errors
    ///
    /// [`KitError`] if the kit lacks a name or a certificate that registration needs: a server's registers nowhere.
    pub fn config(&self) -> Result<Config, KitError> {
        let named = |name: &Option<String>, what| name.clone().ok_or(KitError::Unnamed { what });
        let name = CommonName::parse(&named(&self.name, "participant")?)?;
        let project = named(&self.project, "project")?;
        let server = CommonName::parse(&named(&self.server_identity, "server")?)?;
        let identity = Identity::load(&self.file(KitFile::CLIENT_CERT), &self.file(KitFile::CLIENT_PRIVATE_KEY))?;
        let root = ProjectRoot::load(&self.file(KitFile::ROOT_CERT))?;
        let mut config = Config::new(name, project).with_party(ClientParty::new(Arc::new(identity), root, server)?);
        if self.role == Role::Relay {
            config.client_type = ClientType::RELAY;
        }
        if let Some(fqsn) = &self.fqsn {
            config.fqsn.clone_from(fqsn);
        }
        config.is_leaf = self.is_leaf;
        Ok(config)
    }

    /// How what it dials and what it takes is protected.
    fn protections(&self) -> impl Iterator<Item = SecurityMode> {
        let of_uplink = self.uplink.as_ref().map(|uplink| uplink.security);
        let of_listener = self.listen.as_ref().map(|listen| listen.security);
        [Some(self.security), of_uplink, of_listener].into_iter().flatten()
    }
}
