//! The files of a kit: `fed_server.json`, `fed_client.json`, `fed_relay.json` or `fed_admin.json`, and what stands beside
//! them in `local`.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use fedcell_cell::security::SecurityMode;
use fedcell_cell_proto::address::Fqcn;
use fedcell_protocol_defs::config::{
    ClientKitKey, CommConfigFile, CommConfigKey, ConnPropKey, KitFile, KitFolder, KitKey, RelayKitKey, Scheme,
    ServerKitKey,
};
use serde_json::Value;

use super::{Flaw, Kit, KitError, Listen, MAX_FILE, Role, Uplink};

/// What a role's own file says.
type Reader = fn(&Value) -> Result<Kit, Flaw>;

/// Reads what says whose kit it is, and what else that role has.
pub(super) fn kit(path: &Path) -> Result<Kit, KitError> {
    let inner = path.join(KitFolder::STARTUP.as_str());
    let (startup, local) = if inner.is_dir() {
        (inner, path.join(KitFolder::LOCAL.as_str()))
    } else {
        (path.to_path_buf(), path.join("..").join(KitFolder::LOCAL.as_str()))
    };
    let roles: [(KitFile<'static>, Reader); 4] = [
        (KitFile::SERVER_STARTUP_CONFIG, server),
        (KitFile::CLIENT_STARTUP_CONFIG, site),
        (KitFile::RELAY_STARTUP_CONFIG, relay),
        (KitFile::ADMIN_STARTUP_CONFIG, admin),
    ];
    for (name, read) in roles {
        let file = startup.join(name.as_str());
        let Some(config) = json(&file)? else { continue };
        let mut kit = read(&config).map_err(|flaw| KitError::Content { path: file, flaw })?;
        kit.startup = startup;
        match kit.role {
            Role::Site => behind_relay(&mut kit, &local)?,
            Role::Relay => listens(&mut kit, &local)?,
            Role::Server | Role::Admin => {}
        }
        return Ok(kit);
    }
    Err(KitError::NoKit { path: path.to_path_buf() })
}

fn server(config: &Value) -> Result<Kit, Flaw> {
    let entry = first_server(config)?;
    let mut kit = Kit::new(Role::Server, security(entry)?);
    kit.project = Some(text(entry, KitKey::NAME.as_str())?);
    kit.identities = identities(entry);
    let (host, port) = target(&text(service(entry)?, KitKey::TARGET.as_str())?)?;
    kit.name = Some(optional(entry, KitKey::AUTH_IDENTITY.as_str()).unwrap_or_else(|| host.clone()));
    let mut places = vec![(host.clone(), port)];
    if let Some(admin) = entry.get(ServerKitKey::ADMIN_PORT.as_str()) {
        let admin = number(admin).ok_or(Flaw::NoPort(ServerKitKey::ADMIN_PORT.as_str()))?;
        if admin != port {
            places.push((host, admin));
        }
    }
    let scheme = text(service(entry)?, KitKey::SCHEME.as_str())?;
    kit.listen = Some(Listen { scheme, places, security: kit.security });
    Ok(kit)
}

fn site(config: &Value) -> Result<Kit, Flaw> {
    let entry = first_server(config)?;
    let client = config.get(ClientKitKey::CLIENT.as_str()).ok_or(Flaw::NoPart(ClientKitKey::CLIENT.as_str()))?;
    let mut kit = Kit::new(Role::Site, security(client)?);
    kit.project = Some(text(entry, KitKey::NAME.as_str())?);
    kit.identities = identities(client);
    kit.fqsn = optional(client, ClientKitKey::FQSN.as_str());
    kit.is_leaf = client.get(ClientKitKey::IS_LEAF.as_str()).and_then(Value::as_bool).unwrap_or(true);
    kit.name = optional(client, KitKey::AUTH_IDENTITY.as_str()).or_else(|| kit.fqsn.clone());
    let (host, port) = target(&text(service(entry)?, KitKey::TARGET.as_str())?)?;
    // As the reference: a server that is not named is certified under the name by which it is dialled.
    let identity = match entry.get(KitKey::IDENTITY.as_str()) {
        Some(_) => text(entry, KitKey::IDENTITY.as_str())?,
        None => host.clone(),
    };
    kit.server_identity = Some(identity.clone());
    kit.uplink = Some(Uplink {
        fqcn: Fqcn::SERVER.as_str().to_owned(),
        identity: Some(identity),
        scheme: text(service(entry)?, KitKey::SCHEME.as_str())?,
        host,
        port,
        security: kit.security,
    });
    Ok(kit)
}

/// A site whose kit names a relay dials that instead of the server.
fn behind_relay(kit: &mut Kit, local: &Path) -> Result<(), KitError> {
    let path = local.join(KitFile::RELAY_RESOURCES.as_str());
    let Some(resources) = json(&path)? else { return Ok(()) };
    if let Some(props) = resources.get(ConnPropKey::RELAY_CONFIG.as_str()) {
        kit.uplink = Some(uplink(props).map_err(|flaw| KitError::Content { path, flaw })?);
    }
    Ok(())
}

fn relay(config: &Value) -> Result<Kit, Flaw> {
    let connect_to = RelayKitKey::CONNECT_TO.as_str();
    let uplink = uplink(config.get(connect_to).ok_or(Flaw::NoPart(connect_to))?)?;
    let mut kit = Kit::new(Role::Relay, uplink.security);
    kit.uplink = Some(uplink);
    kit.project = Some(text(config, RelayKitKey::PROJECT_NAME.as_str())?);
    kit.name = Some(match optional(config, RelayKitKey::AUTH_IDENTITY.as_str()) {
        Some(name) => name,
        None => text(config, RelayKitKey::IDENTITY.as_str())?,
    });
    kit.identities = identities(config);
    kit.server_identity = Some(text(config, RelayKitKey::SERVER_IDENTITY.as_str())?);
    Ok(kit)
}

/// Where a relay listens, with a protection of its own, whatever that of its way up is.
fn listens(kit: &mut Kit, local: &Path) -> Result<(), KitError> {
    let path = local.join(CommConfigFile::COMM_CONFIG.as_str());
    let says = "where the relay listens";
    let comm = json(&path)?.ok_or_else(|| KitError::Missing { path: path.clone(), says })?;
    let read = || -> Result<Listen, Flaw> {
        let internal = comm.get(CommConfigKey::INTERNAL.as_str()).ok_or(Flaw::NoListener)?;
        let resources = internal.get(CommConfigKey::RESOURCES.as_str()).ok_or(Flaw::NoListener)?;
        let port = resources.get(CommConfigKey::PORT.as_str()).and_then(number).ok_or(Flaw::NoListener)?;
        let host = optional(resources, CommConfigKey::HOST.as_str()).ok_or(Flaw::NoListener)?;
        let scheme = optional(internal, CommConfigKey::SCHEME.as_str());
        Ok(Listen {
            scheme: scheme.unwrap_or_else(|| Scheme::TCP.as_str().to_owned()),
            places: vec![(host, port)],
            security: security(resources)?,
        })
    };
    kit.listen = Some(read().map_err(|flaw| KitError::Content { path: path.clone(), flaw })?);
    Ok(())
}

fn admin(config: &Value) -> Result<Kit, Flaw> {
    let admin = config.get("admin").ok_or(Flaw::NoPart("admin"))?;
    let mut kit = Kit::new(Role::Admin, security(admin)?);
    kit.project = optional(admin, "project_name");
    kit.name = optional(admin, "username").filter(|name| !name.is_empty());
    kit.uplink = Some(Uplink {
        fqcn: Fqcn::SERVER.as_str().to_owned(),
        identity: optional(admin, "server_identity"),
        scheme: text(admin, "scheme")?,
        host: text(admin, "host")?,
        port: admin.get("port").and_then(number).ok_or(Flaw::NoPort("port"))?,
        security: kit.security,
    });
    Ok(kit)
}

/// What `connect_to` of a relay and `relay_config` of a site say.
fn uplink(props: &Value) -> Result<Uplink, Flaw> {
    let (host, port) = target(&text(props, ConnPropKey::ADDRESS.as_str())?)?;
    let fqcn = text(props, ConnPropKey::FQCN.as_str())?;
    Fqcn::parse(&fqcn).map_err(|cause| Flaw::Address { text: fqcn.clone(), cause })?;
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
fn json(path: &Path) -> Result<Option<Value>, KitError> {
    let unread = |cause| KitError::Read { path: path.to_path_buf(), cause };
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unread(error)),
    };
    if length > MAX_FILE {
        return Err(KitError::Length { path: path.to_path_buf(), length });
    }
    let bytes = fs::read(path).map_err(unread)?;
    serde_json::from_slice(&bytes).map(Some).map_err(|cause| KitError::Json { path: path.to_path_buf(), cause })
}

