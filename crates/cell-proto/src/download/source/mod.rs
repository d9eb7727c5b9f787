//! The machine of a source: which objects it offers to whom, how far each receiver is, and when it may let go.
//!
//! The machine never sees content. It says which part of an object is to be sent; the caller makes it, outside of any
//! lock, and says that it has. What the caller keeps for a transaction it drops when the transaction is settled.
//!
//! ```text
//!  unseen ── first pull ──► acquired ── end served ──► provisional ── confirmed ──► final
//!     │                        │  └─ to one that does not confirm ────────────────► final
//!     │ nobody came in time    │ cancelled, or silent for too long                    ▲
//!     └────────────────────────┴──────────────────────────────────── as failed ───────┘
//! ```
//!
//! Drain contract: after each verb, [`Source::poll_event`] until it has none; [`Source::poll_timeout`] says when
//! [`Source::handle_timeout`] is due.

mod machine;
mod outcome;
mod plan;
mod receivers;

pub use machine::{OpenError, Production, PullAnswer, Source, SourceConfig, SourceEvent, Transaction, TransactionId};
pub use outcome::{Cause, ObjectOutcome, Outcome, Reason, Verdict};
pub use plan::{Offer, Plan};
pub use receivers::Receivers;

#[cfg(test)]
mod tests;
