//! Our cell under remote control: `tests/reference/cell_node.py` is the same program on the reference's side.

use std::process::ExitCode;

/// How a node says that its configuration makes no cell.
pub(crate) const NO_CELL: &str = "cannot build the cell";

/// Runs the node.
pub(crate) fn main() -> ExitCode {
    ExitCode::FAILURE
}
