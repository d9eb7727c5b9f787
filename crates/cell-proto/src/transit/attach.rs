//! Filter for the way out: shows who we are, and marks what must cross the server.

use std::sync::{PoisonError, RwLock};

use fedcell_auth::SecretText;
use fedcell_auth::token::ClientCredential;
use fedcell_protocol_defs::cell::HeaderKey;
use fedcell_protocol_defs::federation::AuthHeaderKey;

use super::{is_cross_family, reply_shows_credential};
use crate::filter::{Filter, FilterContext, Place, Verdict};
use crate::message::Message;

/// Puts the credential of this party on its messages: on every request, and on replies that the server will look at.
///
/// Stands in [`Place::OutgoingRequest`] and [`Place::OutgoingReply`], for every channel and topic. Does nothing before
/// [`set`](Self::set).
#[derive(Debug, Default)]
pub struct AttachCredential {
    credential: RwLock<Option<Prepared>>,
}

/// Headers as they go on every message; their text form is made once.
#[derive(Debug)]
struct Prepared {
    client_name: String,
    headers: Vec<(AuthHeaderKey<'static>, SecretText)>,
}

impl AttachCredential {
    /// A filter without a credential.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on messages show this credential: after a registration, and after each new one.
    pub fn set(&self, credential: &ClientCredential) {
        let prepared = Prepared { client_name: credential.name().as_str().to_owned(), headers: credential.headers() };
        *self.credential.write().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
    }

    /// From now on messages show nothing: the party has left.
    pub fn clear(&self) {
        *self.credential.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Filter for AttachCredential {
    fn judge(&self, context: &FilterContext<'_>, message: &mut Message) -> Verdict {
        let credential = self.credential.read().unwrap_or_else(PoisonError::into_inner);
        let Some(prepared) = credential.as_ref() else { return Verdict::Pass };
        let Ok(facts) = message.facts() else { return Verdict::Pass };
        let name = Some(prepared.client_name.as_str());
        let next = context.next.unwrap_or(facts.destination);
        let shows = context.place != Place::OutgoingReply
            || reply_shows_credential(facts.origin, facts.destination, next, name);
        let crosses = is_cross_family(facts.origin, facts.destination, name);
        if shows {
            for (key, value) in &prepared.headers {
                message.headers.insert(key, value.expose());
            }
        }
        if crosses {
            message.headers.insert(HeaderKey::SERVER_TRANSIT_REQUIRED, true);
        }
        Verdict::Pass
    }
}
