//! A process between two cells: passes on what one connection brings, loses it, delays it, changes the order of its
//! frames, repeats some, and counts what streams have sent.
//!
//! ```text
//!   cell ── tcp ──► proxy ── tcp ──► cell
//!                     ▲
//!   runner ───────────┘  JSON lines: cut, block, dial, report
//! ```
//!
//! The first line of standard input is the configuration: `dial` (host:port), `port` (to listen on; 0 is any), `seed`
//! and `shuffle` (share of the stream frames that go late, and share that goes twice), `repeat_whole`
//! (repeat even a stream that is one frame, which a cell of the reference takes for two), `count` (keep an account of each
//! stream), `rate` (bytes a second and direction). What is encrypted is passed on as it comes.

mod account;
mod connection;
mod shuffle;

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::io::BufRead as _;
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::remote::{answer, put};
use account::Account;
use connection::Ends;

/// Argument by which the runner's own program becomes a proxy.
pub(crate) const PROXY_ARGUMENT: &str = "--frame-proxy";

/// What all connections share.
#[derive(Debug)]
struct Proxy {
    dial: Mutex<String>,
    /// New connections are closed at once.
    blocked: AtomicBool,
    connections: Mutex<Vec<Ends>>,
    account: Mutex<Account>,
    options: Options,
    accepted: AtomicU64,
    shuffled: AtomicU64,
    repeated: AtomicU64,
}

/// How frames are treated.
#[derive(Debug, Clone, Copy, Default)]
struct Options {
    seed: u64,
    /// Share of the stream frames that are overtaken.
    late: f64,
    /// Share of the stream frames that come twice.
    twice: f64,
    /// Whether a stream that is one frame may come twice, too.
    repeat_whole: bool,
    /// Whether streams are counted.
    count: bool,
    /// Bytes a second and direction.
    rate: Option<f64>,
}

impl Options {
    fn read(config: &Value) -> Self {
        Self {
            seed: config["seed"].as_u64().unwrap_or(1),
            late: config["shuffle"][0].as_f64().unwrap_or(0.0),
            twice: config["shuffle"][1].as_f64().unwrap_or(0.0),
            repeat_whole: config["repeat_whole"] == true,
            count: config["count"] == true,
            rate: config["rate"].as_f64(),
        }
    }

    /// Whether frames have to be told apart.
    fn looks_inside(&self) -> bool {
        self.late > 0.0 || self.twice > 0.0 || self.count
    }
}

/// Runs the proxy until its input ends.
#[expect(clippy::print_stderr, reason = "standard error is the process's log")]
pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    let config: Value = serde_json::from_str(&lines.next().context("no configuration")??)?;
    let listener = TcpListener::bind(("127.0.0.1", u16::try_from(config["port"].as_u64().unwrap_or(0))?))?;
    let port = listener.local_addr()?.port();
    let proxy = Arc::new(Proxy {
        dial: Mutex::new(config["dial"].as_str().context("no address to dial")?.to_owned()),
        blocked: AtomicBool::new(false),
        connections: Mutex::default(),
        account: Mutex::default(),
        options: Options::read(&config),
        accepted: AtomicU64::new(0),
        shuffled: AtomicU64::new(0),
        repeated: AtomicU64::new(0),
    });
    let acceptor = Arc::clone(&proxy);
    std::thread::spawn(move || {
        for incoming in listener.incoming().map_while(Result::ok) {
            acceptor.accept(incoming);
        }
    });
    put(&json!({"event": "ready", "port": port}));
    for line in lines {
        let command: Value = serde_json::from_str(&line?)?;
        put(&answer(&command, proxy.obey(&command)));
    }
    Ok(())
}

impl Proxy {
    fn accept(self: &Arc<Self>, incoming: TcpStream) {
        // A connection that is dropped here looks to its dialler like one to a port nobody listens on.
        if self.blocked.load(Ordering::Acquire) {
            return;
        }
        let Ok(outgoing) = TcpStream::connect(lock(&self.dial).as_str()) else { return };
        let number = self.accepted.fetch_add(1, Ordering::AcqRel);
        let Ok(ends) = Ends::join(self, number, incoming, outgoing) else { return };
        let mut connections = lock(&self.connections);
        connections.retain(Ends::is_open);
        connections.push(ends);
    }

    fn obey(&self, command: &Value) -> Result<Value> {
        match command["do"].as_str().unwrap_or_default() {
            "cut" => {
                let cut = lock(&self.connections).drain(..).filter(Ends::is_open).map(|ends| ends.cut()).count();
                Ok(json!({"cut": cut}))
            }
            "block" => {
                self.blocked.store(command["on"] == true, Ordering::Release);
                Ok(json!({}))
            }
            "dial" => {
                *lock(&self.dial) = command["to"].as_str().context("no address")?.to_owned();
                Ok(json!({}))
            }
            "report" => Ok(json!({
                "accepted": self.accepted.load(Ordering::Acquire),
                "shuffled": self.shuffled.load(Ordering::Acquire),
                "repeated": self.repeated.load(Ordering::Acquire),
                "streams": lock(&self.account).tell(),
            })),
            other => bail!("no command {other:?}"),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
