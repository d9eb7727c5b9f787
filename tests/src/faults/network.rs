//! The processes of the network: three that stay, a relay that does not, and the proxies between them.

use core::time::Duration;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::trouble::{Kind as TroubleKind, Trouble};
use crate::interop::cell::kits::Kits;
use crate::interop::cell::network::START_LIMIT;
use crate::interop::cell::process::{Awaited, Kind, Maker, Process};
use crate::proxy::PROXY_ARGUMENT;

/// Bytes a second and direction through a proxy: a transfer takes long enough to be hit.
const RATE: u64 = 30 << 20;

/// Bytes of a chunk and of a window of all cells.
pub(super) const CHUNK: u64 = 256 << 10;
/// Bytes that may be on the way.
pub(super) const WINDOW: u64 = 4 << 20;

/// The cells that stay.
pub(super) const CELLS: [&str; 3] = ["server", "relay-1.site-1", "relay-1.site-2"];

/// Address of the relay.
const RELAY: &str = "relay-1";

/// The running processes.
#[derive(Debug)]
pub(super) struct Network<'a> {
    kits: &'a Kits,
    cells: Vec<Mutex<Process>>,
    relay: Mutex<Process>,
    relay_config: Value,
    /// Each before a cell that stays: between it and the relay.
    proxies: Vec<Mutex<Process>>,
    troubles: Mutex<Vec<Trouble>>,
}

impl<'a> Network<'a> {
    /// Starts all processes; returns when every connection stands.
    pub(super) fn up(kits: &'a Kits) -> Result<Self> {
        let mut server = start(kits, &config("server", Some("tcp://127.0.0.1:0"), None))?;
        let server_url = url(&server.event("ready", START_LIMIT)?["root"][0])?;
        let (above, above_url) = proxy(kits, &server_url)?;
        let mut relay_config = config(RELAY, Some(&above_url), None);
        relay_config["listen"] = json!({"security": "clear", "port": 0});
        let relay = start(kits, &relay_config)?;
        let relay_url = url(&relay.event("ready", START_LIMIT)?["internal"])?;
        // It comes back where its children look for it.
        relay_config["listen"]["port"] = json!(relay_url.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()));
        let mut proxies = vec![Mutex::new(above)];
        let mut cells = Vec::new();
        let mut waiting = Vec::new();
        for fqcn in &CELLS[1..] {
            let (before, before_url) = proxy(kits, &relay_url)?;
            proxies.push(Mutex::new(before));
            let site = start(kits, &config(fqcn, None, Some(&before_url)))?;
            site.event("ready", START_LIMIT)?;
            waiting.push(site);
        }
        server.call("wait_peer", json!({"fqcn": RELAY, "up": true, "timeout": START_LIMIT.as_secs_f64()}))?;
        cells.push(Mutex::new(server));
        cells.extend(waiting.into_iter().map(Mutex::new));
        let network = Self { kits, cells, relay: Mutex::new(relay), relay_config, proxies, troubles: Mutex::default() };
        network.wait_children()?;
        Ok(network)
    }

    /// Gives a command to a cell that stays.
    pub(super) fn begin(&self, cell: usize, what: &str, command: Value) -> Result<Awaited> {
        lock(&self.cells[cell]).begin(what, command)
    }

    /// Gives a command and waits for its answer.
    pub(super) fn call(&self, cell: usize, what: &str, command: Value) -> Result<Value> {
        self.begin(cell, what, command)?.wait()
    }

    /// What every cell, the relay last, holds now.
    pub(super) fn inspect(&self) -> Result<Vec<(String, Value)>> {
        let mut found = Vec::new();
        for (cell, name) in CELLS.iter().enumerate() {
            found.push(((*name).to_owned(), self.call(cell, "inspect", json!({}))?));
        }
        found.push((RELAY.to_owned(), lock(&self.relay).call("inspect", json!({}))?));
        Ok(found)
    }

    /// The accounts of all proxies.
    pub(super) fn accounts(&self) -> Result<Vec<Value>> {
        self.proxies.iter().map(|proxy| lock(proxy).call("report", json!({}))).collect()
    }

    /// How many cells stay.
    pub(super) const fn cells(&self) -> usize {
        CELLS.len()
    }

    /// Troubles made so far.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        lock(&self.troubles).clone()
    }

    /// Makes trouble that lasts so long.
    pub(super) fn make(&self, kind: TroubleKind, lasting: Duration) -> Result<()> {
        lock(&self.troubles).push(Trouble { kind, at: Instant::now() });
        match kind {
            TroubleKind::Kill => {
                let mut relay = lock(&self.relay);
                relay.kill()?;
                thread::sleep(lasting);
                *relay = start(self.kits, &self.relay_config)?;
                relay.event("started", START_LIMIT)?;
            }
            TroubleKind::Stop => {
                let relay = lock(&self.relay);
                signal(relay.id(), "STOP")?;
                thread::sleep(lasting);
                signal(relay.id(), "CONT")?;
            }
            TroubleKind::Cut { cell } => {
                let proxy = &self.proxies[cell];
                lock(proxy).call("block", json!({"on": true}))?;
                lock(proxy).call("cut", json!({}))?;
                thread::sleep(lasting);
                lock(proxy).call("block", json!({"on": false}))?;
            }
        }
        Ok(())
    }

    /// Waits until all connections stand.
    pub(super) fn wait_children(&self) -> Result<()> {
        let mut relay = lock(&self.relay);
        for fqcn in CELLS {
            let command = json!({"fqcn": fqcn, "up": true, "timeout": START_LIMIT.as_secs_f64()});
            let answer = relay.call("wait_peer", command)?;
            ensure!(answer["met"] == true, "the relay has not reached {fqcn}");
        }
        Ok(())
    }
}

fn start(kits: &Kits, config: &Value) -> Result<Process> {
    let name = format!("faults-{}.log", config["fqcn"].as_str().unwrap_or("?"));
    let mut config = config.clone();
    config["scratch"] = json!(kits.root());
    Process::start_kind(Kind::Stream, Maker::Ours, &config, &kits.root().join(name))
}

fn proxy(kits: &Kits, dial: &str) -> Result<(Process, String)> {
    let address = dial.split_once("://").context("no scheme")?.1.replace("localhost", "127.0.0.1");
    let config = json!({"dial": address, "port": 0, "count": true, "rate": RATE});
    let log = kits.root().join("faults-proxy.log");
    let proxy = Process::start_own(PROXY_ARGUMENT, "proxy".to_owned(), &config, &log)?;
    let port = proxy.event("ready", START_LIMIT)?["port"].as_u64().context("no port")?;
    Ok((proxy, format!("tcp://127.0.0.1:{port}")))
}

fn config(fqcn: &str, root: Option<&str>, parent: Option<&str>) -> Value {
    json!({
        "fqcn": fqcn, "root": root, "parent": parent, "security": "clear",
        "parent_security": parent.map(|_| "clear"),
        "settings": {
            "streaming_chunk_size": CHUNK, "streaming_window_size": WINDOW, "streaming_ack_interval": WINDOW / 4,
            "streaming_retry_wait": 2.0, "streaming_retry_timeout": 120.0,
            // A request that is lost where nobody sees the connection break is noticed by its silence.
            "streaming_per_request_timeout": 10.0,
        },
    })
}

fn url(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).context("no URL")
}

fn signal(process: u32, name: &str) -> Result<()> {
    let status = Command::new("kill").args([format!("-{name}"), process.to_string()]).status()?;
    ensure!(status.success(), "kill -{name} {process} ended with {status}");
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
