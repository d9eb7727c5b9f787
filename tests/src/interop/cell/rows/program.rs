//! Rows about the program `fedcell`: its commands beside cells of the reference.

use core::time::Duration;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::super::kits::{Kits, flawed};
use super::super::network::{CHANNEL, START_LIMIT, topic};
use super::{LoneRow, inspect};
use crate::binary;
use crate::interop::cell::process::{Maker, Process};
use crate::killed::Killed;

/// Until a program that was told to stop is gone.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// How often its end is looked for: the standard library cannot wait for it with a limit.
const TICK: Duration = Duration::from_millis(10);

/// The rows of the program.
pub(crate) fn program_rows() -> Vec<(String, LoneRow)> {
    type Row = (&'static str, &'static str, fn(&Kits) -> Result<()>);
    let rows: [Row; 7] = [
        ("PR", "fedcell send to a server of the reference: bytes, objects, sealed, many", send),
        ("PRP", "fedcell send to a site of the reference, through its server", send_through),
        ("PR", "fedcell send: exit codes", exit_codes),
        ("PPR", "fedcell net asks cells of the reference, and of ours with answers of the same shape", net),
        ("PR", "the reference's operator functions ask fedcell cell", asked),
        ("RP", "fedcell cell as a server, ended by SIGTERM", server),
        ("PRP", "fedcell cell as a relay, ended by the end of its input", relay),
    ];
    rows.into_iter()
        .map(|(members, name, run)| {
            (format!("prog  {members:<5} mtls "), LoneRow { name: name.to_owned(), run: Box::new(run) })
        })
        .collect()
}

