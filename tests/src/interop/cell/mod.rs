//! Cells of ours among cells of the reference, each in a process of its own, over real sockets.
//!
//! Every network is a tree of two to five cells; one letter a cell says who made it (`R` ours, `P` the reference's).
//! Networks of the reference alone come along as the measure: a row that fails there says nothing about us.
//! `FEDCELL_ROWS=TEXT` runs only what has the text in its network's or its own name.

pub(crate) mod kits;
pub(crate) mod network;
pub(crate) mod node;
pub(crate) mod plan;
pub(crate) mod process;
mod rows;

use core::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::Outcome;
use crate::Options;
use kits::Kits;
use network::Network;
use plan::{CHAIN, DEEP, JOBS, PAIR, Plan, SITES, STAR, Security, Shape, TREE, Variant};
use rows::LoneRow;

pub(crate) use node::main as node_main;
pub(crate) use process::{CLIENT_ARGUMENT, NODE_ARGUMENT, STREAM_NODE_ARGUMENT};

/// Networks that run at the same time: most of a row is waiting.
const WORKERS: usize = 3;

/// What is run in one go.
enum Job {
    /// A network and its rows.
    Network(Plan),
    /// A row that builds what it needs; the text names its network.
    Lone(String, LoneRow),
}

/// How a row went.
pub(crate) struct Verdict {
    /// Name of its network.
    pub(crate) network: String,
    row: String,
    seconds: f64,
    /// Why not, if it failed.
    pub(crate) reason: Option<String>,
}

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
    let jobs = Mutex::new(jobs(options.quick).into_iter());
    let verdicts = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some(job) = job else { break };
                    let found = do_job(job, &kits, options.quick, &filter);
                    let mut verdicts = verdicts.lock().unwrap_or_else(PoisonError::into_inner);
                    print!("{}", table(&found));
                    verdicts.extend(found);
                }
            });
        }
    });
    let verdicts = verdicts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed = verdicts.iter().filter(|verdict| verdict.reason.is_some()).count();
    let ours = verdicts.iter().filter(|verdict| verdict.network.contains('R')).count();
    println!(
        "cell: {} rows, {ours} of them with cells of ours, {failed} failed, in {:.0} s",
        verdicts.len(),
        start.elapsed().as_secs_f64()
    );
    ensure!(failed == 0, "{failed} of {} rows failed", verdicts.len());
    ensure!(!verdicts.is_empty(), "no row has {filter:?} in its name");
    Ok(())
}

fn jobs(quick: bool) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut add = |shape: &'static Shape, security, variant| {
        let members: Vec<_> =
            if quick { shape.quick.iter().map(ToString::to_string).collect() } else { shape.members().collect() };
        jobs.extend(members.into_iter().map(|members| Job::Network(Plan { shape, members, security, variant })));
    };
    // The large ones first, so that no worker is left with one at the end.
    for shape in [&TREE, &DEEP, &JOBS, &CHAIN, &PAIR] {
        add(shape, Security::Mtls, Variant::Plain);
        if !quick {
            add(shape, Security::Clear, Variant::Plain);
        }
    }
    add(&STAR, Security::Mtls, Variant::ManyRoots);
    add(&SITES, Security::Clear, Variant::Adhoc("-++"));
    if !quick {
        // One-way TLS differs on a connection, not in a network: the pairs show it.
        add(&PAIR, Security::Tls, Variant::Plain);
        for security in [Security::Mtls, Security::Tls, Security::Clear] {
            add(&PAIR, security, Variant::Asyncio);
        }
        add(&CHAIN, Security::Mtls, Variant::Asyncio);
        add(&STAR, Security::Clear, Variant::ManyRoots);
        for sites in ["---", "-+-", "--+"] {
            add(&SITES, Security::Clear, Variant::Adhoc(sites));
        }
        add(&SITES, Security::Mtls, Variant::Adhoc("-++"));
        add(&JOBS, Security::Clear, Variant::Adhoc("++++"));
        add(&CHAIN, Security::Clear, Variant::Adhoc("+++"));
    }
    let lone = rows::lone(quick);
    jobs.extend(lone.into_iter().map(|(network, row)| Job::Lone(network, row)));
    jobs
}

fn do_job(job: Job, kits: &Kits, quick: bool, filter: &str) -> Vec<Verdict> {
    match job {
        Job::Network(plan) => do_network(&plan, kits, quick, filter),
        Job::Lone(network, row) if matches(filter, &network, &row.name) => {
            vec![judge(network, row.name, || (row.run)(kits))]
        }
        Job::Lone(..) => Vec::new(),
    }
}

fn do_network(plan: &Plan, kits: &Kits, quick: bool, filter: &str) -> Vec<Verdict> {
    let name = plan.name();
    let rows: Vec<_> = rows::rows(plan, quick).into_iter().filter(|row| matches(filter, &name, &row.name)).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    let mut network = Network::up(plan.clone(), kits);
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
            network = Network::up(plan.clone(), kits);
        }
    }
    verdicts
}

/// Runs a row and notes how it went.
pub(crate) fn judge(network: String, row: String, run: impl FnOnce() -> Result<()>) -> Verdict {
    let start = Instant::now();
    let reason = run().err().map(|error| reason(&error));
    Verdict { network, row, seconds: start.elapsed().as_secs_f64(), reason }
}

/// The reason itself, then what the logs end with.
fn reason(error: &anyhow::Error) -> String {
    let mut causes: Vec<_> = error.chain().map(ToString::to_string).filter(|text| !text.is_empty()).collect();
    if causes.len() > 1 {
        causes.rotate_left(1);
    }
    causes.join(": ")
}

/// A line for each row, and the reason below one that failed.
pub(crate) fn table(verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for Verdict { network, row, seconds, reason } in verdicts {
        let mark = if reason.is_some() { "FAIL" } else { "PASS" };
        // Writing to a string does not fail.
        _ = write!(text, "{mark}  {network}  {row}  [{seconds:.1} s]");
        _ = match reason {
            Some(reason) => writeln!(text, "\n      {reason}"),
            None => writeln!(text),
        };
    }
    text
}

/// Whether a row is wanted.
pub(crate) fn matches(filter: &str, network: &str, row: &str) -> bool {
    network.contains(filter) || row.contains(filter)
}
