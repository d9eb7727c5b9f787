//! Filter for the way in: checks the credential of a message, and takes it off where a peer must not see it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fedcell_auth::token::{AuthHeaders, TokenRegistry, TokenVerifier, exemption, stripped_headers};
use fedcell_auth::{SecretText, Unauthenticated, UnixTime};
use fedcell_protocol_defs::cell::{HeaderKey, ReturnCode};
use fedcell_protocol_defs::federation::AuthHeaderKey;

use crate::filter::{Filter, FilterContext, Verdict};
use crate::headers::HeaderMap;
use crate::message::Message;
use crate::request::Reply;
use crate::route::MessageFacts;

/// Who knows whether a credential is good.
pub trait Authenticator: Send + Sync {
    /// Decides on the auth headers of a message from the cell `origin`.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`] if they prove nothing.
    fn authenticate(&self, now: UnixTime, headers: &AuthHeaders<'_>, origin: &str) -> Result<(), Unauthenticated>;
}

/// The server asks its registry: client, token and origin have to match.
impl Authenticator for Mutex<TokenRegistry> {
    fn authenticate(&self, now: UnixTime, headers: &AuthHeaders<'_>, origin: &str) -> Result<(), Unauthenticated> {
        let registry = self.lock().unwrap_or_else(PoisonError::into_inner);
        registry.authenticate(headers, origin, now).map(drop)
    }
}

/// Credentials that one client's cells show at a time; a new registration makes an older one useless.
const CREDENTIALS_PER_CLIENT: usize = 4;
/// Clients whose credentials are remembered.
const MAX_CLIENTS: usize = 4096;

/// Relays and administrators' sessions check the server's signature, and remember the last good ones: a signature takes
/// longer to verify than a message to forward.
#[derive(Debug)]
pub struct SignatureCheck {
    verifier: TokenVerifier,
    known: Mutex<HashMap<Box<str>, Vec<Known>>>,
}

#[derive(Debug)]
struct Known {
    token: SecretText,
    signature: SecretText,
}

impl SignatureCheck {
    /// A check that remembers nothing yet.
    #[must_use]
    pub fn new(verifier: TokenVerifier) -> Self {
        Self { verifier, known: Mutex::new(HashMap::new()) }
    }
}

impl Authenticator for SignatureCheck {
    fn authenticate(&self, _: UnixTime, headers: &AuthHeaders<'_>, _: &str) -> Result<(), Unauthenticated> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let of_client = known.get(headers.client_name);
        let is = |known: &Known| known.token.ct_eq(headers.token) && known.signature.ct_eq(headers.signature);
        if of_client.is_some_and(|all| all.iter().any(is)) {
            return Ok(());
        }
        self.verifier.check_signature(headers)?;
        if known.len() >= MAX_CLIENTS && !known.contains_key(headers.client_name) {
            known.clear();
        }
        let all = known.entry(headers.client_name.into()).or_default();
        if all.len() >= CREDENTIALS_PER_CLIENT {
            all.remove(0);
        }
        let secret = |text: &str| SecretText::new(text.to_owned());
        all.push(Known { token: secret(headers.token), signature: secret(headers.signature) });
        Ok(())
    }
}

/// Who checks: what is exempt and what is taken off depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checker {
    /// The server: the boundary itself. Takes the credential off messages from one client to another.
    Server,
    /// A relay: lets messages pass that have been to the server and come down again, because the server has checked
    /// them and taken the credential off.
    Relay,
    /// An administrator's session.
    Admin,
}

/// What a client is told whose credential is no good.
const REGISTER_AGAIN: &str = "the credential is not known here; register again";

/// Refuses messages without a good credential.
///
/// Stands in [`Place::Incoming`](crate::filter::Place::Incoming), for every channel and topic. Exempt are challenge and
/// registration, and a goodbye that ends here.
///
/// A refused message vanishes, as in the reference, but for one: a request that shows a whole credential to a server is
/// sent back as `unauthenticated`, and one that is streamed fails with an error of its stream that says so; nothing of it
/// is kept. A client whose token is no good any more registers again at once then, where it would otherwise wait for
/// answers. Whoever shows nothing learns nothing, and whoever guesses only that it guessed wrong.
pub struct CheckCredential {
    checker: Checker,
    authenticator: Arc<dyn Authenticator>,
}

impl CheckCredential {
    /// A filter for this kind of cell.
    #[must_use]
    pub fn new(checker: Checker, authenticator: Arc<dyn Authenticator>) -> Self {
        Self { checker, authenticator }
    }

    fn examine(&self, context: &FilterContext<'_>, message: &Message) -> Found {
        let Ok(facts) = message.facts() else { return Found::Nothing };
        if exemption(facts.channel, facts.topic, facts.destination.as_str(), context.me.as_str()).is_some() {
            return Found::Good;
        }
        if self.checker == Checker::Relay {
            let about = MessageFacts {
                transit_required: facts.is_transit_required,
                route: &facts.route,
                arrived_from: context.from,
            };
            if about.is_return_from_server(context.me) {
                return Found::Good;
            }
        }
        let text = |key: AuthHeaderKey<'_>| message.headers.text(key).ok().flatten().unwrap_or_default();
        let headers = AuthHeaders {
            client_name: text(AuthHeaderKey::CLIENT_NAME),
            token: text(AuthHeaderKey::TOKEN),
            signature: text(AuthHeaderKey::TOKEN_SIGNATURE),
        };
        match self.authenticator.authenticate(context.now, &headers, facts.origin.as_str()) {
            Ok(()) => Found::Good,
            Err(_) if [headers.client_name, headers.token, headers.signature].contains(&"") => Found::Nothing,
            Err(_) => Found::Bad,
        }
    }
}

/// What a message shows.
enum Found {
    /// A good credential, or it needs none.
    Good,
    /// One that is no good.
    Bad,
    /// None, or a part of one.
    Nothing,
}

impl Filter for CheckCredential {
    fn judge(&self, context: &FilterContext<'_>, message: &mut Message) -> Verdict {
        let refusal = |text| Box::new(Reply::failed(ReturnCode::UNAUTHENTICATED, text));
        match self.examine(context, message) {
            Found::Good => {}
            Found::Bad if self.checker == Checker::Server => return Verdict::Return(refusal(REGISTER_AGAIN)),
            Found::Bad | Found::Nothing => return Verdict::Refuse(refusal("")),
        }
        if self.checker == Checker::Server {
            strip_credential(&mut message.headers);
        }
        Verdict::Pass
    }
}

impl core::fmt::Debug for CheckCredential {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CheckCredential").field("checker", &self.checker).finish_non_exhaustive()
    }
}

/// Takes off a message from one client to another what the other must not see: the credential, and an invitation to
/// connect. The mark that the message must cross the server stays. Other messages stay as they are.
///
/// A server that checks nothing, because it has no certificate, does this all the same.
pub fn strip_credential(headers: &mut HeaderMap) {
    if headers.flag(HeaderKey::SERVER_TRANSIT_REQUIRED).ok().flatten().unwrap_or(false) {
        for key in stripped_headers() {
            headers.remove(key);
        }
    }
}
