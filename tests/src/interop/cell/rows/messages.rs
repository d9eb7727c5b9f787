//! Rows about messages: what is sent arrives once, unchanged, by the way it should, and errors keep their meaning.

use std::collections::HashMap;

use anyhow::{Context as _, Result, ensure};
use fedcell_protocol_defs::cell::{Envelope, ReturnCode};
use serde_json::{Value, json};

use super::super::network::{CHANNEL, Network, REFUSAL, topic};
use crate::interop::cell::process::Maker;

/// The seat at which messages are watched that pass.
pub(super) const WATCHED: usize = 1;

/// An address that is valid and that nobody bears.
const NOBODY: &str = "site-9";

/// A request of 1 KiB whose reply must be its own payload, by the shortest way in both directions.
pub(super) fn request(net: &mut Network<'_>, from: usize, to: usize) -> Result<()> {
    let way = net.plan.way(from, to);
    request_by(net, from, to, &way)
}

/// The same by a way that is given.
pub(super) fn request_by(net: &mut Network<'_>, from: usize, to: usize, way: &[&str]) -> Result<()> {
    echo_by(net, from, to, &json!({"random": 1024}), &json!({}), way)?;
    let record = last(net, to, topic::ECHO)?;
    ensure!(record["origin"] == net.fqcn(from), "the handler saw origin {}", record["origin"]);
    ensure!(record["route"] == json!(way), "the request went {}, expected {way:?}", record["route"]);
    Ok(())
}

/// Sends one request and checks reply, code and way back. Returns the reply.
pub(super) fn echo(net: &mut Network<'_>, from: usize, to: usize, payload: &Value, more: &Value) -> Result<Value> {
    let way = net.plan.way(from, to);
    echo_by(net, from, to, payload, more, &way)
}

fn echo_by(
    net: &mut Network<'_>,
    from: usize,
    to: usize,
    payload: &Value,
    more: &Value,
    way: &[&str],
) -> Result<Value> {
    let target = net.fqcn(to);
    let mut command =
        json!({"targets": [target], "channel": CHANNEL, "topic": topic::ECHO, "payload": payload, "timeout": 15.0});
    merge(&mut command, more);
    let answer = net.call(from, "request", command)?;
    let reply = &answer["replies"][target];
    let label = format!("{} to {}", net.label(from), net.label(to));
    ensure!(reply["code"] == ReturnCode::OK.as_str(), "{label}: code {}, error {}", reply["code"], reply["error"]);
    same(&answer["sent"], reply).with_context(|| format!("{label}: reply"))?;
    let back: Vec<_> = way.iter().rev().collect();
    ensure!(reply["route"] == json!(back), "{label}: the reply went {}, expected {back:?}", reply["route"]);
    Ok(reply.clone())
}

/// One request to all others and one to nobody: a reply each, and a code for nobody.
///
/// The reference notes a target that it cannot reach only after it has sent to the others; if all of them have answered
/// by then, nothing wakes the requester and it waits until its timeout, with the right replies. Hence the short one.
pub(super) fn broadcast(net: &mut Network<'_>) -> Result<()> {
    for from in [0, net.leaf()] {
        let mut targets: Vec<_> = (0..net.len()).filter(|seat| *seat != from).map(|seat| net.fqcn(seat)).collect();
        targets.push(NOBODY);
        let answer = net.call(
            from,
            "request",
            json!({"targets": targets, "channel": CHANNEL, "topic": topic::ECHO, "payload": {"random": 300}, "timeout": 3.0}),
        )?;
        let replies = answer["replies"].as_object().context("no replies")?;
        ensure!(replies.len() == targets.len(), "{} replies for {} targets", replies.len(), targets.len());
        for (target, reply) in replies {
            if target == NOBODY {
                // The server knows that there is no way; others learn it from the server.
                let expected = if from == 0 { ReturnCode::TARGET_UNREACHABLE } else { ReturnCode::COMM_ERROR };
                ensure!(reply["code"] == expected.as_str(), "nobody answers with {}", reply["code"]);
            } else {
                ensure!(reply["code"] == ReturnCode::OK.as_str(), "{target} answers with {}", reply["code"]);
                same(&answer["sent"], reply).with_context(|| format!("reply of {target}"))?;
            }
        }
    }
    Ok(())
}

