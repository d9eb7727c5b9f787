//! Whole participants: server, relay and sites of both programs in one federation, with kits of either.
//!
//! Each row starts the real programs as processes, the reference's as its start scripts do and ours as `fedcell` roles,
//! over mutual TLS, and waits for what they say: that a participant proved itself, was given a token, and stays. Then all
//! are ended.

use core::time::Duration;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail, ensure};

use super::Outcome;
use crate::Options;

/// How long a participant may take to say what is expected of it. A Python one takes seconds to start.
const PATIENCE: Duration = Duration::from_secs(90);

/// Pause between looks at a log.
const PAUSE: Duration = Duration::from_millis(200);

const JOB: &str = "0d3b5a3e-8f0a-4a53-9d9f-0c2b8f1d2e11";

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ours,
    Reference,
}

/// Who has made the kits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kits {
    /// We, as the command line says.
    Ours,
    /// We, as a project file of the reference says.
    OursOfItsProject,
    Reference,
}

/// One federation: whose kits, and who runs what.
struct Row {
    name: &'static str,
    kits: Kits,
    server: Kind,
    relay: Kind,
    /// Directly at the server, then behind the relay.
    sites: [Kind; 2],
}

const ROWS: [Row; 6] = [
    Row {
        name: "our kits, all of the reference",
        kits: Kits::Ours,
        server: Kind::Reference,
        relay: Kind::Reference,
        sites: [Kind::Reference; 2],
    },
    Row {
        name: "its kits, our sites at its server and its relay",
        kits: Kits::Reference,
        server: Kind::Reference,
        relay: Kind::Reference,
        sites: [Kind::Ours; 2],
    },
    Row {
        name: "its kits, our sites behind our relay at its server",
        kits: Kits::Reference,
        server: Kind::Reference,
        relay: Kind::Ours,
        sites: [Kind::Ours; 2],
    },
    Row {
        name: "our kits, its sites at our server and behind our relay",
        kits: Kits::Ours,
        server: Kind::Ours,
        relay: Kind::Ours,
        sites: [Kind::Reference; 2],
    },
    Row {
        name: "its kits, its relay and sites of both at our server",
        kits: Kits::Reference,
        server: Kind::Ours,
        relay: Kind::Reference,
        sites: [Kind::Reference, Kind::Ours],
    },
    Row {
        name: "our kits of its project.yml, all of the reference",
        kits: Kits::OursOfItsProject,
        server: Kind::Reference,
        relay: Kind::Reference,
        sites: [Kind::Reference; 2],
    },
];

/// Rows of a quick run.
const QUICK: [usize; 2] = [1, 3];

/// Runs the rows.
///
/// # Errors
///
/// What a participant did not say.
#[expect(clippy::print_stdout, reason = "a table for people")]
pub fn run(options: Options) -> Outcome {
    let program = program()?;
    let mut failed = 0;
    for (number, row) in ROWS.iter().enumerate() {
        if options.quick && !QUICK.contains(&number) {
            continue;
        }
        let started = Instant::now();
        match federation(&program, row) {
            Ok(()) => println!("ok      {:>5.1} s  {}", started.elapsed().as_secs_f64(), row.name),
            Err(error) => {
                failed += 1;
                println!("failed  {:>5.1} s  {}: {error:#}", started.elapsed().as_secs_f64(), row.name);
            }
        }
    }
    let started = Instant::now();
    match doctor(&program) {
        Ok(count) => println!("ok      {:>5.1} s  the doctor at {count} of its kits", started.elapsed().as_secs_f64()),
        Err(error) => {
            failed += 1;
            println!("failed  {:>5.1} s  the doctor at its kits: {error:#}", started.elapsed().as_secs_f64());
        }
    }
    ensure!(failed == 0, "{failed} federations did not come together");
    Ok(())
}

/// The binary beside this one, built now.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("this program is nowhere")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--package", "fedcell"]).current_dir(crate::reference::workspace());
    if folder.ends_with("release") {
        build.arg("--release");
    }
    ensure!(build.status()?.success(), "fedcell cannot be built");
    let program = folder.join("fedcell");
    ensure!(program.exists(), "{} is not there", program.display());
    Ok(program)
}

/// A participant; it is killed with this value.
struct Participant {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Drop for Participant {
    fn drop(&mut self) {
        // It may have ended; nobody is left who could do more.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Participant {
    fn start(name: &'static str, mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log)?;
        let errors = output.try_clone()?;
        command.stdin(Stdio::piped()).stdout(output).stderr(errors);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log })
    }

