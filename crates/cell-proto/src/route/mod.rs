//! Routing: where a message goes next, and what a forwarder changes in it.
//!
//! ```text
//!            server
//!           ╱      ╲            same family: up to the nearest common cell and down again
//!      relay-1    site-1        other family: over the server
//!      ╱     ╲       │          children of one client may talk directly,
//!  site-2  site-3  site-1.job   cells of two clients must cross the server
//! ```

mod decision;
mod forward;

pub use decision::{Hop, MessageFacts, Neighbours, Obstacle, Unreachable, Unvisited, Visited, next_hop};
pub use forward::pass_on;

#[cfg(test)]
mod tests;
