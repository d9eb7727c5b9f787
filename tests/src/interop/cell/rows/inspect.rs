//! Rows about the in-band network commands: each is answered, and in the shape in which the reference answers it.
//!
//! The measure is what cells of the reference answer a cell of ours, asked once a run. Between themselves they fail at
//! some commands: they put enumerations into answers that they do not accept from others.

use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use fedcell_protocol_defs::cell::{NetTopic, ReturnCode, StatsMode};
use serde_json::{Map, Value, json};

use super::super::network::Network;
use super::super::plan::{PAIR, Plan, Role, Security, Variant};
use crate::interop::cell::process::Maker;

/// Commands whose answers a cell of the reference cannot read if another one gives them.
const UNREADABLE: &[NetTopic<'_>] = &[NetTopic::CONNS, NetTopic::COMM_CONFIG];

/// Dictionaries of which ours may have fewer entries: settings that we do not have, parameters of other transports.
const PARTIAL: &[&str] = &["config_vars", "params"];

/// What a statistics pool may be asked to show.
pub(super) const MODES: [StatsMode<'static>; 5] =
    [StatsMode::COUNT, StatsMode::PERCENT, StatsMode::AVERAGE, StatsMode::MIN, StatsMode::MAX];

/// How often the server is asked for what it collects from all cells.
const COMPLETE_ATTEMPTS: usize = 5;

/// The commands, good and bad, that `me` asks `target`.
fn commands(me: &str, target: &str, url: &str) -> Vec<(NetTopic<'static>, Value)> {
    vec![
        (NetTopic::PEERS, Value::Null),
        (NetTopic::CELLS, Value::Null),
        (NetTopic::ROUTE, Value::Null),
        (NetTopic::START_ROUTE, json!(me)),
        (NetTopic::START_ROUTE, json!("not..valid")),
        (NetTopic::START_ROUTE, json!("site-9")),
        (NetTopic::CONNS, Value::Null),
        (NetTopic::URL_USE, json!(url)),
        (NetTopic::URL_USE, json!("tcp://nowhere:1")),
        (NetTopic::SPEED, json!({"to": me, "num": 2, "size": 1})),
        (NetTopic::SPEED, json!("no dict")),
        (NetTopic::SPEED, json!({})),
        (NetTopic::SPEED, json!({"to": "not..valid"})),
        (NetTopic::STRESS, json!({"targets": [me, target], "num": 2})),
        (NetTopic::STRESS, json!({"targets": [target], "num": 2})),
        (NetTopic::STRESS, json!({"targets": [me]})),
        (NetTopic::STRESS, json!({})),
        (NetTopic::STRESS, json!("no dict")),
        (NetTopic::BULK_TEST, json!(3)),
        (NetTopic::ECHO, json!("hi")),
        (NetTopic::HEARTBEAT, json!({"subnet_id": "nobody's"})),
        (NetTopic::new("nonsense"), Value::Null),
        (NetTopic::COMM_CONFIG, Value::Null),
        (NetTopic::CONFIG_VARS, Value::Null),
        (NetTopic::PROCESS_INFO, Value::Null),
        (NetTopic::LIST_POOLS, Value::Null),
        (NetTopic::MSG_STATS, json!({"mode": "count"})),
        (NetTopic::SHOW_POOL, json!({"pool": "no such pool", "mode": "count"})),
        (NetTopic::SHOW_POOL, json!({"pool": "request_processing", "mode": "count"})),
        (NetTopic::SHOW_POOL, json!({"pool": "Received_Msg_Counters"})),
    ]
}

/// Each end asks the other all commands; code and shape of every answer are those of the reference.
pub(super) fn all_commands(net: &mut Network<'_>) -> Result<()> {
    let leaf = net.leaf();
    for (from, to) in [(leaf, 0), (0, leaf)] {
        let alone = net.plan.maker(from) == Maker::Theirs && net.plan.maker(to) == Maker::Theirs;
        let measure = measure(net, to)?;
        for (at, (topic, body)) in listed(net, from, to)?.into_iter().enumerate() {
            if alone && UNREADABLE.contains(&topic) {
                continue;
            }
            let expected = measure.get(at).context("fewer answers than commands")?;
            let (code, answer) = ask(net, from, to, topic, &body)?;
            let label = format!("{} asks {}: {} {body}", net.label(from), net.label(to), topic.as_str());
            ensure!(code == expected.0, "{label}: code {code}, expected {}", expected.0);
            fits(topic.as_str(), &answer, &expected.1).with_context(|| format!("{label}: answer {answer}"))?;
        }
    }
    Ok(())
}

fn listed(net: &Network<'_>, from: usize, to: usize) -> Result<Vec<(NetTopic<'static>, Value)>> {
    Ok(commands(net.fqcn(from), net.fqcn(to), &net.server_url()?))
}

/// Code and answer.
fn ask(net: &mut Network<'_>, from: usize, to: usize, topic: NetTopic<'_>, body: &Value) -> Result<(String, Value)> {
    // Nothing answers a heartbeat, so the wait for it is short.
    let timeout = if topic == NetTopic::HEARTBEAT { 0.3 } else { 5.0 };
    let command = json!({"target": net.fqcn(to), "topic": topic.as_str(), "body": body, "timeout": timeout});
    let mut answer = net.call(from, "net", command)?;
    let code = answer["code"].as_str().context("no code")?.to_owned();
    Ok((code, plain(answer["answer"].take())))
}

/// What the reference's server, or its site, answers a cell of ours.
fn measure(net: &Network<'_>, to: usize) -> Result<&'static [(String, Value)]> {
    type Answers = OnceLock<Result<Vec<(String, Value)>, String>>;
    static MEASURES: [Answers; 2] = [Answers::new(), Answers::new()];
    let take = || -> Result<_> {
        let members = if to == 0 { "PR" } else { "RP" }.to_owned();
        let plan = Plan { shape: &PAIR, members, security: Security::Mtls, variant: Variant::Plain };
        let mut net = Network::up(plan, net.kits())?;
        let from = 1 - to;
        let commands = listed(&net, from, to)?;
        commands.into_iter().map(|(topic, body)| ask(&mut net, from, to, topic, &body)).collect()
    };
    let answers = MEASURES[to].get_or_init(|| take().map_err(|error| format!("{error:#}")));
    answers.as_deref().map_err(|error| anyhow!("the reference's own answers are not to be had: {error}"))
}

/// Tuples as lists, dictionaries with other keys than texts under the names of their keys.
pub(super) fn plain(value: Value) -> Value {
    let Value::Object(mut fields) = value else {
        return match value {
            Value::Array(items) => items.into_iter().map(plain).collect(),
            other => other,
        };
    };
    if let Some(items) = fields.remove("$tuple") {
        return plain(items);
    }
    if let Some(Value::Array(pairs)) = fields.remove("$entries") {
        let named = |pair: Value| {
            let name = pair[0].as_str().map_or_else(|| pair[0]["$enum"][1].to_string(), ToOwned::to_owned);
            (name.trim_matches('"').to_lowercase(), plain(pair[1].clone()))
        };
        return pairs.into_iter().map(named).collect::<Map<_, _>>().into();
    }
    fields.into_iter().map(|(key, value)| (key, plain(value))).collect::<Map<_, _>>().into()
}

/// Whether an answer has the shape of another; `name` is the key or command that it stands under.
pub(super) fn fits(name: &str, got: &Value, expected: &Value) -> Result<()> {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) if got.contains_key("headers") && got.contains_key("rows") => {
            table_fits(name, got, expected)
        }
        (Value::Object(got), Value::Object(expected)) => {
            for (key, value) in got {
                let expected = expected.get(key).with_context(|| format!("{name}: {key:?} is not expected"))?;
                fits(key, value, expected)?;
            }
            // The headers of a reply that failed are not kept here.
            if PARTIAL.contains(&name) || (name == "reply" && got.is_empty()) {
                return Ok(());
            }
            let missing: Vec<_> = expected.keys().filter(|key| !got.contains_key(*key)).collect();
            ensure!(missing.is_empty(), "{name}: {missing:?} are missing");
            Ok(())
        }
        (Value::Array(got), Value::Array(expected)) => {
            ensure!(got.is_empty() == expected.is_empty(), "{name}: a list is empty, the other is not");
            let matches = |item: &Value| expected.iter().any(|expected| fits(name, item, expected).is_ok());
            ensure!(got.iter().all(matches), "{name}: an item of the list has another shape");
            Ok(())
        }
        _ => {
            ensure!(kind(got) == kind(expected), "{name}: {}, expected {}", kind(got), kind(expected));
            Ok(())
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "a whole number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a dict",
    }
}

/// A table: its first and last columns, rows as wide as its head, texts everywhere. Bins and counters come and go.
fn table_fits(name: &str, got: &Map<String, Value>, expected: &Map<String, Value>) -> Result<()> {
    let (headers, rows) = texts_of(got)?;
    let (wanted, wanted_rows) = texts_of(expected)?;
    ensure!(headers.first() == wanted.first(), "{name}: first column {:?}", headers.first());
    let is_histogram = |headers: &[String]| headers.last().is_some_and(|last| last == "overall");
    ensure!(is_histogram(&headers) == is_histogram(&wanted), "{name}: last column {:?}", headers.last());
    ensure!(rows.iter().all(|row| row.len() == headers.len()), "{name}: a row is not as wide as the head");
    let named = |rows: &[Vec<String>], columns: usize| -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().take(columns).cloned().collect()).collect()
    };
    if name == NetTopic::PROCESS_INFO.as_str() {
        let titles = |rows: &[Vec<String>]| named(rows.get(..3).unwrap_or_default(), 1);
        ensure!(titles(&rows) == titles(&wanted_rows), "{name}: {rows:?}");
    }
    if name == NetTopic::LIST_POOLS.as_str() {
        // Names and types; descriptions are for people.
        let wanted = named(&wanted_rows, 2);
        ensure!(headers.len() == 3 && named(&rows, 2).iter().all(|row| wanted.contains(row)), "{name}: {rows:?}");
    }
    Ok(())
}

