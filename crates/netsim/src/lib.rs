#![doc = include_str!("../README.md")]

mod network;
mod pipe;
mod profile;
mod rng;

pub use network::{Happening, LinkId, Network, NodeId};
pub use profile::LinkProfile;
pub use rng::SimRng;
