//! Session proofs: how a training process shows its job that it holds the token that the job made for it.
//!
//! ```text
//!   trainer                                     job (executor)
//!      │                                           │  token, scope, SessionTokenManager
//!      │◀──── bootstrap: token (out of band) ──────│
//!      │  HELLO (scope)                            │
//!      │──────────────────────────────────────────▶│  issue_nonce
//!      │                   HELLO_CHALLENGE (nonce) │
//!      │◀──────────────────────────────────────────│
//!      │  HELLO_PROOF (scope, nonce, proof)        │
//!      │──────────────────────────────────────────▶│  verify_proof
//!      │       HELLO_ACCEPTED (session id) or HELLO_REJECTED
//!      │◀──────────────────────────────────────────│
//! ```
//!
//! The token itself never travels after the bootstrap: HELLO_PROOF carries an HMAC by it, over a nonce that is good
//! once and over everything that the token is bound to. In the one-round variant the job's nonce travels with the
//! bootstrap, the trainer adds one of its own, and HELLO carries the proof over both.
//!
//! Not here: how the bodies are encoded (they are [`FieldValue`]s by key), how they travel, and what a session is
//! good for once it stands.

mod error;
mod executor;
mod hex;
mod limits;
mod manager;
mod message;
mod netstring;
mod nonces;
mod proof;
mod repr;
mod scope;
mod token;
mod trainer;

#[cfg(test)]
mod tests;

pub use error::{IssueError, ScopeError, ScopeFault, SecretError, SessionRefused};
pub use executor::{ExecutorHandshake, ExecutorReply, ExecutorSession, Rejection};
pub use limits::SessionLimits;
pub use manager::{SessionStatus, SessionTokenManager, VerifiedSession};
pub use message::{Body, Message, SessionId};
pub use nonces::Nonce;
pub use proof::{HelloProof, combine_nonces, is_proved_by, proof_message};
pub use scope::{FieldValue, PresentedScope, ScopeField, ScopeText, TokenScope};
pub use token::{SessionToken, TokenDigest};
pub use trainer::{TrainerError, TrainerHello, TrainerProof, TrainerSession};
