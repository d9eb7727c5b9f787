#![doc = include_str!("../README.md")]
#![no_std]

pub mod frame;
pub mod registry;
mod table;

pub use registry::registry;

/// Every table of the crate; one that is missing here is found by `cargo xtask wire`.
const GROUPS: &[&registry::Group] = &[frame::FrameType::GROUP, frame::PrefixLayout::GROUP];
