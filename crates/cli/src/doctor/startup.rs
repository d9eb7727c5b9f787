//! What a kit's configuration says: who it is for, and whom that one connects to.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use fedcell_cell::proto::address::Fqcn;
use fedcell_cell::security::SecurityMode;
use fedcell_protocol_defs::config::{
    ClientKitKey, CommConfigFile, CommConfigKey, ConnPropKey, KitFile, KitFolder, KitKey, RelayKitKey, Scheme,
    ServerKitKey,
};
use serde_json::Value;

/// Largest configuration file that is read.
const MAX_FILE: u64 = 1 << 20;

/// Whose kit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Relay,
    Site,
    Admin,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "a server",
            Self::Relay => "a relay",
            Self::Site => "a site",
            Self::Admin => "an administrator",
        }
    }
}

/// A kit's configuration.
#[derive(Debug)]
pub(crate) struct Startup {
    pub(crate) role: Role,
    /// Folder of certificates.
    pub(crate) folder: PathBuf,
    pub(crate) project: Option<String>,
    /// Name in the certificate, if the configuration has one.
    pub(crate) name: Option<String>,
    pub(crate) security: SecurityMode,
    /// Name in the certificate of the server, wherever it is.
    pub(crate) server_identity: Option<String>,
    /// Scheme with which it listens.
    pub(crate) scheme: String,
    /// How connections that it listens for are protected.
    pub(crate) listen_security: SecurityMode,
    /// Host and port where others reach it, if it listens.
    pub(crate) listens: Vec<(String, u16)>,
    /// Whom it dials, if it does.
    pub(crate) uplink: Option<Uplink>,
    /// Names in certificates, by address.
    pub(crate) identities: BTreeMap<String, String>,
}

/// Whom a participant dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Uplink {
    /// Address of that cell.
    pub(crate) fqcn: String,
    /// Name in its certificate.
    pub(crate) identity: Option<String>,
    pub(crate) scheme: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: SecurityMode,
}

impl Uplink {
    /// Where it is, as a URL.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}:{}", self.scheme, self.host, self.port)
    }
}

impl Startup {
    /// Reads the configuration of a kit; `kit` is its folder, or `startup` in it.
    ///
    /// # Errors
    ///
    /// There is no kit, or its configuration cannot be understood.
    pub(crate) fn read(kit: &Path) -> Result<Self> {
        let inner = kit.join(KitFolder::STARTUP.as_str());
        let (folder, local) = if inner.is_dir() {
            (inner, kit.join(KitFolder::LOCAL.as_str()))
        } else {
            (kit.to_path_buf(), kit.join("..").join(KitFolder::LOCAL.as_str()))
        };
        for (role, name) in [
            (Role::Server, KitFile::SERVER_STARTUP_CONFIG),
            (Role::Site, KitFile::CLIENT_STARTUP_CONFIG),
            (Role::Relay, KitFile::RELAY_STARTUP_CONFIG),
            (Role::Admin, KitFile::ADMIN_STARTUP_CONFIG),
        ] {
            let path = folder.join(name.as_str());
            if let Some(config) = json(&path)? {
                let read = || match role {
                    Role::Server => server(&config),
                    Role::Site => site(&config, &local),
                    Role::Relay => relay(&config, &local),
                    Role::Admin => admin(&config),
                };
                let mut startup = read().with_context(|| format!("{} cannot be used", path.display()))?;
                startup.folder = folder;
                return Ok(startup);
            }
        }
        bail!(
            "{} is no kit: it has no fed_server.json, fed_client.json, fed_relay.json or fed_admin.json",
            kit.display()
        )
    }

    fn new(role: Role) -> Self {
        Self {
            role,
            folder: PathBuf::new(),
            project: None,
            name: None,
            security: SecurityMode::Mtls,
            server_identity: None,
            scheme: Scheme::TCP.as_str().to_owned(),
            listen_security: SecurityMode::Mtls,
            listens: Vec::new(),
            uplink: None,
            identities: BTreeMap::new(),
        }
    }
}

fn server(config: &Value) -> Result<Startup> {
    let entry = first_server(config)?;
    let mut startup = Startup::new(Role::Server);
    startup.project = Some(text(entry, KitKey::NAME.as_str())?);
    startup.security = security(entry)?;
    startup.listen_security = startup.security;
    startup.identities = identities(entry);
    let (host, port) = target(&text(service(entry)?, KitKey::TARGET.as_str())?)?;
    startup.name = Some(optional(entry, KitKey::AUTH_IDENTITY.as_str()).unwrap_or_else(|| host.clone()));
    startup.scheme = text(service(entry)?, KitKey::SCHEME.as_str())?;
    startup.listens.push((host.clone(), port));
    if let Some(admin) = entry.get(ServerKitKey::ADMIN_PORT.as_str()) {
        let admin = admin.as_u64().and_then(|port| u16::try_from(port).ok()).context("admin_port is no port")?;
        if admin != port {
            startup.listens.push((host, admin));
        }
    }
    Ok(startup)
}

