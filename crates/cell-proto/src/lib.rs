#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)
)]

pub mod address;
mod clock;
pub mod frame;
pub mod headers;
pub mod link;
pub mod message;
pub mod identity;
pub mod registry;
pub mod route;
pub mod stats;
pub mod request;
pub mod adhoc;
pub mod transit;
pub mod filter;
pub mod node;
pub mod url;
pub mod secure;
#[cfg(test)]
mod testing;
