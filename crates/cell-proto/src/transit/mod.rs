//! The server's boundary: which messages cross it, which show the sender's credential, who checks it and takes it off.
//!
//! A *family* here is a client with its jobs and trainers: the part of the tree below the segment that bears the
//! client's name. Two clients behind one relay are one family for routing and two here.
//!
//! ```text
//!  site-1.job ──► server ──► site-2.job      request: credential, marked
//!             ◄──        ◄──                 reply:   credential, marked
//!  the server checks the credential, takes it off, leaves the mark
//! ```
//!
//! [`AttachCredential`] stands at the way out of every cell that has registered, [`CheckCredential`] at the way in of
//! the server, of relays and of administrators' sessions.

mod attach;
mod check;
mod family;

pub use attach::AttachCredential;
pub use check::{Authenticator, CheckCredential, Checker, SignatureCheck, strip_credential};
pub use family::{family, is_cross_family, may_speak_for, reply_shows_credential};

#[cfg(test)]
mod tests;
