//! A project: who takes part in it, and who reaches the server through whom.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};
use fedcell_auth::CommonName;
use fedcell_cell::proto::address::{Fqcn, FqcnBuf};

/// Everyone who takes part.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    pub(crate) name: String,
    /// Organization in certificates.
    pub(crate) organization: String,
    /// Participants of other organizations, by name.
    pub(crate) organizations: BTreeMap<String, String>,
    /// `tcp`, `grpc` or `http`.
    pub(crate) scheme: String,
    /// `mtls`, `tls` or `clear`.
    pub(crate) security: String,
    pub(crate) server: Server,
    pub(crate) relays: Vec<Relay>,
    pub(crate) sites: Vec<Site>,
    pub(crate) admins: Vec<Admin>,
}

/// The server. Its name is a host at which the others reach it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) name: String,
    /// Further names and addresses of its host.
    pub(crate) hosts: Vec<String>,
    pub(crate) port: u16,
    pub(crate) admin_port: u16,
}

/// A relay, which listens for those below it.
#[derive(Debug, Clone)]
pub(crate) struct Relay {
    pub(crate) name: String,
    /// The relay through which it reaches the server, if it does not do so itself.
    pub(crate) parent: Option<String>,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A site.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) name: String,
    /// The relay through which it reaches the server, if it does not do so itself.
    pub(crate) relay: Option<String>,
}

/// A person who administers.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    pub(crate) name: String,
    pub(crate) role: String,
}

/// Roles of administrators.
pub(crate) const ROLES: [&str; 4] = ["project_admin", "org_admin", "lead", "member"];

impl Project {
    /// Whether everyone can be what the project says.
    ///
    /// # Errors
    ///
    /// Who cannot, and why.
    pub(crate) fn check(&self) -> Result<()> {
        segment("project", &self.name)?;
        host(&self.server.name)?;
        self.server.hosts.iter().try_for_each(|name| host(name))?;
        ensure!(self.server.port != 0 && self.server.admin_port != 0, "a port of the server is 0, others must know it");
        let mut names = BTreeSet::from([self.server.name.as_str()]);
        let mut listeners = BTreeMap::new();
        for relay in &self.relays {
            segment("relay", &relay.name)?;
            host(&relay.host)?;
            ensure!(relay.port != 0, "relay {} has port 0, others must know it", relay.name);
            if let Some(other) = listeners.insert((relay.host.as_str(), relay.port), relay.name.as_str()) {
                bail!("relays {other} and {} listen on one port {}:{}", relay.name, relay.host, relay.port);
            }
            ensure!(names.insert(&relay.name), "there are two participants of the name {}", relay.name);
        }
        for site in &self.sites {
            segment("site", &site.name)?;
            ensure!(names.insert(&site.name), "there are two participants of the name {}", site.name);
        }
        for admin in &self.admins {
            CommonName::parse(&admin.name)?;
            ensure!(
                !admin.name.contains(['/', '\\']) && !admin.name.starts_with('.'),
                "{} names no administrator",
                admin.name
            );
            let role = &admin.role;
            ensure!(ROLES.contains(&role.as_str()), "{role} is no role of {}: {}", admin.name, ROLES.join(", "));
            ensure!(names.insert(&admin.name), "there are two participants of the name {}", admin.name);
        }
        for relay in &self.relays {
            self.address_of_relay(&relay.name)?;
        }
        for site in &self.sites {
            self.address_of_site(site)?;
        }
        Ok(())
    }

    /// Organization of a participant.
    pub(crate) fn organization_of(&self, name: &str) -> &str {
        self.organizations.get(name).unwrap_or(&self.organization)
    }

    pub(crate) fn relay(&self, name: &str) -> Result<&Relay> {
        match self.relays.iter().find(|relay| relay.name == name) {
            Some(relay) => Ok(relay),
            None => bail!("there is no relay {name}"),
        }
    }

    /// Address of a relay: its own name below those of the relays before it.
    ///
    /// # Errors
    ///
    /// There is no such relay, or it reaches the server through itself.
    pub(crate) fn address_of_relay(&self, name: &str) -> Result<String> {
        let mut names = Vec::new();
        let mut next = Some(name);
        while let Some(name) = next {
            ensure!(!names.contains(&name), "relay {name} reaches the server through itself");
            names.push(name);
            next = self.relay(name)?.parent.as_deref();
        }
        names.reverse();
        Ok(FqcnBuf::parse(&names.join("."))?.as_str().to_owned())
    }

    /// Address of a site.
    ///
    /// # Errors
    ///
    /// As [`address_of_relay`](Self::address_of_relay).
    pub(crate) fn address_of_site(&self, site: &Site) -> Result<String> {
        match &site.relay {
            Some(relay) => Ok(format!("{}.{}", self.address_of_relay(relay)?, site.name)),
            None => Ok(site.name.clone()),
        }
    }

