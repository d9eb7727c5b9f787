//! The reference implementation as a child process: which interpreter runs it, and where the driver scripts are.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Environment variable that names the interpreter which has the reference installed.
const INTERPRETER: &str = "FEDCELL_PYTHON";

/// Folder of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The reference's interpreter: the one that `FEDCELL_PYTHON` names, or that of `cargo xtask reference`.
pub fn interpreter() -> PathBuf {
    std::env::var_os(INTERPRETER).map_or_else(|| workspace().join("target/reference/bin/python"), PathBuf::from)
}

/// A command that runs `tests/reference/SCRIPT` with that interpreter.
pub fn script(name: &str) -> Command {
    let mut command = Command::new(interpreter());
    command.arg(workspace().join("tests/reference").join(name));
    command
}
