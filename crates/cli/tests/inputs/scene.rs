//! What the rows stand in: kits of two projects, flawed copies of them, certificates of every wrong kind, running servers.

use core::time::Duration;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use rcgen::{CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::Value;
use tempfile::TempDir;

/// After which time a command that should have failed is killed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A user who may do nothing.
const NOBODY: u32 = 65_534;

pub(crate) const JOB: &str = "0d3b5a3e-8f0a-4a53-9d9f-0c2b8f1d2e11";

/// How a command has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A folder with the kits of the projects `p` and `q`, which are alike but for their authorities.
pub(crate) struct Scene {
    folder: TempDir,
    /// Ports of the server, of its administrators, of the relay, and one on which nobody listens.
    pub(crate) ports: [u16; 4],
}

impl Scene {
    pub(crate) fn new(sites: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // Nobody must be able to look at it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("rights");
        let taken: Vec<_> = (0..4).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
        let ports: Vec<_> = taken.iter().map(|port| port.local_addr().expect("an address").port()).collect();
        let scene = Self { folder, ports: ports.try_into().expect("four ports") };
        fs::create_dir(scene.path("work")).expect("a folder");
        let sites: Vec<_> = (1..=sites).flat_map(|number| ["--site".to_owned(), format!("site-{number}")]).collect();
        for project in ["p", "q"] {
            let ended = scene.run(
                Command::new(env!("CARGO_BIN_EXE_fedcell"))
                    .args(["provision", "--project", project, "--server", "localhost", "--days", "90"])
                    .args(["--port", &scene.ports[0].to_string(), "--admin-port", &scene.ports[1].to_string()])
                    .args(["--relay", &format!("relay-1@localhost:{}", scene.ports[2])])
                    .args(&sites)
                    .args([
                        "--site",
                        &format!("site-{}=relay-1", sites.len() / 2 + 1),
                        "--admin",
                        "admin@example.org",
                        "--output",
                    ])
                    .arg(scene.folder.path()),
            );
            assert_eq!(ended.code, Some(0), "{}", ended.err);
        }
        scene
    }

    /// Something in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The kit of a participant as it was provisioned.
    pub(crate) fn kit(&self, project: &str, name: &str) -> PathBuf {
        self.path(&format!("{project}/prod_00/{name}"))
    }

    /// A copy of a kit of project `p`, changed.
    pub(crate) fn flawed(&self, name: &str, change: impl FnOnce(&Path)) -> PathBuf {
        let flawed = self.path("flawed").join(name);
        if flawed.exists() {
            fs::remove_dir_all(&flawed).expect("the last one goes");
        }
        copy(&self.kit("p", name), &flawed);
        change(&flawed);
        flawed
    }

    /// A copy of a kit in whose configuration one text stands for another.
    pub(crate) fn reworded(&self, name: &str, file: &str, from: &str, to: &str) -> PathBuf {
        self.flawed(name, |kit| {
            let file = kit.join(file);
            let text = fs::read_to_string(&file).expect("a configuration");
            assert!(text.contains(from), "{from} is not in {text}");
            fs::write(file, text.replace(from, to)).expect("a write");
        })
    }

    /// A copy of a kit with another certificate for the same key, signed by the same authority.
    pub(crate) fn certified(&self, name: &str, file: &str, change: impl FnOnce(&mut CertificateParams)) -> PathBuf {
        let state: Value =
            serde_json::from_slice(&fs::read(self.path("p/state/cert.json")).expect("the state")).expect("JSON");
        let authority_key = KeyPair::from_pem(state["root_pri_key"].as_str().expect("a key")).expect("a key");
        let mut authority = CertificateParams::default();
        authority.distinguished_name = named("p");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        params.distinguished_name = named(name);
        change(&mut params);
        self.flawed(name, |kit| {
            let key = fs::read_to_string(kit.join("startup").join(file).with_extension("key")).expect("a key");
            let key = KeyPair::from_pem(&key).expect("a key");
            let certificate = params.signed_by(&key, &Issuer::new(authority, authority_key)).expect("a certificate");
            fs::write(kit.join("startup").join(file), certificate.pem()).expect("a write");
        })
    }

    /// Runs a command to its end; its standard input stays open as long.
    pub(crate) fn run(&self, command: &mut Command) -> Ended {
        self.run_in(&self.path("work"), command)
    }

    /// The same in another folder.
    pub(crate) fn run_in(&self, folder: &Path, command: &mut Command) -> Ended {
        let mut child = command
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take();
        let pid = child.id().to_string();
        let (ended, waiting) = mpsc::channel::<()>();
        let watchdog = thread::spawn(move || {
            if waiting.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                _ = Command::new("kill").args(["-KILL", &pid]).status();
            }
        });
        let output = child.wait_with_output().expect("an end");
        drop((input, ended));
        watchdog.join().expect("the watchdog ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The program with these arguments.
    pub(crate) fn fedcell(&self, arguments: &[OsString]) -> Ended {
        self.run(Command::new(env!("CARGO_BIN_EXE_fedcell")).args(arguments))
    }

    /// The program as a user to whom rights of files apply.
    pub(crate) fn fedcell_as_nobody(&self, arguments: &[OsString]) -> Ended {
        let is_root = fs::metadata("/proc/self").expect("a process").uid() == 0;
        if !is_root {
            return self.fedcell(arguments);
        }
        let program = self.path("fedcell");
        if !program.exists() {
            fs::copy(env!("CARGO_BIN_EXE_fedcell"), &program).expect("a copy");
        }
        self.run(Command::new(program).args(arguments).uid(NOBODY).gid(NOBODY))
    }

    /// Everything in the folder but flawed kits and the copy of the program.
    pub(crate) fn tree(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.folder.path().to_path_buf()];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(next).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path == self.path("flawed") || path == self.path("fedcell") {
                    continue;
                }
                if path.is_dir() {
                    open.push(path.clone());
                }
                found.insert(path);
            }
        }
        found
    }

    /// What is said, without what changes from run to run.
    pub(crate) fn neutral(&self, text: &str) -> String {
        let mut text = text.replace(&self.folder.path().display().to_string(), "DIR");
        for (port, name) in self.ports.iter().zip(["SERVER", "ADMIN", "RELAY", "FREE"]) {
            text = text.replace(&port.to_string(), name);
        }
        text
    }
}