    /// Names in certificates of the cells below `own` (of all, if there is none), where the address does not say them.
    ///
    /// # Errors
    ///
    /// As [`address_of_relay`](Self::address_of_relay).
    pub(crate) fn identities(&self, own: Option<&str>) -> Result<BTreeMap<String, String>> {
        let mut addresses = Vec::new();
        for relay in &self.relays {
            addresses.push((self.address_of_relay(&relay.name)?, &relay.name));
        }
        for site in &self.sites {
            addresses.push((self.address_of_site(site)?, &site.name));
        }
        let mut identities = BTreeMap::new();
        for (address, name) in addresses {
            let below = match own {
                Some(own) => address.strip_prefix(own).and_then(|rest| rest.strip_prefix('.')),
                None => Some(address.as_str()),
            };
            // What stands first is taken for the name if nothing else is said.
            if below.is_some_and(|below| below.split('.').next() != Some(name)) {
                identities.insert(address, name.clone());
            }
        }
        Ok(identities)
    }
}

/// The name of a cell, which is also that of a folder.
fn segment(what: &str, name: &str) -> Result<()> {
    let is_path = name.starts_with('.') || name.contains('.');
    match FqcnBuf::parse(name) {
        Ok(_) if !is_path && name != Fqcn::SERVER.as_str() => Ok(()),
        _ => bail!("{name:?} cannot name a {what}: letters, digits, - _ and ~ can, and {} is taken", Fqcn::SERVER),
    }
}

/// A name or an address of a host.
pub(crate) fn host(name: &str) -> Result<()> {
    let is_name = !name.is_empty()
        && name.len() <= 253
        && name.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                && !part.starts_with('-')
        });
    ensure!(is_name || name.parse::<IpAddr>().is_ok(), "{name:?} is neither a host name nor an address");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn sample() -> Project {
        let relay = |name: &str, parent: Option<&str>, port| Relay {
            name: name.to_owned(),
            parent: parent.map(str::to_owned),
            host: "localhost".to_owned(),
            port,
        };
        let site = |name: &str, relay: Option<&str>| Site { name: name.to_owned(), relay: relay.map(str::to_owned) };
        Project {
            name: "proj".to_owned(),
            organization: "nvidia".to_owned(),
            organizations: BTreeMap::new(),
            scheme: "tcp".to_owned(),
            security: "mtls".to_owned(),
            server: Server {
                name: "server.example".to_owned(),
                hosts: vec!["localhost".to_owned()],
                port: 8002,
                admin_port: 8003,
            },
            relays: vec![relay("relay-1", None, 8102), relay("relay-2", Some("relay-1"), 8103)],
            sites: vec![site("site-1", None), site("site-2", Some("relay-1")), site("site-3", Some("relay-2"))],
            admins: vec![Admin { name: "admin@nvidia.com".to_owned(), role: "project_admin".to_owned() }],
        }
    }

    #[test]
    fn identities_are_those_that_the_reference_writes() {
        let project = sample();
        project.check().unwrap();
        let pairs = |own| project.identities(own).unwrap().into_iter().collect::<Vec<_>>();
        let owned =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
        let all = [("relay-1.relay-2", "relay-2"), ("relay-1.relay-2.site-3", "site-3"), ("relay-1.site-2", "site-2")];
        assert_eq!(pairs(None), owned(&all));
        assert_eq!(pairs(Some("relay-1")), owned(&all[1..2]));
        assert_eq!(pairs(Some("relay-1.relay-2")), []);
    }

    #[track_caller]
    fn check(change: fn(&mut Project), expected: &str) {
        let mut project = sample();
        change(&mut project);
        let text = format!("{:#}", project.check().unwrap_err());
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        check(|p| p.name = "../up".to_owned(), "cannot name a project");
        check(|p| p.sites[0].name = "server".to_owned(), "cannot name a site");
        check(|p| p.sites[0].name = "a.b".to_owned(), "cannot name a site");
        check(|p| p.sites[1].name = "site-1".to_owned(), "two participants");
        check(|p| p.sites[1].relay = Some("relay-9".to_owned()), "no relay relay-9");
        check(|p| p.relays[0].parent = Some("relay-2".to_owned()), "through itself");
        check(|p| p.relays[1].port = 8102, "one port");
        check(|p| p.server.admin_port = 0, "is 0");
        check(|p| p.server.name = "a host".to_owned(), "neither a host name");
        check(|p| p.admins[0].role = "king".to_owned(), "no role");
        check(|p| p.admins[0].name = "../x".to_owned(), "no administrator");
    }
}
