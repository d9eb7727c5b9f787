//! What each participant's kit holds: the reference's file names and keys.

use anyhow::Result;
use fedcell_cell::proto::address::Fqcn;
use fedcell_protocol_defs::config::{
    ClientKitKey, CommConfigFile, CommConfigKey, ConnPropKey, CredentialKey, KitFile, KitFolder, KitKey, RelayKitKey,
    ServerKitKey, Setting,
};
use serde_json::{Map, Value, json};

use super::authority::{Authority, Pair, Subject};
use super::project::{Admin, Project, Relay, Site};

/// One file of a kit.
pub(crate) struct File {
    /// Folder in the kit; none for the kit's own.
    pub(crate) folder: Option<KitFolder<'static>>,
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) access: Access,
}

/// Who may do what with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone may read it.
    Public,
    /// Its owner alone may read it.
    Secret,
    /// Everyone may run it.
    Program,
}

/// A kit, not written yet.
pub(crate) struct Kit {
    /// Name of the participant and of the folder.
    pub(crate) name: String,
    pub(crate) files: Vec<File>,
    /// Certificates and keys, for the state of the project.
    pub(crate) pair: Pair,
}

/// Version of start-up files.
const FORMAT_VERSION: u32 = 2;

/// Program of the reference that runs with a kit.
struct Program {
    module: &'static str,
    config: KitFile<'static>,
    folder: &'static str,
}

impl Project {
    /// The kits of everyone.
    ///
    /// # Errors
    ///
    /// A certificate cannot be made.
    pub(crate) fn kits(&self, authority: &Authority) -> Result<Vec<Kit>> {
        let mut kits = vec![self.server_kit(authority)?];
        for relay in &self.relays {
            kits.push(self.relay_kit(relay, authority)?);
        }
        for site in &self.sites {
            kits.push(self.site_kit(site, authority)?);
        }
        for admin in &self.admins {
            kits.push(self.admin_kit(admin, authority)?);
        }
        Ok(kits)
    }

    fn target(&self) -> String {
        format!("{}:{}", bracketed(&self.server.name), self.server.port)
    }

    fn subject<'a>(&'a self, name: &'a str) -> Subject<'a> {
        Subject { name, organization: self.organization_of(name), ..Subject::default() }
    }

    fn server_kit(&self, authority: &Authority) -> Result<Kit> {
        let server = &self.server;
        let mut subject = self.subject(&server.name);
        subject.hosts = core::iter::once(&server.name).chain(&server.hosts).map(String::as_str).collect();
        let pair = authority.issue(&subject)?;
        let mut entry = object([
            (KitKey::NAME.as_str(), json!(self.name)),
            (
                KitKey::SERVICE.as_str(),
                json!({KitKey::TARGET.as_str(): self.target(), KitKey::SCHEME.as_str(): self.scheme}),
            ),
            (ServerKitKey::ADMIN_SERVER.as_str(), json!(server.name)),
            (ServerKitKey::ADMIN_PORT.as_str(), json!(server.admin_port)),
            (CredentialKey::PRIVATE_KEY.as_str(), json!(KitFile::SERVER_PRIVATE_KEY.as_str())),
            (CredentialKey::CERT.as_str(), json!(KitFile::SERVER_CERT.as_str())),
            (CredentialKey::ROOT_CERT.as_str(), json!(KitFile::ROOT_CERT.as_str())),
            (KitKey::CONNECTION_SECURITY.as_str(), json!(self.security)),
        ]);
        self.add_identities(&mut entry, KitKey::AUTH_IDENTITY_MAP.as_str(), None)?;
        let config = json!({KitKey::FORMAT_VERSION.as_str(): FORMAT_VERSION, KitKey::SERVERS.as_str(): [entry]});
        let program = Program {
            module: "nvflare.private.fed.app.server.server_train",
            config: KitFile::SERVER_STARTUP_CONFIG,
            folder: "config",
        };
        let mut files = common(authority, &pair, true);
        files.push(startup(KitFile::SERVER_STARTUP_CONFIG, &config));
        files.push(start(&program, "", self.organization_of(&server.name)));
        files.push(local(KitFile::DEFAULT_RESOURCES_CONFIG.as_str(), include_bytes!("files/server_resources.json")));
        files.push(local(KitFile::DEFAULT_AUTHORIZATION_CONFIG.as_str(), include_bytes!("files/authorization.json")));
        files.push(log_config());
        Ok(Kit { name: server.name.clone(), files, pair })
    }

