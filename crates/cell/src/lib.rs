#![doc = include_str!("../README.md")]

mod backoff;
mod clock;
mod connection;
mod connector;
pub mod driver;
mod random;
pub mod security;
