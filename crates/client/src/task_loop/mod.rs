//! The task loop of one job: ask, do, keep on disk, submit, until the run is over.
//!
//! ```text
//!   pull_task ─► task filters ─► Outbox::begin ─► Executor ─► result filters ─► Outbox::submit
//!       ▲                                                                            │
//!       └────────────── settled ◄── acknowledged ◄── submit_update ◄── Outbox::next ◄┘
//! ```

mod event;
mod executor;
mod gather;
mod runner;
mod store;

pub use event::{LoopEvent, Outcome};
pub use executor::{Blocking, ExecuteError, Executing, Executor, blocking};
pub use gather::{Gather, gather};
pub use runner::{LoopError, TaskFilter, TaskLoop};
pub use store::ResultStore;
