//! `fedcell send`: requests to one cell or several, and what came back.

use core::time::Duration;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Instant;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use fedcell_cell::proto::address::FqcnBuf;
use fedcell_cell::proto::request::Body;
use fedcell_cell::{Cell, RequestError, Response, fobs_body};
use fedcell_fobs::Value as Fobs;
use fedcell_protocol_defs::cell::{HeaderKey, PayloadEncoding};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::connect::{Connect, tool_arguments};
use crate::exit::{Failure, Kind};
use crate::transfer::{self, FilePlan};
use crate::{print, seconds, value};

/// Name of the command.
pub(crate) const NAME: &str = "send";

const TARGET: &str = "target";
const CHANNEL: &str = "channel";
const TOPIC: &str = "topic";
const PAYLOAD: &str = "payload";
const FOBS: &str = "fobs";
const TIMEOUT: &str = "timeout";
const SECURE: &str = "secure";
const REPEAT: &str = "repeat";
const CONCURRENCY: &str = "concurrency";
const JSON: &str = "json";
const STREAM: &str = "stream";
const FILE: &str = "file";
const DOWNLOAD: &str = "download";
const OUTPUT: &str = "output";

pub(crate) fn command() -> Command {
    let about = "Send a request and print the reply";
    let required = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).required(true).help(help)
    };
    tool_arguments(Command::new(NAME).about(about), "root-url")
        .arg(
            required(TARGET, "FQCN", "Address of the cell that is asked; several make a broadcast")
                .action(ArgAction::Append),
        )
        .arg(required(CHANNEL, "C", "Channel of the request").required(false).required_unless_present(DOWNLOAD))
        .arg(required(TOPIC, "T", "Topic of the request").required(false).required_unless_present(DOWNLOAD))
        .arg(
            Arg::new(PAYLOAD)
                .long(PAYLOAD)
                .value_name("TEXT|@FILE|-")
                .conflicts_with(FOBS)
                .help("Payload: this text, a file's bytes, or those of standard input"),
        )
        .arg(Arg::new(FOBS).long(FOBS).value_name("JSON").help("Payload: this object"))
        .arg(
            Arg::new(STREAM)
                .long(STREAM)
                .action(ArgAction::SetTrue)
                .help("Send the request as a stream and take the reply as one, as the reference does on most channels"),
        )
        .arg(
            Arg::new(FILE)
                .long(FILE)
                .value_name("PATH")
                .conflicts_with_all([PAYLOAD, FOBS, STREAM, REPEAT, CONCURRENCY])
                .help("Stream this file in place of a request; what is lost on the way is sent again"),
        )
        .arg(
            Arg::new(DOWNLOAD)
                .long(DOWNLOAD)
                .value_name("REF")
                .requires(OUTPUT)
                .conflicts_with_all([CHANNEL, TOPIC, PAYLOAD, FOBS, STREAM, FILE, SECURE, REPEAT, CONCURRENCY])
                .help("Fetch the file or bytes that the target offers under this reference, in place of a request"),
        )
        .arg(
            Arg::new(OUTPUT)
                .long(OUTPUT)
                .value_name("PATH")
                .requires(DOWNLOAD)
                .help("Where what is fetched goes; the name stands for it only when it is complete"),
        )
        .arg(
            Arg::new(TIMEOUT)
                .long(TIMEOUT)
                .value_name("S")
                .value_parser(seconds::some)
                .default_value("10")
                .help("Seconds to wait, for the connection, again for each reply, and for a file to get on"),
        )
        .arg(Arg::new(SECURE).long(SECURE).action(ArgAction::SetTrue).help("Seal the payload for the target"))
        .arg(
            Arg::new(REPEAT)
                .long(REPEAT)
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .default_value("1")
                .help("Send so many requests; above 1, times are printed in place of the reply"),
        )
        .arg(
            Arg::new(CONCURRENCY)
                .long(CONCURRENCY)
                .value_name("K")
                .value_parser(value_parser!(u32).range(1..))
                .default_value("1")
                .help("Keep so many requests waiting at a time"),
        )
        .arg(Arg::new(JSON).long(JSON).action(ArgAction::SetTrue).help("Print one JSON line for each reply"))
}

