//! Differential tests against the running reference, one module per subject; `cargo xtask interop SUBJECT` runs them.

use std::process::ExitCode;

pub mod auth;
pub mod cell;
pub mod fobs;

/// What a subject's run returns: nothing, or what did not agree.
pub type Outcome = anyhow::Result<()>;

const SUBJECTS: &[crate::Subject] = &[("auth", auth::run), ("cell", cell::run), ("fobs", fobs::run)];

/// Runs the subjects named by the arguments, or all.
pub fn main(subjects: &[String]) -> ExitCode {
    if subjects.first().is_some_and(|first| first == cell::NODE_ARGUMENT) {
        return cell::node_main();
    }
    crate::run_subjects("interop", SUBJECTS, subjects)
}