/// Twenty messages without a reply in each direction: all arrive, once, unchanged.
pub(super) fn fire(net: &mut Network<'_>) -> Result<()> {
    notes(net, "fire", 2000, 20)
}

/// Messages queued for one target travel together and arrive one by one.
pub(super) fn bulk(net: &mut Network<'_>) -> Result<()> {
    notes(net, "queue", 700, 30)
}

/// So many messages of that size in each direction, by one verb of a node.
fn notes(net: &mut Network<'_>, verb: &str, size: usize, count: usize) -> Result<()> {
    let leaf = net.leaf();
    for (from, to) in [(leaf, 0), (0, leaf)] {
        let before = records(net, to, topic::NOTE)?.len();
        let command = json!({
            "targets": [net.fqcn(to)], "channel": CHANNEL, "topic": topic::NOTE, "payload": {"random": size},
            "count": count,
        });
        let sent = net.call(from, verb, command)?;
        // A queue says nothing of failures.
        let is_sent = sent["failures"].as_object().is_none_or(serde_json::Map::is_empty);
        ensure!(is_sent, "not all could be sent: {}", sent["failures"]);
        arrived(net, to, before, &sent["sent"])?;
    }
    Ok(())
}

/// Replies that come later than the handler's end, and one that comes after the requester has given up.
pub(super) fn delayed(net: &mut Network<'_>) -> Result<()> {
    let leaf = net.leaf();
    for (from, to) in [(leaf, 0), (0, leaf)] {
        let before = records(net, to, topic::KEEP)?.len();
        let target = net.fqcn(to);
        let command = |timeout: f64| json!({"targets": [target], "channel": CHANNEL, "topic": topic::KEEP, "payload": {"random": 500}, "timeout": timeout});
        let first = net.begin(from, "request", command(15.0))?;
        let second = net.begin(from, "request", command(15.0))?;
        wait_count(net, to, topic::KEEP, before + 2)?;
        let released = net.call(to, "release", json!({}))?;
        ensure!(released["released"] == 2 && released["failures"] == json!([]), "release: {released}");
        for waiting in [first, second] {
            let answer = waiting.wait()?;
            let reply = &answer["replies"][target];
            ensure!(reply["code"] == ReturnCode::OK.as_str(), "delayed reply with code {}", reply["code"]);
            same(&answer["sent"], reply).context("delayed reply")?;
        }
        // Too late: the requester has its timeout, and nothing is left waiting.
        let late = net.call(from, "request", command(0.3))?;
        ensure!(late["replies"][target]["code"] == ReturnCode::TIMEOUT.as_str(), "{}", late["replies"][target]);
        wait_count(net, to, topic::KEEP, before + 3)?;
        let released = net.call(to, "release", json!({}))?;
        ensure!(released["released"] == 1, "release: {released}");
        echo(net, from, to, &json!({"random": 10}), &json!({}))?;
        let report = net.call(from, "report", json!({}))?;
        ensure!(report["waiting"] == 0, "{} requests are still waiting", report["waiting"]);
    }
    Ok(())
}

/// Requests whose payload only the target can read, and replies likewise. Bytes only if the reference takes part: its
/// cells cannot seal an encoded object, since their encoder returns a list of buffers and their sealer wants bytes.
pub(super) fn sealed(net: &mut Network<'_>) -> Result<()> {
    let leaf = net.leaf();
    let ours = [0, leaf].iter().all(|seat| net.plan.maker(*seat) == Maker::Ours);
    for (from, to) in [(leaf, 0), (0, leaf), (leaf, 0)] {
        let mut payloads = vec![json!({"random": 100_000}), json!({"random": 1}), json!({})];
        if ours {
            payloads.push(json!({"fobs": {"round": 3, "weights": [0.5, 1.5]}}));
        }
        for payload in payloads {
            let reply = echo(net, from, to, &payload, &json!({"secure": true}))?;
            ensure!(reply["sealed"] == true, "the reply came in clear");
            let record = last(net, to, topic::ECHO)?;
            ensure!(record["sealed"] == true && record["secure"] == true, "the request came in clear: {record}");
        }
    }
    Ok(())
}

