//! Client tokens: issued after a registration, shown on every message, checked against the registry.
//!
//! ```text
//!   server                                     client, its jobs             relay, admin client
//!   VerifiedClient ─► TokenRegistry::issue
//!        │  ClientCredential {name, token, signature} ─► TokenVerifier::accept
//!        │                                          ClientCredential
//!        │ ◄──── every message: AuthHeaders ─────────────┘ │
//!   TokenRegistry::authenticate                            └──────────► TokenVerifier::check_signature
//!   AuthenticatedPeer                                                   SignedByServer (not authenticated!)
//! ```
//!
//! The server signs client name followed by token. The signature says that the server once issued the token; whether it
//! is good *now*, for *this* client, from *this* origin is for the registry to say, which only the server has. This is
//! stricter than the reference, where a valid signature passes for a token that nobody knows: such a client is
//! *unauthenticated* here, and registers again.

mod headers;
mod registry;
mod verifier;

pub use headers::{AuthHeaders, BadCredential, ClientCredential, Exemption, exemption, stripped_headers};
pub use registry::{
    AuthenticatedPeer, IssueError, PeerKind, PreparedToken, RegistryLimits, TokenIssuer, TokenRecord, TokenRegistry,
};
pub use verifier::{SignedByServer, TokenVerifier};

/// What the server signs. A token has a fixed length (36, or 6 for the server's own), so that no two pairs that are ever
/// verified give the same content.
fn signed_content(client_name: &str, token: &str) -> zeroize::Zeroizing<Vec<u8>> {
    let mut content = zeroize::Zeroizing::new(Vec::with_capacity(client_name.len() + token.len()));
    content.extend_from_slice(client_name.as_bytes());
    content.extend_from_slice(token.as_bytes());
    content
}
