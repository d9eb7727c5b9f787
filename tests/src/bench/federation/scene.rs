//! A project that the reference has provisioned, with a crowd of sites, and the servers of both makers in it.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::crowd::{Crowd, Outstanding, PER_RELAY, relay_name, site_name};
use crate::bench::memory::{self, Memory};
use crate::interop::cell::process::{CLIENT_ARGUMENT, Kind, Maker, Process};
use crate::interop::programs::Participant;
use crate::reference::{self, Role};
use crate::{binary, ports};

/// Name of the project.
pub(crate) const PROJECT: &str = "bench";
/// Name of the server: also where it is dialled.
pub(crate) const SERVER: &str = "localhost";

/// What a server's process is called, and its log in its workspace.
const NAME: &str = "server";
const LOG: &str = "server.log";

/// Until the reference has made all keys, or a server takes clients.
const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(100);

/// A provisioned project, removed at the end.
#[derive(Debug)]
pub(super) struct Scene {
    folder: TempDir,
    server: PathBuf,
    ports: [u16; 2],
}

/// A running server.
pub(super) struct Server {
    body: Body,
    /// Where it listens for sites.
    pub(super) port: u16,
    /// Its memory before anybody had registered.
    pub(super) idle: Memory,
}

enum Body {
    Ours(Process),
    Program(Participant),
}

impl Scene {
    /// Has the reference provision it, with so many sites in the crowd.
    pub(super) fn provision(sites: usize) -> Result<Self> {
        let folder = TempDir::with_prefix("fedcell-bench-")?;
        let ports = ports::free()?;
        let project = json!({
            "api_version": 3, "name": PROJECT, "description": "a crowd",
            "participants": [
                {"name": SERVER, "type": "server", "org": PROJECT, "fed_learn_port": ports[0], "admin_port": ports[1]},
                {"name": "admin@bench.org", "type": "admin", "org": PROJECT, "role": "project_admin"},
            ],
        });
        let relays = (0..sites.div_ceil(PER_RELAY)).map(relay_name);
        let crowd: Vec<String> = relays.chain((0..sites).map(site_name)).collect();
        let target = folder.path().join("project");
        let config = json!({
            "role": "provision", "name": "the provisioner", "folder": target, "project": project, "crowd": crowd,
        });
        let log = folder.path().join("provision.log");
        let process = Process::start_kind(Kind::Federation, Maker::Theirs, &config, &log)?;
        let event = process.event("provisioned", PATIENCE)?;
        let server = Path::new(event["kits"].as_str().context("no folder of kits")?).join(SERVER);
        Ok(Self { folder, server, ports })
    }

    /// Folder of the kits of the crowd.
    pub(super) fn crowd(&self) -> PathBuf {
        self.folder.path().join("project/crowd")
    }

    /// A file in the scene's folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a server that does nothing but take sites, and waits until it does.
    pub(super) fn serve(&self, maker: Maker) -> Result<Server> {
        self.start(|workspace, log| {
            let config = || json!({"role": "server", "workspace": workspace, "watched": false});
            Ok(match maker {
                Maker::Ours => Body::Ours(ours(&config(), log)?),
                Maker::Theirs => Body::Program(theirs(workspace)?),
            })
        })
    }

    /// Starts `fedcell server`, which has a job, and waits until it takes sites.
    pub(super) fn serve_program(&self) -> Result<Server> {
        self.start(|workspace, _| Ok(Body::Program(program(workspace)?)))
    }

    /// Starts a server with a copy of the kit, and waits until it takes sites.
    fn start(&self, body: impl FnOnce(&Path, &Path) -> Result<Body>) -> Result<Server> {
        let (workspace, port) = self.workspace()?;
        let log = workspace.join(LOG);
        let mut server = Server { body: body(&workspace, &log)?, port, idle: Memory::default() };
        self.wait(&mut server).with_context(|| format!("its log: {}", fs::read_to_string(&log).unwrap_or_default()))?;
        Ok(server)
    }

    /// Starts a server of ours with one job.
    pub(super) fn serve_job(&self, sites: &[String], rounds: usize) -> Result<Server> {
        let (workspace, port) = self.workspace()?;
        let config = json!({"role": "job", "workspace": workspace, "sites": sites, "rounds": rounds});
        let body = Body::Ours(ours(&config, &workspace.join(LOG))?);
        Ok(Server { body, port, idle: Memory::default() })
    }

    /// A copy of the server's kit with a port of its own.
    fn workspace(&self) -> Result<(PathBuf, u16)> {
        let ports = ports::free::<2>()?;
        let workspace = TempDir::with_prefix_in("server-", self.folder.path())?.keep();
        for part in ["startup", "local"] {
            fs::create_dir_all(workspace.join(part))?;
            for entry in fs::read_dir(self.server.join(part))? {
                let entry = entry?;
                fs::copy(entry.path(), workspace.join(part).join(entry.file_name()))?;
            }
        }
        let kit = workspace.join("startup/fed_server.json");
        let mut text = fs::read_to_string(&kit)?;
        for (old, new) in self.ports.iter().zip(ports) {
            text = text.replace(&old.to_string(), &new.to_string());
        }
        fs::write(&kit, text)?;
        Ok((workspace, ports[0]))
    }

    /// Waits until a site has registered.
    fn wait(&self, server: &mut Server) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            server.idle = memory::of(server.id())?;
            let joined = Crowd::connect(server.port, &self.crowd(), 1).and_then(|mut one| one.register(Outstanding(1)));
            match joined {
                Ok(_) => return Ok(()),
                Err(error) => ensure!(Instant::now() < end, "the server takes nobody: {error:#}"),
            }
            thread::sleep(PAUSE);
        }
    }
}

/// A process of ours in that role, once it is ready.
fn ours(config: &Value, log: &Path) -> Result<Process> {
    let process = Process::start_own(CLIENT_ARGUMENT, "our server".to_owned(), config, log)?;
    process.event("ready", PATIENCE)?;
    Ok(process)
}

/// The program of ours, once it is ready.
fn program(workspace: &Path) -> Result<Participant> {
    let mut command = Command::new(binary::fedcell()?);
    command.args(["server", "--listen", "127.0.0.1", "--kit"]).arg(workspace);
    command.arg("--workspace").arg(workspace.join("run"));
    let mut program = Participant::start(NAME, command, workspace)?;
    program.says(&["\"event\":\"ready\""])?;
    Ok(program)
}

/// The reference's own server program, with nothing around it.
fn theirs(workspace: &Path) -> Result<Participant> {
    // As many sites as ours takes.
    let mut resources: Value = serde_json::from_slice(&fs::read(workspace.join("local/resources.json.default"))?)?;
    resources["servers"][0]["max_num_clients"] = json!(1000);
    fs::write(workspace.join("local/resources.json"), resources.to_string())?;
    Participant::start(NAME, reference::participant(Role::Server, workspace, SERVER, PROJECT), workspace)
}

impl Server {
    /// The process, if it is ours.
    pub(super) fn ours(&mut self) -> Option<&mut Process> {
        match &mut self.body {
            Body::Ours(process) => Some(process),
            Body::Program(_) => None,
        }
    }

    /// The id of the process.
    pub(super) fn id(&self) -> u32 {
        match &self.body {
            Body::Ours(process) => process.id(),
            Body::Program(program) => program.id(),
        }
    }

    /// Its URL for sites.
    pub(super) fn url(&self) -> String {
        format!("stcp://{SERVER}:{}", self.port)
    }
}
