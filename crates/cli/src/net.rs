//! `fedcell net`: what the cells of a network say about themselves.

use core::time::Duration;
use std::time::Instant;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use fedcell_cell::proto::address::{Fqcn, FqcnBuf};
use fedcell_cell::proto::stats::Table;
use fedcell_cell::{Cell, RequestError};
use fedcell_fobs::Value as Fobs;
use fedcell_protocol_defs::cell::{HeaderKey, NetChannel, NetTopic, StatsMode};
use serde_json::{Value, json};

use crate::connect::{Connect, tool_arguments};
use crate::exit::Failure;
use crate::{print, seconds, value};

/// Name of the command.
pub(crate) const NAME: &str = "net";

const CELLS: &str = "cells";
const ROUTE: &str = "route";
const PEERS: &str = "peers";
const CONNS: &str = "conns";
const PING: &str = "ping";
const SPEED: &str = "speed";
const STATS: &str = "stats";

const TARGET: &str = "target";
const FROM: &str = "from";
const TO: &str = "to";
const COUNT: &str = "count";
const SIZE: &str = "size";
const POOL: &str = "pool";
const MODE: &str = "mode";
const TIMEOUT: &str = "timeout";
const JSON: &str = "json";

/// Bytes of an echo request of `ping`.
const PING_SIZE: usize = 64;

pub(crate) fn command() -> Command {
    Command::new(NAME)
        .about("Ask the cells of a network about themselves")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands([
            tool(CELLS, "All cells that the server, or another cell, knows below itself").arg(target("Ask this cell")),
            tool(ROUTE, "The way of a message from one cell to another and back")
                .arg(needed(TO, "FQCN", "Where the message goes"))
                .arg(Arg::new(FROM).long(FROM).value_name("FQCN").help("Where it starts, if not at this tool")),
            tool(PEERS, "The neighbours of a cell").arg(target("Whose neighbours")),
            tool(CONNS, "Listeners and connectors of a cell").arg(target("Whose")),
            tool(PING, "Round trips to a cell").arg(target("Where to")).arg(count("5")),
            tool(SPEED, "Round trips between two cells, as the first of them measures them")
                .arg(needed(TO, "FQCN", "Where the echoes come back"))
                .arg(Arg::new(FROM).long(FROM).value_name("FQCN").default_value("server").help("Who measures"))
                .arg(count("100"))
                .arg(
                    Arg::new(SIZE)
                        .long(SIZE)
                        .value_name("KIB")
                        .value_parser(value_parser!(u32))
                        .default_value("1000")
                        .help("Size of an echo in units of 1024 bytes"),
                ),
            tool(STATS, "The statistics pools of a cell, or one of them")
                .arg(target("Whose"))
                .arg(Arg::new(POOL).long(POOL).value_name("NAME").help("Show this pool"))
                .arg(
                    Arg::new(MODE)
                        .long(MODE)
                        .value_name("MODE")
                        .default_value(StatsMode::COUNT.as_str())
                        .help("What to show of a histogram: count, percent, avg, min, max"),
                ),
        ])
}

fn tool(name: &'static str, about: &'static str) -> Command {
    tool_arguments(Command::new(name).about(about), "via")
        .arg(
            Arg::new(TIMEOUT)
                .long(TIMEOUT)
                .value_name("S")
                .value_parser(seconds::some)
                .default_value("5")
                .help("Seconds to wait, for the connection and again for the answer"),
        )
        .arg(Arg::new(JSON).long(JSON).action(ArgAction::SetTrue).help("Print JSON"))
}

fn target(help: &'static str) -> Arg {
    Arg::new(TARGET).long(TARGET).value_name("FQCN").default_value("server").help(help)
}

fn needed(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).required(true).help(help)
}

fn count(default: &'static str) -> Arg {
    let parser = value_parser!(u32).range(1..);
    Arg::new(COUNT).long(COUNT).value_name("N").value_parser(parser).default_value(default).help("How many echoes")
}

/// Asks and prints the answer.
///
/// # Errors
///
/// [`Failure`] if there is no connection or no answer.
pub(crate) async fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    // clap has made sure that there is one.
    let Some((question, arguments)) = arguments.subcommand() else { return Ok(()) };
    let limit = arguments.get_one::<Duration>(TIMEOUT).copied().unwrap_or_default();
    let cell = Connect::read(arguments)?.tool(limit).await?;
    let answer = ask(&cell, question, arguments, limit).await;
    cell.shutdown().await;
    answer?.print(arguments.get_flag(JSON))
}