fn first_server(config: &Value) -> Result<&Value, Flaw> {
    let servers = config.get(KitKey::SERVERS.as_str());
    servers.and_then(|servers| servers.get(0)).ok_or(Flaw::NoPart("server"))
}

fn service(entry: &Value) -> Result<&Value, Flaw> {
    entry.get(KitKey::SERVICE.as_str()).ok_or(Flaw::NoPart(KitKey::SERVICE.as_str()))
}

fn optional(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn text(value: &Value, key: &'static str) -> Result<String, Flaw> {
    optional(value, key).filter(|text| !text.is_empty()).ok_or(Flaw::NoText(key))
}

fn number(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|port| u16::try_from(port).ok())
}

/// Protection; what provisioning writes for none, `None`, is the default.
fn security(value: &Value) -> Result<SecurityMode, Flaw> {
    match optional(value, KitKey::CONNECTION_SECURITY.as_str()) {
        Some(word) if word != "None" => Ok(word.parse()?),
        _ => Ok(SecurityMode::Mtls),
    }
}

/// Host and port.
fn target(text: &str) -> Result<(String, u16), Flaw> {
    let split = text.rsplit_once(':').and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    split.filter(|(host, _)| !host.is_empty()).ok_or_else(|| Flaw::NoTarget(text.to_owned()))
}

fn identities(value: &Value) -> BTreeMap<String, String> {
    let map = value.get(KitKey::AUTH_IDENTITY_MAP.as_str()).and_then(Value::as_object);
    let entries = map.into_iter().flatten();
    entries.filter_map(|(address, name)| Some((address.clone(), name.as_str()?.to_owned()))).collect()
}
