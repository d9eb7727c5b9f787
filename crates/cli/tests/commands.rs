//! The commands as processes: a server, a site below it, and the tools that ask them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

fn fedcell(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fedcell"));
    command.args(arguments);
    command
}

/// A running `fedcell cell`; its input closes when this is dropped, which ends it.
struct Cell {
    child: Child,
    input: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
    ready: Value,
}

impl Cell {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with(Stdio::piped(), arguments)
    }

    fn start_with(input: Stdio, arguments: &[&str]) -> Self {
        let mut command = fedcell(&["cell", "--security", "clear"]);
        let mut child =
            command.args(arguments).stdin(input).stdout(Stdio::piped()).spawn().expect("the program starts");
        let input = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut cell = Self { child, input, lines, ready: Value::Null };
        cell.ready = cell.event();
        cell
    }

    /// The next line that it prints.
    fn event(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).expect("a JSON line")
    }

    fn server(more: &[&str]) -> (Self, String) {
        let cell = Self::start(&[&["--fqcn", "server", "--root-url", "tcp://127.0.0.1:0"], more].concat());
        let url = cell.ready["listeners"][0]["url"].as_str().expect("a URL").to_owned();
        (cell, url)
    }

    /// Ends the cell as the end of its input does; its exit code.
    fn hang_up(mut self) -> Option<i32> {
        drop(self.input.take());
        self.child.wait().expect("a status").code()
    }

    fn terminate(mut self) -> Option<i32> {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill");
        assert!(status.success());
        self.child.wait().expect("a status").code()
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[track_caller]
fn check(arguments: &[&str], code: i32, out: &str) {
    let Output { status, stdout, stderr } = fedcell(arguments).output().expect("the program runs");
    let stderr = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(code), "{arguments:?}: {stderr}");
    assert_eq!(String::from_utf8_lossy(&stdout), out, "{stderr}");
    // One line says what went wrong; usage errors are clap's.
    if code > 2 {
        assert_eq!(stderr.lines().filter(|line| line.starts_with("fedcell: ")).count(), 1, "{stderr}");
    }
}

#[track_caller]
fn json(arguments: &[&str]) -> Value {
    let Output { status, stdout, stderr } = fedcell(arguments).output().expect("the program runs");
    assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).expect("JSON")
}

#[test]
fn ready_says_who_and_where() {
    let (cell, url) = Cell::server(&[]);
    assert_eq!(cell.ready["event"], "ready");
    assert_eq!(cell.ready["fqcn"], "server");
    assert!(!url.ends_with(":0"), "{url}");
    assert_eq!(cell.hang_up(), Some(0));
}

#[test]
fn a_signal_ends_a_cell_well() {
    let (cell, _) = Cell::server(&[]);
    assert_eq!(cell.terminate(), Some(0));
}

#[test]
fn a_service_has_nobody_at_its_input() {
    let arguments = ["--fqcn", "server", "--root-url", "tcp://127.0.0.1:0", "--echo", "demo:hello"];
    let cell = Cell::start_with(Stdio::null(), &arguments);
    let url = cell.ready["listeners"][0]["url"].as_str().expect("a URL");
    let to = ["send", "--root-url", url, "--security", "clear", "--target", "server"];
    check(&[&to[..], &["--channel", "demo", "--topic", "hello", "--payload", "hi"]].concat(), 0, "hi");
    assert_eq!(cell.terminate(), Some(0));
}