fn site(config: &Value, local: &Path) -> Result<Startup> {
    let entry = first_server(config)?;
    let client = config.get(ClientKitKey::CLIENT.as_str()).context("there is no client in it")?;
    let mut startup = Startup::new(Role::Site);
    startup.project = Some(text(entry, KitKey::NAME.as_str())?);
    startup.security = security(client)?;
    startup.identities = identities(client);
    startup.name =
        optional(client, KitKey::AUTH_IDENTITY.as_str()).or_else(|| optional(client, ClientKitKey::FQSN.as_str()));
    let (host, port) = target(&text(service(entry)?, KitKey::TARGET.as_str())?)?;
    startup.server_identity = Some(text(entry, KitKey::IDENTITY.as_str())?);
    let direct = Uplink {
        fqcn: Fqcn::SERVER.as_str().to_owned(),
        identity: Some(text(entry, KitKey::IDENTITY.as_str())?),
        scheme: text(service(entry)?, KitKey::SCHEME.as_str())?,
        host,
        port,
        security: startup.security,
    };
    let path = local.join(KitFile::RELAY_RESOURCES.as_str());
    let resources = json(&path)?;
    startup.uplink =
        Some(match resources.as_ref().and_then(|resources| resources.get(ConnPropKey::RELAY_CONFIG.as_str())) {
            Some(props) => uplink(props).with_context(|| format!("{} cannot be used", path.display()))?,
            None => direct,
        });
    Ok(startup)
}

fn relay(config: &Value, local: &Path) -> Result<Startup> {
    let mut startup = Startup::new(Role::Relay);
    startup.project = Some(text(config, RelayKitKey::PROJECT_NAME.as_str())?);
    startup.name = Some(match optional(config, RelayKitKey::AUTH_IDENTITY.as_str()) {
        Some(name) => name,
        None => text(config, RelayKitKey::IDENTITY.as_str())?,
    });
    startup.identities = identities(config);
    startup.server_identity = Some(text(config, RelayKitKey::SERVER_IDENTITY.as_str())?);
    let uplink = uplink(config.get(RelayKitKey::CONNECT_TO.as_str()).context("there is no connect_to in it")?)?;
    startup.security = uplink.security;
    startup.uplink = Some(uplink);
    let path = local.join(CommConfigFile::COMM_CONFIG.as_str());
    let comm =
        json(&path)?.with_context(|| format!("{} is missing, it says where the relay listens", path.display()))?;
    let internal = comm.get(CommConfigKey::INTERNAL.as_str());
    if let Some(scheme) = internal.and_then(|internal| optional(internal, CommConfigKey::SCHEME.as_str())) {
        startup.scheme = scheme;
    }
    let resources = internal.and_then(|internal| internal.get(CommConfigKey::RESOURCES.as_str()));
    if let Some(resources) = resources {
        // Its own, whatever the way up is.
        startup.listen_security = security(resources)?;
    }
    let place = resources.and_then(|resources| {
        let port = resources.get(CommConfigKey::PORT.as_str())?.as_u64().and_then(|port| u16::try_from(port).ok())?;
        Some((optional(resources, CommConfigKey::HOST.as_str())?, port))
    });
    startup.listens.push(
        place.with_context(|| format!("{} does not say on which host and port the relay listens", path.display()))?,
    );
    Ok(startup)
}

fn admin(config: &Value) -> Result<Startup> {
    let admin = config.get("admin").context("there is no admin in it")?;
    let mut startup = Startup::new(Role::Admin);
    startup.project = optional(admin, "project_name");
    startup.name = optional(admin, "username").filter(|name| !name.is_empty());
    startup.security = security(admin)?;
    let port = admin.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    startup.uplink = Some(Uplink {
        fqcn: Fqcn::SERVER.as_str().to_owned(),
        identity: optional(admin, "server_identity"),
        scheme: text(admin, "scheme")?,
        host: text(admin, "host")?,
        port: port.context("port is no port")?,
        security: startup.security,
    });
    Ok(startup)
}

/// What `connect_to` of a relay and `relay_config` of a site say.
fn uplink(props: &Value) -> Result<Uplink> {
    let (host, port) = target(&text(props, ConnPropKey::ADDRESS.as_str())?)?;
    let fqcn = text(props, ConnPropKey::FQCN.as_str())?;
    Fqcn::parse(&fqcn).with_context(|| format!("fqcn {fqcn:?} is no address of a cell"))?;
    let identity = optional(props, ConnPropKey::AUTH_IDENTITY.as_str());
    Ok(Uplink {
        fqcn,
        identity: identity.or_else(|| optional(props, ConnPropKey::IDENTITY.as_str())),
        scheme: text(props, ConnPropKey::SCHEME.as_str())?,
        host,
        port,
        security: security(props)?,
    })
}

/// A JSON file; none if there is no such file.
fn json(path: &Path) -> Result<Option<Value>> {
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    if length > MAX_FILE {
        bail!("{} has {length} bytes, a configuration has fewer than {MAX_FILE}", path.display());
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is no JSON", path.display())).map(Some)
}

fn first_server(config: &Value) -> Result<&Value> {
    config.get(KitKey::SERVERS.as_str()).and_then(|servers| servers.get(0)).context("there is no server in it")
}

fn service(entry: &Value) -> Result<&Value> {
    entry.get(KitKey::SERVICE.as_str()).context("the server has no service")
}

fn optional(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn text(value: &Value, key: &str) -> Result<String> {
    optional(value, key).filter(|text| !text.is_empty()).with_context(|| format!("{key} is missing or no text"))
}

/// Protection; what provisioning writes for none, `None`, is the default.
fn security(value: &Value) -> Result<SecurityMode> {
    match optional(value, KitKey::CONNECTION_SECURITY.as_str()) {
        Some(word) if word != "None" => Ok(word.parse()?),
        _ => Ok(SecurityMode::Mtls),
    }
}

/// Host and port.
fn target(text: &str) -> Result<(String, u16)> {
    let split = text.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    split.filter(|(host, _)| !host.is_empty()).with_context(|| format!("{text:?} is no host and port"))
}

fn identities(value: &Value) -> BTreeMap<String, String> {
    let map = value.get(KitKey::AUTH_IDENTITY_MAP.as_str()).and_then(Value::as_object);
    let entries = map.into_iter().flatten();
    entries.filter_map(|(address, name)| Some((address.clone(), name.as_str()?.to_owned()))).collect()
}
