//! The download service: large objects are pulled, piece by piece, by whoever needs them.
//!
//! ```text
//!   Consumer                         bodies                          Source
//!   which piece next,   ── pull {ref_id, state} ──────────►   which part follows a state,
//!   when to try again,  ◄───────── {status, state, data} ──   how far each receiver is,
//!   when it is over     ── confirm or cancel ─────────────►   when to let go
//! ```
//!
//! [`body`] has the bodies, [`archive`] how arrays stand in them, [`digest`] how damage to them is seen, [`source`] and [`consumer`] the machines of the two
//! ends, [`failure`] what a parent tells of a source that is gone, and [`rising`] reads a reply while it arrives. None
//! of them holds content longer than a call, so that who keeps it where is the caller's affair.

pub mod archive;
pub mod body;
pub mod consumer;
pub mod digest;
pub mod failure;
pub mod rising;
pub mod source;

#[cfg(test)]
mod tests;
