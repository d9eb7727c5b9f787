//! A network of running cells: built seat by seat, and rebuilt where one was killed.

use core::time::Duration;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::kits::Kits;
use super::plan::{Plan, Role, Security, Variant};
use crate::interop::cell::process::{Awaited, Maker, Process};
use crate::ports;

/// Until a cell stands: the reference doubles its wait up to 10 s each time a connection fails.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(60);

/// Channel of the rows' own messages.
pub(crate) const CHANNEL: &str = "interop";

/// Topics of that channel, and what every cell does with their messages.
pub(crate) mod topic {
    /// Answered with their own payload.
    pub(crate) const ECHO: &str = "echo";
    /// Kept and answered later.
    pub(crate) const KEEP: &str = "keep";
    /// Recorded, not answered.
    pub(crate) const NOTE: &str = "note";
    /// Refused.
    pub(crate) const REFUSE: &str = "refuse";
}

/// How [`topic::REFUSE`] is answered.
pub(crate) const REFUSAL: &str = "service_unavailable";

/// Where a running cell listens.
#[derive(Debug, Clone, Default)]
struct Addresses {
    roots: Vec<String>,
    internal: Option<String>,
}

/// The running cells of a plan.
#[derive(Debug)]
pub(crate) struct Network<'a> {
    /// What it was built after.
    pub(crate) plan: Plan,
    kits: &'a Kits,
    cells: Vec<Option<Process>>,
    addresses: Vec<Addresses>,
}

impl<'a> Network<'a> {
    /// Starts all cells; returns when every connection stands.
    pub(crate) fn up(plan: Plan, kits: &'a Kits) -> Result<Self> {
        let seats = plan.shape.seats.len();
        let mut network = Self {
            plan,
            kits,
            cells: (0..seats).map(|_| None).collect(),
            addresses: vec![Addresses::default(); seats],
        };
        for seat in 0..seats {
            network.start(seat)?;
        }
        Ok(network)
    }

    /// Starts one cell where it was before, and waits for its connections in both directions.
    pub(crate) fn start(&mut self, seat: usize) -> Result<()> {
        let config = self.config(seat)?;
        let process = Process::start(self.plan.maker(seat), &config, &self.log(seat))?;
        let started = process.event("started", START_LIMIT)?;
        self.addresses[seat] = Addresses {
            roots: started["root"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            internal: started["internal"].as_str().map(str::to_owned),
        };
        process.event("ready", START_LIMIT)?;
        self.cells[seat] = Some(process);
        for (name, kind) in
            [(topic::ECHO, "echo"), (topic::KEEP, "keep"), (topic::NOTE, "note"), (topic::REFUSE, "refuse:")]
        {
            let kind = if kind.ends_with(':') { format!("{kind}{REFUSAL}") } else { kind.to_owned() };
            self.call(seat, "handle", json!({"channel": CHANNEL, "topic": name, "kind": kind}))?;
        }
        self.wait_links(seat)
    }

    /// Waits until all connections of a seat whose other end runs stand, seen from both ends.
    pub(crate) fn wait_links(&mut self, seat: usize) -> Result<()> {
        let links: Vec<_> = self.plan.links().filter(|(one, other)| *one == seat || *other == seat).collect();
        for (one, other) in links {
            if self.cells[one].is_some() && self.cells[other].is_some() {
                self.wait_peer(one, other, true)?;
                self.wait_peer(other, one, true)?;
            }
        }
        Ok(())
    }

    /// Waits until `seat` has, or no longer has, a connection to `peer`.
    pub(crate) fn wait_peer(&mut self, seat: usize, peer: usize, up: bool) -> Result<()> {
        let fqcn = self.fqcn(peer);
        let limit = START_LIMIT.as_secs_f64();
        let answer = self.call(seat, "wait_peer", json!({"fqcn": fqcn, "up": up, "timeout": limit}))?;
        let state = if up { "reached" } else { "lost" };
        ensure!(answer["met"] == true, "{} has not {state} {fqcn} within {limit} s", self.label(seat));
        Ok(())
    }

    /// Takes a cell out of the network; its seat stays empty until it is started again.
    pub(crate) fn take(&mut self, seat: usize) -> Result<Process> {
        self.cells[seat].take().with_context(|| format!("{} does not run", self.fqcn(seat)))
    }

    /// Gives a command to a cell.
    pub(crate) fn begin(&mut self, seat: usize, what: &str, command: Value) -> Result<Awaited> {
        let fqcn = self.plan.shape.seats[seat].fqcn;
        self.cells[seat].as_mut().with_context(|| format!("{fqcn} does not run"))?.begin(what, command)
    }

    /// Gives a command to a cell and waits for the answer.
    pub(crate) fn call(&mut self, seat: usize, what: &str, command: Value) -> Result<Value> {
        self.begin(seat, what, command)?.wait()
    }

    /// Address of the cell of that seat.
    pub(crate) fn fqcn(&self, seat: usize) -> &'static str {
        self.plan.shape.seats[seat].fqcn
    }

