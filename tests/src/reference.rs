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

/// Which of the reference's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Takes members.
    Server,
    /// Between the server and clients.
    Relay,
    /// A site.
    Client,
}

/// A participant of the reference with this kit, as the kit's start script runs it.
pub(crate) fn participant(role: Role, kit: &Path, name: &str, organization: &str) -> Command {
    let (module, config) = match role {
        Role::Server => ("nvflare.private.fed.app.server.server_train", "fed_server.json"),
        Role::Relay => ("nvflare.private.fed.app.relay.relay", "fed_relay.json"),
        Role::Client => ("nvflare.private.fed.app.client.client_train", "fed_client.json"),
    };
    let mut command = Command::new(interpreter());
    command.args(["-u", "-m", module, "-m"]).arg(kit).args(["-s", config, "--set", "secure_train=true"]);
    if role != Role::Server {
        command.arg(format!("uid={name}"));
    }
    command.arg(format!("org={organization}")).arg("config_folder=config").current_dir(kit);
    command
}
