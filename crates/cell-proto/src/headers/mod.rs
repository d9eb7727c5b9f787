//! Headers: the map of short values in front of a payload, read without unpacking it and rewritten without repacking it.
//!
//! A [`HeaderMap`] keeps the received bytes and remembers where each key and value lies. A forwarder replaces four
//! values and appends a hop; all others, known or unknown, are copied as they came, in their order.

mod error;
mod known;
mod map;
mod route;
mod span;
mod value;

pub use error::HeaderError;
pub(crate) use known::Known;
pub(crate) use map::Patch;
pub use map::{HeaderLimits, HeaderMap, Headers};
pub use route::{Hop, Route};
pub(crate) use span::fingerprint;
pub use value::{HeaderValue, RawValue, Texts};

#[cfg(test)]
mod tests;
