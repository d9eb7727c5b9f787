//! Our parts of a federation under remote control: the roles `client`, `sequence` and `server` of `tests/reference/federation.py`,
//! which describes their protocol. They read kits as they were provisioned.

mod client;
mod job;
mod rounds;
mod sequence;
mod server;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::remote::{lines, run_node, text};

/// Where the reference's example keeps its array in the model.
const MODEL: &str = "numpy_key";

/// Runs the part until its input ends or it is told to stop.
pub(crate) fn main() -> ExitCode {
    run_node(async {
        let mut lines = lines();
        let config = lines.recv().await.context("no configuration")?;
        match text(&config, "role")? {
            "client" => client::live(&config, lines).await,
            "job" => rounds::job(&config, lines).await,
            "sites" => rounds::sites(&config, lines).await,
            "sequence" => sequence::live(&config, lines).await,
            "server" => server::live(&config, lines).await,
            other => bail!("there is no {other} of ours"),
        }
    })
}

/// A file of a kit.
fn configuration(workspace: &Path, file: &str) -> Result<Value> {
    let bytes = std::fs::read(workspace.join(file)).with_context(|| format!("no {file}"))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{file} is no JSON"))
}
