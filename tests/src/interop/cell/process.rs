//! One cell in a process of its own, driven by JSON lines: ours and the reference's speak the same protocol.
//!
//! The reference's processes are forks of one that has imported it, since an import costs more than most rows.

use core::time::Duration;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::reference;

/// Argument by which the runner's own program becomes a cell of ours.
pub(crate) const NODE_ARGUMENT: &str = "--cell-node";

/// Argument by which it becomes a cell of ours with streams.
pub(crate) const STREAM_NODE_ARGUMENT: &str = "--stream-node";

/// Argument by which it becomes a part of a federation of ours.
pub(crate) const CLIENT_ARGUMENT: &str = "--client-node";

/// How much longer than the command itself may take its answer may stay away.
const GRACE: Duration = Duration::from_secs(10);

/// Until a killed process is gone.
const KILL_LIMIT: Duration = Duration::from_secs(20);

/// What runs in a process: the same program twice, ours and the reference's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A cell with its requests.
    Cell,
    /// A cell with its streams and downloads.
    Stream,
    /// A part of a federation; of ours, a client or a server.
    Federation,
    /// A site in a tree; of the reference only.
    Children,
}

impl Kind {
    /// Argument by which the runner's own program becomes ours.
    const fn argument(self) -> &'static str {
        match self {
            Self::Cell => NODE_ARGUMENT,
            Self::Stream => STREAM_NODE_ARGUMENT,
            Self::Federation | Self::Children => CLIENT_ARGUMENT,
        }
    }

    /// The reference's program.
    const fn script(self) -> &'static str {
        match self {
            Self::Cell => "cell_node.py",
            Self::Stream => "stream_node.py",
            Self::Federation => "federation.py",
            Self::Children => "children.py",
        }
    }
}

/// Who runs in the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    /// A cell of `fedcell-cell`.
    Ours,
    /// A cell of the reference.
    Theirs,
}

impl Maker {
    /// One letter for the tables.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Ours => 'R',
            Self::Theirs => 'P',
        }
    }
}

type Answers = Arc<Mutex<HashMap<u64, mpsc::Sender<Value>>>>;

/// A running cell. Dropping it kills the process; so does the end of the runner, since the cell then reads the end of
/// its input.
#[derive(Debug)]
pub(crate) struct Process {
    body: Body,
    events: mpsc::Receiver<Value>,
    answers: Answers,
    next: u64,
    log: PathBuf,
    /// For messages: the cell's address and its maker.
    name: String,
}

/// The process itself.
#[derive(Debug)]
enum Body {
    /// A child of this program.
    Child { child: Child, input: Option<ChildStdin> },
    /// A fork of the host of the reference's cells.
    Fork { id: u64, stream: UnixStream, host: &'static Host },
}

/// The process that has imported the reference and forks its cells.
#[derive(Debug)]
struct Host {
    socket: PathBuf,
    /// Ends when its input does: with this program.
    _child: Child,
}

/// An answer that is still awaited.
#[derive(Debug)]
pub(crate) struct Awaited {
    what: String,
    limit: Duration,
    answer: mpsc::Receiver<Value>,
}

impl Process {
    /// Starts a cell; its log goes to `log`.
    pub(crate) fn start(maker: Maker, config: &Value, log: &Path) -> Result<Self> {
        Self::start_kind(Kind::Cell, maker, config, log)
    }

    /// Starts a cell of that kind; its log goes to `log`.
    pub(crate) fn start_kind(kind: Kind, maker: Maker, config: &Value, log: &Path) -> Result<Self> {
        let name = config["fqcn"].as_str().or_else(|| config["name"].as_str()).unwrap_or("?");
        let name = format!("{name} ({})", maker.letter());
        if maker == Maker::Ours {
            return Self::start_own(kind.argument(), name, config, log);
        }
        let host = host(kind)?;
        let mut stream = host.connect(&json!({"log": log}))?;
        let id = first_line(&mut stream)?["pid"].as_u64().context("the host gave no process id")?;
        let output = stream.try_clone()?;
        Self::follow(Body::Fork { id, stream, host }, output, name, config, log)
    }

    /// Starts this program once more, as what `argument` makes of it.
    pub(crate) fn start_own(argument: &str, name: String, config: &Value, log: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let errors = File::options().create(true).append(true).open(log)?;
        command.arg(argument).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let child = command.process_group(0).spawn();
        let mut child = child.with_context(|| format!("{name} does not start"))?;
        let output = child.stdout.take().context("no pipe from the process")?;
        let input = child.stdin.take();
        Self::follow(Body::Child { child, input }, output, name, config, log)
    }

