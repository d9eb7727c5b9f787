//! Rows about the server's URLs: several of them at once, and another one from now on.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::super::kits::Kits;
use super::super::network::{CHANNEL, Network, START_LIMIT, topic};
use super::{LoneRow, messages};
use crate::interop::cell::process::{Maker, Process};

/// Until a cell has left one server and found the other.
const MOVE_LIMIT: f64 = 30.0;

/// The server tells its URLs, and each cell is connected by one that it was given.
pub(super) fn listed(net: &mut Network<'_>) -> Result<()> {
    let urls = net.server_urls().to_vec();
    ensure!(urls.len() == 3, "the server listens on {urls:?}");
    for seat in 1..net.len() {
        messages::request(net, seat, 0)?;
        messages::request(net, 0, seat)?;
    }
    let leaf = net.leaf();
    let asked = net.call(leaf, "net", json!({"target": "server", "topic": "peers"}))?;
    let peers = asked["answer"].as_array().context("no list of peers")?;
    ensure!(peers.len() == leaf, "the server has {peers:?} for peers");
    Ok(())
}

/// The rows about another root: each maker in each of the four places, fewer of them for a quick look.
pub(super) fn changes(quick: bool) -> Vec<(String, LoneRow)> {
    let wanted: Vec<_> = if quick { vec!["RPPR", "PRRP"] } else { vec![] };
    let all = (0..16_u8).map(|chosen| {
        let letter = |seat: u8| if chosen >> (3 - seat) & 1 == 1 { Maker::Ours } else { Maker::Theirs }.letter();
        (0..4).map(letter).collect::<String>()
    });
    let members = all.filter(|members| wanted.is_empty() || wanted.contains(&members.as_str()));
    let name = "a site and its job are sent to another server, and back";
    let row = |members: String| {
        let label = format!("roots {members:<5} mtls ");
        (label, LoneRow { name: name.to_owned(), run: Box::new(move |kits| change(&members, kits)) })
    };
    members.map(row).collect()
}

fn change(members: &str, kits: &Kits) -> Result<()> {
    let log = kits.root().join(format!("roots-{members}.log"));
    let makers: Vec<_> =
        members.bytes().map(|letter| if letter == b'R' { Maker::Ours } else { Maker::Theirs }).collect();
    let [old, new, site, job] = makers[..] else { anyhow::bail!("four makers are needed") };
    let start = |maker, config: Value| -> Result<(Process, Value)> {
        let mut process = Process::start(maker, &config, &log)?;
        let ready = process.event("ready", START_LIMIT)?;
        process.call("handle", json!({"channel": CHANNEL, "topic": topic::ECHO, "kind": "echo"}))?;
        Ok((process, ready))
    };
    let config = |fqcn: &str, kit: &str, root: &str| {
        json!({
            "fqcn": fqcn, "root": root, "security": "mtls", "credentials": kits.of(kit), "identities": {"server": "server"},
        })
    };
    let url = |ready: &Value| ready["root"][0].as_str().map(str::to_owned).context("no URL");
    let (mut old, ready) = start(old, config("server", "server", "tcp://127.0.0.1:0"))?;
    let old_url = url(&ready)?;
    let (mut new, ready) = start(new, config("server", "server", "tcp://127.0.0.1:0"))?;
    let new_url = url(&ready)?;
    let mut below = config("site-1", "site-1", &old_url);
    below["listen"] = json!({"security": "clear"});
    let (mut site, ready) = start(site, below)?;
    let mut below = config("site-1.job-1", "site-1", &old_url);
    below["parent"] = ready["internal"].clone();
    below["parent_security"] = json!("clear");
    let (mut job, _) = start(job, below)?;
    stands(&mut old, &mut site, &mut job)?;
    old.call("change_root", json!({"url": new_url}))?;
    left(&mut old)?;
    stands(&mut new, &mut site, &mut job)?;
    new.call("change_root", json!({"url": old_url}))?;
    left(&mut new)?;
    stands(&mut old, &mut site, &mut job)
}

/// Nobody is connected any more.
fn left(server: &mut Process) -> Result<()> {
    for name in ["site-1", "site-1.job-1"] {
        let gone = server.call("wait_peer", json!({"fqcn": name, "up": false, "timeout": MOVE_LIMIT}))?;
        ensure!(gone["met"] == true, "{name} has not left the old server");
    }
    Ok(())
}

/// Both are connected, and messages go in all directions.
fn stands(server: &mut Process, site: &mut Process, job: &mut Process) -> Result<()> {
    for name in ["site-1", "site-1.job-1"] {
        let there = server.call("wait_peer", json!({"fqcn": name, "up": true, "timeout": MOVE_LIMIT}))?;
        ensure!(there["met"] == true, "{name} has not reached the server");
    }
    for cell in [&mut *site, &mut *job] {
        let there = cell.call("wait_peer", json!({"fqcn": "server", "up": true, "timeout": MOVE_LIMIT}))?;
        ensure!(there["met"] == true, "the server has not reached a cell");
    }
    asks(server, "site-1", &["site-1", "server"])?;
    asks(server, "site-1.job-1", &["site-1.job-1", "server"])?;
    asks(site, "server", &["server", "site-1"])?;
    asks(job, "server", &["server", "site-1.job-1"])?;
    asks(job, "site-1", &["site-1", "site-1.job-1"])
}

/// A request whose reply comes by that way.
fn asks(from: &mut Process, to: &str, way: &[&str]) -> Result<()> {
    let command =
        json!({"targets": [to], "channel": CHANNEL, "topic": topic::ECHO, "payload": {"random": 800}, "timeout": 15.0});
    let answer = from.call("request", command)?;
    let reply = &answer["replies"][to];
    ensure!(reply["sha256"] == answer["sent"]["sha256"], "{to} answers {reply}");
    ensure!(reply["route"] == json!(way), "the reply of {to} went {}, expected {way:?}", reply["route"]);
    Ok(())
}
