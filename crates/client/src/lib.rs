#![doc = include_str!("../README.md")]

pub mod communicator;
pub mod jobs;
pub mod kit;
pub mod metrics;
pub mod outbox;
pub mod task_loop;

pub use communicator::{Communicator, Config};
pub use kit::Kit;
pub use task_loop::TaskLoop;
