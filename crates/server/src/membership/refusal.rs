//! Why the server does not do what a participant asks, in the words of the wire.

use fedcell_auth::challenge::ChallengeRefused;
use fedcell_protocol_defs::cell::ReturnCode;
use fedcell_protocol_defs::federation::RefusalText;

/// A refusal: a return code and a text for the peer's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {text}", code.as_str())]
#[non_exhaustive]
pub struct Refusal {
    /// Return code of the reply.
    pub code: ReturnCode<'static>,
    /// Its text.
    pub text: String,
}

impl Refusal {
    pub(super) fn unauthenticated(text: impl Into<String>) -> Self {
        Self { code: ReturnCode::UNAUTHENTICATED, text: text.into() }
    }

    pub(super) fn known(text: RefusalText<'_>) -> Self {
        Self::unauthenticated(text.as_str())
    }

    /// The peer is told to ask again: what the reference's clients do on this code.
    pub(super) fn again(text: impl Into<String>) -> Self {
        Self { code: ReturnCode::COMM_ERROR, text: text.into() }
    }

    pub(super) fn malformed(text: impl Into<String>) -> Self {
        Self { code: ReturnCode::INVALID_REQUEST, text: text.into() }
    }
}

impl From<ChallengeRefused> for Refusal {
    fn from(refused: ChallengeRefused) -> Self {
        match refused {
            ChallengeRefused::TooOften { .. } | ChallengeRefused::Busy => Self::again(refused.to_string()),
            ChallengeRefused::Signing(_) => Self::again("the server cannot sign now"),
            other => Self::unauthenticated(other.to_string()),
        }
    }
}
