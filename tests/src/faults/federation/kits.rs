//! Kits of one federation, and how its processes are started.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use super::plan::Victim;
use super::{ROUNDS, SITES};
use crate::ports;

const JOB: &str = "0d3b5a3e-8f0a-4a53-9d9f-0c2b8f1d2e11";

/// Name of the server's kit.
const SERVER: &str = "localhost";

/// Longest wait of a participant before it tries again, in seconds.
const LONGEST_WAIT: &str = "1.5";

/// The kits of a server, a relay and the sites.
#[derive(Debug)]
pub(super) struct Kits {
    folder: TempDir,
}

impl Kits {
    /// Has them made, with ports that are free now.
    pub(super) fn make(program: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let [port, admin, relay] = ports::free()?;
        let mut command = Command::new(program);
        command.args(["provision", "--project", "faults", "--server", SERVER, "--days", "2", "--output"]);
        command.arg(folder.path());
        command.args(["--port", &port.to_string(), "--admin-port", &admin.to_string()]);
        command.args(["--relay", &format!("relay-1@localhost:{relay}")]);
        command.args(["--site", SITES[0]]);
        for site in &SITES[1..] {
            command.args(["--site", &format!("{site}=relay-1")]);
        }
        ensure!(command.stdout(Stdio::null()).status()?.success(), "fedcell provision has failed");
        Ok(Self { folder })
    }

    /// The command of a process whose workspace is below `work`.
    pub(super) fn command(&self, program: &Path, victim: Victim, seed: u64, work: &Path) -> Command {
        let (role, kit) = match victim {
            Victim::Server => ("server", SERVER),
            Victim::Relay => ("relay", "relay-1"),
            Victim::Site(number) => ("site", SITES[number]),
        };
        let mut command = Command::new(program);
        command.arg(role).arg("--kit").arg(self.folder.path().join("faults/prod_00").join(kit));
        command.args(["--longest-wait", LONGEST_WAIT]);
        if victim != Victim::Relay {
            command.args(["--job", JOB, "--sites", &SITES.len().to_string(), "--seed", &seed.to_string()]);
            command.arg("--workspace").arg(workspace(work, victim));
        }
        if victim == Victim::Server {
            command.args(["--rounds", &ROUNDS.to_string()]);
        }
        if !matches!(victim, Victim::Site(_)) {
            command.args(["--listen", "127.0.0.1"]);
        }
        command
    }
}

/// Where a process keeps its files.
pub(super) fn workspace(work: &Path, victim: Victim) -> PathBuf {
    work.join(victim.to_string())
}
