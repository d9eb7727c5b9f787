//! Object streams: shareables that one cell sends to others one by one, each answered before the next.
//!
//! ```text
//!  sender                                                    receiver
//!    │ Request {TX_ID, SEQ 0, CHANNEL, TOPIC, CTX, object} ────► │  a consumer is made
//!    │ ◄──────────────────────────────────────────── a shareable │
//!    │ Request {TX_ID, SEQ 1, CHANNEL, TOPIC, object} ─────────► │  and takes one after the other
//!    │ ◄────────── a shareable, with END_RESULT if it is the last │  the receiver says which is the last
//!    │ Abort {TX_ID} ──────────────────────────────────────────► │  at any end: whoever still waits stops
//! ```
//!
//! They are built from requests on channel `aux_communication` and have nothing to do with the byte streams of the cell
//! layer, by which those requests travel. A receiver is ready for a stream that ends without a word: one that is silent
//! for too long ends here.

mod incoming;
mod outgoing;

pub use incoming::{Accepted, Ended, IncomingObjects, ObjectLimits, StreamKey};
pub use outgoing::{OutgoingObjects, StreamOver};

#[cfg(test)]
mod tests;
