//! What a cell tells about itself: settings, statistics, its process.

use std::fs;

use fedcell_cell_proto::adhoc::AdhocPolicy;
use fedcell_cell_proto::request::Reply;
use fedcell_cell_proto::stats::{HistogramMode, PoolKind, Table};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{NetConfigKey, NetKey, StatsPool};
use fedcell_protocol_defs::config::{CommConfigKey, ConnectionSecurity, Scheme, Setting};

use super::values::{of_table, reply, text};
use crate::cell::Cell;
use crate::handler::{HandlerError, Request};

/// All statistics pools: those of the machine, and that of the sockets, which come last by name.
pub(super) fn pools(cell: &Cell) -> Table {
    let mut table = cell.endpoint().inspect(|node| node.exchange().stats().list());
    let name = StatsPool::SFM_SEND_FRAME.as_str().to_owned();
    let about = "seconds that frames took to be handed to the system".to_owned();
    table.rows.push(vec![name, PoolKind::Histogram.shown().to_owned(), about]);
    table
}

/// One statistics pool.
pub(super) fn pool(cell: &Cell, name: &str, request: &Request) -> Result<Reply, HandlerError> {
    let mode = request.value()?;
    let mode = HistogramMode::parse(text(&mode, NetKey::MODE).unwrap_or_default());
    let table = if name.to_lowercase() == StatsPool::SFM_SEND_FRAME.as_str() {
        Some(cell.endpoint().write_times().table(mode))
    } else {
        cell.endpoint().inspect(|node| node.exchange().stats().table(name, mode))
    };
    match table {
        Some(table) => Ok(reply(&of_table(table))?),
        None => Err(HandlerError::invalid_request(format!("unknown pool '{name}'"))),
    }
}

/// The communication settings in force.
pub(super) fn settings(cell: &Cell) -> Value {
    let scheme = Scheme::TCP.as_str();
    let resources = Map::from([
        (CommConfigKey::HOST.as_str(), "localhost"),
        (CommConfigKey::CONNECTION_SECURITY.as_str(), ConnectionSecurity::CLEAR.as_str()),
    ]);
    Value::Map(Map::from([
        (NetConfigKey::ALLOW_ADHOC.as_str(), Value::from(cell.endpoint().backbone().adhoc == AdhocPolicy::On)),
        (NetConfigKey::ADHOC_SCHEME.as_str(), Value::from(scheme)),
        (NetConfigKey::ADHOC_RESOURCES.as_str(), Value::Map(Map::new())),
        (NetConfigKey::INTERNAL_SCHEME.as_str(), Value::from(scheme)),
        (NetConfigKey::INTERNAL_RESOURCES.as_str(), Value::Map(resources)),
        // No file is read at this layer.
        (NetConfigKey::CONFIG.as_str(), Value::from("none")),
    ]))
}

/// The settings that a cell of the reference has looked up once it runs, with what they are here.
pub(super) fn variables(cell: &Cell) -> Value {
    let (limits, backbone) = (cell.endpoint().limits(), cell.endpoint().backbone());
    let whole = |number: usize| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
    let scheme = || Value::from(Scheme::TCP.as_str());
    let stall = || Value::from(limits.send_stall.as_secs_f64());
    let heartbeat = i64::try_from(backbone.shown.heartbeat.as_secs()).unwrap_or(i64::MAX);
    Value::Map(Map::from([
        (Setting::MAX_MESSAGE_SIZE.as_str(), whole(backbone.shown.max_message_size)),
        (Setting::HEARTBEAT_INTERVAL.as_str(), Value::from(heartbeat)),
        (Setting::SFM_SEND_STALL_TIMEOUT.as_str(), stall()),
        // One look is enough here: the writer knows when bytes last left.
        (Setting::SFM_CLOSE_STALLED_CONNECTION.as_str(), Value::from(true)),
        (Setting::SFM_SEND_STALL_CONSECUTIVE_CHECKS.as_str(), Value::from(1_i64)),
        (Setting::BACKBONE_CONN_GEN.as_str(), whole(backbone.shown.backbone_generation)),
        (Setting::INTERNAL_CONN_SCHEME.as_str(), scheme()),
        (Setting::ALLOW_ADHOC_CONNS.as_str(), Value::from(backbone.adhoc == AdhocPolicy::On)),
        (Setting::ADHOC_CONN_SCHEME.as_str(), scheme()),
        (Setting::TCP_NO_DELAY.as_str(), Value::from(true)),
        (Setting::STREAMING_SEND_TIMEOUT.as_str(), stall()),
    ]))
}

/// Process id, memory, threads, as far as the system tells.
pub(super) fn process() -> Table {
    let mut rows = vec![vec!["Process ID".to_owned(), std::process::id().to_string()]];
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|rest| rest.trim().trim_end_matches(" kB").to_owned())
    };
    let unknown = || "N/A (not supported on this platform)".to_owned();
    rows.push(vec!["Memory Usage".to_owned(), field("VmHWM").unwrap_or_else(unknown)]);
    rows.push(vec!["Thread Count".to_owned(), field("Threads").unwrap_or_else(unknown)]);
    for thread in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let name = fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        rows.push(vec![format!("Thread:{}", thread.file_name().to_string_lossy()), name.trim().to_owned()]);
    }
    Table { headers: vec!["Resource".to_owned(), "Value".to_owned()], rows }
}
