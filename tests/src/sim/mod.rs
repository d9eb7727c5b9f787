//! Simulation: real machines of cells, an emulated network, virtual time, and a seed from which everything follows.
//!
//! ```text
//!   storm ── a random Federation, failures, then healing and what must hold at the end
//!     └── Tree ── Cell: its Node, drained after everything that happens to it, a ledger of what it asked and heard, and
//!           │     Seals: its keys, and the certificates that it has asked others for
//!           └── Network of fedcell-netsim: frames as bytes, connections that break, nodes that crash, partitions
//! ```
//!
//! A seed that fails is run again with its course written down, and the end of that is printed. `FEDCELL_SIM_SEED=7`
//! runs one seed alone.

mod cell;
mod course;
mod federation;
mod orders;
mod pair;
mod seals;
mod steps;
mod storm;
pub mod streams;
mod tree;
mod way;

pub use cell::{Asked, Cell, CellId, Conduct, Outcome, State};
pub use federation::Weather;
pub use pair::Pair;
pub use storm::{Summary, run, run_or_explain};
pub use tree::{Request, Topic, Tree};
