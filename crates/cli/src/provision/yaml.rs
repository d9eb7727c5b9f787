//! A project of the reference, `project.yml`: what of it is understood, and the names of what is not.
//!
//! Whoever takes part, where the server and relays listen, who reaches the server through whom, how connections are
//! protected, and for how long certificates are valid. A key that says something else is an error: kits that lack it
//! without a word would not be those of the project.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Number, Value};

use super::project::{Admin, Project, Relay, Server, Site};

/// Largest project file that is read.
const MAX_FILE: u64 = 1 << 20;

/// A project, and what is to be said about it.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) project: Project,
    /// Days for which certificates are valid, if the project says so.
    pub(crate) days: Option<u32>,
    /// What is understood and not made, for people.
    pub(crate) notes: Vec<String>,
}

/// Reads a project file.
///
/// # Errors
///
/// There is none, it is no YAML, or it says what is not understood; all of that is named.
pub(crate) fn read(path: &Path) -> Result<Read> {
    let shown = path.display();
    let length = fs::metadata(path).with_context(|| format!("cannot read {shown}"))?.len();
    ensure!(length <= MAX_FILE, "{shown} has {length} bytes, a project has at most {MAX_FILE}");
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    parse(&text).with_context(|| format!("{shown} cannot be used"))
}

fn parse(text: &str) -> Result<Read> {
    let documents = Yaml::load_from_str(text).context("it is no YAML")?;
    let [document] = documents.as_slice() else { bail!("it has {} documents, expected one", documents.len()) };
    let Value::Object(entries) = value(document)? else { bail!("expected keys and values, as in name: project") };
    let mut reader = Reader::default();
    let mut project = Entry::new("", entries);
    reader.project(&mut project)?;
    reader.leave(&project);
    ensure!(
        reader.unknown.is_empty(),
        "it has what fedcell does not make: {}; take that out, or provision with nvflare",
        reader.unknown.join(", ")
    );
    let Reader { server, mut relays, mut sites, admins, .. } = reader;
    let server = server.context("there is no participant of the type server")?;
    // To name the server is to name no relay.
    let named = relays.iter_mut().map(|relay| &mut relay.parent).chain(sites.iter_mut().map(|site| &mut site.relay));
    named.filter(|above| above.as_ref() == Some(&server.name)).for_each(|above| *above = None);
    let project = Project {
        name: reader.name,
        organization: reader.organizations.get(&server.name).cloned().unwrap_or_default(),
        organizations: reader.organizations,
        scheme: reader.scheme,
        security: reader.security,
        server,
        relays,
        sites,
        admins,
    };
    Ok(Read { project, days: reader.days, notes: reader.notes })
}

/// YAML as JSON: all that a project file has.
fn value(yaml: &Yaml<'_>) -> Result<Value> {
    Ok(match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(bit)) => Value::Bool(*bit),
        Yaml::Value(Scalar::Integer(number)) => Value::Number((*number).into()),
        Yaml::Value(Scalar::FloatingPoint(number)) => {
            Value::Number(Number::from_f64(number.into_inner()).context("a number is infinite or none")?)
        }
        Yaml::Value(Scalar::String(text)) => Value::String(text.to_string()),
        Yaml::Sequence(items) => Value::Array(items.iter().map(value).collect::<Result<_>>()?),
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, entry) in entries {
                let key = key.as_str().context("a key is no text")?;
                map.insert(key.to_owned(), value(entry)?);
            }
            Value::Object(map)
        }
        _ => bail!("a value has a tag or a form that no project file has"),
    })
}

/// A mapping of which nothing may be left.
struct Entry {
    /// How it is called: nothing for the project, else a name and a dot.
    path: String,
    left: Map<String, Value>,
}

impl Entry {
    fn new(path: &str, entries: Map<String, Value>) -> Self {
        Self { path: path.to_owned(), left: entries }
    }

    fn take(&mut self, key: &str) -> Option<Value> {
        self.left.remove(key).filter(|value| !value.is_null())
    }

    fn text(&mut self, key: &str) -> Result<Option<String>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(other) => bail!("{}{key} is {other}, expected text", self.path),
        }
    }

    fn required(&mut self, key: &str) -> Result<String> {
        let missing = format!("{}{key} is missing", self.path);
        self.text(key)?.context(missing)
    }

    fn port(&mut self, key: &str) -> Result<Option<u16>> {
        let Some(found) = self.take(key) else { return Ok(None) };
        let port = found.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port != 0);
        port.map(Some).with_context(|| format!("{}{key} is {found}, expected a port", self.path))
    }

    /// Names in a list, or one.
    fn names(&mut self, key: &str) -> Result<Vec<String>> {
        let names = match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(names)) => names,
            Some(name) => vec![name],
        };
        let text = |name: Value| match name {
            Value::String(name) => Ok(name),
            other => bail!("{}{key} has {other}, expected names", self.path),
        };
        names.into_iter().map(text).collect()
    }

    fn entry(&mut self, key: &str) -> Result<Option<Self>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Object(entries)) => Ok(Some(Self::new(&format!("{}{key}.", self.path), entries))),
            Some(other) => bail!("{}{key} is {other}, expected keys and values", self.path),
        }
    }

    fn entries(&mut self, key: &str) -> Result<Vec<Map<String, Value>>> {
        let Some(Value::Array(items)) = self.take(key) else { bail!("{}{key} is missing or no list", self.path) };
        let entry = |item| match item {
            Value::Object(entries) => Ok(entries),
            other => bail!("{}{key} has {other}, expected keys and values", self.path),
        };
        items.into_iter().map(entry).collect()
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    name: String,
    scheme: String,
    security: String,
    days: Option<u32>,
    organizations: BTreeMap<String, String>,
    server: Option<Server>,
    relays: Vec<Relay>,
    sites: Vec<Site>,
    admins: Vec<Admin>,
    /// Keys that nobody has taken.
    unknown: Vec<String>,
    notes: Vec<String>,
}

