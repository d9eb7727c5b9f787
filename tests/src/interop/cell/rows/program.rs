//! Rows about the program `fedcell`: its commands beside cells of the reference.

use super::LoneRow;

/// The rows of the program.
pub(crate) fn program_rows() -> Vec<(String, LoneRow)> {
    Vec::new()
}
