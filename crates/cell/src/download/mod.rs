//! The download service of a cell: large objects stay where they are until somebody fetches them.
//!
//! ```text
//!   Offer (arrays, bytes, a file, a producer)       Fetch (arrays to memory or to a spill file, bytes, a file)
//!        │ content, dropped when settled                 │ pieces, a few at a time per object
//!        ▼                                               ▼
//!   proto::download::source::Source  ◄── requests ── proto::download::consumer::Consumer
//! ```
//!
//! Values meet it in two places: a value that is sent as a stream leaves its arrays here and carries references; a value
//! that has arrived is [fetched](crate::Request::fetch) before it is used, or handed on with its references untouched.

mod batch;
mod config;
mod error;
mod fetch;
mod from_disk;
mod offer;
mod pieces;
mod policy;
mod pull;
mod serve;
mod service;
mod sink;
mod spill;

pub use batch::{Place, Produced, Producer};
pub use config::DownloadConfig;
pub use error::{FetchError, OfferError};
pub use fetch::{Fetch, Fetched, Progress};
pub use offer::Offer;
pub use pieces::Piece;
pub use service::Downloads;
pub use spill::{Spill, SpilledArray};

pub(crate) use policy::encode;
pub(crate) use serve::answer;
pub(crate) use service::Shared;
