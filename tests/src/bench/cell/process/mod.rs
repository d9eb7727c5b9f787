//! The far side of a benchmark's process: one peer that takes commands and gives results as JSON lines.
//!
//! The same commands as those of `tests/reference/bench_cells.py`, so that each column does the same work.

mod asking;
pub mod bare;
pub mod blobs;
pub mod count;
pub mod models;
pub mod ours;
pub mod streams;

use std::io::{BufRead, Write};

use anyhow::{Context, bail};
use serde_json::{Value, json};

/// What a peer is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of the cell.
    pub name: String,
    /// URL to listen on.
    pub listen: Option<String>,
    /// URL to dial: of the server, or of the relay in front of it.
    pub dial: Option<String>,
    /// Whether what is dialled is this cell's parent rather than the root server.
    pub parent: bool,
    /// Whether it passes on what others send through it.
    pub relay: bool,
    /// Folder of certificates; without it, nothing is encrypted.
    pub kit: Option<String>,
    /// Bytes that a request has on the wire beside its payload, for peers without a protocol of their own.
    pub request_overhead: usize,
    /// Bytes that a reply has on the wire beside its payload.
    pub reply_overhead: usize,
}

impl Config {
    /// As it stands on the command line of a peer.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name, "listen": self.listen, "dial": self.dial, "parent": self.parent, "relay": self.relay,
            "kit": self.kit, "request_overhead": self.request_overhead, "reply_overhead": self.reply_overhead,
        })
    }

    fn from_json(value: &Value) -> anyhow::Result<Self> {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        Ok(Self {
            name: text("name").context("a peer needs a name")?,
            listen: text("listen"),
            dial: text("dial"),
            parent: value["parent"].as_bool().unwrap_or_default(),
            relay: value["relay"].as_bool().unwrap_or_default(),
            kit: text("kit"),
            request_overhead: number(value, "request_overhead")?,
            reply_overhead: number(value, "reply_overhead")?,
        })
    }
}

/// Runs one peer until its input ends: `bench --cell-peer COLUMN CONFIG`.
///
/// # Errors
///
/// If the arguments are not understood or the peer cannot start.
pub fn main(arguments: &[String]) -> anyhow::Result<()> {
    let [column, config] = arguments else { bail!("a peer needs a column and a configuration") };
    let config = Config::from_json(&serde_json::from_str(config)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // In a task, as an application would, and not on the thread that waits for the runtime.
    let task = match column.as_str() {
        "bare" => runtime.spawn(async move { serve(bare::Peer::start(&config).await?, config.listen).await }),
        "ours" => runtime.spawn(async move {
            let peer = ours::Peer::start(&config).await?;
            let url = peer.url();
            serve(peer, url).await
        }),
        other => bail!("no peers of column {other:?}"),
    };
    runtime.block_on(task)?
}

/// What does the work of a command.
trait Obey {
    /// Does what one command asks for.
    fn obey(&mut self, name: &str, arguments: &Value) -> impl Future<Output = anyhow::Result<Value>> + Send;
}

async fn serve(mut peer: impl Obey, url: Option<String>) -> anyhow::Result<()> {
    tell(&json!({"event": "ready", "url": url}))?;
    let (sender, mut lines) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    while let Some(line) = lines.recv().await {
        let command: Value = serde_json::from_str(&line)?;
        let answer = match peer.obey(command["do"].as_str().unwrap_or_default(), &command).await {
            Ok(mut results) => {
                results["event"] = json!("done");
                results
            }
            Err(error) => json!({"event": "failed", "error": format!("{error:#}")}),
        };
        tell(&answer)?;
    }
    Ok(())
}

fn tell(value: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    out.flush().context("nobody listens")
}

/// A number among the arguments of a command.
fn number(arguments: &Value, key: &str) -> anyhow::Result<usize> {
    let number = arguments[key].as_u64().with_context(|| format!("no number {key:?} given"))?;
    Ok(usize::try_from(number)?)
}

/// Nanoseconds since the epoch, comparable between the processes of one machine.
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds from then until now.
fn nanoseconds_since(then: std::time::Instant) -> u64 {
    u64::try_from(then.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
