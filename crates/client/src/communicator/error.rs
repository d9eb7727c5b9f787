//! What can go wrong between a site and its server, and whose fault it is.

use core::time::Duration;

use fedcell_auth::challenge::SigningFailed;
use fedcell_auth::{Fault, Unauthenticated};
use fedcell_cell::RequestError;
use fedcell_protocol_defs::federation::RefusalText;

/// A registration that came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// No cell was given in time.
    #[error("no cell was set within {} s; start the cell and call set_cell", waited.as_secs())]
    NoCell {
        /// How long.
        waited: Duration,
    },
    /// The caller gave up.
    #[error("the registration was given up")]
    Aborted,
    /// Nobody answered for as long as we were told to try.
    #[error("the server could not be reached for {} s; check its address and that it runs", tried.as_secs())]
    Unreachable {
        /// How long it was tried.
        tried: Duration,
        /// The last failure.
        #[source]
        cause: Box<RequestError>,
    },
    /// The cell has been shut down, or the request cannot be made at all.
    #[error("the request could not be sent")]
    Request(#[from] Box<RequestError>),
    /// The server does not take challenges, since it runs without keys, or this name or project is not wanted.
    #[error(
        "the server refuses the {step} of `{client}`: {code}{}{text}{}", if .text.is_empty() { "" } else { ": " },
        what_to_do(.text)
    )]
    Refused {
        /// What was asked.
        step: Step,
        /// The name that we claimed.
        client: String,
        /// Return code.
        code: Box<str>,
        /// The server's explanation.
        text: Box<str>,
    },
    /// The server did not prove to be the one that the kit names.
    #[error(
        "the peer that answers for the server has not proved to be `{expected}`; check the server identity in the kit \
         and that both kits are of one project"
    )]
    WrongServer {
        /// The identity that the kit names.
        expected: String,
        /// Opaque; the reason is in the log at level debug.
        #[source]
        cause: Unauthenticated,
    },
    /// The server did not believe who we are. It says no more than that.
    #[error(
        "the server does not accept the identity of `{client}`; the certificate must bear that name, come from the \
         project's root and be valid now"
    )]
    NotAccepted {
        /// The name that we claimed.
        client: String,
    },
    /// The token that came is not one that the server has signed for this client.
    #[error("the server gave a token that it has not signed for `{client}`")]
    BadToken {
        /// The client.
        client: String,
        /// Opaque; the reason is in the log at level debug.
        #[source]
        cause: Unauthenticated,
    },
    /// A reply that is not what this step has.
    #[error("the server's reply to the {step} lacks {expected}")]
    Malformed {
        /// What was asked.
        step: Step,
        /// What should have been there.
        expected: &'static str,
    },
    /// Our own key could not sign.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

/// The steps of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The server proves who it is.
    Challenge,
    /// We do.
    Registration,
}

impl core::fmt::Display for Step {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Challenge => "challenge",
            Self::Registration => "registration",
        })
    }
}

/// What helps against a refusal with this text of the wire.
fn what_to_do(text: &str) -> &'static str {
    match RefusalText::new(text) {
        RefusalText::WRONG_PROJECT => "; expected the name of the server's project, take a kit of that project",
        RefusalText::NOT_SECURE => {
            "; expected no certificate, start the server with its kit or this client without one"
        }
        RefusalText::TOO_MANY_CLIENTS => "; expected no further client, raise the server's limit",
        _ => "",
    }
}

impl RegisterError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoCell { .. } | Self::Aborted => Fault::Caller,
            Self::Request(cause) => cause.fault(),
            Self::Unreachable { .. } | Self::NotAccepted { .. } | Self::Refused { .. } | Self::Signing(_) => {
                Fault::Local
            }
            Self::WrongServer { .. } | Self::BadToken { .. } | Self::Malformed { .. } => Fault::Peer,
        }
    }
}

/// A heartbeat that was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeartbeatError {
    /// Not registered, or no cell.
    #[error("a heartbeat needs a registration before it")]
    NotRegistered,
    /// The server does not know our token any more: register again.
    #[error("the server does not know this client any more{}{text}", if .text.is_empty() { "" } else { ": " })]
    Forgotten {
        /// The server's explanation.
        text: Box<str>,
    },
    /// No answer, or none that helps.
    #[error("the heartbeat was not answered")]
    Request(#[from] Box<RequestError>),
}

/// A goodbye that was not heard.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuitError {
    /// Not registered, or no cell.
    #[error("there is nothing to leave: not registered")]
    NotRegistered,
    /// No answer, or none that helps.
    #[error("the goodbye was not answered; the server will forget this client when its heartbeats stay away")]
    Request(#[from] Box<RequestError>),
}
