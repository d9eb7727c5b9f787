//! The three messages of the challenge as data, and the errors that are not a failed verification.

use core::fmt;
use core::time::Duration;

use crate::error::Fault;

/// What a client sends first: headers `cn` and `nonce` of the topic `challenge`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeRequest {
    /// The name that the client is about to register.
    pub common_name: String,
    /// What the server has to sign.
    pub nonce: String,
}

/// What the server answers: the body of the reply.
#[derive(Clone, PartialEq, Eq)]
pub struct ChallengeReply {
    /// Common name of the server.
    pub common_name: String,
    /// What the client has to sign.
    pub nonce: String,
    /// Certificate of the server in PEM, with its intermediates.
    pub certificate: Vec<u8>,
    /// Signature over the server's common name and the client's nonce. A peer may send it as base64 text; the layer
    /// above decodes that with [`Signature::from_base64`](crate::Signature::from_base64).
    pub signature: Vec<u8>,
}

/// The identity part of a registration as it came: header `client_name`, and body keys `cn`, `cert` and `signature`.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistrationClaim {
    /// The name to be registered.
    pub client_name: String,
    /// Common name of the client. The reference sends it and never reads it.
    pub common_name: String,
    /// Certificate of the client in PEM, with its intermediates.
    pub certificate: Vec<u8>,
    /// Signature over the client's common name and the server's nonce; as bytes, see [`ChallengeReply::signature`].
    pub signature: Vec<u8>,
}

impl fmt::Debug for ChallengeReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChallengeReply")
            .field("common_name", &self.common_name)
            .field("certificate_length", &self.certificate.len())
            .field("signature_length", &self.signature.len())
            .finish_non_exhaustive()
    }
}

/// The identity part of a registration to be sent. Only a [`VerifiedServer`](super::VerifiedServer) makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct Registration(RegistrationClaim);

impl Registration {
    pub(super) const fn assertion(claim: RegistrationClaim) -> Self {
        Self(claim)
    }

    /// What to put into the message.
    #[must_use]
    pub const fn claim(&self) -> &RegistrationClaim {
        &self.0
    }

    /// The same, given away.
    #[must_use]
    pub fn into_claim(self) -> RegistrationClaim {
        self.0
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registration").field(&self.0).finish()
    }
}

impl fmt::Debug for RegistrationClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrationClaim")
            .field("client_name", &self.client_name)
            .field("common_name", &self.common_name)
            .field("certificate_length", &self.certificate.len())
            .field("signature_length", &self.signature.len())
            .finish_non_exhaustive()
    }
}

/// A challenge that the server does not answer. None of these says anything about who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeRefused {
    /// The nonce is not a canonical UUID.
    #[error("the challenge's nonce is not a canonical UUID")]
    BadNonce,
    /// The name is empty, too long, or has characters that no name has.
    #[error("the challenge's common name is not usable")]
    BadName,
    /// The name is the server's own.
    #[error("the challenge bears this party's own name")]
    OwnName,
    /// The origin is empty or too long.
    #[error("the challenge's origin is empty or longer than 1024 bytes")]
    BadOrigin,
    /// This origin, or all of them together, ask too often.
    #[error("too many challenges, try again in {} ms", retry_after.as_millis())]
    TooOften {
        /// When one will be answered again.
        retry_after: Duration,
    },
    /// As many challenges are open as may be.
    #[error("too many challenges are open")]
    Busy,
    /// Our own key could not sign.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

impl ChallengeRefused {
    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::BadNonce | Self::BadName | Self::OwnName | Self::BadOrigin | Self::TooOften { .. } => Fault::Peer,
            Self::Busy | Self::Signing(_) => Fault::Local,
        }
    }
}

/// Our private key could not make a signature: the machine has no memory or no random bytes left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this party's private key could not sign")]
#[non_exhaustive]
pub struct SigningFailed;

/// A party cannot be set up as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartyError {
    /// The server is configured to have the client's own name.
    #[error("the server is configured with this client's own name")]
    ServerHasOwnName,
    /// The server's certificate bears a name that the protocol keeps for messages of the server's own.
    #[error("the server's certificate bears a reserved name")]
    ReservedName,
}