/// A running program of ours. It is killed with this value.
pub(crate) struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Running {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(arguments: &[OsString]) -> Self {
        let mut running = Self::begin(arguments);
        running.event("ready");
        running
    }

    /// Starts it.
    pub(crate) fn begin(arguments: &[OsString]) -> Self {
        Self::begin_in(Path::new("."), arguments)
    }

    /// Starts it in that folder.
    pub(crate) fn begin_in(folder: &Path, arguments: &[OsString]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fedcell"));
        let command = command
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { input: child.stdin.take(), child, lines }
    }

    /// The next thing of that name that it says.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        let lines = self.lines.by_ref().map(|line| serde_json::from_str(&line.expect("a line")).expect("a JSON line"));
        lines.into_iter().find(|line: &Value| line["event"] == name).expect("the event")
    }

    /// What it still says, and its exit code.
    pub(crate) fn rest(mut self) -> (Vec<Value>, Option<i32>) {
        let lines = self.lines.by_ref().map(|line| serde_json::from_str(&line.expect("a line")).expect("a JSON line"));
        let rest = lines.collect();
        (rest, self.child.wait().expect("an end").code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Arguments as they are typed; what is in `with` stands where a text is empty.
pub(crate) fn words(typed: &str, with: &[&Path]) -> Vec<OsString> {
    let mut with = with.iter();
    let place = |word| match word {
        "_" => with.next().expect("a path for each _").as_os_str().to_owned(),
        word => OsString::from(word),
    };
    typed.split(' ').map(place).collect()
}

/// A new pair of another authority would not do: this one has the right name and another key.
pub(crate) fn new_key() -> String {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key").serialize_pem()
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
