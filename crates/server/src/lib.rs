#![doc = include_str!("../README.md")]

pub mod aggregate;
pub mod controller;
pub mod jobs;
mod journal;
pub mod membership;
pub mod metrics;
pub mod model;
pub mod round;
pub mod run;
pub mod selection;
pub mod tasks;

pub use controller::Controller;
pub use journal::{Closing, Ending, closings};
pub use model::Model;
pub use run::{Run, RunConfig, RunError, RunEvent};
