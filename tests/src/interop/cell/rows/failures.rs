//! Rows about endings: a goodbye that is heard, and a death after which everything finds together again.

use core::time::Duration;

use anyhow::{Result, ensure};
use fedcell_protocol_defs::cell::ReturnCode;
use serde_json::json;

use super::super::network::{Network, topic};
use super::messages;
use crate::interop::cell::process::Process;

/// Until a cell that was told to stop is gone.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// The leaf stops by itself: its neighbours hear a goodbye, requests to it fail at once, and it may come back.
pub(super) fn goodbye(net: &mut Network<'_>) -> Result<()> {
    depart(net, |leaf| leaf.stop(STOP_LIMIT))
}

/// The same when the program that started the leaf closes its input.
pub(super) fn hang_up(net: &mut Network<'_>) -> Result<()> {
    depart(net, |leaf| leaf.hang_up(STOP_LIMIT))
}

fn depart(net: &mut Network<'_>, end: impl FnOnce(&mut Process) -> Result<()>) -> Result<()> {
    let leaf = net.leaf();
    let neighbours: Vec<_> =
        net.plan.links().filter(|(dialler, _)| *dialler == leaf).map(|(_, listener)| listener).collect();
    let mut heard = Vec::new();
    for neighbour in &neighbours {
        heard.push(byes(net, *neighbour)?);
    }
    let mut process = net.take(leaf)?;
    end(&mut process)?;
    for (neighbour, before) in neighbours.iter().zip(heard) {
        let answer = net.call(*neighbour, "wait_byes", json!({"count": before + 1, "timeout": 10.0}))?;
        ensure!(answer["met"] == true, "{} heard no goodbye", net.label(*neighbour));
        net.wait_peer(*neighbour, leaf, false)?;
    }
    // Where another neighbour is on the way, that one finds out.
    let code = if neighbours == [0] { ReturnCode::TARGET_UNREACHABLE } else { ReturnCode::COMM_ERROR };
    messages::expect_code(net, 0, net.fqcn(leaf), topic::ECHO, code.as_str())?;
    net.start(leaf)?;
    messages::request(net, 0, leaf)?;
    messages::request(net, leaf, 0)
}

/// A cell dies without a word and is started again at the same place: all connections come back, none is there twice,
/// and messages go through it as before.
pub(super) fn kill(net: &mut Network<'_>, seat: usize) -> Result<()> {
    let mut process = net.take(seat)?;
    process.kill()?;
    let neighbours: Vec<_> = net
        .plan
        .links()
        .filter_map(|(one, other)| match seat {
            _ if one == seat => Some(other),
            _ if other == seat => Some(one),
            _ => None,
        })
        .collect();
    for neighbour in &neighbours {
        net.wait_peer(*neighbour, seat, false)?;
    }
    net.start(seat)?;
    let leaf = net.leaf();
    messages::request(net, leaf, 0)?;
    messages::request(net, 0, leaf)?;
    if seat != 0 && seat != leaf {
        messages::request(net, seat, 0)?;
        messages::request(net, 0, seat)?;
    }
    for neighbour in neighbours {
        let report = net.call(neighbour, "report", json!({}))?;
        let name = net.fqcn(seat);
        let count = report["peers"].as_array().map_or(0, |peers| peers.iter().filter(|peer| *peer == name).count());
        ensure!(count == 1, "{} has {count} connections to {name}", net.label(neighbour));
    }
    Ok(())
}

fn byes(net: &mut Network<'_>, seat: usize) -> Result<u64> {
    Ok(net.call(seat, "report", json!({}))?["byes"].as_u64().unwrap_or(0))
}
