//! Who may bear which name: certificate names against addresses, and names that are live already.
//!
//! A neighbour claims an address in its first frame. [`IdentityPolicy::admit`] holds the claim against what its
//! connection has proved and gives an [`AdmittedName`], which nothing else can make and without which a link does not
//! open. [`LiveNames`] then decides whether the name is free, or held by an older connection of the same identity, which
//! the new one replaces, or by somebody else.

mod error;
mod live;
mod policy;

pub use error::IdentityError;
pub use live::LiveNames;
pub use policy::{AdmittedName, ConnectionFacts, ExpectedPeer, IdentityPolicy, PeerIdentity, Side};

#[cfg(test)]
mod tests;
