//! What the reference cannot do, beside what ours does, in one run.

use core::time::Duration;
use std::net::TcpStream;
use std::time::Instant;

use serde_json::{Value, json};

use super::column::{Chain, Column, Overhead, Peer, dialler, listener};
use super::kit::Kits;
use super::speed::microseconds;
use crate::bench::figures::{Aim, Measure, Report, Summary};

const HANDLERS: usize = 100;
const BLOCKED_FOR: Duration = Duration::from_secs(2);
/// How long a connection that never starts its TLS handshake stays open.
const IDLE_FOR: Duration = Duration::from_secs(4);

/// Requests of one peer while a hundred handlers of the other do not return.
///
/// # Errors
///
/// If a peer fails.
pub fn blocked(report: &mut Report, chains: &mut [Option<Chain>]) -> anyhow::Result<()> {
    let name = format!("round trip while {HANDLERS} handlers block for {} s", BLOCKED_FOR.as_secs());
    let milliseconds = u64::try_from(BLOCKED_FOR.as_millis())?;
    let mut cells = Vec::new();
    for chain in chains {
        let Some(chain) = chain.as_mut().filter(|chain| chain.column != Column::Bare) else {
            cells.push(None);
            continue;
        };
        let command = json!({"do": "blocked", "handlers": HANDLERS, "milliseconds": milliseconds});
        let times = milliseconds_of(&chain.client.ask(&command)?);
        // The handlers of this turn are over before anything else is measured.
        std::thread::sleep(BLOCKED_FOR);
        cells.push(Summary::of_runs(&times));
    }
    report.add(Measure::less(name, "ms", &[Aim::AtMost(100.0)]), cells);
    Ok(())
}

/// Small requests while one large request of the same client is on its way.
///
/// # Errors
///
/// If a peer fails.
pub fn during_bulk(report: &mut Report, chains: &mut [Option<Chain>], size: usize) -> anyhow::Result<()> {
    let (mut small, mut whole) = (Vec::new(), Vec::new());
    for chain in chains {
        let Some(chain) = chain.as_mut().filter(|chain| chain.column != Column::Bare) else {
            small.push(None);
            whole.push(None);
            continue;
        };
        let done = chain.client.ask(&json!({"do": "during_bulk", "size": size}))?;
        small.push(Summary::of_samples(&[milliseconds_of(&done)]));
        whole.push(done["seconds"].as_f64().and_then(|seconds| Summary::of_runs(&[seconds])));
    }
    let mebibytes = size >> 20;
    let name = format!("round trip, 64 B, during a transfer of {mebibytes} MiB");
    report.add(Measure::less(name, "ms", &[Aim::TailAtMost(5.0)]), small);
    report.add(Measure::less(format!("the transfer of {mebibytes} MiB itself"), "s", &[]), whole);
    Ok(())
}

/// How long a cell takes to join while a connection of somebody else never starts its TLS handshake.
///
/// # Errors
///
/// If a peer cannot be started.
pub fn idle_connection(report: &mut Report, columns: &[Option<Column>], kits: &Kits) -> anyhow::Result<()> {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for column in columns {
        let Some(column) = column.filter(|column| *column != Column::Bare) else {
            alone.push(None);
            beside.push(None);
            continue;
        };
        for (idle, times) in [(false, &mut alone), (true, &mut beside)] {
            let (server_kit, client_kit) = (kits.of("server"), kits.of("site-1"));
            let server = Peer::start(column, &listener("server", Some(&server_kit), Overhead::default())?)?;
            let address = server.url.split_once("://").map_or(server.url.as_str(), |(_, address)| address);
            let silent = if idle { Some(TcpStream::connect(address)?) } else { None };
            let started = Instant::now();
            let config = dialler("site-1", &server.url, false, Some(&client_kit), Overhead::default());
            let mut client = Peer::spawn(column, &config)?;
            if client.ready(IDLE_FOR).is_err() {
                report.note(format!(
                    "{}: no cell could join for the {} s that the idle connection was open",
                    column.name(),
                    IDLE_FOR.as_secs()
                ));
                drop(silent);
                client.ready(Duration::from_secs(30))?;
            }
            times.push(Summary::of_runs(&[started.elapsed().as_secs_f64() * 1e3]));
        }
    }
    report.add(Measure::less("start of a process until it has joined, mTLS", "ms", &[]), alone);
    let name = "the same beside an idle connection without TLS handshake";
    report.add(Measure::less(name, "ms", &[Aim::AtMost(1000.0)]), beside);
    Ok(())
}

fn milliseconds_of(done: &Value) -> Vec<f64> {
    microseconds(done).iter().map(|each| each / 1e3).collect()
}
