//! Everything that needs more than one crate: golden data, interop with the reference, simulation, fuzz corpora.

#![expect(clippy::missing_panics_doc, reason = "what a check of this package finds wrong is a panic")]

pub mod bench;
mod binary;
pub mod faults;
mod fobs_driver;
pub mod fuzz;
pub mod interop;
mod killed;
mod line_driver;
mod ports;
mod proxy;
pub mod raw;
pub mod reference;
mod remote;
pub mod sim;
mod sums;

use std::process::ExitCode;

/// What the command line says beside the subjects.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// `--quick`: fewer cases or shorter runs.
    pub quick: bool,
    /// `--print`: the records that go to a file are printed too.
    pub print: bool,
}

/// A subject's name and what runs it.
type Subject = (&'static str, fn(Options) -> anyhow::Result<()>);

/// Runs those of the subjects that are named, all if none is, and says how each went.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the binaries of this package report to a terminal")]
fn run_subjects(command: &str, subjects: &[Subject], arguments: &[String]) -> ExitCode {
    let mut options = Options::default();
    let mut wanted = Vec::new();
    for argument in arguments {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--print" => options.print = true,
            subject => wanted.push(subject),
        }
    }
    if let Some(unknown) = wanted.iter().find(|name| !subjects.iter().any(|(subject, _)| subject == *name)) {
        let known: Vec<_> = subjects.iter().map(|(subject, _)| *subject).collect();
        eprintln!("{command}: no subject {unknown:?}; there are: {}", known.join(", "));
        return ExitCode::from(2);
    }
    let mut outcome = ExitCode::SUCCESS;
    for (subject, run) in subjects {
        if !wanted.is_empty() && !wanted.contains(subject) {
            continue;
        }
        match run(options) {
            Ok(()) => println!("{command} {subject}: ok"),
            Err(error) => {
                eprintln!("{command} {subject}: failed: {error:?}");
                outcome = ExitCode::FAILURE;
            }
        }
    }
    outcome
}
