//! The programs of a federation, and what is asked of them.

use core::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::project::{Kits, SERVER};
use crate::interop::cell::process::{Kind, Maker, Process};

/// Until a program stands, on a machine that is busy.
pub(super) const START_LIMIT: Duration = Duration::from_secs(120);

/// For what follows at once.
const LIMIT: f64 = 60.0;

/// For a job: the reference's processes import for long.
const JOB_LIMIT: f64 = 150.0;

/// Seconds between heartbeats. The reference sleeps in steps of two seconds, and not at all for less.
const HEARTBEAT: f64 = 2.0;

/// A running server of either maker.
#[derive(Debug)]
pub(super) struct Server(Process);

impl Server {
    /// Starts it, and waits until it takes clients.
    pub(super) fn start(maker: Maker, kits: &Kits) -> Result<Self> {
        let config = json!({"role": "server", "name": "the server", "workspace": kits.of(SERVER)});
        let process = Process::start_kind(Kind::Federation, maker, &config, &kits.log("server"))?;
        process.event("ready", START_LIMIT)?;
        Ok(Self(process))
    }

    /// Kills it as a power failure would.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.0.kill()
    }

    /// Names and addresses of the clients that it lists.
    pub(super) fn clients(&mut self) -> Result<Value> {
        Ok(self.0.call("clients", json!({}))?["clients"].take())
    }

    /// Waits until a client is, or is no longer, listed.
    pub(super) fn wait_client(&mut self, name: &str, present: bool) -> Result<()> {
        let met = self.0.call("wait_client", json!({"name": name, "present": present, "timeout": LIMIT}))?;
        let listed = if present { "does not list" } else { "still lists" };
        ensure!(met["met"] == true, "the server {listed} {name}: {}", self.clients()?);
        Ok(())
    }

    /// Waits until the cell at `origin` has been answered that often, with that code.
    pub(super) fn wait_calls(&mut self, what: &str, origin: &str, count: usize, code: &str) -> Result<()> {
        let command = json!({"what": what, "origin": origin, "count": count, "code": code, "timeout": LIMIT});
        let met = self.0.call("wait_calls", command)?;
        ensure!(met["met"] == true, "fewer than {count} calls {what:?} of {origin} were answered {code:?}");
        Ok(())
    }

    /// What the cell at `origin` has asked of it, and how it answered.
    pub(super) fn calls(&mut self, what: &str, origin: &str) -> Result<Vec<Value>> {
        let mut calls = self.0.call("calls", json!({}))?;
        let calls: Vec<Value> = serde_json::from_value(calls["calls"].take())?;
        Ok(calls.into_iter().filter(|call| call["what"] == what && call["origin"] == origin).collect())
    }

    /// Has a job run, and waits until it has ended; gives its status and its model.
    pub(super) fn job(&mut self, kits: &Kits) -> Result<(Value, Value)> {
        let job = self.0.call("submit", json!({"job": kits.job()}))?["job"].take();
        let mut ended = self.0.call("wait_job", json!({"job": job, "timeout": JOB_LIMIT}))?;
        Ok((ended["status"].take(), ended["model"].take()))
    }

    /// Bars a client, or lets it in again.
    pub(super) fn bar(&mut self, name: &str, barred: bool) -> Result<()> {
        self.0.call(if barred { "disable" } else { "enable" }, json!({"name": name})).map(drop)
    }
}

/// A relay of either maker. Dropping it kills it.
pub(super) fn start_relay(maker: Maker, kits: &Kits) -> Result<Process> {
    let log = kits.log("relay");
    let process = match maker {
        Maker::Theirs => {
            let config = json!({"role": "relay", "name": "the relay", "workspace": kits.of("relay-1")});
            Process::start_kind(Kind::Federation, maker, &config, &log)?
        }
        Maker::Ours => {
            let config = json!({
                "fqcn": "relay-1", "root": format!("stcp://{SERVER}:{}", kits.ports.server), "security": "mtls",
                "credentials": kits.of("relay-1").join("startup"),
                "listen": {"security": "mtls", "port": kits.ports.relay},
                "identities": {"server": SERVER, "relay-1.site-2": "site-2"},
            });
            Process::start(maker, &config, &log)?
        }
    };
    process.event("ready", START_LIMIT)?;
    Ok(process)
}

/// A client of either maker.
#[derive(Debug)]
pub(super) struct Client(Process);

/// How a client fared.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fared {
    /// It has a token.
    Registered,
    /// It was refused, for that reason.
    Refused(String),
}

impl Client {
    /// Starts it with the kit of that name. If its pair is `flawed`, it shall leave it to others to find that out.
    pub(super) fn start(maker: Maker, name: &str, kits: &Kits, flawed: bool) -> Result<Self> {
        let config = json!({
            "role": "client", "workspace": kits.of(name), "name": name, "heartbeat": HEARTBEAT, "unchecked": flawed,
        });
        Ok(Self(Process::start_kind(Kind::Federation, maker, &config, &kits.log(name))?))
    }

    /// Waits until it has registered or has been refused.
    pub(super) fn fared(&self) -> Result<Fared> {
        let event = self.0.any_event(&["registered", "refused"], START_LIMIT)?;
        if event["event"] == "refused" {
            return Ok(Fared::Refused(event["reason"].as_str().context("refused without a reason")?.to_owned()));
        }
        ensure!(event["token"] == true && event["signature"] == true, "registered without a token: {event}");
        Ok(Fared::Registered)
    }

    /// Waits until it has a token.
    pub(super) fn registered(&self) -> Result<()> {
        match self.fared()? {
            Fared::Registered => Ok(()),
            Fared::Refused(reason) => bail!("refused: {reason}"),
        }
    }

    /// Waits until so many of its attempts have found no server: challenges, or connections.
    pub(super) fn wait_attempts(&mut self, count: usize) -> Result<()> {
        // A program that has just been forked may be busy for long.
        let met = self.0.call("wait_attempts", json!({"count": count, "timeout": START_LIMIT.as_secs_f64()}))?;
        ensure!(met["met"] == true, "it has tried less than {count} times; its log ends with {}", self.0.log_tail());
        Ok(())
    }

    /// Lets it take its leave.
    pub(super) fn quit(&mut self) -> Result<()> {
        self.0.call("quit", json!({})).map(drop)
    }
}
