//! The registry held against the running reference: every value in the place that its source names.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use fedcell_protocol_defs::registry::{self, Value};
use serde_json::{Value as Json, json};

use crate::{reference, repo};

/// Why the registry and the reference may differ in one place, from `xtask/reference/differences.tsv`.
struct Reason {
    used: bool,
    text: String,
}

/// (kind, where, name) of a difference; the name `*` stands for every one of its place.
type Key = (String, String, String);

pub(super) fn run() -> Result<()> {
    let findings = ask()?;
    let mut reasons = reasons()?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut manners: BTreeMap<String, usize> = BTreeMap::new();
    let mut unexplained = 0;
    let mut note = |kind: &'static str, place: &str, name: &str, what: &str| {
        *counts.entry(kind).or_default() += 1;
        match explain(&mut reasons, kind, place, name) {
            Some(reason) => println!("  {kind}: {place} {name}: {what} ({reason})"),
            None => {
                unexplained += 1;
                println!("  {kind}: {place} {name}: {what} -- NO REASON GIVEN");
            }
        }
    };
    let mut equal = 0;
    for finding in findings["entries"].as_array().into_iter().flatten() {
        let (group, name) = (text(finding, "group"), text(finding, "name"));
        let manner = text(finding, "manner");
        if finding["equal"] == true {
            equal += 1;
            *manners.entry(manner.to_owned()).or_default() += 1;
        } else if manner == "none" {
            note("only-ours", group, name, &finding["ours"].to_string());
        } else {
            *manners.entry(manner.to_owned()).or_default() += 1;
            note("differs", group, name, &format!("ours {}, theirs {}", finding["ours"], finding["theirs"]));
        }
    }
    for finding in findings["only_theirs"].as_array().into_iter().flatten() {
        note("only-theirs", text(finding, "where"), text(finding, "name"), &finding["value"].to_string());
    }
    let count = |kind| counts.get(kind).copied().unwrap_or(0);
    let manners: Vec<String> = manners.iter().map(|(manner, count)| format!("{count} by {manner}")).collect();
    println!("wire: compared with the reference: {} values ({})", equal + count("differs"), manners.join(", "));
    println!(
        "wire: {equal} equal, {} differing, {} only ours, {} only theirs",
        count("differs"),
        count("only-ours"),
        count("only-theirs"),
    );
    let stale: Vec<&Key> = reasons.iter().filter(|(_, reason)| !reason.used).map(|(key, _)| key).collect();
    for (kind, place, name) in &stale {
        println!("wire: a reason for no difference: {kind} {place} {name}");
    }
    ensure!(unexplained == 0, "{unexplained} differences from the reference without a reason");
    ensure!(stale.is_empty(), "{} reasons stand for nothing", stale.len());
    Ok(())
}

/// Runs the comparison in the reference's interpreter.
fn ask() -> Result<Json> {
    let mut child = Command::new(reference::python()?)
        .arg(repo::root().join("xtask/reference/compare.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the reference's interpreter")?;
    let mut input = child.stdin.take().context("no pipe to the reference's interpreter")?;
    input.write_all(registry_as_json().to_string().as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the comparison in Python ended with {}", output.status);
    serde_json::from_slice(&output.stdout).context("the comparison in Python did not print JSON")
}

fn registry_as_json() -> Json {
    registry::groups()
        .map(|group| {
            let entries: Vec<Json> = group
                .entries
                .iter()
                .map(|entry| json!({ "name": entry.name, "value": value_as_json(entry.value), "source": entry.source }))
                .collect();
            json!({ "name": group.name, "source": group.source, "entries": entries })
        })
        .collect()
}

fn value_as_json(value: Value) -> Json {
    match value {
        Value::Str(text) => json!(text),
        // No number of the wire is wider than 64 bits.
        Value::Int(number) => u64::try_from(number).map_or_else(|_| json!(i64::try_from(number).ok()), |n| json!(n)),
        Value::Float(number) => json!(number),
        Value::Bool(switch) => json!(switch),
        _ => Json::Null,
    }
}

fn reasons() -> Result<BTreeMap<Key, Reason>> {
    let path = repo::root().join("xtask/reference/differences.tsv");
    let mut reasons = BTreeMap::new();
    for (at, line) in repo::read(&path)?.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, place, name, reason] = fields.as_slice() else {
            anyhow::bail!("differences.tsv line {}: expected kind, place, name, reason, parted by tabs", at + 1);
        };
        ensure!(!reason.trim().is_empty(), "differences.tsv line {}: the reason is empty", at + 1);
        let key = ((*kind).to_owned(), (*place).to_owned(), (*name).to_owned());
        let former = reasons.insert(key, Reason { used: false, text: (*reason).to_owned() });
        ensure!(former.is_none(), "differences.tsv line {}: this difference has a reason already", at + 1);
    }
    Ok(reasons)
}

fn explain(reasons: &mut BTreeMap<Key, Reason>, kind: &str, place: &str, name: &str) -> Option<String> {
    for name in [name, "*"] {
        if let Some(reason) = reasons.get_mut(&(kind.to_owned(), place.to_owned(), name.to_owned())) {
            reason.used = true;
            return Some(reason.text.clone());
        }
    }
    None
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or("")
}