    /// Waits until its log has all of these words in one line.
    fn says(&mut self, words: &[&str]) -> anyhow::Result<()> {
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
            std::thread::sleep(PAUSE);
        }
    }
}

fn federation(program: &Path, row: &Row) -> Outcome {
    let folder = tempfile::tempdir()?;
    let ports = free_ports(4)?;
    let kits = match row.kits {
        Kits::Ours => our_kits(program, folder.path(), &ports)?,
        Kits::OursOfItsProject => our_kits_of_its_project(program, folder.path(), &ports)?,
        Kits::Reference => reference_kits(folder.path(), &ports)?,
    };
    let start = |name: &'static str, kind: Kind, role: &str| -> anyhow::Result<Participant> {
        let kit = kits.join(name);
        let command = match kind {
            Kind::Ours => {
                let mut command = Command::new(program);
                command.arg(role).arg("--kit").arg(&kit);
                if role != "relay" {
                    let workspace = folder.path().join(format!("{name}-work"));
                    command.args(["--job", JOB, "--sites", "2", "--workspace"]).arg(workspace);
                }
                if role != "site" {
                    command.args(["--listen", "127.0.0.1"]);
                }
                command
            }
            Kind::Reference => reference(&kit, name, role),
        };
        Participant::start(name, command, folder.path())
    };
    let mut server = start("localhost", row.server, "server")?;
    match row.server {
        Kind::Ours => server.says(&["\"event\":\"ready\""])?,
        Kind::Reference => server.says(&["Server started"])?,
    }
    let mut relay = start("relay-1", row.relay, "relay")?;
    match row.relay {
        Kind::Ours => relay.says(&["\"event\":\"ready\""])?,
        Kind::Reference => relay.says(&["Successfully authenticated"])?,
    }
    let mut sites = Vec::new();
    for (name, kind) in ["site-1", "site-2"].into_iter().zip(row.sites) {
        sites.push((name, kind, start(name, kind, "site")?));
    }
    for (name, kind, site) in &mut sites {
        match kind {
            Kind::Ours => site.says(&["\"event\":\"registered\"", name])?,
            Kind::Reference => site.says(&["Successfully registered client", name])?,
        }
        match row.server {
            Kind::Ours => server.says(&["\"event\":\"joined\"", name])?,
            Kind::Reference => server.says(&["New client", name])?,
        }
    }
    // Ours say goodbye at the end of their input.
    for (name, kind, mut site) in sites {
        if kind == Kind::Ours {
            drop(site.child.stdin.take());
            let end = Instant::now() + PATIENCE;
            while site.child.try_wait()?.is_none() {
                ensure!(Instant::now() < end, "{name} does not end with its input");
                std::thread::sleep(PAUSE);
            }
            match row.server {
                Kind::Ours => server.says(&["\"event\":\"left\"", name])?,
                Kind::Reference => server.says(&["Client Name:", name])?,
            }
        }
    }
    Ok(())
}

/// A program of the reference with this kit, as its start script runs it.
fn reference(kit: &Path, name: &str, role: &str) -> Command {
    let (module, config) = match role {
        "server" => ("nvflare.private.fed.app.server.server_train", "fed_server.json"),
        "relay" => ("nvflare.private.fed.app.relay.relay", "fed_relay.json"),
        _ => ("nvflare.private.fed.app.client.client_train", "fed_client.json"),
    };
    let mut command = Command::new(crate::reference::interpreter());
    command.args(["-u", "-m", module, "-m"]).arg(kit).args(["-s", config, "--set", "secure_train=true"]);
    if role != "server" {
        command.arg(format!("uid={name}"));
    }
    command.args(["org=nvidia", "config_folder=config"]).current_dir(kit);
    command
}

fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let held = (0..count).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect::<Result<Vec<_>, _>>()?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

fn our_kits(program: &Path, folder: &Path, ports: &[u16]) -> anyhow::Result<PathBuf> {
    let mut command = Command::new(program);
    command
        .args(["provision", "--project", "proj", "--server", "localhost", "--org", "nvidia", "--output"])
        .arg(folder);
    command.args(["--port", &ports[0].to_string(), "--admin-port", &ports[1].to_string()]);
    command.args([
        "--relay",
        &format!("relay-1@localhost:{}", ports[2]),
        "--site",
        "site-1",
        "--site",
        "site-2=relay-1",
    ]);
    ensure!(command.stdout(Stdio::null()).status()?.success(), "fedcell provision has failed");
    Ok(folder.join("proj/prod_00"))
}

