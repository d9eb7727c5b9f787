//! Federations of real processes: the demo, its end by a signal, and what roles and doctor say of kits that do not fit.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

fn fedcell(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fedcell"));
    command.args(arguments);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn run(arguments: &[&str], code: i32) -> Output {
    let output = fedcell(arguments).stdin(Stdio::null()).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{}{}", text(&output.stdout), text(&output.stderr));
    output
}

/// Runs the demo; the last line is its result.
fn demo(folder: &Path, more: &[&str]) -> Value {
    let output = folder.display().to_string();
    let base = ["demo", "--json", "--sites", "3", "--rounds", "3", "--target", "0.5", "--output", &output];
    let run = run(&[&base[..], more].concat(), 0);
    serde_json::from_str(text(&run.stdout).lines().last().expect("a line")).expect("a JSON line")
}

#[test]
fn the_demo_learns_and_a_killed_relay_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (calm, disturbed) = (folder.path().join("calm"), folder.path().join("disturbed"));
    let result = demo(&calm, &[]);
    assert_eq!((&result["event"], &result["rounds"]), (&"result".into(), &3.into()));
    for (site, fqcn) in [(0, "site-1"), (1, "relay-1.site-2"), (2, "relay-1.site-3")] {
        let site = &result["sites"][site];
        assert_eq!((&site["fqcn"], &site["results"]), (&fqcn.into(), &3.into()), "{site}");
        assert!(site["bytes"].as_u64().expect("a number") > 3 * 2410 * 4, "{site}");
    }
    let picture = std::fs::read_to_string(calm.join("accuracy.svg")).expect("the picture");
    assert_eq!(picture.matches("<circle").count(), 4);

    let result = demo(&disturbed, &["--kill-relay-at", "1"]);
    assert!((0..3).all(|site| result["sites"][site]["results"] == 3), "{result}");
    let model = |folder: &Path| std::fs::read(folder.join("final_model.safetensors")).expect("the model");
    assert!(model(&calm) == model(&disturbed), "another model");
}

/// Whether a process is there.
fn is_alive(pid: u64) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    // One that has ended and was not asked for yet is not alive.
    state.is_ok_and(|state| !state.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

#[test]
fn a_signal_ends_everything_that_the_demo_has_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().display().to_string();
    let mut child = fedcell(&["demo", "--json", "--sites", "2", "--rounds", "1000", "--output", &output])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut pids = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    // Until a round is over: then all are there.
    for line in lines.by_ref() {
        let line: Value = serde_json::from_str(&line.expect("a line")).expect("a JSON line");
        pids.extend(line["said"]["pid"].as_u64());
        if line["said"]["event"] == "round" {
            break;
        }
    }
    assert_eq!(pids.len(), 4, "server, relay and two sites");
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(signalled.success());
    lines.for_each(drop);
    assert_eq!(child.wait().expect("an end").code(), Some(1));
    assert!(pids.iter().all(|pid| !is_alive(*pid)), "something is left");
    let temporary = std::env::temp_dir().join(format!("fedcell-demo-{}", child.id()));
    assert!(!temporary.exists(), "kits are left");
}

struct Kits(TempDir);

impl Kits {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let output = folder.path().display().to_string();
        let base = ["provision", "--output", &output, "--project", "p", "--server", "localhost", "--days", "90"];
        let more = ["--relay", "relay-1@localhost:8102", "--site", "site-1", "--site", "site-2=relay-1"];
        run(&[&base[..], &more].concat(), 0);
        Self(folder)
    }

    fn kit(&self, name: &str) -> String {
        self.0.path().join("p/prod_00").join(name).display().to_string()
    }

    fn file(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join("p/prod_00").join(path)
    }
}

