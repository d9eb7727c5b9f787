//! The bounds of one attach: how long, how many, how often.

use core::time::Duration;

use fedcell_protocol_defs::client_api::ProofSize;

/// Bounds that a [`SessionTokenManager`](super::SessionTokenManager) keeps. All are on by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLimits {
    pub(super) attach_window: Option<Duration>,
    pub(super) nonce_lifetime: Duration,
    pub(super) pending_nonces: usize,
    pub(super) failed_proofs: u32,
}

impl SessionLimits {
    /// How long after its creation a token may be attached with, if nothing else is set.
    pub const ATTACH_WINDOW: Duration = Duration::from_secs(600);
    /// How long a challenge may stay unanswered, if nothing else is set.
    pub const NONCE_LIFETIME: Duration = Duration::from_secs(60);
    /// The most challenges that may be outstanding at a time; the oldest make room.
    pub const PENDING_NONCES: usize = ProofSize::MAX_PENDING_NONCES;
    /// Failed proofs after which the attach is closed for good, if nothing else is set.
    pub const FAILED_PROOFS: u32 = 8;

    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            attach_window: Some(Self::ATTACH_WINDOW),
            nonce_lifetime: Self::NONCE_LIFETIME,
            pending_nonces: Self::PENDING_NONCES,
            failed_proofs: Self::FAILED_PROOFS,
        }
    }

    /// Lets a session be attached until `window` after creation, that moment included.
    #[must_use]
    pub const fn with_attach_window(mut self, window: Duration) -> Self {
        self.attach_window = Some(window);
        self
    }

    /// Danger: lets a token that leaks be attached with for as long as its job lives.
    #[must_use]
    pub const fn danger_without_attach_window(mut self) -> Self {
        self.attach_window = None;
        self
    }

    /// Lets a challenge be answered until `lifetime` after its issue, that moment included.
    #[must_use]
    pub const fn with_nonce_lifetime(mut self, lifetime: Duration) -> Self {
        self.nonce_lifetime = lifetime;
        self
    }

    /// Keeps at most `count` challenges outstanding: at least 1, at most [`PENDING_NONCES`](Self::PENDING_NONCES).
    #[must_use]
    pub const fn with_pending_nonces(mut self, count: usize) -> Self {
        self.pending_nonces = match count {
            0 => 1,
            1..=Self::PENDING_NONCES => count,
            _ => Self::PENDING_NONCES,
        };
        self
    }

    /// Closes the attach at the failed proof of this number, at least the first.
    #[must_use]
    pub const fn with_failed_proofs(mut self, count: u32) -> Self {
        self.failed_proofs = if count == 0 { 1 } else { count };
        self
    }
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self::new()
    }
}
