//! Two cells.