    fn site_kit(&self, site: &Site, authority: &Authority) -> Result<Kit> {
        let pair = authority.issue(&self.subject(&site.name))?;
        let server = json!({
            KitKey::NAME.as_str(): self.name,
            KitKey::SERVICE.as_str(): {KitKey::TARGET.as_str(): self.target(), KitKey::SCHEME.as_str(): self.scheme},
            KitKey::IDENTITY.as_str(): self.server.name,
        });
        let mut client = object([
            (CredentialKey::PRIVATE_KEY.as_str(), json!(KitFile::CLIENT_PRIVATE_KEY.as_str())),
            (CredentialKey::CERT.as_str(), json!(KitFile::CLIENT_CERT.as_str())),
            (CredentialKey::ROOT_CERT.as_str(), json!(KitFile::ROOT_CERT.as_str())),
            (ClientKitKey::FQSN.as_str(), json!(site.name)),
            (ClientKitKey::IS_LEAF.as_str(), json!(true)),
            (KitKey::CONNECTION_SECURITY.as_str(), json!(self.security)),
        ]);
        self.add_identities(&mut client, KitKey::AUTH_IDENTITY_MAP.as_str(), None)?;
        let config = json!({
            KitKey::FORMAT_VERSION.as_str(): FORMAT_VERSION,
            KitKey::SERVERS.as_str(): [server],
            ClientKitKey::CLIENT.as_str(): client,
        });
        let program = Program {
            module: "nvflare.private.fed.app.client.client_train",
            config: KitFile::CLIENT_STARTUP_CONFIG,
            folder: "config",
        };
        let mut files = common(authority, &pair, false);
        files.push(startup(KitFile::CLIENT_STARTUP_CONFIG, &config));
        files.push(start(&program, &site.name, self.organization_of(&site.name)));
        files.push(local(KitFile::DEFAULT_RESOURCES_CONFIG.as_str(), include_bytes!("files/site_resources.json")));
        files.push(local(KitFile::DEFAULT_AUTHORIZATION_CONFIG.as_str(), include_bytes!("files/authorization.json")));
        files.push(log_config());
        if let Some(relay) = &site.relay {
            let relay = self.relay(relay)?;
            let props = json!({
                ConnPropKey::SCHEME.as_str(): self.scheme,
                ConnPropKey::IDENTITY.as_str(): relay.name,
                ConnPropKey::ADDRESS.as_str(): format!("{}:{}", bracketed(&relay.host), relay.port),
                ConnPropKey::FQCN.as_str(): self.address_of_relay(&relay.name)?,
                ConnPropKey::CONNECTION_SECURITY.as_str(): self.security,
            });
            let resources =
                json!({KitKey::FORMAT_VERSION.as_str(): FORMAT_VERSION, ConnPropKey::RELAY_CONFIG.as_str(): props});
            files.push(local(KitFile::RELAY_RESOURCES.as_str(), &text(&resources)));
            // Without it, jobs of the site would dial the server, which they need not reach.
            let internal = json!({CommConfigKey::HOST.as_str(): "localhost", CommConfigKey::CONNECTION_SECURITY.as_str(): "clear"});
            files.push(comm_config("tcp", &internal));
        }
        Ok(Kit { name: site.name.clone(), files, pair })
    }

