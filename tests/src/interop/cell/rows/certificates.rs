//! Rows about certificates: who cannot prove a name gets no connection, and those who can do not notice.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use fedcell_protocol_defs::cell::ReturnCode;
use serde_json::{Value, json};

use super::super::kits::{Kits, flawed};
use super::super::network::{CHANNEL, START_LIMIT, topic};
use super::LoneRow;
use crate::interop::cell::process::{Maker, Process};

/// Attempts that must end before a peer counts as turned away.
const ATTEMPTS: u64 = 2;

/// A dialler or a listener that must not get a connection.
struct Case {
    name: &'static str,
    /// Kit of the server.
    server: &'static str,
    /// Kit and connection security of the dialler, which calls itself `site-1`.
    client: &'static str,
    security: &'static str,
    /// Whether the right `site-1` is connected already.
    taken: bool,
}

const CASES: &[Case] = &[
    Case { name: "a certificate of an unknown authority", client: flawed::FOREIGN, ..GOOD },
    Case { name: "a certificate that has expired", client: flawed::EXPIRED, ..GOOD },
    Case { name: "no certificate", client: flawed::BARE, ..GOOD },
    Case { name: "the certificate of another site", client: "site-2", ..GOOD },
    Case { name: "the name of a connected site, with another's certificate", client: "site-2", taken: true, ..GOOD },
    Case { name: "no TLS where TLS is required", security: "clear", ..GOOD },
    Case { name: "a server of an authority that the site does not believe", client: flawed::DISTRUSTING, ..GOOD },
    Case { name: "a server with the certificate of somebody else", server: flawed::OTHER_SERVER, ..GOOD },
    Case { name: "a server whose certificate has expired", server: flawed::EXPIRED_SERVER, ..GOOD },
];

const GOOD: Case = Case { name: "", server: "server", client: "site-1", security: "mtls", taken: false };

/// The rows: each case with each pair of makers, and the wrong name at a relay.
pub(crate) fn rejections(quick: bool) -> Vec<(String, LoneRow)> {
    let mut rows = Vec::new();
    let pairs = [
        ("PP", Maker::Theirs, Maker::Theirs),
        ("RP", Maker::Ours, Maker::Theirs),
        ("PR", Maker::Theirs, Maker::Ours),
        ("RR", Maker::Ours, Maker::Ours),
    ];
    for (members, listener, dialler) in pairs {
        if quick && matches!(members, "PP" | "RR") {
            continue;
        }
        for case in CASES {
            if quick && case.client != "site-2" {
                continue;
            }
            rows.push(lone("pair", members, format!("turned away: {}", case.name), move |kits| {
                run(case, listener, dialler, kits)
            }));
        }
        let name = "turned away by a relay: the certificate of another site".to_owned();
        let members = if members.len() == 2 { format!("P{members}") } else { members.to_owned() };
        rows.push(lone("chain", &members, name, move |kits| at_relay(listener, dialler, kits)));
    }
    rows
}

fn lone(
    shape: &str,
    members: &str,
    name: String,
    run: impl Fn(&Kits) -> Result<()> + Send + 'static,
) -> (String, LoneRow) {
    (format!("{shape:<5} {members:<5} mtls "), LoneRow { name, run: Box::new(run) })
}

fn run(case: &'static Case, listener: Maker, dialler: Maker, kits: &Kits) -> Result<()> {
    let log = log(kits, case.name, listener, dialler);
    let mut server = cell(listener, &log, &config("server", "mtls", &kits.of(case.server), "tcp://127.0.0.1:0"))?;
    let url = server.event("started", START_LIMIT)?["root"][0].as_str().unwrap_or_default().to_owned();
    let mut owner = None;
    if case.taken {
        let right = cell(dialler, &log, &config("site-1", "mtls", &kits.of("site-1"), &url))?;
        right.event("ready", START_LIMIT)?;
        owner = Some(right);
    }
    let wrong = cell(dialler, &log, &config("site-1", case.security, &kits.of(case.client), &url))?;
    let seen = in_vain(wrong, dialler, &log)?;
    if case.server != "server" {
        ensure!(seen == json!([]), "it took {seen} for peers");
        return Ok(());
    }
    let seen = server.call("report", json!({}))?["seen"].clone();
    let expected = if case.taken { json!(["site-1"]) } else { json!([]) };
    ensure!(seen == expected, "the server took {seen} for peers, expected {expected}");
    if let Some(mut owner) = owner {
        works(&mut server, &mut owner, "site-1")?;
    }
    let mut honest = cell(dialler, &log, &config("site-2", "mtls", &kits.of("site-2"), &url))?;
    honest.event("ready", START_LIMIT)?;
    works(&mut server, &mut honest, "site-2")?;
    Ok(())
}