#[test]
fn the_doctor_names_what_is_wrong() {
    let kits = Kits::new();
    let check = |name: &str, code: i32, expected: &str| {
        let output = run(&["doctor", &kits.kit(name), "--offline"], code);
        assert!(text(&output.stdout).contains(expected), "{name}: {}", text(&output.stdout));
    };
    for name in ["localhost", "relay-1", "site-1", "site-2"] {
        check(name, 0, "believed and good for its role");
    }
    check("nobody", 3, "is no kit");
    let copy = |from: &str, to: &str| std::fs::copy(kits.file(from), kits.file(to)).expect("a copy");
    copy("site-2/startup/client.key", "site-1/startup/client.key");
    check("site-1", 3, "private key");
    copy("site-2/startup/client.crt", "site-1/startup/client.crt");
    check("site-1", 3, "is not the name in the kit's configuration");
    std::fs::write(kits.file("site-2/startup/fed_client.json"), "{").expect("a write");
    check("site-2", 3, "is no JSON");
    // As nvflare provisions a relay of which the project does not say how it is protected.
    let comm = kits.file("relay-1/local/comm_config.json");
    let said = std::fs::read_to_string(&comm).expect("a file");
    assert!(said.contains("\"mtls\""), "{said}");
    std::fs::write(&comm, said.replace("\"mtls\"", "\"clear\"")).expect("a write");
    check("relay-1", 0, "connections from those behind it are not protected; say connection_security: mtls");
    std::fs::remove_file(kits.file("relay-1/startup/client.crt")).expect("a removal");
    check("relay-1", 3, "client.crt");
    std::fs::remove_file(kits.file("relay-1/local/comm_config.json")).expect("a removal");
    check("relay-1", 3, "says where the relay listens");

    let path = |name: &str| kits.file(name).display().to_string();
    let (ca, cert, key) = (
        path("localhost/startup/rootCA.pem"),
        path("localhost/startup/server.crt"),
        path("localhost/startup/server.key"),
    );
    run(&["doctor", "--ca", &ca, "--cert", &cert, "--key", &key, "--for", "server"], 0);
    run(&["doctor", "--ca", &ca, "--cert", &cert, "--key", &path("relay-1/startup/client.key")], 3);
}

#[test]
fn the_doctor_sees_ports_and_servers() {
    let kits = Kits::new();
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    // The kit as it would be with this port.
    for path in ["localhost/startup/fed_server.json", "site-1/startup/fed_client.json"] {
        let file = kits.file(path);
        let config = std::fs::read_to_string(&file).expect("a file").replace("8002", &port.to_string());
        std::fs::write(file, config).expect("a write");
    }
    let output = run(&["doctor", &kits.kit("localhost")], 3);
    assert!(text(&output.stdout).contains(&format!("{port} is taken")), "{}", text(&output.stdout));
    // It takes connections and says nothing: no cell.
    let output = run(&["doctor", &kits.kit("site-1"), "--timeout", "1"], 4);
    assert!(text(&output.stdout).contains("does not take this kit"), "{}", text(&output.stdout));
    drop(listener);
    let output = run(&["doctor", &kits.kit("site-1"), "--timeout", "1", "--json"], 4);
    let last: Value = serde_json::from_str(text(&output.stdout).lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["state"], &last["subject"]), (&"error".into(), &"server".into()));
    assert!(last["text"].as_str().expect("a text").contains("nothing answers"), "{last}");
}

#[test]
fn a_role_needs_its_own_kit() {
    let kits = Kits::new();
    let check = |arguments: &[&str], expected: &str| {
        let output = run(arguments, 3);
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
        assert_eq!(text(&output.stderr).lines().count(), 1);
    };
    let work = kits.file("work").display().to_string();
    let job = "0d3b5a3e-8f0a-4a53-9d9f-0c2b8f1d2e11";
    let site = |kit: &str| ["site", "--kit", kit, "--job", job, "--workspace", &work].map(str::to_owned);
    let words = |words: &[String]| words.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    let relay_kit = kits.kit("relay-1");
    let arguments = site(&relay_kit);
    check(&words(&arguments).split(' ').collect::<Vec<_>>(), "is a kit of a relay, this command needs one of a site");
    check(&["relay", "--kit", &kits.kit("site-1")], "is a kit of a site, this command needs one of a relay");
    check(&["relay", "--kit", "/no/such/kit"], "is no kit");
    let site_kit = kits.kit("site-2");
    let arguments = [words(&site(&site_kit)), "--sites 1".to_owned()].join(" ");
    check(&arguments.split(' ').collect::<Vec<_>>(), "site-2 is none of the 1 sites of the job");
}
