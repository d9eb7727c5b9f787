//! What becomes known of the membership, for whoever keeps or shows it.

use fedcell_auth::token::TokenRecord;

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MembershipEvent {
    /// A participant has registered, for the first time or again.
    Joined {
        /// Its name.
        name: String,
    },
    /// A client has sent its first heartbeat since it registered: it has its token.
    Arrived {
        /// Its name.
        name: String,
    },
    /// A participant has left by its own will, or was put out.
    Left {
        /// Its name.
        name: String,
    },
    /// Nothing has been heard of a client for too long. Its token stays good: it may come back.
    Dead {
        /// Its name.
        name: String,
    },
    /// A client that counted as dead is there again.
    Revived {
        /// Its name.
        name: String,
    },
    /// A job that ran at a client does not run there any more.
    JobGone {
        /// The client.
        client: String,
        /// The job.
        job: String,
    },
    /// A token was issued, to be kept over a restart.
    TokenIssued(Box<TokenRecord>),
    /// The token of a participant is no good any more.
    TokenRevoked {
        /// Its name.
        name: String,
    },
}

impl MembershipEvent {
    /// Whether a participant has come, gone, or fallen silent.
    pub(super) const fn is_of_presence(&self) -> bool {
        matches!(self, Self::Joined { .. } | Self::Left { .. } | Self::Dead { .. } | Self::Revived { .. })
    }
}
