//! Streams of a cell: bytes of any length between two cells, in chunks that many streams of a connection share.
//!
//! ```text
//!  StreamWriter ─ offer ─┐                                  ┌─► Inlet of a StreamReader
//!  request, reply ───────┼─► Desk: Streams of cell-proto ───┼─► blob of a request ─► Lane of a neighbour ─► handler
//!  writers of            │    under the endpoint's lock     ├─► blob of a reply ─► caller
//!   connections ─ room? ─┘                                  └─► Outlet of a StreamWriter
//! ```
//!
//! A chunk is made when the connection that will carry it has room for it, and not before: so all streams of a connection
//! take turns, and what is small is never behind more than a chunk or two. Where no room is, the writer of the connection
//! asks again.

mod blobs;
mod calling;
mod calls;
mod desk;
mod file;
mod head;
mod inlet;
mod outlet;
mod reader;
mod register;
mod response;
mod writer;

pub(crate) use blobs::BlobLimits;
pub(crate) use calling::Calling;
pub(crate) use desk::{Desk, StreamEffects, StreamedRequest};
pub(crate) use head::message_of;
pub(crate) use register::Handlers;

pub use file::{FileDraft, FileError};
pub use reader::StreamReader;
pub use register::{StreamHandler, StreamHandlerFuture, StreamOutcome};
pub use response::ResponseReader;
pub use writer::{Progress, StreamDraft, StreamWriter};

pub use fedcell_cell_proto::stream::{StreamConfig, StreamError, StreamHead};
