//! Links: what two neighbours say to each other before, between and around the messages.
//!
//! ```text
//!             HELLO (listener)            admit              DATA, PING, PONG
//!  Expecting ─────────────────► Claimed ─────────► Open ◄──┐────────────────┘
//!      │      READY (dialer)       │                 │─────┘
//!      └───────────────────────────┴─────────────────┴──────► Closed
//!        10 s without it, another frame, refused, lost, silent, stalled, shut down
//! ```
//!
//! A [`Link`] is the machine of one connection. It says HELLO or READY, hands the claimed name to its owner and waits for
//! the [`AdmittedName`](crate::identity::AdmittedName) that the owner's identity policy gives for it; READY leaves only
//! after that. Then it numbers frames, asks a silent peer whether it lives, and closes for a reason.

mod close;
mod config;
mod event;
mod handshake;
mod machine;
mod state;

pub use close::{CertificateProblem, CloseReason, LinkError};
pub use config::LinkConfig;
pub use event::{Claim, LinkCounters, LinkEvent, Peer};
pub use handshake::{Handshake, HandshakeError};
pub use machine::Link;
pub use state::LinkState;

#[cfg(test)]
mod tests;
