#![doc = include_str!("../README.md")]

mod checksum;
mod entries;
mod error;
mod files;
mod log;
mod record;
#[cfg(feature = "simulated")]
mod simulated;
mod storage;

pub use bincode;

pub use entries::Entries;
pub use error::{Error, Operation};
pub use files::Files;
pub use log::{Log, Replay};
pub use record::{MAX_BODY, MAX_HEAD};
#[cfg(feature = "simulated")]
pub use simulated::SimulatedDisk;
pub use storage::{Storage, replace_file};
