//! `cargo xtask test`: every test of the workspace, documentation examples included.

use anyhow::Result;
use clap::ArgMatches;

use crate::{process, reference, repo};

pub(crate) fn command() -> clap::Command {
    clap::Command::new("test").about("Run every test of the workspace, with nextest where it is installed")
}

pub(crate) fn run(_: &ArgMatches) -> Result<()> {
    let python = reference::python()?;
    let nextest = process::output(repo::cargo().args(["nextest", "--version"])).is_ok();
    let runner: &[&str] = if nextest { &["nextest", "run"] } else { &["test", "--all-targets"] };
    process::run(
        repo::cargo().args(runner).args(["--workspace", "--locked", "--all-features"]).env("FEDCELL_PYTHON", &python),
    )?;
    process::run(repo::cargo().args(["test", "--workspace", "--locked", "--all-features", "--doc", "--quiet"]))
}
