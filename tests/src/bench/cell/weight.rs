//! How heavy: memory of an idle cell, of each connection in the clear and with mutual TLS, and how many it holds.

use core::time::Duration;
use std::path::Path;

use super::column::{Column, Overhead, Peer, listener};
use super::kit::Kits;
use super::speed::mebibytes;
use super::swarm::Swarm;
use crate::bench::figures::{Aim, Measure, Report, Summary};
use crate::bench::memory;

/// Longest that the opening of one swarm may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How many connections are opened.
#[derive(Debug, Clone, Copy)]
pub struct Numbers {
    /// Without encryption.
    pub clear: usize,
    /// With mutual TLS.
    pub encrypted: usize,
    /// To see how many one cell holds.
    pub most: usize,
}

#[derive(Clone)]
struct Weighed {
    idle: f64,
    each: f64,
    rate: f64,
    open: f64,
}

/// Measures each of the columns; fresh processes each time.
///
/// # Errors
///
/// If a process cannot be started or looked at.
pub fn measure(
    report: &mut Report,
    columns: &[Option<Column>],
    kits: &Kits,
    numbers: Numbers,
    repetitions: usize,
) -> anyhow::Result<()> {
    let server_kit = kits.of("server");
    let client_kit = kits.of("site-1");
    let secure = Some((server_kit.as_path(), client_kit.as_path()));
    let mut clear = vec![Vec::new(); columns.len()];
    let mut encrypted = vec![Vec::new(); columns.len()];
    let mut most = vec![Vec::new(); columns.len()];
    for _ in 0..repetitions {
        for (at, column) in columns.iter().enumerate() {
            let Some(column) = *column else { continue };
            clear[at].push(weigh(report, column, None, numbers.clear)?);
            if column != Column::Bare {
                encrypted[at].push(weigh(report, column, secure, numbers.encrypted)?);
            }
        }
    }
    for (at, column) in columns.iter().enumerate() {
        if let Some(column) = *column {
            most[at].push(weigh(report, column, None, numbers.most)?);
        }
    }
    let tenth = [Aim::Better("reference", 10.0)];
    let each = |pick: fn(&Weighed) -> f64, of: &[Vec<Weighed>]| -> Vec<Option<Summary>> {
        of.iter().map(|runs| Summary::of_runs(&runs.iter().map(pick).collect::<Vec<_>>())).collect()
    };
    report.add(Measure::less("memory of an idle server (RSS)", "MiB", &tenth), each(|of| of.idle, &clear));
    let name = format!("memory of each of {} connections, clear", numbers.clear);
    report.add(Measure::less(name, "KiB", &[Aim::AtMost(32.0)]), each(|of| of.each, &clear));
    let name = format!("memory of each of {} connections, mTLS", numbers.encrypted);
    report.add(Measure::less(name, "KiB", &[Aim::AtMost(64.0)]), each(|of| of.each, &encrypted));
    report.add(Measure::more("connections accepted, clear", "/s", &[]), each(|of| of.rate, &clear));
    report.add(Measure::more("connections accepted, mTLS", "/s", &[]), each(|of| of.rate, &encrypted));
    let name = format!("connections held at a time, of {} wanted", numbers.most);
    report.add(Measure::more(name, "", &[]), each(|of| of.open, &most));
    let name = format!("memory of each of up to {} connections, clear", numbers.most);
    report.add(Measure::less(name, "KiB", &[Aim::AtMost(32.0)]), each(|of| of.each, &most));
    Ok(())
}

fn weigh(report: &mut Report, column: Column, kits: Option<(&Path, &Path)>, wanted: usize) -> anyhow::Result<Weighed> {
    let server = Peer::start(column, &listener("server", kits.map(|(server, _)| server), Overhead::default())?)?;
    let idle = memory::of(server.id())?.resident;
    // What the first connection makes once is not a connection's weight.
    let first = Swarm::open(&server.url, 1, kits.map(|(_, client)| client), LIMIT)?;
    drop(first);
    let before = memory::of(server.id())?.resident;
    let mut swarm = Swarm::open(&server.url, wanted, kits.map(|(_, client)| client), LIMIT)?;
    let after = memory::of(server.id())?.resident;
    let open = swarm.open_count() - swarm.closed();
    if let Some(reason) = &swarm.stopped {
        report.note(format!("{}: {open} of {wanted} connections stood, then: {reason}", column.name()));
    }
    #[expect(clippy::cast_precision_loss)]
    let (count, each) = (open.max(1) as f64, after.saturating_sub(before) as f64);
    Ok(Weighed {
        idle: mebibytes(idle),
        each: each / 1024.0 / count,
        rate: count / swarm.took.as_secs_f64(),
        open: if open == 0 { 0.0 } else { count },
    })
}
