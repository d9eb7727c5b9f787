//! Clients in a federation of the reference: a real server with kits that the reference provisioned.
//!
//! A row says what is unusual about a client and what the server must then show; it starts a server of its own, on ports
//! of its own. Who joins is a [`Maker`]: rows of the reference's own client prove the rows, ours has to do as well. Both
//! speak the protocol of `tests/reference/federation.py`, the role `client`.
//! `FEDCELL_ROWS=TEXT` runs only what has the text in its name.

mod node;
mod parts;
mod project;
mod rows;

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::ensure;

use super::Outcome;
use super::cell::process::Maker;
use super::cell::{judge, table};
use crate::Options;
use project::Project;

pub(crate) use node::main as node_main;

/// Who joins.
const CLIENTS: &[Maker] = &[Maker::Theirs, Maker::Ours];

/// Federations that run at the same time: most of a row is waiting, and each has two to four processes of 100 MiB.
const WORKERS: usize = 4;

/// Runs all rows, prints a line for each, and fails if one failed.
///
/// # Errors
///
/// If a row failed, or the project could not be provisioned.
#[expect(clippy::print_stdout, reason = "the rows are what this command is for")]
pub fn run(options: Options) -> Outcome {
    let start = Instant::now();
    let project = Project::provision()?;
    let filter = std::env::var("FEDCELL_ROWS").unwrap_or_default();
    let rows: Vec<_> = rows::rows(options.quick).into_iter().filter(|row| row.name.contains(&filter)).collect();
    ensure!(!rows.is_empty(), "no row has {filter:?} in its name");
    let count = rows.len() * CLIENTS.len();
    let jobs = rows.iter().flat_map(|row| CLIENTS.iter().map(move |maker| (row, *maker)));
    let jobs = Mutex::new(jobs.collect::<Vec<_>>().into_iter());
    let failed = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((row, maker)) = job else { break };
                    let members = format!("client {}", maker.letter());
                    let verdict = judge(members, row.name.to_owned(), || row.run(&project, maker));
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) += usize::from(verdict.reason.is_some());
                    print!("{}", table(&[verdict]));
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("federation: {count} rows, {failed} failed, in {:.0} s", start.elapsed().as_secs_f64());
    ensure!(failed == 0, "{failed} of {count} rows failed");
    Ok(())
}
