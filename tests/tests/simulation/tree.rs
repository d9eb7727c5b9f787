//! Trees of cells.
