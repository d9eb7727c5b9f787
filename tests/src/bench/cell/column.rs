//! The columns of the table, and the processes of each: a server, relays in a chain, a client.

use core::time::Duration;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

use super::kit::Kits;
use super::process::Config;
use crate::bench::is_wanted;
use crate::killed::Killed;
use crate::{ports, reference};

/// Longest that a peer may take for one command; a benchmark ends, however slow a column is.
const PATIENCE: Duration = Duration::from_secs(180);

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Cells of this workspace.
    Ours,
    /// Cells of the reference.
    Reference,
    /// tokio's TCP with the same bytes and no protocol.
    Bare,
}

impl Column {
    /// In the order of the table.
    pub const ALL: [Self; 3] = [Self::Ours, Self::Reference, Self::Bare];

    /// Those that are to run, each at its place: all, unless `FEDCELL_BENCH_COLUMNS` names some.
    pub fn wanted() -> [Option<Self>; 3] {
        Self::ALL.map(|column| Some(column).filter(|column| is_wanted("FEDCELL_BENCH_COLUMNS", column.name())))
    }

    /// Its heading.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Reference => "reference",
            Self::Bare => "bare",
        }
    }
}

/// Bytes that a request and a reply have on the wire beside their payload.
#[derive(Debug, Clone, Copy, Default)]
pub struct Overhead {
    /// Of a request.
    pub request: usize,
    /// Of a reply.
    pub reply: usize,
}

/// One process of one column.
#[derive(Debug)]
pub struct Peer {
    child: Killed,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Where it listens, if it does.
    pub url: String,
    /// How long it took until it was ready.
    pub started_in: Duration,
}

impl Peer {
    /// Starts a process of `column` and waits until it is ready: it listens, and whom it dials has answered.
    ///
    /// # Errors
    ///
    /// If it does not become ready.
    pub fn start(column: Column, config: &Config) -> anyhow::Result<Self> {
        let mut peer = Self::spawn(column, config)?;
        peer.ready(PATIENCE)?;
        Ok(peer)
    }

    /// Starts a process and does not wait for it.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn spawn(column: Column, config: &Config) -> anyhow::Result<Self> {
        if column == Column::Reference {
            Self::run(reference::script("bench_cells.py"), config)
        } else {
            Self::of_program(&std::env::current_exe()?, column, config)
        }
    }

    /// Starts a process of `program`, the benchmark's, for a column that is Rust, and does not wait for it.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn of_program(program: &Path, column: Column, config: &Config) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args([super::PEER, column.name()]);
        Self::run(command, config)
    }

    fn run(mut command: Command, config: &Config) -> anyhow::Result<Self> {
        command.arg(config.to_json().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let output = child.stdout.take().context("no output of the peer")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take();
        Ok(Self { child: Killed(child), input, lines, url: String::new(), started_in: Duration::ZERO })
    }

    /// Waits until the process says that it is ready.
    ///
    /// # Errors
    ///
    /// If it does not within the time.
    pub fn ready(&mut self, patience: Duration) -> anyhow::Result<()> {
        let started = Instant::now();
        let ready = self.event(patience)?;
        self.started_in = started.elapsed();
        self.url = ready["url"].as_str().unwrap_or_default().to_owned();
        Ok(())
    }

    /// Has one command done.
    ///
    /// # Errors
    ///
    /// If the peer says that it failed, ends, or takes far too long.
    pub fn ask(&mut self, command: &Value) -> anyhow::Result<Value> {
        let input = self.input.as_mut().context("the peer was stopped")?;
        writeln!(input, "{command}").and_then(|()| input.flush()).context("the peer has gone")?;
        self.event(PATIENCE)
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn event(&self, patience: Duration) -> anyhow::Result<Value> {
        let line = self.lines.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => anyhow!("the peer gave no answer within {patience:?}"),
            RecvTimeoutError::Disconnected => anyhow!("the peer has ended"),
        })?;
        let event: Value = serde_json::from_str(&line).with_context(|| format!("the peer wrote {line:?}"))?;
        if event["event"] == "failed" {
            bail!("the peer failed: {}", event["error"].as_str().unwrap_or_default());
        }
        Ok(event)
    }
}

/// A server, so many relays in a chain, and a client at its end.
#[derive(Debug)]
pub struct Chain {
    /// Whose processes they are.
    pub column: Column,
    /// The root server.
    pub server: Peer,
    /// The relays, the one next to the server first.
    pub relays: Vec<Peer>,
    /// The client.
    pub client: Peer,
}

impl Chain {
    /// Starts the processes of a chain, the server first, without encryption.
    ///
    /// # Errors
    ///
    /// If one of them does not become ready.
    pub fn start(column: Column, relays: usize, overhead: Overhead) -> anyhow::Result<Self> {
        Self::start_with(column, relays, overhead, None)
    }

    /// Starts the processes of a chain, the server first; with mutual TLS if there are kits.
    ///
    /// # Errors
    ///
    /// If one of them does not become ready.
    pub fn start_with(column: Column, relays: usize, overhead: Overhead, kits: Option<&Kits>) -> anyhow::Result<Self> {
        let kit = |name: &str| kits.map(|kits| kits.of(name));
        let server = Peer::start(column, &listener("server", kit("server").as_deref(), overhead)?)?;
        let mut above = server.url.clone();
        let mut path = String::new();
        let mut chain = Vec::new();
        for number in 1..=relays {
            path = format!("{path}relay-{number}");
            let kit = kit(&format!("relay-{number}"));
            let config = Config {
                dial: Some(above),
                parent: number > 1,
                relay: true,
                ..listener(&path, kit.as_deref(), overhead)?
            };
            let relay = Peer::start(column, &config)?;
            above = relay.url.clone();
            chain.push(relay);
            path.push('.');
        }
        let name = format!("{path}site-1");
        let client = Peer::start(column, &dialler(&name, &above, relays > 0, kit("site-1").as_deref(), overhead))?;
        Ok(Self { column, server, relays: chain, client })
    }
}

/// Configuration of a peer that listens.
///
/// # Errors
///
/// If no port is free.
pub fn listener(name: &str, kit: Option<&Path>, overhead: Overhead) -> anyhow::Result<Config> {
    let scheme = if kit.is_some() { "stcp" } else { "tcp" };
    let [port] = ports::free()?;
    Ok(Config {
        name: name.to_owned(),
        listen: Some(format!("{scheme}://127.0.0.1:{port}")),
        dial: None,
        parent: false,
        relay: false,
        kit: kit.map(|kit| kit.display().to_string()),
        request_overhead: overhead.request,
        reply_overhead: overhead.reply,
    })
}

/// Configuration of a peer that dials.
pub fn dialler(name: &str, url: &str, parent: bool, kit: Option<&Path>, overhead: Overhead) -> Config {
    Config {
        name: name.to_owned(),
        listen: None,
        dial: Some(url.to_owned()),
        parent,
        relay: false,
        kit: kit.map(|kit| kit.display().to_string()),
        request_overhead: overhead.request,
        reply_overhead: overhead.reply,
    }
}
