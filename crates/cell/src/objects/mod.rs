//! Object streams of applications: shareables sent one by one, each answered before the next.
//!
//! ```text
//!   ObjectWriter ── send, wait for the replies ──► requests on `aux_communication` ──► ObjectStreams of the other cell
//!                                                                                        │ one consumer a stream
//!                                                                                        ▼
//!                                                   proto::objects::IncomingObjects ── ObjectConsumer
//! ```
//!
//! Files, logs and containers of the reference's jobs travel so.

mod consumer;
mod service;
mod writer;

pub use consumer::{Consumed, ObjectConsumer, ObjectHead};
pub use fedcell_cell_proto::objects::ObjectLimits;
pub use service::ObjectStreams;
pub use writer::{ObjectError, ObjectReply, ObjectWriter, ObjectsDraft};