/// What there is to print.
#[derive(Debug)]
enum Answer {
    Names(Vec<String>),
    Object(Value),
    Table(Table),
    Route { there: Vec<String>, back: Vec<String> },
    Times(Vec<Duration>),
}

async fn ask(cell: &Cell, question: &str, arguments: &ArgMatches, limit: Duration) -> Result<Answer, Failure> {
    let address = |name: &str| -> Result<Option<FqcnBuf>, Failure> {
        let text = arguments.get_one::<String>(name);
        Ok(text.map(|text| FqcnBuf::parse(text).map_err(RequestError::Target)).transpose()?)
    };
    let server = || Fqcn::SERVER.to_owned();
    let number = |name: &str| arguments.get_one::<u32>(name).copied().unwrap_or(1);
    let network = cell.network().patience(limit);
    if matches!(question, ROUTE | SPEED) {
        let to = address(TO)?.unwrap_or_else(server);
        return Ok(match (question, address(FROM)?) {
            (ROUTE, None) => route(&network.route(&to).await?.request, &network.route(&to).await?.reply),
            (ROUTE, Some(from)) => {
                let report = network.route_from(&from, &to).await?;
                route(&report.request, &report.reply)
            }
            (_, from) => {
                let from = from.unwrap_or_else(server);
                Answer::Object(value::show(&network.speed(&from, &to, number(COUNT), number(SIZE)).await?)?)
            }
        });
    }
    let target = address(TARGET)?.unwrap_or_else(server);
    Ok(match question {
        CELLS => Answer::Names(network.cells(&target).await?),
        PEERS => Answer::Names(network.peers(&target).await?),
        CONNS => Answer::Object(value::show(&network.conns(&target).await?)?),
        PING => Answer::Times(ping(cell, &target, number(COUNT), limit).await?),
        _ => match arguments.get_one::<String>(POOL) {
            Some(pool) => {
                let mode = arguments.get_one::<String>(MODE).map_or("", String::as_str);
                Answer::Table(network.pool(&target, pool, mode).await?)
            }
            None => Answer::Table(network.pools(&target).await?),
        },
    })
}

async fn ping(cell: &Cell, target: &FqcnBuf, count: u32, limit: Duration) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        let draft = cell.request(target, NetChannel::NET_MANAGER, NetTopic::ECHO).direct().payload(vec![0; PING_SIZE]);
        draft.timeout(limit).send().await?.success()?;
        times.push(start.elapsed());
    }
    Ok(times)
}

fn route(request: &Fobs, reply: &Fobs) -> Answer {
    Answer::Route { there: hops(request), back: hops(reply) }
}

/// The cells in the route header of a dict of headers.
fn hops(headers: &Fobs) -> Vec<String> {
    let route = headers.as_map().and_then(|headers| headers.get(HeaderKey::ROUTE.as_str()));
    let hops = route.and_then(Fobs::items).into_iter().flatten();
    let names = hops.filter_map(|hop| Some(hop.items()?.next()?.as_str()?.to_owned()));
    names.collect()
}

impl Answer {
    fn print(self, as_json: bool) -> Result<(), Failure> {
        let milliseconds = |time: &Duration| time.as_secs_f64() * 1e3;
        if as_json {
            return print::json(&match self {
                Self::Names(names) => json!(names),
                Self::Object(object) => object,
                Self::Table(table) => json!({"headers": table.headers, "rows": table.rows}),
                Self::Route { there, back } => json!({"there": there, "back": back}),
                Self::Times(times) => json!({"milliseconds": times.iter().map(milliseconds).collect::<Vec<_>>()}),
            });
        }
        print::line(&match self {
            Self::Names(names) => names.join("\n"),
            Self::Object(object) => serde_json::to_string_pretty(&object).map_err(Failure::local)?,
            Self::Table(table) => print::table(&table.headers, &table.rows),
            Self::Route { there, back } => format!("there: {}\nback:  {}", there.join(" > "), back.join(" > ")),
            Self::Times(times) => {
                let lines = times.iter().map(|time| format!("{:.3} ms", milliseconds(time)));
                lines.collect::<Vec<_>>().join("\n")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_of_a_route_header() {
        let headers = value::parse(r#"{"cn__route": [["a", 1.5], ["b.c", 2.5]], "cn__topic": "t"}"#).unwrap();
        assert_eq!(hops(&headers), ["a", "b.c"]);
        assert!(hops(&Fobs::Null).is_empty());
    }
}