fn texts_of(table: &Map<String, Value>) -> Result<(Vec<String>, Vec<Vec<String>>)> {
    Ok((serde_json::from_value(table["headers"].clone())?, serde_json::from_value(table["rows"].clone())?))
}

/// Every pool in every mode: what stands in the cells of a histogram is what the mode says.
pub(super) fn pools(net: &mut Network<'_>) -> Result<()> {
    let leaf = net.leaf();
    for (from, to) in [(leaf, 0), (0, leaf)] {
        let (_, list) = ask(net, from, to, NetTopic::LIST_POOLS, &Value::Null)?;
        let (_, pools) = texts_of(list.as_object().context("no table of pools")?)?;
        let mut histograms = 0;
        for pool in pools {
            let [name, kind, ..] = pool.as_slice() else { bail!("a row of the pools is {pool:?}") };
            for mode in MODES {
                let body = json!({"pool": name, "mode": mode.as_str()});
                let (code, table) = ask(net, from, to, NetTopic::SHOW_POOL, &body)?;
                ensure!(code == ReturnCode::OK.as_str(), "{body}: code {code}");
                let (headers, rows) = texts_of(table.as_object().context("no table")?)?;
                let mode = if kind == "hist" { mode } else { StatsMode::COUNT };
                for row in &rows {
                    let good = row.len() == headers.len() && row.iter().skip(1).all(|cell| is_cell_of(mode, cell));
                    ensure!(good, "{} of {}: {headers:?} {row:?}", body, net.label(to));
                }
                histograms += usize::from(kind == "hist" && !rows.is_empty());
            }
        }
        ensure!(histograms > 0, "{} has no histogram with values", net.label(to));
    }
    Ok(())
}

