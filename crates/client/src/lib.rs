#![doc = include_str!("../README.md")]

pub mod communicator;
pub mod outbox;

pub use communicator::{Communicator, Config};
