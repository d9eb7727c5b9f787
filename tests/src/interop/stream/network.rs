//! The running cells of a plan, and the proxy before the leaf if the plan has one.

use core::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::plan::{Link, Plan};
use crate::interop::cell::kits::Kits;
use crate::interop::cell::network::START_LIMIT;
use crate::interop::cell::plan::Role;
use crate::interop::cell::process::{Awaited, Kind, Process};
use crate::proxy::PROXY_ARGUMENT;

/// The running cells.
#[derive(Debug)]
pub(super) struct Network<'a> {
    /// What they were built after.
    pub(super) plan: Plan,
    kits: &'a Kits,
    cells: Vec<Process>,
    proxy: Option<Process>,
    /// Topics given out so far.
    topics: usize,
}

impl<'a> Network<'a> {
    /// Starts all cells; returns when every connection stands.
    pub(super) fn up(plan: Plan, kits: &'a Kits) -> Result<Self> {
        let mut network = Self { plan, kits, cells: Vec::new(), proxy: None, topics: 0 };
        let seats = plan.shape.seats;
        let mut above: Vec<(Option<String>, Option<String>)> = Vec::new();
        for (seat, place) in seats.iter().enumerate() {
            let is_leaf = seat + 1 == seats.len();
            let mut dial = match place.parent {
                Some(parent) => above[parent].1.clone(),
                None => above.first().and_then(|(root, _)| root.clone()),
            };
            if let Some(url) = dial.as_mut().filter(|_| is_leaf && plan.link == Link::Shuffled) {
                *url = network.start_proxy(url)?;
            }
            let config = network.config(seat, dial.as_deref());
            let process =
                Process::start_kind(Kind::Stream, plan.maker(seat), &config, &network.log(&seat.to_string()))?;
            let started = process.event("started", START_LIMIT)?;
            above.push((
                started["root"][0].as_str().map(str::to_owned),
                started["internal"].as_str().map(str::to_owned),
            ));
            process.event("ready", START_LIMIT)?;
            network.cells.push(process);
            // Seen from both ends: the reference says READY before it counts a peer as connected.
            let upper = place.parent.unwrap_or(0);
            if place.role != Role::Server {
                network.wait_peer(seat, upper)?;
                network.wait_peer(upper, seat)?;
            }
        }
        Ok(network)
    }

    fn wait_peer(&mut self, seat: usize, peer: usize) -> Result<()> {
        let fqcn = self.fqcn(peer);
        let limit = START_LIMIT.as_secs_f64();
        let answer = self.call(seat, "wait_peer", json!({"fqcn": fqcn, "up": true, "timeout": limit}))?;
        ensure!(answer["met"] == true, "{} has not reached {fqcn}", self.label(seat));
        Ok(())
    }

    fn start_proxy(&mut self, url: &str) -> Result<String> {
        let (scheme, address) = url.split_once("://").context("no scheme")?;
        let address = address.trim_end_matches('/').replace("localhost", "127.0.0.1");
        let config = json!({"dial": address, "port": 0, "seed": 20, "shuffle": [0.15, 0.1], "repeat_whole": self.plan.is_ours()});
        let proxy = Process::start_own(PROXY_ARGUMENT, "proxy".to_owned(), &config, &self.log("proxy"))?;
        let port = proxy.event("ready", Duration::from_secs(10))?["port"].as_u64().context("no port")?;
        self.proxy = Some(proxy);
        Ok(format!("{scheme}://127.0.0.1:{port}"))
    }

    /// What the proxy has done so far: frames out of order, frames repeated.
    pub(super) fn shuffled(&mut self) -> Result<(u64, u64)> {
        let proxy = self.proxy.as_mut().context("no proxy")?;
        let report = proxy.call("report", json!({}))?;
        Ok((report["shuffled"].as_u64().unwrap_or(0), report["repeated"].as_u64().unwrap_or(0)))
    }

    /// Gives a command to a cell.
    pub(super) fn begin(&mut self, seat: usize, what: &str, command: Value) -> Result<Awaited> {
        self.cells[seat].begin(what, command)
    }

    /// Gives a command to a cell and waits for the answer.
    pub(super) fn call(&mut self, seat: usize, what: &str, command: Value) -> Result<Value> {
        self.begin(seat, what, command)?.wait()
    }

    /// A topic that nobody has used.
    pub(super) fn topic(&mut self, word: &str) -> String {
        self.topics += 1;
        format!("{word}-{}", self.topics)
    }

    /// Address of the cell of that seat.
    pub(super) fn fqcn(&self, seat: usize) -> &'static str {
        self.plan.shape.seats[seat].fqcn
    }

    /// Its address and maker, for reasons.
    pub(super) fn label(&self, seat: usize) -> String {
        format!("{} ({})", self.fqcn(seat), self.plan.maker(seat).letter())
    }

    /// The seat farthest from the server.
    pub(super) fn leaf(&self) -> usize {
        self.plan.shape.seats.len() - 1
    }

    /// Ends of the logs, for a row that failed.
    pub(super) fn logs(&self) -> String {
        let tails = self.cells.iter().map(Process::log_tail).filter(|tail| !tail.is_empty());
        tails.collect::<Vec<_>>().join(" // ")
    }

    fn log(&self, seat: &str) -> std::path::PathBuf {
        let Plan { shape, members, link, scale } = &self.plan;
        let name = format!("stream-{}-{members}-{}-{}-{seat}.log", shape.name, link.word(), scale.name);
        self.kits.root().join(name)
    }

    fn config(&self, seat: usize, dial: Option<&str>) -> Value {
        let seats = self.plan.shape.seats;
        let place = &seats[seat];
        let security = self.plan.link.security().word();
        let root = match place.role {
            Role::Server => Some("tcp://127.0.0.1:0"),
            _ if place.parent.is_none() => dial,
            _ => None,
        };
        let has_children = seats.iter().any(|other| other.parent == Some(seat));
        let identities: serde_json::Map<_, _> =
            seats.iter().map(|seat| (seat.fqcn.to_owned(), json!(seat.kit))).collect();
        json!({
            "fqcn": place.fqcn,
            "root": root,
            "parent": place.parent.and(dial),
            "listen": has_children.then(|| json!({"security": security})),
            "security": security,
            "parent_security": place.parent.map(|_| security),
            "credentials": self.kits.of(place.kit),
            "identities": identities,
            "settings": self.plan.scale.settings(),
            // What a killed cell leaves there goes with the runner's own.
            "scratch": self.kits.root(),
        })
    }
}
