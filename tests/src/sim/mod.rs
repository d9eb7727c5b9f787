//! Simulation: real machines of cells, an emulated network, virtual time, and a seed from which everything follows.
//!
//! ```text
//!   Tree ── cells: Node, Node, Node …        each drained after everything that happens to it
//!     └──── Network of fedcell-netsim        frames as bytes, connections that break, nodes that crash
//! ```
//!
//! A failing run is repeated by its seed; its text says what happened in which order.

mod chaos;
mod check;
mod tree;

pub use chaos::{Summary, run};
pub use tree::{Cell, CellId, Conduct, Outcome, Pair, Tree};