    /// Its address and maker, for reasons.
    pub(crate) fn label(&self, seat: usize) -> String {
        format!("{} ({})", self.fqcn(seat), self.plan.maker(seat).letter())
    }

    /// The certificates that it was built with.
    pub(crate) fn kits(&self) -> &'a Kits {
        self.kits
    }

    /// Number of seats.
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// The seat farthest from the server.
    pub(crate) fn leaf(&self) -> usize {
        self.len() - 1
    }

    /// URL at which the server's clients dial it.
    pub(crate) fn server_url(&self) -> Result<String> {
        self.addresses[0].roots.first().cloned().context("the server has not said where it listens")
    }

    /// All URLs of the server.
    pub(crate) fn server_urls(&self) -> &[String] {
        &self.addresses[0].roots
    }

    /// URL at which a cell's children dial it.
    pub(crate) fn internal_url(&self, seat: usize) -> Result<String> {
        let url = self.addresses[seat].internal.clone();
        url.with_context(|| format!("{} has not said where it listens", self.label(seat)))
    }

    /// Tails of the logs of our own cells, for a row that failed.
    pub(crate) fn logs(&self) -> String {
        let ours = self.cells.iter().enumerate().filter(|(seat, _)| self.plan.maker(*seat) == Maker::Ours);
        let tails = ours.filter_map(|(_, cell)| cell.as_ref().map(Process::log_tail)).filter(|tail| !tail.is_empty());
        tails.collect::<Vec<_>>().join(" // ")
    }

    fn log(&self, seat: usize) -> PathBuf {
        let name: String = self.plan.name().split_whitespace().collect::<Vec<_>>().join("-");
        self.kits.root().join(format!("{name}-{seat}.log"))
    }

    /// The configuration of a cell, with the ports that it had if it ran before.
    fn config(&self, seat: usize) -> Result<Value> {
        let place = &self.plan.shape.seats[seat];
        let root = match place.role {
            Role::Server if self.server_urls().is_empty() => self.first_urls()?,
            Role::Server => json!(self.server_urls()),
            _ if place.dials_server => self.dialled(seat)?,
            _ => Value::Null,
        };
        let parent = place.parent.map(|parent| self.internal_url(parent)).transpose()?;
        let listen = self.plan.children(seat).next().map(|child| {
            let old = self.addresses[seat].internal.as_deref();
            let port = old.and_then(|url| url.rsplit(':').next()).and_then(|port| port.parse::<u16>().ok());
            let security = self.link_security(child);
            let scheme = (self.plan.variant == Variant::Asyncio).then(|| asyncio_scheme(security));
            let mut listen = json!({"security": security.word(), "port": port});
            // Its absence leaves the choice to the cell.
            if let Some(scheme) = scheme {
                listen["scheme"] = json!(scheme);
            }
            listen
        });
        Ok(json!({
            "fqcn": place.fqcn,
            "root": root,
            "parent": parent,
            "listen": listen,
            "security": self.plan.security.word(),
            "parent_security": place.parent.map(|_| self.link_security(seat).word()),
            "credentials": self.kits.of(place.kit),
            "identities": identities(&self.plan),
            "adhoc": self.plan.variant.is_adhoc(seat),
        }))
    }

    /// What the server listens on at first.
    fn first_urls(&self) -> Result<Value> {
        Ok(match self.plan.variant {
            Variant::Plain => json!("tcp://127.0.0.1:0"),
            Variant::Asyncio => json!(format!("{}://127.0.0.1:0", asyncio_scheme(self.plan.security))),
            // The reference offers the URL that it was given, so that has to have a port.
            Variant::Adhoc(_) => {
                let [port] = ports::free()?;
                json!(format!("tcp://127.0.0.1:{port}"))
            }
            Variant::ManyRoots => json!(["tcp://127.0.0.1:0", "atcp://127.0.0.1:0", "tcp://localhost:0"]),
        })
    }

    /// What a cell dials to reach the server: each another of its URLs if there are several, the last one of them all.
    fn dialled(&self, seat: usize) -> Result<Value> {
        if self.plan.variant != Variant::ManyRoots || seat == 0 {
            return Ok(json!(self.server_url()?));
        }
        let own = self.server_urls().get(seat - 1).filter(|_| seat != self.leaf());
        Ok(own.map_or_else(|| json!(self.server_urls()), |url| json!(url)))
    }

    /// How the connection of a child to its parent is protected.
    fn link_security(&self, child: usize) -> Security {
        if self.plan.shape.seats[child].role == Role::Job { Security::Clear } else { self.plan.security }
    }
}

const fn asyncio_scheme(security: Security) -> &'static str {
    if matches!(security, Security::Clear) { "atcp" } else { "satcp" }
}

/// Which certificate name each address bears: what provisioning writes into the kits where a relay is in between.
pub(crate) fn identities(plan: &Plan) -> Value {
    plan.shape
        .seats
        .iter()
        .filter(|seat| seat.role != Role::Job)
        .map(|seat| (seat.fqcn.to_owned(), json!(seat.kit)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
