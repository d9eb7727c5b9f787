//! Who takes part in the demo, with which kit and which arguments.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::provision::{self, Project, Relay, Server, Site};
use crate::role;

/// Days for which the demo's certificates are valid.
const DAYS: u32 = 2;

/// Where everything listens and is dialled: the demo never leaves this machine.
const HOST: &str = "localhost";
const ADDRESS: &str = "127.0.0.1";

/// What the demo is to consist of.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) sites: u16,
    pub(super) rounds: u32,
    pub(super) relays: u16,
    pub(super) security: String,
    pub(super) seed: u64,
}

/// A name and the arguments of its process.
pub(super) type Started = (String, Vec<String>);

impl Plan {
    /// The project: relays in a row, the first site at the server and the others below the last relay and the one before
    /// it in turn.
    fn project(&self, ports: &[u16]) -> Project {
        let port = |at: usize| ports.get(at).copied().unwrap_or_default();
        let name = |number: u16| format!("relay-{number}");
        let relays = (1..=self.relays).map(|number| Relay {
            name: name(number),
            parent: (number > 1).then(|| name(number - 1)),
            host: HOST.to_owned(),
            port: port(usize::from(number) + 1),
        });
        let sites = (1..=self.sites).map(|number| Site {
            name: format!("site-{number}"),
            relay: (self.relays > 0 && number > 1).then(|| name(self.relays - (number % 2).min(self.relays - 1))),
        });
        Project {
            name: "demo".to_owned(),
            organization: "fedcell".to_owned(),
            organizations: BTreeMap::new(),
            scheme: "tcp".to_owned(),
            security: self.security.clone(),
            server: Server {
                name: HOST.to_owned(),
                hosts: vec![ADDRESS.to_owned()],
                port: port(0),
                admin_port: port(1),
            },
            relays: relays.collect(),
            sites: sites.collect(),
            admins: Vec::new(),
        }
    }

    /// Makes the kits in this folder; says what is to be started, the server first.
    pub(super) async fn prepare(&self, folder: &Path) -> Result<Vec<Started>> {
        let project = self.project(&free_ports(usize::from(self.relays) + 2)?);
        let target = folder.to_path_buf();
        let made = {
            let project = project.clone();
            // Keys take a second of computing.
            tokio::task::spawn_blocking(move || provision::create(&project, DAYS, &target)).await
        };
        let kits = made.context("making the kits was interrupted")??;
        let kit = |name: &str| vec!["--kit".to_owned(), kits.join(name).display().to_string()];
        let work = |name: &str| {
            let workspace = folder.join("work").join(name).display().to_string();
            let words = ["--workspace", &workspace];
            let numbers = [("--sites", u64::from(self.sites)), ("--seed", self.seed)];
            let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            words.extend(numbers.iter().flat_map(|(name, number)| [(*name).to_owned(), number.to_string()]));
            words
        };
        let listen = || ["--listen".to_owned(), ADDRESS.to_owned()];
        let mut started = Vec::new();
        let mut arguments = vec![role::server::NAME.to_owned(), "--rounds".to_owned(), self.rounds.to_string()];
        arguments.extend(kit(&project.server.name).into_iter().chain(work("server")).chain(listen()));
        started.push(("server".to_owned(), arguments));
        for relay in &project.relays {
            let arguments = core::iter::once(role::relay::NAME.to_owned()).chain(kit(&relay.name)).chain(listen());
            started.push((relay.name.clone(), arguments.collect()));
        }
        for site in &project.sites {
            let arguments =
                core::iter::once(role::site::NAME.to_owned()).chain(kit(&site.name)).chain(work(&site.name));
            started.push((site.name.clone(), arguments.collect()));
        }
        Ok(started)
    }
}

/// Ports that nobody listens on now. All are held until all are found, so that they differ.
fn free_ports(count: usize) -> Result<Vec<u16>> {
    let held = (0..count).map(|_| TcpListener::bind((ADDRESS, 0))).collect::<Result<Vec<_>, _>>();
    let held = held.context("there is no free port on this machine")?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// A folder that vanishes with this value.
pub(super) struct Temporary(PathBuf);

impl Temporary {
    pub(super) fn new() -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let path = std::env::temp_dir().join(format!("fedcell-demo-{}", std::process::id()));
        // One that is there is somebody else's; there will be private keys in it.
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nobody is left who could do something about it.
        _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_site_is_at_the_server_and_the_others_behind_relays() {
        let plan = |sites, relays| Plan { sites, rounds: 1, relays, security: "mtls".to_owned(), seed: 1 };
        let behind = |plan: &Plan| {
            let project = plan.project(&[8002, 8003, 8102, 8103, 8104]);
            project.check().unwrap();
            project.sites.iter().map(|site| project.address_of_site(site).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(behind(&plan(3, 0)), ["site-1", "site-2", "site-3"]);
        assert_eq!(behind(&plan(3, 1)), ["site-1", "relay-1.site-2", "relay-1.site-3"]);
        assert_eq!(behind(&plan(3, 2)), ["site-1", "relay-1.relay-2.site-2", "relay-1.site-3"]);
    }
}
