//! `cargo xtask reference`: the reference implementation in a virtual environment of its own, at its pinned release.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::ArgMatches;

use crate::{process, repo};

pub(crate) fn command() -> clap::Command {
    clap::Command::new("reference").about("Install the pinned reference package into a virtual environment of its own")
}

pub(crate) fn run(_: &ArgMatches) -> Result<()> {
    println!("reference: {}", python()?.display());
    Ok(())
}

/// The Python interpreter that has the reference, installing it first if it is not there or is of other pins.
///
/// `FEDCELL_PYTHON` names an interpreter that has it already.
pub(crate) fn python() -> Result<PathBuf> {
    if let Some(given) = env::var_os("FEDCELL_PYTHON") {
        return Ok(given.into());
    }
    let folder = repo::target().join("reference");
    let python = folder.join("bin/python");
    let pins = repo::root().join("xtask/reference/requirements.txt");
    let stamp = folder.join("installed.txt");
    let wanted = repo::read(&pins)?;
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|had| had == wanted) {
        return Ok(python);
    }
    println!("reference: installing into {}", repo::shown(&folder));
    process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
        .context("a Python 3 with its `venv` module is needed to talk to the reference")?;
    process::run(
        Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&pins),
    )?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}
