//! Our cell with streams under remote control: `tests/reference/stream_node.py` is the same program on the reference's
//! side, and its documentation describes the protocol of both.

mod content;

use std::process::ExitCode;

/// Runs the node until its input ends or it is told to stop.
pub(crate) fn main() -> ExitCode {
    ExitCode::FAILURE
}
