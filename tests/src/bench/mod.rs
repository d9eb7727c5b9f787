//! Benchmarks paired with the reference in one run, one module per subject; `cargo xtask bench SUBJECT` runs them.

use std::process::ExitCode;

pub mod fobs;

/// What a subject's run returns: nothing, or why it could not be measured.
pub type Outcome = anyhow::Result<()>;

const SUBJECTS: &[crate::Subject] = &[("fobs", fobs::run)];

/// Runs the subjects named by the arguments, or all.
pub fn main(subjects: &[String]) -> ExitCode {
    crate::run_subjects("bench", SUBJECTS, subjects)
}