impl Reader {
    fn leave(&mut self, entry: &Entry) {
        self.unknown.extend(entry.left.keys().map(|key| format!("{}{key}", entry.path)));
    }

    fn project(&mut self, project: &mut Entry) -> Result<()> {
        self.name = project.required("name")?;
        let version = project.take("api_version").context("api_version is missing, expected 3")?;
        ensure!(matches!(version.as_u64(), Some(3 | 4)), "api_version is {version}, expected 3 or 4");
        project.take("description");
        self.security = project.text("connection_security")?.unwrap_or_else(|| "mtls".to_owned()).to_lowercase();
        // What the reference takes if no builder says otherwise.
        self.scheme = "http".to_owned();
        if project.left.contains_key("builders") {
            for (number, builder) in project.entries("builders")?.into_iter().enumerate() {
                self.builder(Entry::new(&format!("builders[{number}]."), builder))?;
            }
        }
        if self.scheme != "tcp" {
            self.notes.push(format!(
                "the scheme is {}, over which nvflare talks and fedcell does not yet: `scheme: tcp` at \
                 StaticFileBuilder is good for both",
                self.scheme
            ));
        }
        for participant in project.entries("participants")? {
            let mut entry = Entry::new("participants: ", participant);
            let name = entry.required("name")?;
            entry.path = format!("{name}.");
            self.participant(name, entry)?;
        }
        Ok(())
    }

    fn builder(&mut self, mut builder: Entry) -> Result<()> {
        let path = builder.required("path")?;
        let class = path.rsplit('.').next().unwrap_or_default().to_owned();
        let mut arguments = builder.entry("args")?.unwrap_or_else(|| Entry::new("", Map::new()));
        arguments.path = format!("{class}.");
        match class.as_str() {
            // Our kits are made without templates.
            "WorkspaceBuilder" => drop(arguments.take("template_file")),
            "StaticFileBuilder" => {
                if let Some(scheme) = arguments.text("scheme")? {
                    ensure!(
                        ["tcp", "grpc", "http"].contains(&scheme.as_str()),
                        "StaticFileBuilder.scheme is {scheme}, expected tcp, grpc or http"
                    );
                    self.scheme = scheme;
                }
                let folder = arguments.text("config_folder")?.unwrap_or_else(|| "config".to_owned());
                ensure!(folder == "config", "StaticFileBuilder.config_folder is {folder}, expected config");
                // Obsolete in the reference, too.
                arguments.take("overseer_agent");
            }
            "CertBuilder" => {
                if let Some(days) = arguments.take("root_valid_days") {
                    let days = days.as_u64().and_then(|days| u32::try_from(days).ok()).filter(|days| *days > 0);
                    self.days = Some(days.context("CertBuilder.root_valid_days is no number of days")?);
                }
            }
            "SignatureBuilder" => self.notes.push("kits are made without signatures of their files".to_owned()),
            _ => self.unknown.push(format!("builder {path}")),
        }
        self.leave(&arguments);
        self.leave(&builder);
        Ok(())
    }

