#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)
)]

mod base64;
pub mod challenge;
mod error;
pub mod identity;
mod name;
pub mod sealed;
mod secret;
pub mod session;
mod signature;
mod time;
pub mod token;
mod uuid;

pub use error::{Fault, Unauthenticated};
pub use name::{BadName, CommonName, MAX_NAME_LENGTH};
pub use rand_core;
pub use secret::{SecretBytes, SecretText};
pub use signature::{MAX_SIGNATURE_LENGTH, NotASignature, Signature};
pub use time::UnixTime;
pub use uuid::{Nonce, NotCanonicalUuid, Token, UUID_LENGTH};