#[test]
fn send() {
    let (_server, url) = Cell::server(&["--echo", "demo:hello", "--echo", "any:*"]);
    let send = |more: &[&'static str]| {
        let to = ["send", "--root-url", url.as_str(), "--security", "clear", "--target", "server", "--channel", "demo"];
        [to.as_slice(), more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let check = |more: &[&'static str], code, out| {
        let arguments = send(more);
        check(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), code, out);
    };
    check(&["--topic", "hello", "--payload", "hi"], 0, "hi");
    check(&["--topic", "hello"], 0, "");
    check(
        &["--topic", "hello", "--fobs", r#"{"round":3,"weights":[0.5,1]}"#],
        0,
        "{\"round\":3,\"weights\":[0.5,1]}\n",
    );
    check(&["--topic", "nothing"], 6, "");
    check(&["--topic", "hello", "--fobs", "{"], 2, "");
    check(&["--topic", "hello", "--payload", "@/no/such/file"], 3, "");
    check(&["--topic", "hello", "--target", "site-9"], 4, "");
    check(&["--topic", "hello", "--timeout", "0"], 2, "");

    let arguments = send(&["--topic", "hello", "--payload", "hi", "--json"]);
    let reply = json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(reply["code"], "ok");
    assert_eq!(reply["payload"], "hi");
    assert_eq!(reply["route"][0], "server");
    let arguments = send(&["--topic", "hello", "--payload", "hi", "--json", "--repeat", "50", "--concurrency", "7"]);
    let times = json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((&times["ok"], &times["failed"]), (&50.into(), &0.into()));
}

#[test]
fn streams_and_files() {
    let folder = std::env::temp_dir().join(format!("fedcell-receive-{}", std::process::id()));
    let received = folder.join("received");
    std::fs::create_dir_all(&received).expect("a folder");
    let receive = format!("demo:files={}", received.display());
    let (mut server, url) = Cell::server(&["--echo", "demo:hello", "--receive", &receive]);
    let to = ["send", "--root-url", &url, "--security", "clear", "--target", "server", "--channel", "demo"];
    check(&[&to[..], &["--topic", "hello", "--payload", "hi", "--stream"]].concat(), 0, "hi");
    // Nobody takes streams there: the sender is told.
    check(&[&to[..], &["--topic", "nothing", "--payload", "hi", "--stream"]].concat(), 4, "");

    let source = folder.join("a file.bin");
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&source, &content).expect("a file");
    let path = source.display().to_string();
    let sent = json(&[&to[..], &["--topic", "files", "--file", &path, "--json"]].concat());
    assert_eq!(sent["bytes"], content.len());
    let event = server.event();
    assert_eq!((&event["event"], &event["bytes"]), (&"file".into(), &content.len().into()));
    assert!(std::fs::read(received.join("a file.bin")).expect("the file") == content, "what arrived is something else");
    assert_eq!(std::fs::read_dir(&received).expect("a folder").count(), 1, "something else was left there");
    check(&[&to[..], &["--topic", "nothing", "--file", &path]].concat(), 4, "");
    check(&[&to[..], &["--topic", "files", "--file", "/no/such/file"]].concat(), 1, "");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

#[test]
fn downloads() {
    let folder = std::env::temp_dir().join(format!("fedcell-offer-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (source, fetched) = (folder.join("source.bin"), folder.join("fetched.bin"));
    let content: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&source, &content).expect("a file");
    let (server, url) = Cell::server(&["--offer", &source.display().to_string()]);
    let reference = server.ready["offers"][0]["ref"].as_str().expect("a reference").to_owned();
    let output = fetched.display().to_string();
    let to = ["send", "--root-url", &url, "--security", "clear", "--target", "server", "--output", &output];
    let got = json(&[&to[..], &["--json", "--download", &reference]].concat());
    assert_eq!(got["bytes"], content.len());
    assert!(std::fs::read(&fetched).expect("the file") == content, "what arrived is something else");
    check(&[&to[..], &["--download", "R00000000-0000-4000-8000-000000000000"]].concat(), 6, "");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

/// Runs a command that cannot work; one line says what went wrong, in these words.
#[track_caller]
fn fails(command: &mut Command, code: i32, words: &[&str]) {
    let Output { status, stderr, .. } = command.output().expect("the program runs");
    let stderr = String::from_utf8_lossy(&stderr);
    let said: Vec<_> = stderr.lines().filter(|line| line.starts_with("fedcell: ")).collect();
    assert_eq!((status.code(), said.len()), (Some(code), 1), "{stderr}");
    for word in words {
        assert!(said[0].contains(word), "{word:?} is not in {said:?}");
    }
}

#[test]
fn what_goes_wrong_with_files_is_said() {
    let folder = std::env::temp_dir().join(format!("fedcell-failing-{}", std::process::id()));
    let received = folder.join("received");
    std::fs::create_dir_all(&received).expect("a folder");
    let (source, closed) = (folder.join("source.bin"), folder.join("closed.bin"));
    std::fs::write(&source, vec![7; 3_000_000]).expect("a file");
    std::fs::write(&closed, "secret").expect("a file");
    let (source, closed) = (source.display().to_string(), closed.display().to_string());
    let receive = format!("demo:files={}", received.display());
    let (server, url) = Cell::server(&["--receive", &receive, "--offer", &source]);
    let reference = server.ready["offers"][0]["ref"].as_str().expect("a reference").to_owned();
    let to = ["send", "--root-url", &url, "--security", "clear", "--target"];
    let send = |target: &str, path: &str| {
        let mut command = fedcell(&to);
        command.args([target, "--channel", "demo", "--topic", "files", "--timeout", "5", "--file", path]);
        command
    };
    fails(&mut send("server", "/no/such/file"), 1, &["cannot read /no/such/file", "No such file"]);
    fails(&mut send("server", &folder.display().to_string()), 1, &["cannot read", "it is no file"]);
    let mut permissions = std::fs::metadata(&closed).expect("the file").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0);
    std::fs::set_permissions(&closed, permissions).expect("a change");
    // Who may do everything is refused nothing.
    if std::fs::File::open(&closed).is_err() {
        fails(&mut send("server", &closed), 1, &["cannot read", "Permission denied"]);
    }
    fails(&mut send("site-9", &source), 4, &["site-9"]);
    // The receiver has lost its folder: it says so, and not where.
    std::fs::remove_dir_all(&received).expect("the folder goes");
    fails(&mut send("server", &source), 4, &["the receiver cannot keep it"]);

    let fetch = |output: &str, reference: &str| {
        let mut command = fedcell(&to);
        command.args(["server", "--download", reference, "--output", output]);
        command
    };
    fails(&mut fetch("/no/such/folder/file", &reference), 1, &["cannot be kept on disk", "No such file"]);
    // A disk that is full, or an allowance that is used up, in the middle of it.
    let output = folder.join("fetched.bin").display().to_string();
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_fedcell")]);
    limited.args(fetch(&output, &reference).get_args());
    fails(&mut limited, 1, &["cannot be kept on disk", "File too large"]);
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 2, "a part was left there");
    assert_eq!(server.hang_up(), Some(0));
    std::fs::remove_dir_all(&folder).expect("the folder goes");
}

#[test]
fn payload_from_standard_input() {
    let (_server, url) = Cell::server(&["--echo", "demo:hello"]);
    let mut child = fedcell(&["send", "--root-url", &url, "--security", "clear", "--target", "server"])
        .args(["--channel", "demo", "--topic", "hello", "--payload", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("a pipe").write_all(&[0, 159, 146, 150]).expect("a write");
    assert_eq!(child.wait_with_output().expect("output").stdout, [0, 159, 146, 150]);
}

#[test]
fn net() {
    let (server, url) = Cell::server(&["--listen", "tcp://127.0.0.1:0"]);
    let site = Cell::start(&["--fqcn", "site-1", "--root-url", &url, "--listen", "tcp://127.0.0.1:0"]);
    let parent = site.ready["listeners"][0]["url"].as_str().expect("a URL").to_owned();
    let job = Cell::start(&["--fqcn", "site-1.job-1", "--parent-url", &parent]);
    let net = |question: &str, more: &[&str]| {
        let tool = ["net", question, "--via", &url, "--security", "clear", "--fqcn", "tool", "--json"];
        json(&[tool.as_slice(), more].concat())
    };
    let sorted = |list: &Value| {
        let mut names: Vec<_> = list.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        names.sort_unstable();
        names.join(" ")
    };
    assert_eq!(sorted(&net("cells", &[])), "server site-1 site-1.job-1 tool");
    assert_eq!(sorted(&net("peers", &[])), "site-1 tool");
    assert_eq!(sorted(&net("peers", &["--target", "site-1"])), "server site-1.job-1");
    let route = net("route", &["--to", "site-1.job-1"]);
    assert_eq!(route["there"], serde_json::json!(["tool", "server", "site-1", "site-1.job-1"]));
    assert_eq!(route["back"], serde_json::json!(["site-1.job-1", "site-1", "server", "tool"]));
    let route = net("route", &["--from", "server", "--to", "site-1.job-1"]);
    assert_eq!(route["there"], serde_json::json!(["server", "site-1", "site-1.job-1"]));
    assert_eq!(net("conns", &["--target", "site-1"])["bb_ext_connector"]["url"], url.as_str());
    assert_eq!(
        net("ping", &["--target", "site-1.job-1", "--count", "3"])["milliseconds"].as_array().map(Vec::len),
        Some(3)
    );
    let speed = net("speed", &["--from", "site-1", "--to", "site-1.job-1", "--count", "3", "--size", "10"]);
    assert_eq!(speed["timeouts"], 0, "{speed}");
    let pools = net("stats", &[]);
    assert!(pools["rows"].to_string().contains("request_processing"), "{pools}");
    let pool = net("stats", &["--pool", "request_processing", "--target", "site-1"]);
    assert!(pool["rows"].to_string().contains("_net_manager:peers"), "{pool}");
    check(&["net", "peers", "--via", &url, "--security", "clear", "--target", "site-9"], 4, "");
    for cell in [job, site, server] {
        assert_eq!(cell.hang_up(), Some(0));
    }
}

#[test]
fn what_cannot_work_is_said_in_one_line() {
    check(&["cell", "--fqcn", "server", "--root-url", "tcp://127.0.0.1:0"], 3, "");
    check(&["cell", "--fqcn", "a..b", "--root-url", "tcp://127.0.0.1:0", "--security", "clear"], 3, "");
    check(&["cell", "--fqcn", "server", "--root-url", "carrier-pigeon://loft:1", "--security", "clear"], 3, "");
    check(&["cell", "--fqcn", "server", "--root-url", "tcp://127.0.0.1:0", "--credentials", "/no/such/kit"], 3, "");
    check(&["cell"], 2, "");
    check(&["nonsense"], 2, "");
    // A port that was free a moment ago; nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let url = format!("tcp://{port}");
    check(&["net", "peers", "--via", &url, "--security", "clear", "--timeout", "0.5"], 4, "");
}
