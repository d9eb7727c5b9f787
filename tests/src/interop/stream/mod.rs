//! Streams and downloads between cells of ours and of the reference, each in a process of its own, over real sockets.
//!
//! One letter a cell says who made it (`R` ours, `P` the reference's), the server first. Networks of the reference alone
//! are the measure of the rows. What arrives is compared with what was sent by SHA-256. A `shuffled` network has a proxy
//! before the leaf that changes the order of stream frames and repeats some. `FEDCELL_ROWS=TEXT` runs only what has the
//! text in its network's or its own name.

mod network;
mod node;
mod objects;
mod plan;
mod rows;

use super::Outcome;
use super::cell::kits::Kits;
use super::verdict::Report;
use crate::Options;
use network::Network;
use plan::Plan;

pub(crate) use node::content::told_file;
pub(crate) use node::main as node_main;

/// Networks that run at the same time.
const WORKERS: usize = 3;

/// Runs all rows, prints a line for each, and fails if one failed.
///
/// # Errors
///
/// If a row failed, or the certificates could not be made.
pub fn run(options: Options) -> Outcome {
    let report = Report::begin("stream");
    let kits = Kits::make()?;
    // Transfers of a gigabyte have the machine for themselves.
    let (small, large): (Vec<_>, Vec<_>) = plan::plans(options.quick).into_iter().partition(Plan::is_small);
    for (workers, plans) in [(WORKERS, small), (1, large)] {
        report.run(workers, plans, |plan| {
            let rows = rows::rows(&plan).into_iter().map(|row| (row.name, row.run)).collect();
            report.run_network(
                &plan.name(),
                rows,
                || Network::up(plan, &kits),
                |show, network| show(network).map_err(|error| error.context(network.logs())),
            )
        });
    }
    report.end()
}
