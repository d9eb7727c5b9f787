//! Differential tests against the running reference, one module per subject; `cargo xtask interop SUBJECT` runs them.

use std::process::ExitCode;

use crate::proxy;

pub mod auth;
pub mod cell;
pub mod children;
pub mod federation;
pub mod fobs;
pub mod programs;
pub mod stream;
mod verdict;

/// What a subject's run returns: nothing, or what did not agree.
pub type Outcome = anyhow::Result<()>;

const SUBJECTS: &[crate::Subject] = &[
    ("auth", auth::run),
    ("cell", cell::run),
    ("children", children::run),
    ("federation", federation::run),
    ("fobs", fobs::run),
    ("programs", programs::run),
    ("stream", stream::run),
];

/// Runs the subjects named by the arguments, or all.
pub fn main(subjects: &[String]) -> ExitCode {
    if let Some(code) = subjects.first().and_then(|first| other_life(first)) {
        return code;
    }
    crate::run_subjects("interop", SUBJECTS, subjects)
}

/// What this program is when it was started by itself: a cell, or a proxy between two. `None` if it is the runner.
pub(crate) fn other_life(argument: &str) -> Option<ExitCode> {
    match argument {
        cell::NODE_ARGUMENT => Some(cell::node_main()),
        cell::STREAM_NODE_ARGUMENT => Some(stream::node_main()),
        cell::CLIENT_ARGUMENT => Some(federation::node_main()),
        proxy::PROXY_ARGUMENT => Some(proxy::main()),
        _ => None,
    }
}
