//! Simulation of streams: their machines, a cell in the middle that only passes messages on, an emulated network, virtual
//! time, and a seed from which everything follows.
//!
//! ```text
//!   storm ── flows and failures at random, then healing and what must hold at the end
//!     └── World ── Peer: its Streams, writers that give data, readers that take it at their own speed
//!           └── Network of fedcell-netsim: every peer has one link, to the cell in the middle
//! ```

mod flow;
mod peer;
mod storm;
mod world;

pub use storm::{Summary, run, run_or_explain};