/// Who passes a sealed message on sees that it is one, and not what is in it.
pub(super) fn sealed_on_the_way(net: &mut Network<'_>) -> Result<()> {
    const TOPIC: &str = "sealed on the way";
    const SIZE: usize = 4096;
    let leaf = net.leaf();
    for seat in [0, leaf] {
        net.call(seat, "handle", json!({"channel": CHANNEL, "topic": TOPIC, "kind": "echo"}))?;
    }
    net.call(WATCHED, "watch", json!({"channel": CHANNEL, "topic": TOPIC}))?;
    for (from, to) in [(leaf, 0), (0, leaf)] {
        let before = passed(net, WATCHED)?.len();
        let target = net.fqcn(to);
        let command = json!({
            "targets": [target], "channel": CHANNEL, "topic": TOPIC, "payload": {"random": SIZE}, "timeout": 15.0, "secure": true,
        });
        let answer = net.call(from, "request", command)?;
        same(&answer["sent"], &answer["replies"][target])?;
        let passed = passed(net, WATCHED)?.split_off(before);
        ensure!(passed.len() == 2, "{} messages passed, expected request and reply", passed.len());
        for message in passed {
            ensure!(message["encrypted"] == true, "it passed in clear: {message}");
            ensure!(message["len"] == SIZE + Envelope::OVERHEAD, "{} bytes passed", message["len"]);
            ensure!(message["sha256"] != answer["sent"]["sha256"], "the payload itself passed");
        }
    }
    Ok(())
}

fn passed(net: &mut Network<'_>, seat: usize) -> Result<Vec<Value>> {
    let mut report = net.call(seat, "report", json!({}))?;
    serde_json::from_value(report["passed"].take()).context("no list of what passed")
}

/// What cannot be done is answered with the code that says why, at once.
pub(super) fn refusals(net: &mut Network<'_>) -> Result<()> {
    let leaf = net.leaf();
    for (from, to) in [(leaf, 0), (0, leaf)] {
        let target = net.fqcn(to);
        expect_code(net, from, target, topic::REFUSE, REFUSAL)?;
        expect_code(net, from, target, "nobody listens", ReturnCode::PROCESS_EXCEPTION.as_str())?;
    }
    expect_code(net, leaf, NOBODY, topic::ECHO, ReturnCode::COMM_ERROR.as_str())?;
    expect_code(net, 0, NOBODY, topic::ECHO, ReturnCode::TARGET_UNREACHABLE.as_str())?;
    expect_code(net, leaf, "not..valid", topic::ECHO, ReturnCode::INVALID_TARGET.as_str())
}

/// Many requests of both ends at the same time, none of them lost or mixed up.
pub(super) fn many(net: &mut Network<'_>) -> Result<()> {
    let leaf = net.leaf();
    let mut waiting = Vec::new();
    for index in 0..32 {
        for (from, to) in [(leaf, 0), (0, leaf)] {
            let target = net.fqcn(to);
            let command = json!({
                "targets": [target], "channel": CHANNEL, "topic": topic::ECHO, "payload": {"random": 100 + 997 * index}, "timeout": 20.0,
            });
            waiting.push((target, net.begin(from, "request", command)?));
        }
    }
    for (target, answer) in waiting {
        let answer = answer.wait()?;
        let reply = &answer["replies"][target];
        ensure!(reply["code"] == ReturnCode::OK.as_str(), "code {} from {target}", reply["code"]);
        same(&answer["sent"], reply)?;
    }
    Ok(())
}

/// No payload, an empty one, objects, text, and bytes up to 16 MiB.
pub(super) fn sizes(net: &mut Network<'_>) -> Result<()> {
    let object =
        json!({"text": "Grüße", "numbers": [0, -1, 4_294_967_296_u64, 0.25], "nothing": null, "deep": {"yes": true}});
    let leaf = net.leaf();
    for (from, to) in [(leaf, 0), (0, leaf)] {
        echo(net, from, to, &json!({}), &json!({}))?;
        echo(net, from, to, &json!({"fobs": object}), &json!({}))?;
        for size in [1, 65_519, 1 << 20, 16 << 20] {
            echo(net, from, to, &json!({"random": size}), &json!({}))?;
        }
    }
    Ok(())
}

