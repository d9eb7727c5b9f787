//! The machine of one cell.
//!
//! ```text
//!   frames ──► Node ──► frames            one Link per connection, one Exchange
//!               │
//!            Exchange ── messages         neighbours, routing, filters, waiting requests
//! ```

mod config;
mod event;
mod exchange;
mod inbound;
mod keys;
mod machine;
mod outbound;
mod sealing;
mod templates;
mod untaken;

pub use config::{ConnectionId, NodeConfig, NodeLimits, OriginCheck};
pub use event::{Class, Event, IncomingRequest, Outbound, ReplyTo};
pub use exchange::{DropCounts, Exchange};
pub use machine::{Node, Transmit};
pub use sealing::{OpenWork, SealWork};

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod untaken_tests;
