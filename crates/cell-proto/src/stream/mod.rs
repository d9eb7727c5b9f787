//! Streams: payloads of any size, cut into chunks that travel as ordinary messages.
//!
//! ```text
//!  owner ── open, offer, finish ──► Streams ── poll_transmit ──► Exchange::fire
//!        ◄─── Began, Data, … ──────         ◄─ handle_message ── requests on the stream channel
//! ```
//!
//! | Part | What it is |
//! |---|---|
//! | [`Streams`] | all streams of one cell: turns, timers, acknowledgements, what is remembered |
//! | [`Blob`] | a stream that is collected in memory |
//! | [`call`] | which requests are streamed, and how a request and its reply look as streams |
//! | [`undeliverable`], [`turned_back`] | what a cell on the way says that cannot or may not pass a chunk on |

mod blob;
pub mod call;
mod collect;
mod config;
mod error;
mod event;
mod fields;
mod forward;
mod head;
mod incoming;
mod memory;
mod open;
mod outgoing;
mod pace;
mod path;
mod receiver;
mod segments;
mod sender;
mod streams;
mod timers;

pub use blob::Blob;
pub use config::StreamConfig;
pub use error::{StreamError, StreamScope};
pub use event::{IncomingId, StreamEvent};
pub use forward::{turned_back, undeliverable};
pub use head::StreamHead;
pub use open::{OpenStream, StreamId, StreamTransmit, TransmitSource};
pub use streams::{StreamCounts, Streams};

#[cfg(test)]
mod tests;