/// An empty bin, or a value as the mode prints it: `12`, `0.12` or `1.0`, `1.234e-05`.
pub(super) fn is_cell_of(mode: StatsMode<'_>, cell: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let decimal = |text: &str| text.split_once('.').is_some_and(|(whole, part)| digits(whole) && digits(part));
    if cell.is_empty() {
        return true;
    }
    match mode {
        StatsMode::COUNT => digits(cell),
        StatsMode::PERCENT => decimal(cell),
        _ => cell.split_once('e').is_some_and(|(value, power)| {
            decimal(value) && power.strip_prefix(['-', '+']).is_some_and(|power| power.len() == 2 && digits(power))
        }),
    }
}

/// Commands that every cell passes on to those below it: all are in the answer.
pub(super) fn passed_on(net: &mut Network<'_>) -> Result<()> {
    let url = json!(net.server_url()?);
    let cells = complete(net, NetTopic::CELLS, &Value::Null)?;
    let mut cells: Vec<String> = serde_json::from_value(cells)?;
    let mut expected: Vec<_> = (0..net.len()).map(|seat| net.fqcn(seat).to_owned()).collect();
    cells.sort();
    expected.sort();
    ensure!(cells == expected, "the server knows {cells:?}");
    let uses = complete(net, NetTopic::URL_USE, &url)?;
    for (seat, place) in net.plan.shape.seats.iter().enumerate() {
        let expected = match place.role {
            // It goes by the URL that it was given, and that had no port.
            Role::Server if net.plan.maker(seat) == Maker::Theirs => "none",
            Role::Server => "ext_listen",
            _ if place.dials_server => "bb_ext_connect",
            _ => "none",
        };
        ensure!(uses[place.fqcn] == expected, "{} uses it for {}", net.label(seat), uses[place.fqcn]);
    }
    Ok(())
}

/// The server's answer, asked for again if one of the cells below was late: each waits a second divided by its depth for
/// those below it, which a busy machine may miss.
fn complete(net: &mut Network<'_>, topic: NetTopic<'_>, body: &Value) -> Result<Value> {
    let mut answer = Value::Null;
    for _ in 0..COMPLETE_ATTEMPTS {
        answer = ask(net, net.leaf(), 0, topic, body)?.1;
        if !answer.to_string().contains(ReturnCode::TIMEOUT.as_str()) {
            break;
        }
    }
    Ok(answer)
}