/// One round of requests, each target another payload.
pub(super) fn multi(net: &mut Network<'_>) -> Result<()> {
    for from in [0, net.leaf()] {
        let targets: Vec<_> = (0..net.len()).filter(|seat| *seat != from).map(|seat| net.fqcn(seat)).collect();
        let messages: Vec<_> = targets
            .iter()
            .map(|target| {
                json!({"target": target, "channel": CHANNEL, "topic": topic::ECHO, "payload": {"fobs": {"for": target}}})
            })
            .collect();
        let answer = net.call(from, "multi", json!({"messages": messages, "timeout": 10.0}))?;
        for target in targets {
            let reply = &answer["replies"][target];
            ensure!(reply["code"] == ReturnCode::OK.as_str(), "code {} from {target}", reply["code"]);
            ensure!(reply["value"] == json!({"for": target}), "{target} answered {}", reply["value"]);
        }
    }
    Ok(())
}

/// Requests between all pairs of cells: siblings, cousins, jobs of different families.
pub(super) fn all_pairs(net: &mut Network<'_>) -> Result<()> {
    for from in 0..net.len() {
        for to in (0..net.len()).filter(|to| *to != from) {
            request(net, from, to)?;
        }
    }
    Ok(())
}

/// A request that must come back with that code, soon.
pub(super) fn expect_code(net: &mut Network<'_>, from: usize, target: &str, topic: &str, expected: &str) -> Result<()> {
    let command =
        json!({"targets": [target], "channel": CHANNEL, "topic": topic, "payload": {"text": "?"}, "timeout": 15.0});
    let answer = net.call(from, "request", command)?;
    let reply = &answer["replies"][target];
    ensure!(
        reply["code"] == expected,
        "{} to {target}, topic {topic:?}: code {}, expected {expected:?}",
        net.label(from),
        reply["code"]
    );
    let seconds = answer["seconds"].as_f64().unwrap_or(f64::MAX);
    ensure!(seconds < 5.0, "code {expected:?} took {seconds:.1} s");
    Ok(())
}

/// Waits until so many messages of the topic have come.
pub(super) fn wait_count(net: &mut Network<'_>, seat: usize, topic: &str, count: usize) -> Result<()> {
    let answer =
        net.call(seat, "wait_count", json!({"channel": CHANNEL, "topic": topic, "count": count, "timeout": 15.0}))?;
    ensure!(answer["met"] == true, "{}: fewer than {count} messages of topic {topic:?}", net.label(seat));
    Ok(())
}

/// The records of a topic's messages at a cell.
fn records(net: &mut Network<'_>, seat: usize, topic: &str) -> Result<Vec<Value>> {
    let report = net.call(seat, "report", json!({}))?;
    let received = report["received"].as_array().context("no list of messages")?;
    let of_topic = received.iter().find(|entry| entry["channel"] == CHANNEL && entry["topic"] == topic);
    Ok(of_topic.and_then(|entry| entry["messages"].as_array()).cloned().unwrap_or_default())
}

fn last(net: &mut Network<'_>, seat: usize, topic: &str) -> Result<Value> {
    let all = records(net, seat, topic)?;
    all.last().cloned().with_context(|| format!("{} has no message of topic {topic:?}", net.label(seat)))
}

/// Waits until as many messages have come as were sent, and compares them as sets: the reference may change their order.
fn arrived(net: &mut Network<'_>, to: usize, before: usize, sent: &Value) -> Result<()> {
    let sent = sent.as_array().context("no list of what was sent")?;
    wait_count(net, to, topic::NOTE, before + sent.len())?;
    let got = records(net, to, topic::NOTE)?;
    ensure!(got.len() == before + sent.len(), "{} messages arrived, {} were sent", got.len() - before, sent.len());
    let count = |list: &[Value]| {
        let mut counts = HashMap::new();
        for entry in list {
            *counts.entry(entry["sha256"].as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
        }
        counts
    };
    ensure!(count(sent) == count(&got[before..]), "what arrived is not what was sent");
    Ok(())
}

/// Encoding, length and digest, or the object itself, must be equal.
fn same(sent: &Value, got: &Value) -> Result<()> {
    for field in ["encoding", "len", "sha256", "value"] {
        ensure!(sent[field] == got[field], "{field} is {}, sent was {}", got[field], sent[field]);
    }
    Ok(())
}

fn merge(into: &mut Value, more: &Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more.clone());
    }
}