    fn relay_kit(&self, relay: &Relay, authority: &Authority) -> Result<Kit> {
        let pair = authority.issue(&self.subject(&relay.name))?;
        let mut subject = self.subject(&relay.name);
        subject.hosts = vec![&relay.host];
        if relay.host != relay.name {
            subject.hosts.push(&relay.name);
        }
        let listening = authority.issue(&subject)?;
        let parent = match &relay.parent {
            Some(parent) => {
                let parent = self.relay(parent)?;
                (
                    parent.name.as_str(),
                    format!("{}:{}", bracketed(&parent.host), parent.port),
                    self.address_of_relay(&parent.name)?,
                )
            }
            None => (self.server.name.as_str(), self.target(), Fqcn::SERVER.as_str().to_owned()),
        };
        let mut config = object([
            (KitKey::FORMAT_VERSION.as_str(), json!(FORMAT_VERSION)),
            (RelayKitKey::PROJECT_NAME.as_str(), json!(self.name)),
            (RelayKitKey::IDENTITY.as_str(), json!(relay.name)),
        ]);
        let address = self.address_of_relay(&relay.name)?;
        self.add_identities(&mut config, RelayKitKey::AUTH_IDENTITY_MAP.as_str(), Some(&address))?;
        config.insert(RelayKitKey::SERVER_IDENTITY.as_str().to_owned(), json!(self.server.name));
        config.insert(
            RelayKitKey::CONNECT_TO.as_str().to_owned(),
            json!({
                ConnPropKey::SCHEME.as_str(): self.scheme,
                ConnPropKey::IDENTITY.as_str(): parent.0,
                ConnPropKey::ADDRESS.as_str(): parent.1,
                ConnPropKey::FQCN.as_str(): parent.2,
                ConnPropKey::CONNECTION_SECURITY.as_str(): self.security,
            }),
        );
        let program = Program {
            module: "nvflare.private.fed.app.relay.relay",
            config: KitFile::RELAY_STARTUP_CONFIG,
            folder: "config",
        };
        let mut files = common(authority, &pair, false);
        files.push(secret(KitFile::SERVER_PRIVATE_KEY, &listening.key));
        files.push(public(KitFile::SERVER_CERT, &listening.certificate));
        files.push(startup(KitFile::RELAY_STARTUP_CONFIG, &Value::Object(config)));
        files.push(start(&program, &relay.name, self.organization_of(&relay.name)));
        files.push(log_config());
        let internal = json!({
            CommConfigKey::HOST.as_str(): relay.host,
            CommConfigKey::PORT.as_str(): relay.port,
            CommConfigKey::CONNECTION_SECURITY.as_str(): self.security,
        });
        files.push(comm_config(&self.scheme, &internal));
        Ok(Kit { name: relay.name.clone(), files, pair })
    }

    /// The administrator's console reads its own keys, which no cell does.
    fn admin_kit(&self, admin: &Admin, authority: &Authority) -> Result<Kit> {
        let mut subject = self.subject(&admin.name);
        subject.role = Some(&admin.role);
        let pair = authority.issue(&subject)?;
        let config = json!({
            KitKey::FORMAT_VERSION.as_str(): 1,
            "admin": {
                "project_name": self.name,
                "username": admin.name,
                "server_identity": self.server.name,
                "scheme": self.scheme,
                "host": self.server.name,
                "port": self.server.admin_port,
                "connection_security": self.security,
                "uid_source": "user_input",
                "with_file_transfer": true,
                "upload_dir": "transfer",
                "download_dir": "transfer",
                "client_key": KitFile::CLIENT_PRIVATE_KEY.as_str(),
                "client_cert": KitFile::CLIENT_CERT.as_str(),
                "ca_cert": KitFile::ROOT_CERT.as_str(),
            },
        });
        let resources = json!({
            KitKey::FORMAT_VERSION.as_str(): 1,
            "admin": {
                "idle_timeout": 900.0,
                "login_timeout": 10.0,
                "with_debug": false,
                "authenticate_msg_timeout": 2.0,
                "prompt": "> ",
            },
        });
        let mut files = common(authority, &pair, false);
        files.push(startup(KitFile::ADMIN_STARTUP_CONFIG, &config));
        files.push(local(KitFile::DEFAULT_RESOURCES_CONFIG.as_str(), &text(&resources)));
        let line = "cd \"$(dirname \"$0\")/..\" && exec python3 -m nvflare.fuel.hci.tools.admin -m . -s fed_admin.json \"$@\"\n";
        files.push(script("fl_admin.sh", line));
        Ok(Kit { name: admin.name.clone(), files, pair })
    }

