//! Kits of one project, made by either.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::{binary, ports, reference};

/// The organization of all of them.
pub(super) const ORGANIZATION: &str = "nvidia";

/// Who has made the kits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kits {
    /// We, as the command line says.
    Ours,
    /// We, as a project file of the reference says.
    OursOfItsProject,
    Reference,
    /// The same, of a project that says nothing of protection: the reference writes `None`, as a text.
    ReferenceUnsaid,
}

impl Kits {
    /// Has them made below a folder, for ports that are free now: a server, a relay and a site at each. Where they are.
    pub(super) fn make(self, folder: &Path) -> Result<PathBuf> {
        let ports = ports::free()?;
        match self {
            Self::Ours => ours(folder, ports),
            Self::OursOfItsProject => ours_of_its_project(folder, ports),
            Self::Reference => of_the_reference(folder, &project(ports)),
            Self::ReferenceUnsaid => {
                let said = project(ports);
                let unsaid = said.replace("connection_security: mtls\n", "").replace(", connection_security: mtls", "");
                of_the_reference(folder, &unsaid)
            }
        }
    }
}

fn ours(folder: &Path, [port, admin, relay]: [u16; 3]) -> Result<PathBuf> {
    let mut command = Command::new(binary::fedcell()?);
    command.args(["provision", "--project", "proj", "--server", "localhost", "--org", ORGANIZATION]);
    command.arg("--output").arg(folder).args(["--port", &port.to_string(), "--admin-port", &admin.to_string()]);
    command.args(["--relay", &format!("relay-1@localhost:{relay}")]);
    command.args(["--site", "site-1", "--site", "site-2=relay-1"]);
    ensure!(command.stdout(Stdio::null()).status()?.success(), "fedcell provision has failed");
    Ok(folder.join("proj/prod_00"))
}

fn ours_of_its_project(folder: &Path, ports: [u16; 3]) -> Result<PathBuf> {
    fs::write(folder.join("project.yml"), project(ports))?;
    let mut command = Command::new(binary::fedcell()?);
    command.args(["provision", "-p", "project.yml"]).current_dir(folder).stdout(Stdio::null());
    ensure!(command.status()?.success(), "fedcell provision -p has failed");
    Ok(folder.join("proj/prod_00"))
}

fn of_the_reference(folder: &Path, project: &str) -> Result<PathBuf> {
    fs::write(folder.join("project.yml"), project)?;
    // The tool stands beside the interpreter.
    let mut command = Command::new(reference::interpreter().with_file_name("nvflare"));
    command.args(["provision", "-p", "project.yml", "-w", "workspace", "--force"]);
    let output = command.current_dir(folder).stdin(Stdio::null()).output()?;
    let kits = folder.join("workspace/proj/prod_00");
    ensure!(kits.is_dir(), "nvflare provision has failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(kits)
}

/// A project as the reference and we read it.
fn project([port, admin, relay]: [u16; 3]) -> String {
    format!(
        "api_version: 3
name: proj
description: d
connection_security: mtls
participants:
  - {{name: localhost, type: server, org: {ORGANIZATION}, fed_learn_port: {port}, admin_port: {admin}}}
  - name: relay-1
    type: relay
    org: {ORGANIZATION}
    listening_host: {{scheme: tcp, default_host: localhost, port: {relay}, connection_security: mtls}}
  - {{name: site-1, type: client, org: {ORGANIZATION}}}
  - {{name: site-2, type: client, org: {ORGANIZATION}, connect_to: {{name: relay-1}}}}
builders:
  - path: nvflare.lighter.impl.workspace.WorkspaceBuilder
  - path: nvflare.lighter.impl.static_file.StaticFileBuilder
    args: {{config_folder: config, scheme: tcp}}
  - path: nvflare.lighter.impl.cert.CertBuilder
"
    )
}
