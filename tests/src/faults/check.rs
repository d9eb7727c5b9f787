//! What is looked at when all transfers are over: what went again, and what every process still holds.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::HashMap;
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use fedcell_cell::proto::download::consumer::ConsumerConfig;
use serde_json::Value;

use super::network::{CHUNK, Network, WINDOW};
use super::transfer::{Done, Transfer};

/// How long cells may take to forget what is over: a receiver remembers a reliable stream as long as its sender may
/// repeat it.
const FORGET: Duration = Duration::from_secs(150);
/// After that a cell has given back the memory that it kept for the next large stream.
const GIVEN_BACK: Duration = Duration::from_secs(11);
/// How much more memory a process may hold at the end: allocators keep some of what is freed.
const MEMORY: u64 = 64 << 20;
/// Files and sockets more.
const FILES: u64 = 2;

/// Bytes of the pieces of a download that may be on their way, and have to be given again if they are lost there.
fn pieces() -> u64 {
    let config = ConsumerConfig::default();
    config.piece.unwrap_or_default() * config.pieces as u64
}

/// What a process held.
pub(super) type Held = Vec<(String, Value)>;

/// Waits until no cell has an open stream, and tells what they hold then.
pub(super) fn settle(network: &Network<'_>) -> Result<Held> {
    let end = Instant::now() + FORGET;
    loop {
        let held = network.inspect()?;
        let busy = held.iter().any(|(_, held)| held["streams"] != 0 || held["waiting"] != 0);
        if !busy || Instant::now() >= end {
            thread::sleep(GIVEN_BACK);
            return network.inspect();
        }
        thread::sleep(Duration::from_millis(500));
    }
}

/// The figures of all processes in one line.
pub(super) fn shown(held: &Held) -> String {
    let mut text = String::new();
    for (name, held) in held {
        let megabytes = held["resident"].as_u64().unwrap_or_default() >> 20;
        // Writing to a string does not fail.
        _ = write!(
            text,
            "{name}: {} streams, {} tasks, {} files, {megabytes} MiB; ",
            held["streams"], held["tasks"], held["files"]
        );
    }
    text
}

/// Nobody holds more than before. The relay is another process than before; it is held against what it was then.
pub(super) fn no_leak(before: &Held, after: &Held) -> Result<()> {
    for ((name, before), (_, after)) in before.iter().zip(after) {
        let number = |held: &Value, key: &str| held[key].as_u64().unwrap_or(u64::MAX);
        ensure!(number(after, "streams") == 0, "{name} still has {} open streams", after["streams"]);
        ensure!(number(after, "waiting") == 0, "{name} still has {} open requests", after["waiting"]);
        for (key, more) in [("tasks", 0), ("files", FILES), ("resident", MEMORY)] {
            let (then, now) = (number(before, key), number(after, key));
            ensure!(now <= then.saturating_add(more), "{name} had {then} {key} and has {now}");
        }
    }
    Ok(())
}

/// How many troubles the transfers have met that have arrived.
pub(super) fn troubles_met(results: &[(Transfer, Result<Done>)]) -> String {
    let mut met: Vec<_> = results.iter().filter_map(|(_, outcome)| Some(outcome.as_ref().ok()?.met)).collect();
    met.sort_unstable();
    let (arrived, calm) = (met.len(), met.iter().filter(|met| **met == 0).count());
    let (median, most) = (met.get(arrived / 2).unwrap_or(&0), met.last().unwrap_or(&0));
    format!("{} arrived although they met trouble, {median} (median) to {most}; {calm} met none", arrived - calm)
}

/// Share of the bytes that went through a proxy more than once. A trouble may cost a stream what was on its way, several
/// times if it lasts; nothing that lies behind that goes again. A source gives a piece again at most, not all.
pub(super) fn repeats(network: &Network<'_>, results: &[(Transfer, Result<Done>)]) -> Result<f64> {
    let accounts = network.accounts()?;
    let mut by_topic: HashMap<&str, Vec<&Value>> = HashMap::new();
    let (mut bytes, mut again) = (0_u64, 0_u64);
    let streams = || accounts.iter().flat_map(|account| account["streams"].as_array().into_iter().flatten());
    for stream in streams() {
        by_topic.entry(stream["topic"].as_str().unwrap_or_default()).or_default().push(stream);
        bytes += stream["bytes"].as_u64().unwrap_or_default();
        again += stream["again"].as_u64().unwrap_or_default() * CHUNK;
    }
    for (transfer, ..) in results.iter().filter(|(transfer, ..)| !transfer.is_download()) {
        let streams = by_topic.get(transfer.topic.as_str()).map(Vec::as_slice).unwrap_or_default();
        ensure!(!streams.is_empty(), "{transfer}: no proxy has seen it");
        let mut numbers: Vec<_> = streams.iter().map(|stream| stream["id"].as_i64()).collect();
        numbers.dedup();
        ensure!(numbers.len() == 1, "{transfer}: it was begun anew: streams {numbers:?}");
        for stream in streams {
            // Whoever begins again sends what lies behind everything that may be on its way.
            let behind = stream["behind"].as_u64().unwrap_or(u64::MAX);
            let window = WINDOW / CHUNK + 2;
            ensure!(behind <= window, "{transfer}: it went {behind} chunks back, {window} may be on their way");
        }
    }
    for (transfer, outcome) in results {
        let Ok(Done { given, met, .. }) = outcome else { continue };
        let given = *given;
        let allowed = transfer.size + (*met as u64 + 1) * pieces();
        ensure!(given <= allowed, "{transfer}: its source gave {given} bytes");
    }
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share = again as f64 / bytes.max(1) as f64;
    Ok(share)
}
