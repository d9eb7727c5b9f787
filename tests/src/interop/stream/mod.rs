//! Streams and downloads between cells of ours and of the reference, each in a process of its own, over real sockets.
//!
//! One letter a cell says who made it (`R` ours, `P` the reference's), the server first. Networks of the reference alone
//! are the measure of the rows. What arrives is compared with what was sent by SHA-256. A `shuffled` network has a proxy
//! before the leaf that changes the order of stream frames and repeats some. `FEDCELL_ROWS=TEXT` runs only what has the
//! text in its network's or its own name.

mod network;
mod node;
mod plan;
mod rows;

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::ensure;

use super::Outcome;
use super::cell::kits::Kits;
use super::cell::{Verdict, judge, matches, table};
use crate::Options;
use network::Network;
use plan::Plan;

pub(crate) use node::main as node_main;

/// Networks that run at the same time.
const WORKERS: usize = 3;

/// Runs all rows, prints a line for each, and fails if one failed.
///
/// # Errors
///
/// If a row failed, or the certificates could not be made.
#[expect(clippy::print_stdout, reason = "the rows are what this command is for")]
pub fn run(options: Options) -> Outcome {
    let start = Instant::now();
    let kits = Kits::make()?;
    let filter = std::env::var("FEDCELL_ROWS").unwrap_or_default();
    // Transfers of a gigabyte have the machine for themselves.
    let (small, large): (Vec<_>, Vec<_>) = plan::plans(options.quick).into_iter().partition(Plan::is_small);
    let verdicts = Mutex::new(Vec::new());
    for (plans, workers) in [(small, WORKERS), (large, 1)] {
        let plans = Mutex::new(plans.into_iter());
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let plan = plans.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some(plan) = plan else { break };
                        let found = run_plan(plan, &kits, &filter);
                        let mut verdicts = verdicts.lock().unwrap_or_else(PoisonError::into_inner);
                        print!("{}", table(&found));
                        verdicts.extend(found);
                    }
                });
            }
        });
    }
    let verdicts = verdicts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed = verdicts.iter().filter(|verdict| verdict.reason.is_some()).count();
    let ours = verdicts.iter().filter(|verdict| verdict.network.contains('R')).count();
    println!(
        "stream: {} rows, {ours} of them with cells of ours, {failed} failed, in {:.0} s",
        verdicts.len(),
        start.elapsed().as_secs_f64()
    );
    ensure!(failed == 0, "{failed} of {} rows failed", verdicts.len());
    ensure!(!verdicts.is_empty(), "no row has {filter:?} in its name");
    Ok(())
}

fn run_plan(plan: Plan, kits: &Kits, filter: &str) -> Vec<Verdict> {
    let name = plan.name();
    let rows: Vec<_> = rows::rows(&plan).into_iter().filter(|row| matches(filter, &name, &row.name)).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let mut network = Network::up(plan, kits);
    let mut verdicts = Vec::new();
    for row in rows {
        let verdict = judge(name.clone(), row.name.clone(), || match &mut network {
            Ok(network) => (row.run)(network).map_err(|error| error.context(network.logs())),
            Err(error) => Err(anyhow::anyhow!("the network does not start: {error:#}")),
        });
        let broken = verdict.reason.is_some() && network.is_ok();
        verdicts.push(verdict);
        if broken {
            // The next row shall not fail for this one's reason.
            drop(network);
            network = Network::up(plan, kits);
        }
    }
    verdicts
}
