//! Requests that wait for replies: ids, deadlines, and what becomes of replies nobody waits for.
//!
//! ```text
//!  send ──► waiting ──► reply, return ──► answered       each target of a request ends exactly once
//!              │  └───► deadline ───────► timed out
//!              └──────► cancelled
//!
//!  a reply to no request: late    from a cell that was not asked: unexpected    once more: second
//! ```

mod body;
pub mod bulk;
mod failure;
mod id;
mod outgoing;
mod pending;

pub use body::{Body, Reply};
pub use failure::Failure;
pub use id::{IdSource, RequestId};
pub use outgoing::{Outgoing, TargetMessage};
pub use pending::{Expired, PendingRequests, Refused, Resolution};

#[cfg(test)]
mod tests;
