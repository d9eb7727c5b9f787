//! One connection: a task that reads frames, a bounded queue of those to be written, and a task that writes them when
//! those who queue them do not.
//!
//! ```text
//!   socket ─► reader ─► frames, a batch at a time ─► endpoint ─► events, replies to waiting callers
//!                └─ Slabs: memory of large frames         │
//!   socket ◄─ writer ◄─ Outbox: control │ messages │ bulk◄┘
//! ```

mod budget;
mod outbox;
mod pen;
mod reader;
mod slabs;
mod times;
mod writer;

pub(crate) use budget::Budget;
pub(crate) use outbox::{Class, Outbox, OutboxLimits, Refused};
pub(crate) use pen::Timed;
pub(crate) use reader::{End, Receiver, Verdict, read_loop};
pub(crate) use slabs::Slabs;
pub(crate) use times::WriteTimes;
pub(crate) use writer::write_loop;

#[cfg(test)]
mod tests;
