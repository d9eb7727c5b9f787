//! URLs of connections: taken apart as the reference does, and refused where it would misread them.
//!
//! ```text
//!  scheme://host[:port][/path][;parameters][?key=value&…][#fragment]
//! ```
//!
//! The host `0` stands for no host. Pairs of the query become parameters of the connection; of a repeated key the last
//! counts.

mod error;
mod ports;
mod spelling;
mod split;
mod write;

pub use error::UrlError;
pub use ports::PortRange;
pub use spelling::{Transport, clear_spelling, secure_spelling};
pub use split::ConnUrl;

#[cfg(test)]
mod tests;
