//! Cells beside cells of the reference and beside bare TCP: how fast, how heavy, and what the reference cannot do.
//!
//! ```text
//!  this process ── JSON lines ──► client ── relay-1 ── … ── server      one such chain a column,
//!        └────────────────────────► server                              each box a process of its own
//! ```
//!
//! The rows of round trips and rates are measured while no core sleeps ([`Awake`](super::awake::Awake)), in all columns;
//! the columns take turns.

pub mod column;
pub mod kit;
pub mod process;
pub mod shown;
pub mod speed;
pub mod swarm;
pub mod tap;
pub mod weight;

use crate::Options;
use crate::bench::figures::Report;
use column::{Chain, Column};

/// First argument of a process that is one peer of this benchmark.
pub const PEER: &str = "--cell-peer";

pub use process::main as peer;

/// Runs the whole comparison.
///
/// # Errors
///
/// If a process of one of the columns cannot be started or fails; never because one is slow.
pub fn run(options: Options) -> super::Outcome {
    let columns = Column::wanted();
    let mut report = Report::new("cell", &Column::ALL.map(Column::name), options);
    let subject = columns.iter().flatten().next().copied().unwrap_or(Column::Reference);
    let overhead = tap::overhead(subject)?;
    report.note(format!(
        "a request has {} bytes on the wire beside its payload, a reply {} ({}); the bare column sends as many",
        overhead.request,
        overhead.reply,
        subject.name()
    ));
    let effort = if options.quick {
        speed::Effort { repetitions: 3, seconds: 0.3 }
    } else {
        speed::Effort { repetitions: 5, seconds: 1.0 }
    };
    for relays in [0, 1, 3] {
        let mut chains = Vec::new();
        for column in &columns {
            chains.push(column.map(|column| Chain::start(column, relays, overhead)).transpose()?);
        }
        speed::measure(&mut report, &mut chains, relays, effort)?;
        if relays == 0 {
            shown::blocked(&mut report, &mut chains)?;
            shown::during_bulk(&mut report, &mut chains, if options.quick { 128 << 20 } else { 512 << 20 })?;
        }
    }
    let kits = kit::Kits::make(&["site-1"])?;
    shown::idle_connection(&mut report, &columns, &kits)?;
    let numbers = if options.quick {
        weight::Numbers { clear: 200, encrypted: 100, most: 1000 }
    } else {
        weight::Numbers { clear: 1000, encrypted: 500, most: 8000 }
    };
    weight::measure(&mut report, &columns, &kits, numbers, if options.quick { 1 } else { 3 })?;
    report.finish()
}