fn send(kits: &Kits) -> Result<()> {
    let (_server, url) = reference_server(kits)?;
    let payload = "x".repeat(100_000);
    for (more, expected) in [
        (vec!["--payload", &payload], payload.clone()),
        (vec!["--payload", &payload, "--secure"], payload.clone()),
        (vec!["--fobs", r#"{"round":7,"weights":[0.5,-2]}"#], "{\"round\":7,\"weights\":[0.5,-2]}\n".to_owned()),
        (vec![], String::new()),
    ] {
        let out = run_send(kits, &url, "server", topic::ECHO, &more)?;
        ensure!(out.code == 0 && out.text == expected, "{more:?}: exit code {}, {}", out.code, out.said());
    }
    let more = ["--payload", "hi", "--repeat", "200", "--concurrency", "8", "--json"];
    let out = run_send(kits, &url, "server", topic::ECHO, &more)?;
    let times: Value = serde_json::from_str(&out.text)?;
    ensure!(times["ok"] == 200 && times["failed"] == 0, "{times}");
    Ok(())
}

fn send_through(kits: &Kits) -> Result<()> {
    let (_server, url) = reference_server(kits)?;
    let _site = reference_site(kits, "site-2", &url)?;
    let out = run_send(kits, &url, "site-2", topic::ECHO, &["--payload", "hi", "--json"])?;
    let reply: Value = serde_json::from_str(&out.text).with_context(|| out.said())?;
    ensure!(reply["payload"] == "hi" && reply["code"] == "ok", "{reply}");
    ensure!(reply["route"][0] == "site-2" && reply["route"][1] == "server", "{reply}");
    Ok(())
}

fn exit_codes(kits: &Kits) -> Result<()> {
    let (_server, url) = reference_server(kits)?;
    for (target, topic, more, code) in [
        ("server", "nobody listens", &[] as &[&str], 6),
        ("server", topic::REFUSE, &[], 6),
        ("server", topic::NOTE, &["--timeout", "0.5"], 5),
        ("site-9", topic::ECHO, &[], 4),
        ("not..valid", topic::ECHO, &[], 2),
    ] {
        let out = run_send(kits, &url, target, topic, more)?;
        ensure!(out.code == code, "{target} {topic}: exit code {}, expected {code}: {}", out.code, out.said());
        ensure!(out.text.is_empty(), "{target} {topic} printed {:?}", out.text);
    }
    let kit = kits.of(flawed::FOREIGN);
    let out = fedcell([
        OsStr::new("net"),
        "peers".as_ref(),
        "--via".as_ref(),
        url.as_ref(),
        "--timeout".as_ref(),
        "2".as_ref(),
        "--credentials".as_ref(),
        kit.as_ref(),
    ])?;
    ensure!(matches!(out.code, 3 | 4), "a foreign certificate: exit code {}: {}", out.code, out.said());
    Ok(())
}

fn net(kits: &Kits) -> Result<()> {
    let theirs = answers(kits, Maker::Theirs)?;
    let ours = answers(kits, Maker::Ours)?;
    ensure!(theirs.len() == ours.len(), "{} and {} answers", theirs.len(), ours.len());
    for ((question, theirs), (_, ours)) in theirs.iter().zip(&ours) {
        inspect::fits(question, ours, theirs).with_context(|| format!("fedcell net {question}: {ours}"))?;
    }
    Ok(())
}

/// What a server and a site of that maker answer to every question.
fn answers(kits: &Kits, maker: Maker) -> Result<Vec<(String, Value)>> {
    let (_server, url) = server_of(maker, kits)?;
    let _site = started(maker, kits, &config("site-2", &kits.of("site-2"), Some(&url)))?;
    let mut answers = Vec::new();
    let mut ask = |question: &str, more: &[&str]| -> Result<Value> {
        let kit = kits.of("site-1");
        let kit = kit.to_string_lossy();
        let first = ["net", question, "--via", &url, "--credentials", &kit, "--fqcn", "site-1", "--json"];
        let out = fedcell(first.into_iter().chain(more.iter().copied()))?;
        let answer: Value = serde_json::from_str(&out.text).with_context(|| format!("{question}: {}", out.said()))?;
        // The program shows what is no plain JSON under names of its own.
        answers.push((question.to_owned(), inspect::plain(answer.clone())));
        Ok(answer)
    };
    let contains = |list: &Value, name: &str| list.as_array().is_some_and(|list| list.iter().any(|item| item == name));
    let cells = ask("cells", &[])?;
    ensure!(["server", "site-1", "site-2"].iter().all(|name| contains(&cells, name)), "cells: {cells}");
    let peers = ask("peers", &["--target", "site-2"])?;
    ensure!(peers == json!(["server"]), "peers: {peers}");
    let route = ask("route", &["--to", "site-2"])?;
    ensure!(
        route == json!({"there": ["site-1", "server", "site-2"], "back": ["site-2", "server", "site-1"]}),
        "{route}"
    );
    let route = ask("route", &["--from", "site-2", "--to", "site-1"])?;
    ensure!(
        route == json!({"there": ["site-2", "server", "site-1"], "back": ["site-1", "server", "site-2"]}),
        "{route}"
    );
    let conns = ask("conns", &["--target", "site-2"])?;
    ensure!(conns["bb_ext_connector"]["url"] == url, "conns: {conns}");
    let times = ask("ping", &["--target", "site-2", "--count", "3"])?;
    ensure!(times["milliseconds"].as_array().is_some_and(|times| times.len() == 3), "ping: {times}");
    let speed = ask("speed", &["--from", "server", "--to", "site-1", "--count", "5", "--size", "10"])?;
    ensure!(speed["timeouts"] == 0 && speed["other_errors"] == 0, "speed: {speed}");
    let pools = ask("stats", &[])?;
    ensure!(pools["rows"].to_string().contains("request_processing"), "pools: {pools}");
    for mode in inspect::MODES {
        let pool = ask("stats", &["--pool", "request_processing", "--mode", mode.as_str()])?;
        ensure!(pool["rows"].to_string().contains("_net_manager:cells"), "{}: {pool}", mode.as_str());
        let rows: Vec<Vec<String>> = serde_json::from_value(pool["rows"].clone())?;
        let values = rows.iter().flat_map(|row| row.iter().skip(1));
        ensure!(values.clone().any(|value| !value.is_empty()), "{}: {pool}", mode.as_str());
        ensure!(values.clone().all(|value| inspect::is_cell_of(mode, value)), "{}: {pool}", mode.as_str());
    }
    let counters = ask("stats", &["--pool", "received_msg_counters", "--target", "site-2"])?;
    ensure!(counters["headers"][0] == "category", "counters: {counters}");
    Ok(answers)
}

fn asked(kits: &Kits) -> Result<()> {
    let (mut server, url) = reference_server(kits)?;
    let _site = Program::start(kits, "site-1", &["--fqcn", "site-1", "--root-url", &url])?;
    // The reference says READY before it counts a peer as connected.
    let met = server.call("wait_peer", json!({"fqcn": "site-1", "up": true, "timeout": 10.0}))?;
    ensure!(met["met"] == true, "the site is not connected");
    let mut ask = |what: &str, arguments: Value| -> Result<Value> {
        Ok(server.call("ask", json!({"what": what, "arguments": arguments, "timeout": 20.0}))?["result"].take())
    };
    let cells = ask("request_cells_info", json!([]))?;
    ensure!(cells == json!(["", ["server", "site-1"]]), "request_cells_info: {cells}");
    let peers = ask("get_peers", json!(["site-1"]))?;
    ensure!(peers == json!([null, ["server"]]), "get_peers: {peers}");
    let conns = ask("get_connectors", json!(["site-1"]))?;
    ensure!(conns[1]["bb_ext_connector"]["url"] == url, "get_connectors: {conns}");
    let route = ask("start_route", json!(["site-1", "server"]))?;
    ensure!(route[0] == "" && route[2]["cn__route"][0][0] == "site-1", "start_route: {route}");
    let speed = ask("speed_test", json!(["site-1", "server", 5, 10]))?;
    ensure!(speed["timeouts"] == 0 && speed["proc_errors"] == 0, "speed_test: {speed}");
    let stress = ask("start_stress_test", json!([["site-1"], 5]))?;
    ensure!(stress["site-1"].is_object(), "start_stress_test: {stress}");
    let pools = ask("get_pool_list", json!(["site-1"]))?;
    ensure!(pools["rows"].to_string().to_lowercase().contains("request_processing"), "get_pool_list: {pools}");
    let pool = ask("show_pool", json!(["site-1", "request_processing", "count"]))?;
    ensure!(pool["rows"].to_string().contains("_net_manager:peers"), "show_pool: {pool}");
    let unknown = ask("show_pool", json!(["site-1", "no such pool", "count"]))?;
    ensure!(unknown.as_str().is_some_and(|text| text.starts_with("invalid_request")), "show_pool: {unknown}");
    let stats = ask("get_msg_stats_table", json!(["site-1", "count"]))?;
    ensure!(stats["headers"].is_array(), "get_msg_stats_table: {stats}");
    let process = ask("get_process_info", json!(["site-1"]))?;
    ensure!(process["rows"][0][0] == "Process ID", "get_process_info: {process}");
    let config = ask("get_comm_config", json!(["site-1"]))?;
    ensure!(config["allow_adhoc"] == false, "get_comm_config: {config}");
    ensure!(ask("get_config_vars", json!(["site-1"]))?.is_object(), "get_config_vars");
    let urls = ask("get_url_use", json!([url]))?;
    ensure!(urls.get("site-1").is_some(), "get_url_use: {urls}");
    Ok(())
}

fn server(kits: &Kits) -> Result<()> {
    let echo = format!("{CHANNEL}:{}", topic::ECHO);
    let mut program =
        Program::start(kits, "server", &["--fqcn", "server", "--root-url", "tcp://127.0.0.1:0", "--echo", &echo])?;
    let mut site = reference_site(kits, "site-1", &program.url()?)?;
    echoes(&mut site, "server")?;
    program.signal("TERM")?;
    let met = site.call("wait_byes", json!({"count": 1, "timeout": 10.0}))?;
    ensure!(met["met"] == true, "the site heard no goodbye");
    program.ended()
}

fn relay(kits: &Kits) -> Result<()> {
    let (mut server, url) = reference_server(kits)?;
    let relay = ["--fqcn", "relay-1", "--root-url", &url, "--listen", "stcp://localhost:0"];
    let mut program = Program::start(kits, "relay-1", &relay)?;
    let mut config = config("relay-1.site-1", &kits.of("site-1"), None);
    config["parent"] = json!(program.url()?);
    config["parent_security"] = json!("mtls");
    let mut site = started(Maker::Theirs, kits, &config)?;
    echoes(&mut site, "server")?;
    echoes(&mut server, "relay-1.site-1")?;
    drop(program.input.take());
    for cell in [&mut site, &mut server] {
        let met = cell.call("wait_byes", json!({"count": 1, "timeout": 10.0}))?;
        ensure!(met["met"] == true, "a neighbour heard no goodbye");
    }
    program.ended()
}

fn echoes(from: &mut Process, target: &str) -> Result<()> {
    let command = json!({"targets": [target], "channel": CHANNEL, "topic": topic::ECHO, "payload": {"random": 5000}, "timeout": 10.0});
    let answer = from.call("request", command)?;
    let reply = &answer["replies"][target];
    ensure!(reply["sha256"] == answer["sent"]["sha256"], "{target} answers {reply}");
    Ok(())
}

/// A server of the reference with all handlers, and its URL.
fn reference_server(kits: &Kits) -> Result<(Process, String)> {
    server_of(Maker::Theirs, kits)
}

fn server_of(maker: Maker, kits: &Kits) -> Result<(Process, String)> {
    let config = config("server", &kits.of("server"), Some("tcp://127.0.0.1:0"));
    let process = Process::start(maker, &config, &kits.root().join("program.log"))?;
    let url = process.event("ready", START_LIMIT)?["root"][0].as_str().context("no URL")?.to_owned();
    Ok((with_handlers(process)?, url))
}

fn reference_site(kits: &Kits, fqcn: &str, url: &str) -> Result<Process> {
    started(Maker::Theirs, kits, &config(fqcn, &kits.of(fqcn), Some(url)))
}

fn started(maker: Maker, kits: &Kits, config: &Value) -> Result<Process> {
    let process = Process::start(maker, config, &kits.root().join("program.log"))?;
    process.event("ready", START_LIMIT)?;
    with_handlers(process)
}

fn with_handlers(mut process: Process) -> Result<Process> {
    for (topic, kind) in [(topic::ECHO, "echo"), (topic::NOTE, "note"), (topic::REFUSE, "refuse:service_unavailable")] {
        process.call("handle", json!({"channel": CHANNEL, "topic": topic, "kind": kind}))?;
    }
    Ok(process)
}

fn config(fqcn: &str, kit: &Path, root: Option<&str>) -> Value {
    json!({
        "fqcn": fqcn, "root": root, "security": "mtls", "credentials": kit,
        "identities": {"server": "server", "relay-1.site-1": "site-1"},
    })
}

/// What a run of the program left behind.
struct Ran {
    code: i32,
    text: String,
    errors: String,
}

impl Ran {
    fn said(&self) -> String {
        format!("it printed {:?} and said {:?}", self.text, self.errors)
    }
}

fn run_send(kits: &Kits, url: &str, target: &str, topic: &str, more: &[&str]) -> Result<Ran> {
    let kit = kits.of("site-1");
    let kit = kit.to_string_lossy();
    let first =
        ["send", "--root-url", url, "--credentials", &kit, "--target", target, "--channel", CHANNEL, "--topic", topic];
    fedcell(first.into_iter().chain(more.iter().copied()))
}

fn fedcell<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Result<Ran> {
    let output = Command::new(binary::fedcell()?).args(arguments).stdin(Stdio::null()).output()?;
    Ok(Ran {
        code: output.status.code().unwrap_or(-1),
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// A running `fedcell cell`.
struct Program {
    child: Killed,
    input: Option<ChildStdin>,
    ready: Value,
}

impl Program {
    fn start(kits: &Kits, kit: &str, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(binary::fedcell()?)
            .arg("cell")
            .args(arguments)
            .arg("--credentials")
            .arg(kits.of(kit))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let mut line = String::new();
        let output = child.stdout.take().context("no pipe")?;
        let mut program = Self { child: Killed(child), input, ready: Value::Null };
        // Its other end is closed when the program fails, so this ends.
        BufReader::new(output).read_line(&mut line)?;
        program.ready = serde_json::from_str(&line).with_context(|| format!("fedcell cell printed {line:?}"))?;
        ensure!(program.ready["event"] == "ready", "fedcell cell printed {line}");
        Ok(program)
    }

    fn url(&self) -> Result<String> {
        Ok(self.ready["listeners"][0]["url"].as_str().context("no listener")?.to_owned())
    }

    fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status()?;
        ensure!(status.success(), "kill -{name} ended with {status}");
        Ok(())
    }

    /// Waits for the end, which must be a good one.
    fn ended(&mut self) -> Result<()> {
        let end = Instant::now() + STOP_LIMIT;
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > end => {
                    bail!("fedcell cell still runs {STOP_LIMIT:?} after it was told to stop")
                }
                None => std::thread::sleep(TICK),
            }
        };
        ensure!(status.success(), "fedcell cell ended with {status}");
        Ok(())
    }
}
