//! Whose fault an error is, and the one opaque error that every failed verification becomes.

use core::fmt;

/// Who has to change something for an error not to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The other side sent something that a correct, honest peer would not send.
    Peer,
    /// The code that called this crate broke its contract.
    Caller,
    /// Something on this machine: a file, a certificate of our own, a configured limit.
    Local,
}

/// The other side could not prove what it claims.
///
/// This is one value on purpose: someone who probes learns nothing from it about which check failed. The reason is told
/// in a `tracing` event of level `debug` and target `fedcell_auth`, field `reason`; it never holds a secret. On the wire
/// this is the return code *unauthenticated*, or silence where the protocol wants silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer is not authenticated")]
#[non_exhaustive]
pub struct Unauthenticated;

impl Unauthenticated {
    /// Reports `reason` to the log and gives the opaque error.
    ///
    /// The text of `reason` must hold no secret and no text that the peer chose.
    pub(crate) fn because(step: &'static str, reason: impl fmt::Display) -> Self {
        tracing::debug!(target: TARGET, step, reason = %reason, "verification failed");
        Self
    }

    /// Always [`Fault::Peer`].
    #[must_use]
    pub const fn fault(self) -> Fault {
        Fault::Peer
    }
}

/// Target of this crate's `tracing` events.
pub(crate) const TARGET: &str = "fedcell_auth";