/// What is sent where.
#[derive(Debug)]
struct Plan {
    targets: Vec<FqcnBuf>,
    channel: String,
    topic: String,
    body: Body,
    limit: Duration,
    secure: bool,
    /// A stream each way, in place of a message each way.
    streamed: bool,
}

/// What became of one target: its reply, or why there is none.
type Outcome = (FqcnBuf, Result<Response, RequestError>);

/// Sends.
///
/// # Errors
///
/// [`Failure`] of the first target that did not answer well.
pub(crate) async fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let connect = Connect::read(arguments)?;
    let plan = Plan::read(arguments)?;
    let text = |name| arguments.get_one::<String>(name).cloned();
    if let Some((reference, path)) = text(DOWNLOAD).zip(text(OUTPUT)) {
        return transfer::download(&connect, plan.file(&path, arguments.get_flag(JSON))?, &reference).await;
    }
    if let Some(path) = arguments.get_one::<String>(FILE) {
        return transfer::send_file(&connect, plan.file(path, arguments.get_flag(JSON))?).await;
    }
    let repeat = arguments.get_one::<u32>(REPEAT).copied().unwrap_or(1);
    let concurrency = arguments.get_one::<u32>(CONCURRENCY).copied().unwrap_or(1);
    let as_json = arguments.get_flag(JSON);
    let cell = connect.tool(plan.limit).await?;
    let outcome = if repeat == 1 {
        once(&cell, &plan, as_json).await
    } else {
        many(&cell, plan, repeat, concurrency, as_json).await
    };
    cell.shutdown().await;
    outcome
}

impl Plan {
    fn read(arguments: &ArgMatches) -> Result<Self, Failure> {
        let text = |name| arguments.get_one::<String>(name).cloned().unwrap_or_default();
        let body = match (arguments.get_one::<String>(PAYLOAD), arguments.get_one::<String>(FOBS)) {
            (Some(payload), _) => Body::bytes(bytes(payload)?),
            (None, Some(object)) => fobs_body(&value::parse(object)?).map_err(RequestError::from)?,
            (None, None) => Body::none(),
        };
        let parse = |target: &String| FqcnBuf::parse(target).map_err(RequestError::Target);
        let targets = arguments.get_many::<String>(TARGET).into_iter().flatten().map(parse);
        Ok(Self {
            targets: targets.collect::<Result<_, _>>()?,
            channel: text(CHANNEL),
            topic: text(TOPIC),
            body,
            limit: arguments.get_one::<Duration>(TIMEOUT).copied().unwrap_or_default(),
            secure: arguments.get_flag(SECURE),
            streamed: arguments.get_flag(STREAM),
        })
    }

    /// The same places for a file.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is not one target.
    fn file(self, path: &str, as_json: bool) -> Result<FilePlan, Failure> {
        let [target] = <[FqcnBuf; 1]>::try_from(self.targets)
            .map_err(|_| Failure::text(Kind::Usage, "a file has one --target"))?;
        let Self { channel, topic, limit, secure, .. } = self;
        Ok(FilePlan { target, channel, topic, path: path.into(), limit, secure, as_json })
    }

    async fn send(&self, cell: &Cell) -> Result<Vec<Outcome>, RequestError> {
        let draft = cell.broadcast(self.targets.iter(), &self.channel, &self.topic).body(self.body.clone());
        let draft = if self.streamed { draft.streamed() } else { draft.direct() };
        draft.timeout(self.limit).secure(self.secure).send().await
    }
}

fn bytes(payload: &str) -> Result<Vec<u8>, Failure> {
    if payload == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(Failure::local)?;
        return Ok(bytes);
    }
    match payload.strip_prefix('@') {
        Some(file) => std::fs::read(file)
            .map_err(|error| Failure::new(Kind::Configuration, error).context(format!("cannot read {file}"))),
        None => Ok(payload.as_bytes().to_vec()),
    }
}

/// One round, with the replies.
async fn once(cell: &Cell, plan: &Plan, as_json: bool) -> Result<(), Failure> {
    let start = Instant::now();
    let outcomes = plan.send(cell).await?;
    let seconds = start.elapsed().as_secs_f64();
    let mut failure = None;
    for (target, outcome) in outcomes {
        let outcome = outcome.and_then(Response::success);
        if as_json {
            print::json(&describe(&target, &outcome, seconds)?)?;
        } else if let Ok(response) = &outcome {
            show(response)?;
        }
        if let Err(error) = outcome {
            failure = failure.or(Some(Failure::from(error).context(target.as_str().to_owned())));
        }
    }
    failure.map_or(Ok(()), Err)
}

