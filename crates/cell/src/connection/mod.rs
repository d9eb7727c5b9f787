//! One connection: a task that reads frames, a task that writes them, and the bounded queue between cell and writer.
//!
//! ```text
//!   socket ─► reader ─► frames, a batch at a time ─► endpoint ─► events, replies to waiting callers
//!                                                        │
//!   socket ◄─ writer ◄─ Outbox: control │ messages │ bulk◄┘
//! ```

mod budget;
mod outbox;
mod reader;
mod times;
mod writer;

pub(crate) use budget::Budget;
pub(crate) use outbox::{Class, Outbox, OutboxLimits, Refused};
pub(crate) use reader::{End, Receiver, Verdict, read_loop};
pub(crate) use times::WriteTimes;
pub(crate) use writer::{Timed, write_loop};

#[cfg(test)]
mod tests;
