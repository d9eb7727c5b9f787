//! Everything that needs more than one crate: golden data, interop with the reference, simulation, fuzz corpora.

pub mod bench;
pub mod interop;
pub mod reference;

use std::process::ExitCode;

/// Runs those of the subjects that are named, all if none is, and says how each went.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the binaries of this package report to a terminal")]
fn run_subjects(command: &str, subjects: &[(&str, fn() -> anyhow::Result<()>)], wanted: &[String]) -> ExitCode {
    if let Some(unknown) = wanted.iter().find(|name| !subjects.iter().any(|(subject, _)| subject == name)) {
        let known: Vec<_> = subjects.iter().map(|(subject, _)| *subject).collect();
        eprintln!("{command}: no subject {unknown:?}; there are: {}", known.join(", "));
        return ExitCode::from(2);
    }
    let mut outcome = ExitCode::SUCCESS;
    for (subject, run) in subjects {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == subject) {
            continue;
        }
        match run() {
            Ok(()) => println!("{command} {subject}: ok"),
            Err(error) => {
                eprintln!("{command} {subject}: failed: {error:?}");
                outcome = ExitCode::FAILURE;
            }
        }
    }
    outcome
}