/// The reply as it is: bytes as bytes, an object as JSON.
fn show(response: &Response) -> Result<(), Failure> {
    match content(response)? {
        Fobs::Null => Ok(()),
        Fobs::Bytes(_) => print::bytes(&response.bytes()),
        object => print::json(&value::show(&object)?),
    }
}

fn describe(target: &FqcnBuf, outcome: &Result<Response, RequestError>, seconds: f64) -> Result<Value, Failure> {
    Ok(match outcome {
        Ok(response) => {
            let encoding = response.headers().text(HeaderKey::PAYLOAD_ENCODING).ok().flatten();
            let bytes = response.bytes();
            let payload = match (content(response)?, core::str::from_utf8(&bytes)) {
                (Fobs::Bytes(_), Ok(text)) => json!(text),
                (object, _) => value::show(&object)?,
            };
            json!({
                "target": target.as_str(), "code": response.return_code().as_str(), "seconds": seconds,
                "encoding": encoding.unwrap_or(PayloadEncoding::NONE.as_str()), "len": bytes.len(), "payload": payload,
                "route": response.headers().route().hops().map(|hop| hop.cell).collect::<Vec<_>>(),
            })
        }
        Err(error) => json!({
            "target": target.as_str(), "code": error.return_code().as_str(), "seconds": seconds,
            "error": error.to_string(),
        }),
    })
}

fn content(response: &Response) -> Result<Fobs, Failure> {
    response.value().map_err(|error| Failure::new(Kind::Answered, error).context("the reply cannot be read"))
}

/// Many rounds, with their times.
async fn many(cell: &Cell, plan: Plan, repeat: u32, concurrency: u32, as_json: bool) -> Result<(), Failure> {
    let plan = Arc::new(plan);
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for worker in 0..concurrency.min(repeat) {
        let rounds = repeat / concurrency.min(repeat) + u32::from(worker < repeat % concurrency.min(repeat));
        let (cell, plan) = (cell.clone(), Arc::clone(&plan));
        tasks.spawn(async move {
            let mut done = Vec::new();
            for _ in 0..rounds {
                let start = Instant::now();
                let outcomes = plan.send(&cell).await?;
                let error = outcomes.into_iter().find_map(|(_, outcome)| outcome.and_then(Response::success).err());
                done.push((start.elapsed(), error));
            }
            Ok::<_, RequestError>(done)
        });
    }
    let (mut times, mut failure, mut failed) = (Vec::new(), None, 0_usize);
    for done in tasks.join_all().await {
        for (time, error) in done? {
            match error {
                None => times.push(time),
                Some(error) => {
                    failed += 1;
                    failure = failure.or(Some(error));
                }
            }
        }
    }
    print_times(&mut times, failed, start.elapsed(), as_json)?;
    failure.map_or(Ok(()), |error| Err(Failure::from(error).context(format!("{failed} of {repeat} requests failed"))))
}

fn print_times(times: &mut [Duration], failed: usize, total: Duration, as_json: bool) -> Result<(), Failure> {
    times.sort_unstable();
    let quantile = |share: usize| times.get((times.len().saturating_sub(1)) * share / 100).copied().unwrap_or_default();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let (least, half, most) = (quantile(0), quantile(50), quantile(100));
    let per_second = times.len() as f64 / total.as_secs_f64();
    if as_json {
        return print::json(&json!({
            "ok": times.len(), "failed": failed, "seconds": total.as_secs_f64(), "per_second": per_second,
            "milliseconds": {
                "least": milliseconds(least), "p50": milliseconds(half), "p99": milliseconds(quantile(99)),
                "most": milliseconds(most),
            },
        }));
    }
    print::line(&format!(
        "{} replies, {failed} failures in {:.3} s: {per_second:.0} per second; \
         milliseconds: least {:.3}, half below {:.3}, 99 of 100 below {:.3}, most {:.3}",
        times.len(),
        total.as_secs_f64(),
        milliseconds(least),
        milliseconds(half),
        milliseconds(quantile(99)),
        milliseconds(most),
    ))
}
