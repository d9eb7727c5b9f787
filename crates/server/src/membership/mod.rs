//! Who takes part: challenge, registration, heartbeats and goodbye, as a machine and as a service on a cell.
//!
//! ```text
//!   cell `server`, channel `task`            Registrar (no socket, no clock)
//!     challenge  ──► MembershipService ──► handle_challenge      ServerChallenge
//!     register   ──►        │         ──► handle_registration    TokenRegistry, members
//!     heart_beat ──►        │         ──► handle_heartbeat
//!     quit       ──►        │         ──► handle_quit
//!     any message ─► CheckCredential ──► authenticate
//!                           └─ events: joined, left, dead; tokens to be kept over a restart
//! ```

mod event;
mod member;
mod refusal;
mod registrar;
mod service;
mod wording;

pub use event::MembershipEvent;
pub use member::{Member, Presence};
pub use refusal::Refusal;
pub use registrar::{Applicant, Granted, HeartbeatAnswer, Registrar, RegistrarConfig, RegistrarError, ServerKeys};
pub use service::MembershipService;
