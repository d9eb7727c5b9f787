#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)
)]

pub mod address;
pub mod adhoc;
pub mod cause;
mod clock;
pub mod download;
pub mod filter;
pub mod frame;
pub mod headers;
pub mod identity;
pub mod link;
pub mod message;
pub mod names;
pub mod node;
mod numbers;
pub mod objects;
pub mod registry;
pub mod request;
pub mod route;
pub mod secure;
pub mod stats;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod transit;
pub mod url;
