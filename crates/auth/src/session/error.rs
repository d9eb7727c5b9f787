//! Everything that can be refused in a session handshake, and to whom each refusal may be shown.
//!
//! A proof that does not hold is [`Unauthenticated`](crate::Unauthenticated), without detail; what the caller of this
//! crate did wrong, or must know to go on, is typed.

use super::scope::ScopeField;
use crate::error::Fault;

/// A scope cannot be built from the text that the caller gave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scope field {field:?} is unusable")]
pub struct ScopeError {
    pub(super) field: ScopeField,
    #[source]
    pub(super) cause: ScopeFault,
}

impl ScopeError {
    /// The field that was refused.
    #[must_use]
    pub const fn field(&self) -> ScopeField {
        self.field
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn cause(&self) -> &ScopeFault {
        &self.cause
    }

    /// Always [`Fault::Caller`].
    #[must_use]
    pub const fn fault(&self) -> Fault {
        Fault::Caller
    }
}

/// What is wrong with the text of a scope field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeFault {
    /// Only ASCII has one agreed form in a proof.
    #[error("expected ASCII text, found another character at byte {at}")]
    NotAscii {
        /// Position of the first byte that is not ASCII.
        at: usize,
    },
    /// The text is longer than any scope may be.
    #[error("expected at most {limit} bytes, found {length}")]
    TooLong {
        /// Length of the text in bytes.
        length: usize,
        /// The most that is allowed.
        limit: usize,
    },
}

/// A token, a digest or a nonce is not what the caller says it is. No variant holds any part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The caller asked for a secret that is too short to be one.
    #[error("expected at least {least} random bytes, {asked} were asked for")]
    TooFewBytes {
        /// How many the caller asked for.
        asked: usize,
        /// The fewest allowed.
        least: usize,
    },
    /// The caller asked for a secret that is longer than anything needs.
    #[error("expected at most {most} random bytes, {asked} were asked for")]
    TooManyBytes {
        /// How many the caller asked for.
        asked: usize,
        /// The most allowed.
        most: usize,
    },
    /// A token text is empty, too short for its use, or too long.
    #[error("a token of {length} characters is unusable, expected {least} to {most}")]
    TokenLength {
        /// Characters that it has.
        length: usize,
        /// The fewest allowed.
        least: usize,
        /// The most allowed.
        most: usize,
    },
    /// A stored digest is not 64 lower-case hex digits.
    #[error("expected a SHA-256 digest as 64 lower-case hex digits")]
    NotADigest,
    /// A nonce is not 32 to 128 lower-case hex digits.
    #[error("expected a nonce of 32 to 128 lower-case hex digits")]
    NotANonce,
    /// A session id is not 32 lower-case hex digits.
    #[error("expected a session id of 32 lower-case hex digits")]
    NotASessionId,
}

/// No challenge can be issued, now or ever again: the attach that this manager serves is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The token was invalidated by its owner.
    #[error("the session token has been invalidated")]
    Invalidated,
    /// Too many proofs failed.
    #[error("the attach was closed after too many failed proofs")]
    TooManyFailures,
    /// Nobody attached in time.
    #[error("the attach window has closed")]
    Expired,
    /// A session is active, and a token serves only one.
    #[error("a session is already active")]
    SessionActive,
    /// The caller's generator gave a nonce that is still outstanding.
    #[error("the random generator repeated itself: it is not fit for nonces")]
    GeneratorRepeats,
}

impl IssueError {
    /// [`Fault::Caller`] for a broken generator; else nobody's but this attach's own, [`Fault::Local`].
    #[must_use]
    pub const fn fault(self) -> Fault {
        match self {
            Self::GeneratorRepeats => Fault::Caller,
            Self::Invalidated | Self::TooManyFailures | Self::Expired | Self::SessionActive => Fault::Local,
        }
    }
}