    fn add_identities(&self, to: &mut Map<String, Value>, key: &str, own: Option<&str>) -> Result<()> {
        let identities = self.identities(own)?;
        if !identities.is_empty() {
            to.insert(key.to_owned(), json!(identities));
        }
        Ok(())
    }
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// An IPv6 address in a place where a port follows.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn text(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// Root certificate, certificate and key.
fn common(authority: &Authority, pair: &Pair, is_server: bool) -> Vec<File> {
    let (certificate, key) = if is_server {
        (KitFile::SERVER_CERT, KitFile::SERVER_PRIVATE_KEY)
    } else {
        (KitFile::CLIENT_CERT, KitFile::CLIENT_PRIVATE_KEY)
    };
    vec![
        public(KitFile::ROOT_CERT, &authority.own.certificate),
        public(certificate, &pair.certificate),
        secret(key, &pair.key),
    ]
}

fn public(name: KitFile<'static>, text: &str) -> File {
    file(KitFolder::STARTUP, name.as_str(), text.as_bytes(), Access::Public)
}

fn secret(name: KitFile<'static>, text: &str) -> File {
    file(KitFolder::STARTUP, name.as_str(), text.as_bytes(), Access::Secret)
}

fn startup(name: KitFile<'static>, config: &Value) -> File {
    file(KitFolder::STARTUP, name.as_str(), &text(config), Access::Public)
}

fn local(name: &'static str, bytes: &[u8]) -> File {
    file(KitFolder::LOCAL, name, bytes, Access::Public)
}

fn log_config() -> File {
    local("log_config.json.default", include_bytes!("files/log_config.json"))
}

fn comm_config(scheme: &str, internal: &Value) -> File {
    let config = json!({
        Setting::ALLOW_ADHOC_CONNS.as_str(): false,
        Setting::BACKBONE_CONN_GEN.as_str(): 1,
        CommConfigKey::INTERNAL.as_str(): {
            CommConfigKey::SCHEME.as_str(): scheme,
            CommConfigKey::RESOURCES.as_str(): internal,
        },
    });
    local(CommConfigFile::COMM_CONFIG.as_str(), &text(&config))
}

/// Runs the reference's program with the kit, in the foreground.
fn start(program: &Program, uid: &str, organization: &str) -> File {
    let uid = if uid.is_empty() { String::new() } else { format!(" uid={uid}") };
    let line = format!(
        "kit=\"$(cd \"$(dirname \"$0\")/..\" && pwd)\"\ncd \"$kit\" || exit 1\nexec python3 -u -m {} -m \"$kit\" -s {} \\\n  --set \
         secure_train=true{uid} org={organization} config_folder={}\n",
        program.module,
        program.config.as_str(),
        program.folder
    );
    script("start.sh", &line)
}

fn script(name: &'static str, line: &str) -> File {
    let head =
        "#!/usr/bin/env bash\n# Starts nvflare with this kit; fedcell reads the kit as it is and needs no script.\n";
    file(KitFolder::STARTUP, name, format!("{head}{line}").as_bytes(), Access::Program)
}

fn file(folder: KitFolder<'static>, name: &'static str, bytes: &[u8], access: Access) -> File {
    File { folder: Some(folder), name, bytes: bytes.to_vec(), access }
}
