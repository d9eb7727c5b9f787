//! Clients and servers of both makers in one federation, with kits that the reference provisioned.
//!
//! A row says what is unusual about a client and what the server must then show; it starts a server of its own, on ports
//! of its own. Rows of the reference among itself prove the rows. Both makers speak the protocol of
//! `tests/reference/federation.py`, the roles `server` and `client`.
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

/// Makers of server and client. The first proves the rows; between ours alone there is nothing to compare.
const PAIRS: [(Maker, Maker); 3] =
    [(Maker::Theirs, Maker::Theirs), (Maker::Theirs, Maker::Ours), (Maker::Ours, Maker::Theirs)];

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
    let jobs = rows.iter().flat_map(|row| PAIRS.into_iter().map(move |makers| (row, makers)));
    let jobs: Vec<_> = jobs.filter(|(row, (server, _))| row.is_for(*server)).collect();
    let count = jobs.len();
    let jobs = Mutex::new(jobs.into_iter());
    let failed = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((row, (server, client))) = job else { break };
                    let members = format!("server {} client {}", server.letter(), client.letter());
                    let verdict = judge(members, row.name.to_owned(), || row.run(&project, server, client));
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