    fn follow(
        body: Body,
        output: impl Read + Send + 'static,
        name: String,
        config: &Value,
        log: &Path,
    ) -> Result<Self> {
        let answers = Answers::default();
        let (sender, events) = mpsc::channel();
        let book = Arc::clone(&answers);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
                match value["id"].as_u64() {
                    Some(number) => {
                        let waiting = lock(&book).remove(&number);
                        // Whoever asked may have given up.
                        waiting.map(|waiting| waiting.send(value));
                    }
                    None => drop(sender.send(value)),
                }
            }
            // Whoever still waits learns at once that the process is gone.
            lock(&book).clear();
        });
        let mut process = Self { body, events, answers, next: 0, log: log.to_owned(), name };
        process.write(config)?;
        Ok(process)
    }

    /// The id of the process.
    pub(crate) fn id(&self) -> u32 {
        match &self.body {
            Body::Child { child, .. } => child.id(),
            Body::Fork { id, .. } => u32::try_from(*id).unwrap_or_default(),
        }
    }

    /// The event of that name, those before it being dropped.
    pub(crate) fn event(&self, wanted: &str, limit: Duration) -> Result<Value> {
        self.any_event(&[wanted], limit)
    }

    /// The first event with one of these names, those before it being dropped.
    pub(crate) fn any_event(&self, wanted: &[&str], limit: Duration) -> Result<Value> {
        let end = Instant::now() + limit;
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) if wanted.iter().any(|wanted| event["event"] == *wanted) => return Ok(event),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    bail!(
                        "{}: no event of {wanted:?} within {limit:?}; its log ends with: {}",
                        self.name,
                        self.log_tail()
                    )
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{}: ended before an event of {wanted:?}; its log ends with: {}", self.name, self.log_tail())
                }
            }
        }
    }

    /// Gives a command and returns its answer's receiver.
    pub(crate) fn begin(&mut self, what: &str, mut command: Value) -> Result<Awaited> {
        self.next += 1;
        let limit = Duration::from_secs_f64(command["timeout"].as_f64().unwrap_or(10.0)) + GRACE;
        command["id"] = json!(self.next);
        command["do"] = json!(what);
        let (sender, answer) = mpsc::channel();
        lock(&self.answers).insert(self.next, sender);
        self.write(&command)?;
        Ok(Awaited { what: format!("{}: {what}", self.name), limit, answer })
    }

    /// Gives a command and waits for its answer.
    pub(crate) fn call(&mut self, what: &str, command: Value) -> Result<Value> {
        self.begin(what, command)?.wait()
    }

    /// Kills the process as a power failure would, and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.send_kill()?;
        self.output_ended(KILL_LIMIT)?;
        if let Body::Child { child, .. } = &mut self.body {
            child.wait()?;
        }
        Ok(())
    }

    fn send_kill(&mut self) -> Result<()> {
        match &mut self.body {
            Body::Child { child, .. } => child.kill()?,
            Body::Fork { id, host, .. } => drop(host.connect(&json!({"kill": id}))?),
        }
        Ok(())
    }

    /// Ends the cell by its own means and waits until the process is gone; an exit code other than 0 is an error.
    pub(crate) fn stop(&mut self, limit: Duration) -> Result<()> {
        self.call("stop", json!({}))?;
        self.ended(limit)
    }

    /// Closes the cell's input and waits until the process is gone.
    pub(crate) fn hang_up(&mut self, limit: Duration) -> Result<()> {
        match &mut self.body {
            Body::Child { input, .. } => *input = None,
            Body::Fork { stream, .. } => stream.shutdown(Shutdown::Write)?,
        }
        self.ended(limit)
    }

    fn ended(&mut self, limit: Duration) -> Result<()> {
        self.output_ended(limit)?;
        if let Body::Child { child, .. } = &mut self.body {
            let status = child.wait()?;
            if !status.success() {
                bail!("{}: ended with {status}; its log ends with: {}", self.name, self.log_tail());
            }
        }
        Ok(())
    }

    /// Waits until the process has closed its output, which it does by ending: the reader thread holds the other end of
    /// the events until then.
    fn output_ended(&self, limit: Duration) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => bail!("{}: still runs {limit:?} after it was stopped", self.name),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(4)..].join(" / ")
    }

    fn write(&mut self, value: &Value) -> Result<()> {
        let input: &mut dyn Write = match &mut self.body {
            Body::Child { input, .. } => input.as_mut().with_context(|| format!("{}: input is closed", self.name))?,
            Body::Fork { stream, .. } => stream,
        };
        writeln!(input, "{value}").and_then(|()| input.flush()).with_context(|| format!("{}: is gone", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it is gone already.
        drop(self.send_kill());
        if let Body::Child { child, .. } = &mut self.body {
            drop(child.wait());
        }
    }
}

/// The host of that kind, started by the first who needs it.
fn host(kind: Kind) -> Result<&'static Host> {
    static CELLS: OnceLock<Result<Host, String>> = OnceLock::new();
    static STREAMS: OnceLock<Result<Host, String>> = OnceLock::new();
    static FEDERATIONS: OnceLock<Result<Host, String>> = OnceLock::new();
    static CHILDREN: OnceLock<Result<Host, String>> = OnceLock::new();
    let host = match kind {
        Kind::Cell => &CELLS,
        Kind::Stream => &STREAMS,
        Kind::Federation => &FEDERATIONS,
        Kind::Children => &CHILDREN,
    };
    let host = host.get_or_init(|| Host::start(kind).map_err(|error| format!("{error:#}")));
    host.as_ref().map_err(|error| anyhow!("the reference's host does not start: {error}"))
}

impl Host {
    fn start(kind: Kind) -> Result<Self> {
        let mut command = reference::script(kind.script());
        command.arg("--host").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.process_group(0).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no pipe")?).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).with_context(|| format!("it said {line:?}"))?;
        let socket = ready["socket"].as_str().context("it does not say where it listens")?.into();
        Ok(Self { socket, _child: child })
    }

    fn connect(&self, wish: &Value) -> Result<UnixStream> {
        let mut stream = UnixStream::connect(&self.socket)?;
        writeln!(stream, "{wish}")?;
        Ok(stream)
    }
}

/// The first line, and nothing of what follows.
fn first_line(stream: &mut UnixStream) -> Result<Value> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while stream.read(&mut byte)? == 1 && byte != *b"\n" {
        line.extend(byte);
    }
    Ok(serde_json::from_slice(&line)?)
}

impl Awaited {
    /// Waits for the answer; one that says `error` is an error.
    pub(crate) fn wait(self) -> Result<Value> {
        let answer = self.answer.recv_timeout(self.limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => anyhow!("{}: no answer within {:?}", self.what, self.limit),
            RecvTimeoutError::Disconnected => anyhow!("{}: the process ended before it answered", self.what),
        })?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => bail!("{}: {error}", self.what),
            None => Ok(answer),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
