//! The program `fedcell`, built when it is first wanted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use crate::reference;

/// The program that the variable `FEDCELL_PROGRAM` names; without it one that is built with the cargo that runs this
/// program, in the same profile and folder.
///
/// # Errors
///
/// If it cannot be built.
pub(crate) fn fedcell() -> Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BINARY.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.as_deref().map_err(|error| anyhow!("the program cannot be built: {error}"))
}

fn build() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("FEDCELL_PROGRAM") {
        return Ok(program.into());
    }
    let here = std::env::current_exe()?;
    let folder = here.parent().context("this program is nowhere")?;
    let target = folder.parent().context("this program is in no target folder")?;
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--locked", "--package", "fedcell", "--target-dir"]).arg(target);
    if folder.ends_with("release") {
        command.arg("--release");
    }
    let status = command.current_dir(reference::workspace()).status()?;
    let program = folder.join("fedcell");
    if !status.success() {
        bail!("cargo build ended with {status}");
    }
    ensure!(program.is_file(), "no {}", program.display());
    Ok(program)
}
