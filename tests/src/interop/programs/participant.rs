//! A program of a federation and what it says.

use core::time::Duration;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use crate::killed::Killed;

/// How long a participant may take to say what is expected of it. A Python one takes seconds to start.
const PATIENCE: Duration = Duration::from_secs(90);

/// Pause between looks at a log.
const PAUSE: Duration = Duration::from_millis(200);

/// A participant.
pub(crate) struct Participant {
    name: &'static str,
    child: Killed,
    log: PathBuf,
}

impl Participant {
    /// Starts it; what it says goes into a file of its name.
    pub(crate) fn start(name: &'static str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log)?;
        let errors = output.try_clone()?;
        command.stdin(Stdio::piped()).stdout(output).stderr(errors);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child: Killed(child), log })
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until its log has all of these words in one line.
    pub(crate) fn says(&mut self, words: &[&str]) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(&self.log).unwrap_or_default();
            if text.lines().any(|line| words.iter().all(|word| line.contains(word))) {
                return Ok(());
            }
            let last = text.lines().last().unwrap_or_default();
            if let Some(status) = self.child.try_wait()? {
                bail!("{} has ended with {status} and never said {words:?}; last: {last}", self.name);
            }
            ensure!(Instant::now() < end, "{} did not say {words:?} in time; last: {last}", self.name);
            thread::sleep(PAUSE);
        }
    }

    /// Closes its input, and waits until it has ended.
    pub(crate) fn end(&mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < end, "{} does not end with its input", self.name);
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}
