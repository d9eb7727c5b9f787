//! What is shown on each network: one row a property.

use anyhow::{Context as _, Result, ensure};
use fedcell_protocol_defs::cell::ReturnCode;
use serde_json::{Value, json};

use super::network::Network;
use super::objects;
use super::plan::{HUGE, Link, Plan, SMALL};
use crate::interop::cell::process::Maker;

/// Channel of the rows: one that is streamed.
const CHANNEL: &str = "aux_communication";

/// Longest that one transfer may take, in seconds.
const LIMIT: f64 = 60.0;

/// The same for the largest.
const LARGE_LIMIT: f64 = 240.0;

/// Bytes of the largest transfers.
const LARGE: u64 = 1 << 30;

/// Arrays of the largest model.
const ARRAYS: u64 = 200;

/// Bytes of the largest model.
const MODEL: u64 = 2 << 30;

/// What the reference says of a transfer whose end it waits for.
const ENDLESS: &str = "Future timed out waiting result";

/// What shows a property of a running network.
type Show = dyn Fn(&mut Network<'_>) -> Result<()>;

/// A property of a running network.
pub(super) struct Row {
    /// For the table.
    pub(super) name: String,
    /// Shows it.
    pub(super) run: Box<Show>,
}

fn row(name: impl Into<String>, run: impl Fn(&mut Network<'_>) -> Result<()> + 'static) -> Row {
    Row { name: name.into(), run: Box::new(run) }
}

/// The rows of a network.
pub(super) fn rows(plan: &Plan) -> Vec<Row> {
    let leaf = plan.shape.seats.len() - 1;
    let mut rows = Vec::new();
    if plan.scale == HUGE {
        // Least memory first: a process keeps the peak of what it has done.
        return vec![
            row("two arrays of 1 GiB in files are downloaded, up: the sender has at most 200 MiB", |net| {
                let leaf = net.leaf();
                download(net, "npy", leaf, 0, &arrays(2, MODEL / 2 / 4, "<f4"))?;
                peak(net, MODEL, 200 << 20)
            }),
            row("one array of 1 GiB, there and back over the disk: at most 200 MiB", |net| {
                memory(net, "spill", (1, MODEL / 2), 200 << 20)
            }),
            row("200 arrays, 2 GiB, there and back over the disk: at most 300 MiB", |net| {
                memory(net, "spill", (ARRAYS, MODEL), 300 << 20)
            }),
            row("200 arrays, 2 GiB, there and back: at most 1.2 times their size", |net| {
                memory(net, "echo", (ARRAYS, MODEL), MODEL + MODEL / 5)
            }),
        ];
    }
    if plan.scale != SMALL {
        for (from, to, way) in [(leaf, 0, "up"), (0, leaf, "down")] {
            rows.push(row(format!("blobs up to three windows, reliable, {way}"), move |net| {
                let sizes = net.plan.scale.sizes();
                transfers(net, "blob", from, to, &sizes, &json!({"reliable": true}))
            }));
            rows.push(row(format!("a blob of 1 GiB, {way}"), move |net| {
                transfers(net, "blob", from, to, &[LARGE], &json!({"timeout": LARGE_LIMIT}))
            }));
            rows.push(row(format!("a byte stream of 1 GiB, reliable, {way}"), move |net| {
                transfers(net, "stream", from, to, &[LARGE], &json!({"reliable": true, "timeout": LARGE_LIMIT}))
            }));
            rows.push(row(format!("a file of 1 GiB is downloaded, {way}"), move |net| {
                download(net, "file", from, to, &json!({"random": LARGE}))
            }));
            rows.push(row(format!("64 arrays of 16 MiB are downloaded, {way}"), move |net| {
                download(net, "arrays", from, to, &arrays(64, 4 << 20, "<f4"))
            }));
        }
        return rows;
    }
    for (from, to, way) in [(leaf, 0, "up"), (0, leaf, "down")] {
        for (kind, word) in [("blob", "blobs"), ("stream", "byte streams")] {
            for reliable in [false, true] {
                let name = format!("{word} of 0 B to three windows{}, {way}", if reliable { ", reliable" } else { "" });
                rows.push(row(name, move |net| {
                    let sizes = net.plan.scale.sizes();
                    transfers(net, kind, from, to, &sizes, &json!({"reliable": reliable}))
                }));
            }
        }
        rows.push(row(format!("byte streams of unknown size, {way}"), move |net| {
            let sizes = net.plan.scale.sizes();
            transfers(net, "stream", from, to, &sizes, &json!({"known": false, "reliable": true}))
        }));
        rows.push(row(format!("sealed blobs, {way}"), move |net| {
            transfers(net, "blob", from, to, &[1, SMALL.chunk, SMALL.window + 1], &json!({"secure": true}))
        }));
        rows.push(row(format!("requests and replies, {way}"), move |net| requests(net, from, to)));
        rows.push(row(format!("a request that nobody handles, {way}"), move |net| unhandled(net, from, to)));
        rows.push(row(format!("a model of arrays there and back, {way}"), move |net| models(net, from, to)));
        for (kind, word) in [("raw", "raw bytes"), ("file", "files"), ("arrays", "arrays")] {
            rows.push(row(format!("{word} are downloaded, {way}"), move |net| downloads(net, kind, from, to)));
        }
        rows.push(row(format!("a reference that nobody knows, {way}"), move |net| unknown_reference(net, from, to)));
        for case in objects::CASES {
            rows.push(row(format!("a stream of {}, {way}", case.name), move |net| objects::show(net, case, from, to)));
        }
    }
    rows.push(row("32 requests at once in both directions", many));
    rows.push(row("eight blobs at once in both directions, small requests between", crowd));
    if leaf > 1 {
        rows.push(row("references are handed on untouched", hand_on));
        rows.push(row("two receivers of one offer", two_receivers));
    }
    if plan.link == Link::Shuffled {
        rows.push(row("the proxy has changed the order and repeated frames", shuffled));
    }
    rows
}

fn arrays(count: u64, elements: u64, dtype: &str) -> Value {
    json!({"arrays": {"count": count, "elements": elements, "dtype": dtype}})
}

/// Transfers of these sizes, one after the other; all arrive, unchanged.
fn transfers(net: &mut Network<'_>, kind: &str, from: usize, to: usize, sizes: &[u64], more: &Value) -> Result<()> {
    let topic = net.topic(kind);
    net.call(to, "take", json!({"kind": kind, "channel": CHANNEL, "topic": topic}))?;
    let (target, timeout) = (net.fqcn(to), more["timeout"].as_f64().unwrap_or(LIMIT));
    let mut sent = Vec::new();
    for size in sizes {
        let mut command = json!({
            "kind": kind, "target": target, "channel": CHANNEL, "topic": topic, "size": size, "timeout": timeout,
        });
        merge(&mut command, more);
        let answer = net.call(from, "send", command)?;
        ensure!(answer["failure"].is_null(), "{size} bytes: {}", answer["failure"]);
        sent.push(answer["sent"].clone());
    }
    arrived(net, to, &topic, &sent, timeout)
}

/// Waits until as many have come as were sent, and compares them as sets: each stream is a task of its own.
fn arrived(net: &mut Network<'_>, to: usize, topic: &str, sent: &[Value], timeout: f64) -> Result<()> {
    let command = json!({"channel": CHANNEL, "topic": topic, "count": sent.len(), "timeout": timeout});
    let answer = net.call(to, "taken", command)?;
    let taken = answer["taken"].as_array().context("no list")?;
    for transfer in taken {
        ensure!(transfer["error"].is_null(), "{} received: {}", net.label(to), transfer["error"]);
    }
    ensure!(answer["met"] == true, "{} of {} have come", taken.len(), sent.len());
    let key = |entry: &Value| (entry["len"].as_u64(), entry["sha256"].as_str().unwrap_or_default().to_owned());
    let mut expected: Vec<_> = sent.iter().map(key).collect();
    let mut got: Vec<_> = taken.iter().map(key).collect();
    expected.sort();
    got.sort();
    ensure!(expected == got, "what arrived is not what was sent: {got:?}, {expected:?}");
    Ok(())
}

/// One request whose reply is its own body.
fn echo(net: &mut Network<'_>, from: usize, to: usize, topic: &str, payload: &Value, more: &Value) -> Result<()> {
    let mut command =
        json!({"target": net.fqcn(to), "channel": CHANNEL, "topic": topic, "payload": payload, "timeout": LIMIT});
    merge(&mut command, more);
    let answer = net.call(from, "ask", command)?;
    same(&answer).with_context(|| format!("{payload} to {}", net.label(to)))
}

fn same(answer: &Value) -> Result<()> {
    ensure!(answer["code"] == ReturnCode::OK.as_str(), "code {}, {}", answer["code"], answer["reason"]);
    for field in ["encoding", "len", "sha256", "value"] {
        let (sent, got) = (&answer["sent"][field], &answer["reply"][field]);
        ensure!(sent == got, "{field} is {got}, sent was {sent}");
    }
    Ok(())
}

/// No body, bytes of all sizes, objects, and a sealed one.
fn requests(net: &mut Network<'_>, from: usize, to: usize) -> Result<()> {
    let topic = net.topic("echo");
    net.call(to, "answer", json!({"channel": CHANNEL, "topic": topic, "kind": "echo"}))?;
    let object = json!({"text": "Grüße", "numbers": [0, -1, 4_294_967_296_u64, 0.25], "nothing": null});
    let mut payloads = vec![json!({}), json!({"fobs": object})];
    payloads.extend(net.plan.scale.sizes().into_iter().skip(1).map(|size| json!({"random": size})));
    for payload in payloads {
        echo(net, from, to, &topic, &payload, &json!({}))?;
    }
    echo(net, from, to, &topic, &json!({"random": SMALL.chunk * 3}), &json!({"secure": true}))
}

/// The requester learns at once that nobody handles what it sent.
fn unhandled(net: &mut Network<'_>, from: usize, to: usize) -> Result<()> {
    let topic = net.topic("nobody");
    for size in [10, 5 * SMALL.chunk] {
        let command = json!({
            "target": net.fqcn(to), "channel": CHANNEL, "topic": topic, "payload": {"random": size}, "timeout": 20.0,
        });
        let answer = net.call(from, "ask", command)?;
        let code = &answer["code"];
        ensure!(*code == ReturnCode::COMM_ERROR.as_str(), "code {code}, {}", answer["reason"]);
        let seconds = answer["seconds"].as_f64().unwrap_or(f64::MAX);
        ensure!(seconds < 5.0, "that took {seconds:.1} s");
    }
    Ok(())
}

/// Arrays in a request are fetched by who gets it, those of the reply by who asked.
fn models(net: &mut Network<'_>, from: usize, to: usize) -> Result<()> {
    let topic = net.topic("model");
    net.call(to, "answer", json!({"channel": CHANNEL, "topic": topic, "kind": "echo"}))?;
    let many = arrays(40, 1000, "<f4");
    let large = arrays(3, 1_000_003, "<f4");
    let odd = arrays(2, 77, "<i8");
    for mut payload in [many, large, odd] {
        payload["shareable"] = json!(true);
        echo(net, from, to, &topic, &payload, &json!({}))?;
    }
    Ok(())
}

/// A model of so many arrays and bytes goes from the server to the leaf and back, each end fetching it from the other; the
/// leaf's process has no more than so much in memory at any moment.
fn memory(net: &mut Network<'_>, kind: &str, (count, bytes): (u64, u64), most: u64) -> Result<()> {
    let topic = net.topic("model");
    let leaf = net.leaf();
    net.call(leaf, "answer", json!({"channel": CHANNEL, "topic": topic, "kind": kind}))?;
    let mut payload = arrays(count, bytes / count / 4, "<f4");
    payload["shareable"] = json!(true);
    echo(net, 0, leaf, &topic, &payload, &json!({"timeout": LARGE_LIMIT}))?;
    peak(net, bytes, most)
}

/// The leaf's process never had more than so much in memory while so many bytes passed, which is said with the row.
#[expect(clippy::print_stdout, reason = "figures are what these rows are for")]
fn peak(net: &mut Network<'_>, bytes: u64, most: u64) -> Result<()> {
    let held = net.call(net.leaf(), "inspect", json!({}))?;
    let peak = held["peak"].as_u64().unwrap_or(u64::MAX);
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let ratio = peak as f64 / bytes as f64;
    println!(
        "      of {} MiB the leaf had {} MiB in memory at most, {ratio:.2} times as much",
        bytes >> 20,
        peak >> 20
    );
    ensure!(peak <= most, "the leaf had {} MiB in memory, {} MiB are allowed", peak >> 20, most >> 20);
    Ok(())
}

/// Offers of all sizes, fetched, and settled at the end where they come from.
fn downloads(net: &mut Network<'_>, kind: &str, from: usize, to: usize) -> Result<()> {
    let payloads = if kind == "arrays" {
        vec![arrays(1, 1, "<f8"), arrays(100, 100, "<f4"), arrays(5, 300_000, "<f8")]
    } else {
        vec![json!({"random": 1}), json!({"random": 1 << 20}), json!({"random": (7 << 20) + 5})]
    };
    payloads.iter().try_for_each(|payload| download(net, kind, from, to, payload))
}

fn download(net: &mut Network<'_>, kind: &str, from: usize, to: usize, payload: &Value) -> Result<()> {
    let offer = net.call(from, "offer", json!({"kind": kind, "payload": payload, "timeout": LARGE_LIMIT}))?;
    let kind = if kind == "npy" { "arrays" } else { kind };
    let command = json!({"kind": kind, "fqcn": offer["fqcn"], "ref": offer["ref"], "timeout": LARGE_LIMIT});
    let fetched = net.call(to, "fetch", command)?;
    ensure!(fetched["failure"].is_null(), "{payload}: {}", fetched["failure"]);
    ensure!(fetched["got"] == offer["sent"], "{payload}: got {}, offered {}", fetched["got"], offer["sent"]);
    let outcome = net.call(from, "outcome", json!({"ref": offer["ref"], "timeout": 20.0}))?;
    let fqcn = net.fqcn(to);
    ensure!(outcome["outcome"] == "completed", "{payload}: the offer ended as {outcome}");
    ensure!(outcome["receivers"] == json!({fqcn: "success"}), "{payload}: the offer ended as {outcome}");
    Ok(())
}

/// What nobody offers is refused, soon.
fn unknown_reference(net: &mut Network<'_>, from: usize, to: usize) -> Result<()> {
    let reference = "R00000000-0000-4000-8000-000000000000";
    let command = json!({"kind": "raw", "fqcn": net.fqcn(from), "ref": reference, "timeout": 20.0});
    let fetched = net.call(to, "fetch", command)?;
    ensure!(fetched["failure"].is_string(), "it was found: {fetched}");
    let seconds = fetched["seconds"].as_f64().unwrap_or(f64::MAX);
    ensure!(seconds < 5.0, "that took {seconds:.1} s");
    Ok(())
}

/// Many requests of both ends at the same time, none of ours lost, none mixed up.
fn many(net: &mut Network<'_>) -> Result<()> {
    let topic = net.topic("echo");
    let leaf = net.leaf();
    for seat in [0, leaf] {
        net.call(seat, "answer", json!({"channel": CHANNEL, "topic": topic, "kind": "echo"}))?;
    }
    let mut waiting = Vec::new();
    for index in 0..16_u64 {
        for (from, to) in [(leaf, 0), (0, leaf)] {
            let payload = json!({"random": 100 + index * SMALL.chunk / 3});
            let target = net.fqcn(to);
            let command =
                json!({"target": target, "channel": CHANNEL, "topic": topic, "payload": payload, "timeout": 20.0});
            waiting.push((from, net.begin(from, "ask", command.clone())?, command));
        }
    }
    for (from, answer, command) in waiting {
        let mut answer = answer.wait()?;
        // One in thousands of its requests ends so even if the reference is at both ends.
        if net.plan.maker(from) == Maker::Theirs && answer["code"] == ReturnCode::TIMEOUT.as_str() {
            answer = net.call(from, "ask", command)?;
        }
        same(&answer)?;
    }
    Ok(())
}

/// Large blobs in both directions do not hold a small request. One in some hundred blobs of the reference never ends for
/// its sender, with the reference at both ends as well; such a crowd gathers once more.
fn crowd(net: &mut Network<'_>) -> Result<()> {
    ensure!(has_passed(net)? || has_passed(net)?, "{ENDLESS}, twice");
    Ok(())
}

/// Whether each blob of the crowd has ended for its sender; all else that goes wrong is an error.
fn has_passed(net: &mut Network<'_>) -> Result<bool> {
    let leaf = net.leaf();
    let (echoes, topic) = (net.topic("echo"), net.topic("blob"));
    for seat in [0, leaf] {
        net.call(seat, "answer", json!({"channel": CHANNEL, "topic": echoes, "kind": "echo"}))?;
        net.call(seat, "take", json!({"kind": "blob", "channel": CHANNEL, "topic": topic}))?;
    }
    let mut waiting = Vec::new();
    for index in 0..4_u64 {
        for (from, to) in [(leaf, 0), (0, leaf)] {
            let command = json!({
                "kind": "blob", "target": net.fqcn(to), "channel": CHANNEL, "topic": topic,
                "size": 4 * SMALL.window + index, "timeout": LIMIT, "reliable": index % 2 == 0,
            });
            waiting.push((from, to, net.begin(from, "send", command)?));
        }
    }
    for (from, to) in [(leaf, 0), (0, leaf)] {
        echo(net, from, to, &echoes, &json!({"random": 1000}), &json!({}))?;
    }
    let answers = waiting.into_iter().map(|(from, to, answer)| Ok((from, to, answer.wait()?)));
    let answers: Vec<_> = answers.collect::<Result<_>>()?;
    let is_endless = |failure: &Value| failure.as_str().is_some_and(|text| text.contains(ENDLESS));
    if answers.iter().any(|(from, _, answer)| net.plan.maker(*from) == Maker::Theirs && is_endless(&answer["failure"]))
    {
        return Ok(false);
    }
    let mut sent: Vec<(usize, Value)> = Vec::new();
    for (_, to, answer) in answers {
        ensure!(answer["failure"].is_null(), "{}", answer["failure"]);
        sent.push((to, answer["sent"].clone()));
    }
    for seat in [0, leaf] {
        let of_seat: Vec<_> = sent.iter().filter(|(to, _)| *to == seat).map(|(_, sent)| sent.clone()).collect();
        arrived(net, seat, &topic, &of_seat, LIMIT)?;
    }
    Ok(true)
}

/// A cell in between hands a model on without fetching it; who gets it fetches it from where it came from.
fn hand_on(net: &mut Network<'_>) -> Result<()> {
    let leaf = net.leaf();
    for (from, to) in [(0, leaf), (leaf, 0)] {
        let (first, second) = (net.topic("on"), net.topic("tell"));
        net.call(to, "answer", json!({"channel": CHANNEL, "topic": second, "kind": "tell"}))?;
        let other = net.fqcn(to);
        net.call(1, "hand_on", json!({"channel": CHANNEL, "topic": first, "target": other, "other": second}))?;
        let payload = arrays(5, 10_000, "<f4");
        let command =
            json!({"target": net.fqcn(1), "channel": CHANNEL, "topic": first, "payload": payload, "timeout": LIMIT});
        let answer = net.call(from, "ask", command)?;
        ensure!(answer["code"] == ReturnCode::OK.as_str(), "code {}, {}", answer["code"], answer["reason"]);
        let told = &answer["reply"]["value"];
        let (here, there) = (&told["here"]["model"]["layer0"], &told["there"]["value"]);
        ensure!(here["lazy"].is_string() && here["fqcn"] == net.fqcn(from), "in between it was {here}");
        ensure!(*there == answer["sent"]["value"], "it arrived as {there}, sent was {}", answer["sent"]["value"]);
    }
    Ok(())
}

/// One offer for two: both get it, and it is settled when both have.
fn two_receivers(net: &mut Network<'_>) -> Result<()> {
    let leaf = net.leaf();
    let payload = json!({"random": 3 << 20});
    let offer = net.call(0, "offer", json!({"kind": "raw", "payload": payload, "receivers": 2, "timeout": LIMIT}))?;
    let command = json!({"kind": "raw", "fqcn": offer["fqcn"], "ref": offer["ref"], "timeout": LIMIT});
    let first = net.begin(1, "fetch", command.clone())?;
    let second = net.begin(leaf, "fetch", command)?;
    for fetched in [first.wait()?, second.wait()?] {
        ensure!(fetched["failure"].is_null() && fetched["got"] == offer["sent"], "{fetched}");
    }
    let outcome = net.call(0, "outcome", json!({"ref": offer["ref"], "timeout": 20.0}))?;
    ensure!(outcome["outcome"] == "completed", "the offer ended as {outcome}");
    Ok(())
}

/// The rows before would show nothing if the proxy had passed all on as it came.
fn shuffled(net: &mut Network<'_>) -> Result<()> {
    let (late, twice) = net.shuffled()?;
    ensure!(late > 100 && twice > 100, "{late} frames were late and {twice} repeated");
    Ok(())
}

pub(super) fn merge(into: &mut Value, more: &Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more.clone());
    }
}
