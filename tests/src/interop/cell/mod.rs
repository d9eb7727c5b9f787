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

use super::Outcome;
use super::verdict::{Report, Verdict};
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

/// Runs all rows, prints a line for each, and fails if one failed.
///
/// # Errors
///
/// If a row failed, or the certificates could not be made.
pub fn run(options: Options) -> Outcome {
    let report = Report::begin("cell");
    let kits = Kits::make()?;
    report.run(WORKERS, jobs(options.quick), |job| match job {
        Job::Network(plan) => {
            let rows = rows::rows(&plan, options.quick).into_iter().map(|row| (row.name, row.run)).collect();
            report.run_network(
                &plan.name(),
                rows,
                || Network::up(plan.clone(), &kits),
                |show, network| show(network).map_err(|error| error.context(network.logs())),
            )
        }
        Job::Lone(network, row) if report.wants(&network, &row.name) => {
            vec![Verdict::of(&network, &row.name, || (row.run)(&kits))]
        }
        Job::Lone(..) => Vec::new(),
    });
    report.end()
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
