//! Rows about direct connections between cells that talk over others: who offers one, who takes it up, and what happens
//! when it is gone.
//!
//! A cell of the reference that does not make direct connections itself dials nevertheless what it is offered; one of
//! ours does not, since whoever sends a message is not to decide where we connect to. And whatever protects the network,
//! the reference's direct connections are in clear; ours are protected as the others are, and no peer is talked out of
//! that. So in a protected network only cells of one maker connect directly, and the messages of the others go on as
//! before.

use anyhow::{Context as _, Result, ensure};
use fedcell_protocol_defs::cell::ReturnCode;
use serde_json::json;

use super::super::network::{CHANNEL, Network, topic};
use super::super::plan::{CHAIN, JOBS, Security};
use super::messages;
use crate::interop::cell::process::Maker;

/// Requests after which a direct connection would have been used, were there one.
const MORE: usize = 3;

/// The cell that offers, and the one that dials.
fn ends(net: &Network<'_>) -> (usize, usize) {
    match net.plan.shape.name {
        name if name == JOBS.name => (1, 3),
        name if name == CHAIN.name => (0, 2),
        _ => (2, 1),
    }
}

/// Whether the two come to be connected.
fn is_expected(net: &Network<'_>) -> bool {
    let (offers, dials) = ends(net);
    let takes_up = net.plan.maker(dials) == Maker::Theirs || net.plan.variant.is_adhoc(dials);
    let agree = net.plan.security == Security::Clear || net.plan.maker(offers) == net.plan.maker(dials);
    net.plan.variant.is_adhoc(offers) && takes_up && agree
}

/// The cell that may offer asks first: its request brings the offer.
pub(super) fn in_request(net: &mut Network<'_>) -> Result<()> {
    let (offers, dials) = ends(net);
    messages::request(net, offers, dials)?;
    settled(net)
}

/// The other cell asks first, having been started anew: the reply brings the offer.
pub(super) fn in_reply(net: &mut Network<'_>) -> Result<()> {
    let (offers, dials) = ends(net);
    restart(net, dials)?;
    messages::request(net, dials, offers)?;
    settled(net)
}

/// The cell that offered dies and comes back elsewhere: messages find their way as before.
pub(super) fn falls_back(net: &mut Network<'_>) -> Result<()> {
    let (offers, dials) = ends(net);
    restart(net, offers)?;
    for (from, to) in [(offers, dials), (dials, offers)] {
        let target = net.fqcn(to);
        let command = json!({"targets": [target], "channel": CHANNEL, "topic": topic::ECHO, "payload": {"random": 500}, "timeout": 15.0});
        let answer = net.call(from, "request", command)?;
        let reply = &answer["replies"][target];
        ensure!(reply["code"] == ReturnCode::OK.as_str(), "{} to {target}: {reply}", net.label(from));
    }
    Ok(())
}

/// From now on messages go directly, or as before, in both directions.
fn settled(net: &mut Network<'_>) -> Result<()> {
    let (offers, dials) = ends(net);
    let is_direct = is_expected(net);
    if is_direct {
        net.wait_peer(offers, dials, true).context("no direct connection")?;
        net.wait_peer(dials, offers, true).context("no direct connection")?;
    }
    for _ in 0..MORE {
        for (from, to) in [(offers, dials), (dials, offers)] {
            let way = if is_direct { vec![net.fqcn(from), net.fqcn(to)] } else { net.plan.way(from, to) };
            messages::request_by(net, from, to, &way)?;
        }
    }
    let name = net.fqcn(offers);
    let report = net.call(dials, "report", json!({}))?;
    let count = report["peers"].as_array().map_or(0, |peers| peers.iter().filter(|peer| *peer == name).count());
    ensure!(count == usize::from(is_direct), "{} has {count} connections to {name}", net.label(dials));
    Ok(())
}

fn restart(net: &mut Network<'_>, seat: usize) -> Result<()> {
    let mut process = net.take(seat)?;
    process.kill()?;
    drop(process);
    let others: Vec<_> = (0..net.len()).filter(|other| *other != seat).collect();
    for other in others {
        net.wait_peer(other, seat, false)?;
    }
    net.start(seat)
}