fn our_kits_of_its_project(program: &Path, folder: &Path, ports: &[u16]) -> anyhow::Result<PathBuf> {
    fs::write(folder.join("project.yml"), project(ports))?;
    let mut command = Command::new(program);
    command.args(["provision", "-p", "project.yml"]).current_dir(folder).stdout(Stdio::null());
    ensure!(command.status()?.success(), "fedcell provision -p has failed");
    Ok(folder.join("proj/prod_00"))
}

/// A project as the reference and we read it.
fn project(ports: &[u16]) -> String {
    format!(
        "api_version: 3
name: proj
description: d
connection_security: mtls
participants:
  - {{name: localhost, type: server, org: nvidia, fed_learn_port: {}, admin_port: {}}}
  - name: relay-1
    type: relay
    org: nvidia
    listening_host: {{scheme: tcp, default_host: localhost, port: {}, connection_security: mtls}}
  - {{name: site-1, type: client, org: nvidia}}
  - {{name: site-2, type: client, org: nvidia, connect_to: {{name: relay-1}}}}
builders:
  - path: nvflare.lighter.impl.workspace.WorkspaceBuilder
  - path: nvflare.lighter.impl.static_file.StaticFileBuilder
    args: {{config_folder: config, scheme: tcp}}
  - path: nvflare.lighter.impl.cert.CertBuilder
",
        ports[0], ports[1], ports[2]
    )
}

fn reference_kits(folder: &Path, ports: &[u16]) -> anyhow::Result<PathBuf> {
    fs::write(folder.join("project.yml"), project(ports))?;
    // The tool stands beside the interpreter.
    let mut command = Command::new(crate::reference::interpreter().with_file_name("nvflare"));
    command.args(["provision", "-p", "project.yml", "-w", "workspace", "--force"]);
    let output = command.current_dir(folder).stdin(Stdio::null()).output()?;
    let kits = folder.join("workspace/proj/prod_00");
    ensure!(kits.is_dir(), "nvflare provision has failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(kits)
}

/// Our doctor at kits of the reference: as they are, flawed, and with its server running. How many it has seen.
fn doctor(program: &Path) -> anyhow::Result<usize> {
    let folder = tempfile::tempdir()?;
    let ports = free_ports(3)?;
    let kits = reference_kits(folder.path(), &ports)?;
    let mut count = 0;
    let mut check = |kit: &Path, more: &[&str], code: i32, expected: &str| -> anyhow::Result<()> {
        count += 1;
        let output = Command::new(program).arg("doctor").arg(kit).args(more).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let is_right = output.status.code() == Some(code) && said.contains(expected);
        ensure!(is_right, "{} {more:?}: {}, expected {code} and {expected:?}:\n{said}", kit.display(), output.status);
        Ok(())
    };
    let offline = ["--offline"];
    for name in ["localhost", "relay-1", "site-1", "site-2"] {
        check(&kits.join(name), &offline, 0, "believed and good for its role")?;
    }
    let site = kits.join("site-1");
    let quickly = ["--timeout", "10"];
    check(&site, &quickly, 4, "nothing answers at localhost")?;

    let mut server =
        Participant::start("localhost", reference(&kits.join("localhost"), "localhost", "server"), folder.path())?;
    server.says(&["Server started"])?;
    check(&site, &quickly, 0, "takes this kit, and the server has proved who it is")?;
    check(&kits.join("localhost"), &quickly, 3, "is taken by another process")?;
    check(&kits.join("site-2"), &quickly, 4, "nothing answers at localhost")?;

    // What is in the kit is changed step by step, each flaw behind the last one mended.
    let startup = site.join("startup");
    let config = startup.join("fed_client.json");
    let right = fs::read_to_string(&config)?;
    fs::write(&config, right.replace("\"identity\": \"localhost\"", "\"identity\": \"elsewhere\""))?;
    check(&site, &quickly, 4, "does not take this kit")?;
    fs::write(&config, &right)?;
    fs::copy(kits.join("site-2/startup/client.key"), startup.join("client.key"))?;
    check(&site, &offline, 3, "private key does not belong to the certificate")?;
    fs::copy(kits.join("site-2/startup/client.crt"), startup.join("client.crt"))?;
    check(&site, &offline, 3, "is not the name in the kit's configuration")?;
    Ok(count)
}
