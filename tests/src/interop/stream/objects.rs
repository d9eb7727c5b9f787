//! Rows of object streams: how many objects there ever are, and who ends them.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::network::Network;
use super::plan::Link;
use crate::interop::cell::process::Maker;

/// The application's channel.
const CHANNEL: &str = "numbers";
/// Bytes of each object's byte string and array.
const SIZE: u64 = 100_000;
/// The same for a receiver of the reference behind the proxy, too many chunks for all of them to be repeated. It forgets a
/// request at its end, and takes one of which all comes again for another: an object twice, and if that is the first of its
/// stream, it waits for a lock that it holds itself, so that its object streams stop for good. It does so with senders of
/// its own, too.
const LARGE: u64 = 800_000;

/// What happens in a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Objects that the sender would send.
    count: u64,
    /// The receiver is told which is the last.
    last: bool,
    refuse_at: Option<u64>,
    consumer_fails_at: Option<u64>,
    producer_fails_at: Option<u64>,
    /// Code of the last reply, and how the stream ends at the receiver; none if it never hears of it.
    code: &'static str,
    ended: Option<&'static str>,
    /// Objects that are taken.
    taken: usize,
}

const WHOLE: Case = Case {
    name: "",
    count: 0,
    last: true,
    refuse_at: None,
    consumer_fails_at: None,
    producer_fails_at: None,
    code: "OK",
    ended: Some("OK"),
    taken: 0,
};

pub(super) const CASES: [Case; 7] = [
    Case { name: "no object", ended: None, ..WHOLE },
    Case { name: "one object", count: 1, taken: 1, ..WHOLE },
    Case { name: "twenty objects", count: 20, taken: 20, ..WHOLE },
    Case { name: "objects whose sender stops", count: 3, last: false, ended: Some("TASK_ABORTED"), taken: 3, ..WHOLE },
    Case {
        name: "objects that are refused",
        count: 5,
        refuse_at: Some(2),
        code: "EMPTY_RESULT",
        ended: Some("EMPTY_RESULT"),
        taken: 2,
        ..WHOLE
    },
    Case {
        name: "objects whose consumer fails",
        count: 5,
        consumer_fails_at: Some(3),
        code: "EXECUTION_EXCEPTION",
        ended: Some("EXECUTION_EXCEPTION"),
        taken: 3,
        ..WHOLE
    },
    Case {
        name: "objects whose producer fails",
        count: 5,
        producer_fails_at: Some(2),
        ended: Some("TASK_ABORTED"),
        taken: 2,
        ..WHOLE
    },
];

/// One stream: what is taken is what was sent, and both ends agree on how it ended.
pub(super) fn show(net: &mut Network<'_>, case: Case, from: usize, to: usize) -> Result<()> {
    let topic = net.topic("objects");
    let route = json!({"channel": CHANNEL, "topic": topic});
    let with = |more: Value| {
        let mut command = route.clone();
        super::rows::merge(&mut command, &more);
        command
    };
    let Case { count, last, refuse_at, consumer_fails_at, producer_fails_at, .. } = case;
    net.call(to, "consume_objects", with(json!({"refuse_at": refuse_at, "fail_at": consumer_fails_at})))?;
    let target = net.fqcn(to);
    let repeats = net.plan.link == Link::Shuffled && net.plan.maker(to) == Maker::Theirs;
    let size = if repeats { LARGE } else { SIZE };
    let command = json!({"target": target, "count": count, "size": size, "fail_at": producer_fails_at, "last": last});
    let sent = net.call(from, "send_objects", with(command))?;
    let codes = sent["codes"].as_array().cloned().unwrap_or_default();
    let last_code = codes.last().and_then(Value::as_str).unwrap_or("OK");
    ensure!(last_code == case.code, "the replies were {codes:?}");
    let replies = case.taken + usize::from(case.code != "OK");
    ensure!(codes.len() == replies, "the replies were {codes:?}");
    ensure!(sent["failure"].is_string() == producer_fails_at.is_some(), "the sender says {}", sent["failure"]);
    let is_ended_here = case.ended.is_some_and(|ended| ended != "TASK_ABORTED");
    let end = if is_ended_here { json!({"count": case.taken}) } else { Value::Null };
    ensure!(sent["end"] == end, "the result is {}, not {end}", sent["end"]);
    // Of nothing nothing comes, and that need not be waited for.
    let patience = if case.ended.is_some() { 20.0 } else { 0.2 };
    let taken = net.call(to, "objects_taken", with(json!({"timeout": patience})))?;
    let streams = taken["streams"].as_array().cloned().unwrap_or_default();
    ensure!(streams.len() == usize::from(case.ended.is_some()), "these streams have come: {streams:?}");
    let (Some(ended), Some(stream)) = (case.ended, streams.first()) else { return Ok(()) };
    ensure!(stream["ended"] == ended, "the stream ended with {}", stream["ended"]);
    ensure!(stream["kind"] == "test", "its context is {}", stream["kind"]);
    let objects = stream["objects"].as_array().map_or(&[][..], Vec::as_slice);
    let expected = sent["sent"].as_array().map_or(&[][..], Vec::as_slice);
    ensure!(
        objects.len() == case.taken && expected.get(..case.taken) == Some(objects),
        "{objects:?}, not {expected:?}"
    );
    Ok(())
}
