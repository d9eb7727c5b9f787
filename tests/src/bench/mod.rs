//! Benchmarks paired with the reference in one run, one module per subject; `cargo xtask bench SUBJECT` runs them.

use std::process::ExitCode;

pub mod auth;
pub mod awake;
pub mod cell;
pub mod federation;
pub mod figures;
pub mod fobs;
pub mod memory;
pub mod processor;
pub mod stream;

use crate::interop;
use crate::interop::cell::process::CLIENT_ARGUMENT;

/// What a subject's run returns: nothing, or why it could not be measured.
pub type Outcome = anyhow::Result<()>;

const SUBJECTS: &[crate::Subject] = &[
    ("auth", auth::run),
    ("cell", cell::run),
    ("federation", federation::run),
    ("fobs", fobs::run),
    ("stream", stream::run),
];

/// Whether a row or column is to be measured: all, unless this variable of the environment names some, with commas.
fn is_wanted(variable: &str, name: &str) -> bool {
    let names = std::env::var(variable).unwrap_or_default();
    names.is_empty() || names.split(',').any(|it| it == name)
}

/// Whether these rows are to be measured, of a subject that can be measured in parts: `FEDCELL_BENCH_ROWS`.
fn wants_rows(name: &str) -> bool {
    is_wanted("FEDCELL_BENCH_ROWS", name)
}

/// Runs the subjects named by the arguments, or all; or is one of the processes that a benchmark started.
#[expect(clippy::print_stderr, reason = "a peer's standard output is for its results")]
pub fn main(arguments: &[String]) -> ExitCode {
    if arguments.first().is_some_and(|first| first == CLIENT_ARGUMENT) {
        return interop::federation::node_main();
    }
    if let Some((first, rest)) = arguments.split_first()
        && first == cell::PEER
    {
        return cell::peer(rest).map_or_else(
            |error| {
                eprintln!("bench {first}: {error:?}");
                ExitCode::FAILURE
            },
            |()| ExitCode::SUCCESS,
        );
    }
    crate::run_subjects("bench", SUBJECTS, arguments)
}