fn at_relay(listener: Maker, dialler: Maker, kits: &Kits) -> Result<()> {
    let log = log(kits, "relay", listener, dialler);
    let server = cell(Maker::Theirs, &log, &config("server", "mtls", &kits.of("server"), "tcp://127.0.0.1:0"))?;
    let url = server.event("started", START_LIMIT)?["root"][0].as_str().unwrap_or_default().to_owned();
    let mut relay = config("relay-1", "mtls", &kits.of("relay-1"), &url);
    relay["listen"] = json!({"security": "mtls"});
    let mut relay = cell(listener, &log, &relay)?;
    let parent = relay.event("ready", START_LIMIT)?["internal"].as_str().unwrap_or_default().to_owned();
    let below = |fqcn: &str, kit: &str| {
        let mut config = config(fqcn, "mtls", &kits.of(kit), "");
        config["root"] = Value::Null;
        config["parent"] = json!(parent);
        config["parent_security"] = json!("mtls");
        config
    };
    in_vain(cell(dialler, &log, &below("relay-1.site-1", "site-2"))?, dialler, &log)?;
    let mut honest = cell(dialler, &log, &below("relay-1.site-2", "site-2"))?;
    honest.event("ready", START_LIMIT)?;
    works(&mut relay, &mut honest, "relay-1.site-2")?;
    let seen = relay.call("report", json!({}))?["seen"].clone();
    ensure!(seen == json!(["server", "relay-1.site-2"]), "the relay took {seen} for peers");
    Ok(())
}

/// Waits until the cell has tried more than once. Returns whom it took for a peer, if only for a moment: the reference
/// answers a handshake before it looks at the name. One of ours may also refuse to start with such a kit at all.
fn in_vain(mut wrong: Process, maker: Maker, log: &Path) -> Result<Value> {
    match wrong.event("started", START_LIMIT) {
        Ok(_) => {}
        Err(_) if maker == Maker::Ours && std::fs::read_to_string(log)?.contains(super::super::node::NO_CELL) => {
            return Ok(json!([]));
        }
        Err(error) => return Err(error),
    }
    let answer = wrong.call("wait_attempts", json!({"count": ATTEMPTS, "timeout": 20.0}))?;
    ensure!(answer["met"] == true, "fewer than {ATTEMPTS} attempts ended; the last failure: {}", answer["last"]);
    Ok(wrong.call("report", json!({}))?["seen"].clone())
}

/// A request from each to the other.
fn works(listener: &mut Process, dialler: &mut Process, name: &str) -> Result<()> {
    listener.call("handle", json!({"channel": CHANNEL, "topic": topic::ECHO, "kind": "echo"}))?;
    dialler.call("handle", json!({"channel": CHANNEL, "topic": topic::ECHO, "kind": "echo"}))?;
    let met = listener.call("wait_peer", json!({"fqcn": name, "up": true, "timeout": 10.0}))?;
    ensure!(met["met"] == true, "{name} is not connected");
    let target = if name.contains('.') { "relay-1" } else { "server" };
    for (from, to) in [(listener, name), (dialler, target)] {
        let command = json!({"targets": [to], "channel": CHANNEL, "topic": topic::ECHO, "payload": {"random": 64}, "timeout": 10.0});
        let answer = from.call("request", command)?;
        ensure!(
            answer["replies"][to]["code"] == ReturnCode::OK.as_str(),
            "code {} from {to}",
            answer["replies"][to]["code"]
        );
    }
    Ok(())
}

fn cell(maker: Maker, log: &Path, config: &Value) -> Result<Process> {
    Process::start(maker, config, log)
}

fn config(fqcn: &str, security: &str, kit: &Path, root: &str) -> Value {
    json!({
        "fqcn": fqcn, "root": root, "security": security, "credentials": kit, "unchecked": true,
        "identities": {"server": "server"},
    })
}

fn log(kits: &Kits, name: &str, listener: Maker, dialler: Maker) -> PathBuf {
    let name: String = name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    kits.root().join(format!("{}{}-{name}.log", listener.letter(), dialler.letter()))
}
