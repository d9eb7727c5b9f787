//! Requests that wait for replies: ids, deadlines, and what becomes of replies nobody waits for.
//!
//! ```text
//!  send ──► waiting ──► reply, return ──► answered       each target of a request ends exactly once
//!              │  └───► deadline ───────► timed out
//!              └──────► cancelled
//!
//!  a reply to no request: late    from a cell that was not asked: unexpected    once more: second
//! ```

mod id;
mod pending;

pub use id::{IdSource, RequestId};
pub use pending::{Expired, PendingRequests, Refused, Resolution};

#[cfg(test)]
mod tests;
