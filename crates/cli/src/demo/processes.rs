//! The processes of the demo: started, read line by line, and ended with it.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};

use crate::command::VARIABLES;

/// How long a process may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// What processes say, and that they have ended.
#[derive(Debug)]
pub(super) enum Said {
    /// A line of a process.
    Line { name: String, line: Value },
    /// A process has closed its output: it has ended, or is about to.
    Ended { name: String, generation: u32 },
}

/// One process.
pub(super) struct Process {
    pub(super) name: String,
    arguments: Vec<String>,
    /// How often it was started.
    pub(super) generation: u32,
    child: Child,
    /// Its standard input: when it closes, the process ends, even if this one is killed.
    input: Option<ChildStdin>,
    sender: mpsc::Sender<Said>,
    log: std::path::PathBuf,
}

impl Process {
    /// Starts this program with these arguments; what it says on standard error goes to a file in `logs`.
    pub(super) fn start(name: &str, arguments: Vec<String>, logs: &Path, sender: mpsc::Sender<Said>) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let (child, input) = spawn(name, &arguments, &log, 1, &sender)?;
        Ok(Self { name: name.to_owned(), arguments, generation: 1, child, input, sender, log })
    }

    /// Kills it without a warning, as `kill -9` does.
    pub(super) async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.with_context(|| format!("cannot kill {}", self.name))
    }

    /// Starts it again.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.generation += 1;
        (self.child, self.input) = spawn(&self.name, &self.arguments, &self.log, self.generation, &self.sender)?;
        Ok(())
    }

    /// Ends it; killed if it does not end by itself. Its exit code, if it has one.
    pub(super) async fn end(mut self) -> Option<i32> {
        drop(self.input.take());
        self.wait().await
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> Option<i32> {
        match timeout(GOODBYE, self.child.wait()).await {
            Ok(Ok(status)) => status.code(),
            _ => {
                // It is gone already, or cannot be killed; there is nothing left to do.
                _ = self.child.kill().await;
                None
            }
        }
    }
}

fn spawn(
    name: &str,
    arguments: &[String],
    log: &Path,
    generation: u32,
    sender: &mpsc::Sender<Said>,
) -> Result<(Child, Option<ChildStdin>)> {
    let program = std::env::current_exe().context("cannot find this program itself")?;
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log);
    let mut command = Command::new(program);
    // What stands in the environment is for the demo: its processes have their own options.
    for (variable, _) in std::env::vars_os() {
        if variable.as_encoded_bytes().starts_with(VARIABLES.as_bytes()) {
            command.env_remove(variable);
        }
    }
    let mut child = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log.context("cannot write a log")?)
        // Ctrl-C in a terminal is for the demo, which then ends them one after the other.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let input = child.stdin.take();
    let output = child.stdout.take().context("a process without output")?;
    let (name, sender) = (name.to_owned(), sender.clone());
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let line = serde_json::from_str(&line).unwrap_or(Value::Null);
            if sender.send(Said::Line { name: name.clone(), line }).await.is_err() {
                return;
            }
        }
        // Nobody listens at the very end.
        _ = sender.send(Said::Ended { name, generation }).await;
    });
    Ok((child, input))
}
