//! Who takes part: challenge, registration, heartbeats and goodbye, as a machine and as a service on a cell.
//!
//! ```text
//!   cell `server`, channel `task`            Registrar (no socket, no clock)
//!     challenge  ──► MembershipService ──► handle_challenge      ServerChallenge     ─► signed apart
//!     register   ──►        │         ──► handle_registration                       ─► Candidate, proved apart
//!                           │         ──► admit                 TokenTable, Roll    ─► TokenKeeper: TokenBook
//!     heart_beat ──►        │         ──► handle_heartbeat
//!     quit       ──►        │         ──► handle_quit
//!     any message ─► CheckCredential ──► TokenTable
//!                           └─ events: joined, left, dead
//! ```
//!
//! Proofs are verified and signatures made on threads that may block, as many at a time as there are processors, while
//! nothing is locked: other messages do not wait for them.

mod apart;
mod book;
mod candidate;
mod config;
mod event;
mod keeper;
mod member;
mod refusal;
mod registrar;
mod roll;
mod service;
mod tokens;
mod wording;

pub use book::{KeptToken, TokenBook};
pub use candidate::{Applicant, Candidate, Granted, Proved};
pub use config::{RegistrarConfig, RegistrarError, ServerKeys};
pub use event::MembershipEvent;
pub use keeper::{TokenChange, TokenKeeper};
pub use member::{Member, Presence};
pub use refusal::Refusal;
pub use registrar::{HeartbeatAnswer, Registrar};
pub use service::MembershipService;
pub use tokens::TokenTable;
