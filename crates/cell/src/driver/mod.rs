//! Transports: how two cells come to share a stream of bytes, in the clear or protected.
//!
//! ```text
//!   Connector ── dial ──►  Transport ──► Link { ReadHalf, WriteHalf, Facts }
//!   Listener  ── accept ►     │
//!                        tcp │ memory
//! ```
//!
//! What routing and the protocol need to know of a transport they learn from [`Capabilities`], never from its name.

mod accept;
mod admission;
mod batch;
mod dial;
mod facts;
mod memory;
mod stream;
mod tcp;
mod transport;

pub use facts::Side;
pub use memory::MemoryNetwork;
pub use transport::{Capabilities, TransportKind};

pub(crate) use accept::{AcceptContext, Accepting, accept_loop};
pub(crate) use admission::{Admission, AdmissionLimits, Slot};
pub(crate) use batch::Batch;
pub(crate) use dial::DialContext;
pub(crate) use facts::Facts;
pub(crate) use stream::{Link, ReadHalf, WriteHalf};
pub(crate) use tcp::TcpListener;

#[cfg(test)]
mod tests;
