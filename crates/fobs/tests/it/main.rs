//! Tests of the crate through its public surface.

mod golden;
mod hostile;
mod properties;
mod sharing;
mod support;
mod typed;
