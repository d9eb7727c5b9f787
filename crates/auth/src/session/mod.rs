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
//! ```
//! use fedcell_auth::session::{
//!     ExecutorHandshake, ExecutorReply, ScopeText, SessionLimits, SessionToken, SessionTokenManager, TokenScope,
//!     TrainerHello,
//! };
//! # use fedcell_auth::{UnixTime, rand_core::CryptoRng};
//! # fn demo(now: UnixTime, generator: &mut impl CryptoRng) -> Result<(), Box<dyn core::error::Error>> {
//! let scope = TokenScope::new(ScopeText {
//!     job_id: "17",
//!     site_name: "site-1",
//!     attach_id: "attach-1",
//!     target_fqcn: "site-1.17",
//!     trainer_fqcn: "site-1.17.client_api_trainer_1",
//!     rank_policy: "0",
//! })?;
//! let token = SessionToken::generate(generator);
//! let bootstrap = SessionToken::from_text(token.expose().to_owned())?;
//! let manager = SessionTokenManager::new(scope.clone(), token, SessionLimits::new(), now)?;
//! let executor = ExecutorHandshake::new(&manager);
//!
//! let hello = TrainerHello::new(&bootstrap, scope.clone(), "0");
//! let message = hello.message();
//! let reply = executor.handle_request(now, scope.trainer_fqcn(), message.topic().as_str(), &message, generator);
//! let proof = hello.handle_reply(reply.message().topic().as_str(), &reply.message())?;
//! let message = proof.message();
//! let reply = executor.handle_request(now, scope.trainer_fqcn(), message.topic().as_str(), &message, generator);
//! let session = proof.handle_reply(reply.message().topic().as_str(), &reply.message())?;
//! assert!(matches!(reply, ExecutorReply::Accepted(theirs) if theirs.id() == session.id()));
//! # Ok(())
//! # }
//! # struct Counter(u64);
//! # impl fedcell_auth::rand_core::TryRng for Counter {
//! #     type Error = core::convert::Infallible;
//! #     fn try_next_u32(&mut self) -> Result<u32, Self::Error> { self.0 += 1; Ok(self.0 as u32) }
//! #     fn try_next_u64(&mut self) -> Result<u64, Self::Error> { self.0 += 1; Ok(self.0) }
//! #     fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
//! #         self.0 += 1;
//! #         bytes.fill(self.0 as u8);
//! #         Ok(())
//! #     }
//! # }
//! # impl fedcell_auth::rand_core::TryCryptoRng for Counter {}
//! # demo(UnixTime::from_secs(1_800_000_000), &mut Counter(0)).unwrap();
//! ```
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

pub use error::{IssueError, ScopeError, ScopeFault, SecretError};
pub use executor::{ExecutorHandshake, ExecutorReply, ExecutorSession, Rejection};
pub use limits::SessionLimits;
pub use manager::{SessionStatus, SessionTokenManager, VerifiedSession};
pub use message::{Body, Message, SessionId};
pub use nonces::HelloNonce;
pub use proof::{HelloProof, combine_nonces, is_proved_by, proof_message};
pub use scope::{FieldValue, PresentedScope, ScopeField, ScopeText, TokenScope};
pub use token::{SessionToken, TokenDigest};
pub use trainer::{TrainerError, TrainerHello, TrainerProof, TrainerSession};