    fn participant(&mut self, name: String, mut entry: Entry) -> Result<()> {
        let kind = entry.required("type")?;
        let organization = entry.required("org")?;
        self.organizations.insert(name.clone(), organization);
        if let Some(security) = entry.text("connection_security")? {
            let project = &self.security;
            ensure!(
                security.to_lowercase() == *project,
                "{name}.connection_security is {security} and that of the project is {project}: expected one for all"
            );
        }
        match kind.as_str() {
            "server" => {
                ensure!(self.server.is_none(), "{name} is a second server");
                let port = entry.port("fed_learn_port")?.unwrap_or(8002);
                let admin_port = entry.port("admin_port")?.unwrap_or(port);
                let hosts = entry.names("host_names")?;
                self.server = Some(Server { name, hosts, port, admin_port });
            }
            "client" => {
                let relay = self.connect_to(&mut entry)?;
                self.sites.push(Site { name, relay });
            }
            "relay" => {
                let parent = self.connect_to(&mut entry)?;
                let missing = format!("{name}.listening_host is missing, a relay needs one");
                let mut listens = entry.entry("listening_host")?.context(missing)?;
                let host = listens.text("default_host")?.unwrap_or_else(|| "localhost".to_owned());
                let port = listens.port("port")?.with_context(|| format!("{name}.listening_host.port is missing"))?;
                let scheme = listens.text("scheme")?.unwrap_or_else(|| "tcp".to_owned());
                ensure!(
                    scheme == self.scheme,
                    "{name}.listening_host.scheme is {scheme} and that of StaticFileBuilder is {}: expected one for all",
                    self.scheme
                );
                let security = listens.text("connection_security")?.unwrap_or_else(|| "clear".to_owned());
                ensure!(
                    security.to_lowercase() == self.security,
                    "{name}.listening_host.connection_security is {security} and that of the project is {}: expected \
                     one for all",
                    self.security
                );
                self.leave(&listens);
                self.relays.push(Relay { name, parent, host, port });
            }
            "admin" => {
                let role = entry.required("role")?;
                self.admins.push(Admin { name, role });
            }
            "overseer" => {
                self.notes.push(format!("{name} is an overseer, which is obsolete: it gets no kit"));
                return Ok(());
            }
            other => bail!("{name} has the type {other}, expected server, client, relay or admin"),
        }
        self.leave(&entry);
        Ok(())
    }

    /// Whom a participant names, a relay or the server.
    fn connect_to(&mut self, entry: &mut Entry) -> Result<Option<String>> {
        let Some(mut target) = entry.entry("connect_to")? else { return Ok(None) };
        let name = target.required("name")?;
        self.leave(&target);
        Ok(Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "
api_version: 3
name: proj
description: d
participants:
  - {name: server.example, type: server, org: o1, fed_learn_port: 8002, admin_port: 8003, host_names: [localhost]}
  - name: relay-1
    type: relay
    org: o2
    listening_host: {scheme: tcp, default_host: relay.example, port: 8102, connection_security: mtls}
  - {name: site-1, type: client, org: o1}
  - {name: site-2, type: client, org: o3, connect_to: {name: relay-1}}
  - {name: admin@o1.org, type: admin, org: o1, role: lead}
builders:
  - path: nvflare.lighter.impl.workspace.WorkspaceBuilder
    args: {template_file: [master_template.yml]}
  - path: nvflare.lighter.impl.static_file.StaticFileBuilder
    args: {config_folder: config, scheme: tcp}
  - path: nvflare.lighter.impl.cert.CertBuilder
    args: {root_valid_days: 100}
  - path: nvflare.lighter.impl.signature.SignatureBuilder
";

    #[test]
    fn a_project_is_read() {
        let Read { project, days, notes } = parse(PROJECT).unwrap();
        project.check().unwrap();
        assert_eq!((project.name.as_str(), project.security.as_str(), days), ("proj", "mtls", Some(100)));
        assert_eq!(project.server.hosts, ["localhost"]);
        assert_eq!((project.server.port, project.server.admin_port), (8002, 8003));
        assert_eq!((project.relays[0].host.as_str(), project.relays[0].port), ("relay.example", 8102));
        assert_eq!(project.sites[1].relay.as_deref(), Some("relay-1"));
        assert_eq!((project.organization_of("site-2"), project.organization_of("site-1")), ("o3", "o1"));
        assert_eq!(project.admins[0].role, "lead");
        assert_eq!(notes, ["kits are made without signatures of their files"]);
    }

    #[test]
    fn one_port_is_enough_as_in_the_sample_of_the_reference() {
        let read = parse(&PROJECT.replace(", admin_port: 8003", "")).unwrap();
        read.project.check().unwrap();
        assert_eq!(read.project.server.admin_port, 8002);
    }

    #[track_caller]
    fn check(from: &str, to: &str, expected: &str) {
        assert!(PROJECT.contains(from));
        let text = format!("{:#}", parse(&PROJECT.replace(from, to)).unwrap_err());
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn what_is_not_understood_is_named() {
        check("description: d", "studies: {}", "does not make: studies;");
        check(
            "org: o1}",
            "org: o1, capacity: {gpus: 1}, custom_ca_cert: x}",
            "site-1.capacity, site-1.custom_ca_cert;",
        );
        check("{name: relay-1}", "{name: relay-1, host: other}", "site-2.connect_to.host;");
        check("scheme: tcp}\n", "scheme: tcp, docker_image: x}\n", "StaticFileBuilder.docker_image;");
        check(
            "signature.SignatureBuilder",
            "docker.DockerBuilder",
            "builder nvflare.lighter.impl.docker.DockerBuilder;",
        );
        check("type: admin", "type: king", "admin@o1.org has the type king");
        check("port: 8102, ", "", "relay-1.listening_host.port is missing");
        check(
            "fed_learn_port: 8002",
            "fed_learn_port: high",
            "server.example.fed_learn_port is \"high\", expected a port",
        );
        check("connection_security: mtls", "connection_security: clear", "expected one for all");
        check("api_version: 3", "api_version: 2", "api_version is 2");
        check("name: proj", "name: [", "it is no YAML");
        check("name: proj", "", "name is missing");
    }
}
