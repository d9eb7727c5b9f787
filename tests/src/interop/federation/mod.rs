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

use super::Outcome;
use super::cell::process::Maker;
use super::verdict::{Report, Verdict};
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
pub fn run(options: Options) -> Outcome {
    let report = Report::begin("federation");
    let project = Project::provision()?;
    let rows = rows::rows(options.quick);
    let jobs = rows.iter().flat_map(|row| PAIRS.into_iter().map(move |makers| (row, makers)));
    let jobs = jobs.filter(|(row, (server, _))| row.is_for(*server) && report.wants("", row.name)).collect();
    report.run(WORKERS, jobs, |(row, (server, client))| {
        let members = format!("server {} client {}", server.letter(), client.letter());
        vec![Verdict::of(&members, row.name, || row.run(&project, server, client))]
    });
    report.end()
}
