//! One process of a federation: what it says, its death and its end.

use core::time::Duration;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::killed::Killed;

/// How long a process may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(20);

/// A process.
pub(super) struct Process {
    child: Killed,
    /// It ends when this is closed.
    input: Option<ChildStdin>,
    lines: Arc<Mutex<Vec<Value>>>,
    reading: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts it; what it says on standard error goes to the end of a file.
    pub(super) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let output = child.stdout.take().context("a process without output")?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let reading = {
            let lines = Arc::clone(&lines);
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    // A line that was cut off by a kill is none.
                    if let Ok(line) = serde_json::from_str(&line) {
                        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                    }
                }
            })
        };
        let input = child.stdin.take();
        Ok(Self { child: Killed(child), input, lines, reading: Some(reading) })
    }

    /// What it has said so far.
    pub(super) fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Kills it as `kill -9` does; what it has said until then. None if it had ended by itself.
    pub(super) fn kill(mut self) -> Result<Option<Vec<Value>>> {
        if self.child.try_wait()?.is_some() {
            return Ok(None);
        }
        self.child.kill()?;
        let status = self.child.wait()?;
        self.drain();
        // It may have ended in between.
        Ok(status.code().is_none().then(|| self.lines()))
    }

    /// Its exit code, if it has ended.
    pub(super) fn ended(&mut self) -> Result<Option<i32>> {
        let Some(status) = self.child.try_wait()? else { return Ok(None) };
        self.drain();
        Ok(Some(status.code().unwrap_or(-1)))
    }

    /// Asks it to end and waits for that.
    pub(super) fn end(&mut self) -> Result<i32> {
        drop(self.input.take());
        let end = Instant::now() + GOODBYE;
        loop {
            if let Some(code) = self.ended()? {
                return Ok(code);
            }
            ensure!(Instant::now() < end, "it does not end with its input");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn drain(&mut self) {
        if let Some(reading) = self.reading.take() {
            // It ends with the output.
            drop(reading.join());
        }
    }
}
