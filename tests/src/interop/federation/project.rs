//! The project: provisioned once by the reference, copied for each row with ports of its own.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::interop::cell::process::{Kind, Maker, Process};
use crate::ports;

/// Name of the project.
const NAME: &str = "interop";

/// Name of the server: also where it is dialled.
pub(super) const SERVER: &str = "localhost";

/// Until the reference has made all keys.
const PROVISION_LIMIT: Duration = Duration::from_secs(180);

/// Ports of a server and of the relay below it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    /// For clients.
    pub(super) server: u16,
    /// For administrators.
    admin: u16,
    /// For the clients behind the relay.
    pub(super) relay: u16,
}

impl Ports {
    /// Three that nobody listened on a moment ago.
    fn free() -> Result<Self> {
        let [server, admin, relay] = ports::free()?;
        Ok(Self { server, admin, relay })
    }

    const fn all(self) -> [u16; 3] {
        [self.server, self.admin, self.relay]
    }
}

/// A provisioned project, removed at the end.
#[derive(Debug)]
pub(super) struct Project {
    folder: TempDir,
    kits: PathBuf,
    ports: Ports,
}

/// The kits of one row: what runs in them writes there.
#[derive(Debug)]
pub(super) struct Kits {
    folder: TempDir,
    /// Ports in them.
    pub(super) ports: Ports,
    job: PathBuf,
}

impl Project {
    /// Has the reference provision it: a server, a relay, a site at each of them, an administrator.
    pub(super) fn provision() -> Result<Self> {
        let folder = TempDir::with_prefix("fedcell-federation-")?;
        let ports = Ports::free()?;
        let org = "interop";
        let project = json!({
            "api_version": 3, "name": NAME, "description": "clients of both makers",
            "participants": [
                {"name": SERVER, "type": "server", "org": org, "fed_learn_port": ports.server, "admin_port": ports.admin},
                {"name": "relay-1", "type": "relay", "org": org, "listening_host": {
                    "default_host": SERVER, "port": ports.relay, "scheme": "tcp", "connection_security": "mtls",
                }},
                {"name": "site-1", "type": "client", "org": org},
                {"name": "site-2", "type": "client", "org": org, "connect_to": {"name": "relay-1"}},
                {"name": "admin@interop.org", "type": "admin", "org": org, "role": "project_admin"},
            ],
        });
        let log = folder.path().join("provision.log");
        let target = folder.path().join("project");
        let config = json!({"role": "provision", "name": "the provisioner", "folder": target, "project": project});
        let process = Process::start_kind(Kind::Federation, Maker::Theirs, &config, &log)?;
        let event = process.event("provisioned", PROVISION_LIMIT)?;
        let kits = event["kits"].as_str().context("no folder of kits")?.into();
        Ok(Self { folder, kits, ports })
    }

    /// A copy of all kits for one row.
    pub(super) fn kits(&self) -> Result<Kits> {
        let folder = TempDir::with_prefix_in("row-", self.folder.path())?;
        let ports = Ports::free()?;
        copy(&self.kits, folder.path())?;
        let job = self.kits.parent().context("kits without a project")?.join("job.zip");
        let kits = Kits { folder, ports, job };
        for name in [SERVER, "relay-1", "site-1", "site-2"] {
            for file in ["startup/fed_server.json", "startup/fed_client.json", "startup/fed_relay.json"] {
                kits.with_ports(self.ports, &kits.of(name).join(file))?;
            }
            for file in ["local/comm_config.json", "local/relay__resources.json"] {
                kits.with_ports(self.ports, &kits.of(name).join(file))?;
            }
        }
        kits.with_own_stores()?;
        Ok(kits)
    }
}

impl Kits {
    /// Folder of a kit.
    pub(super) fn of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A job that adds one to a model twice, as an archive; beside it `app.zip`, its application.
    pub(super) fn job(&self) -> &Path {
        &self.job
    }

    /// File for the log of a program.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(name).with_extension("log")
    }

    /// Changes what a client's kit says about its server.
    pub(super) fn change_client(&self, name: &str, change: impl FnOnce(&mut Value)) -> Result<()> {
        let file = self.of(name).join("startup/fed_client.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&file)?)?;
        change(&mut config["servers"][0]);
        Ok(fs::write(file, config.to_string())?)
    }

    /// Gives a client the pair in that folder.
    pub(super) fn change_pair(&self, name: &str, from: &Path) -> Result<()> {
        for file in ["client.crt", "client.key"] {
            fs::copy(from.join(file), self.of(name).join("startup").join(file))?;
        }
        Ok(())
    }

    /// Has the server keep its jobs in the row's folder: all servers of a machine share one otherwise, and run each
    /// other's jobs.
    fn with_own_stores(&self) -> Result<()> {
        let file = self.of(SERVER).join("local/resources.json.default");
        let own = self.folder.path().join("stores");
        let config = fs::read_to_string(&file)?.replace("/tmp/nvflare", &own.display().to_string());
        Ok(fs::write(file, config)?)
    }

    /// Puts the row's ports in the place of those that were provisioned.
    fn with_ports(&self, old: Ports, file: &Path) -> Result<()> {
        if !file.exists() {
            return Ok(());
        }
        let mut config: Value = serde_json::from_slice(&fs::read(file)?)?;
        replace(&mut config, old, self.ports);
        Ok(fs::write(file, config.to_string())?)
    }
}

/// Ports stand as numbers, or behind the host in an address.
fn replace(value: &mut Value, old: Ports, new: Ports) {
    for (old, new) in old.all().into_iter().zip(new.all()) {
        match value {
            Value::Number(number) if number.as_u64() == Some(old.into()) => {
                *value = json!(new);
                return;
            }
            Value::String(text) => {
                if let Some(host) = text.strip_suffix(&format!(":{old}")) {
                    *text = format!("{host}:{new}");
                    return;
                }
            }
            _ => {}
        }
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, old, new)),
        Value::Object(fields) => fields.values_mut().for_each(|item| replace(item, old, new)),
        _ => {}
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    ensure!(to.is_dir(), "{} was not made", to.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_replaced_once_and_nothing_else() {
        let old = Ports { server: 1, admin: 2, relay: 3 };
        let new = Ports { server: 2, admin: 3, relay: 4 };
        let mut config = json!({"target": "a:1", "more": [{"port": 2}, "b:3", "c:11", 3.5, "1"], "fqcn": "x.1"});
        replace(&mut config, old, new);
        assert_eq!(config, json!({"target": "a:2", "more": [{"port": 3}, "b:4", "c:11", 3.5, "1"], "fqcn": "x.1"}));
    }
}
