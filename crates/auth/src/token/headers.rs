//! Auth headers as data: what to attach, what came, which messages need none, what to strip.

use core::fmt;

use fedcell_protocol_defs::cell::{Channel, HeaderKey, Topic};
use fedcell_protocol_defs::federation::{AuthHeaderKey, AuthPlaceholder};

use crate::error::Fault;
use crate::name::CommonName;
use crate::secret::SecretText;
use crate::signature::Signature;
use crate::uuid::Token;

/// What a registered party attaches to its messages.
///
/// The token in it is a bearer secret; it prints as redacted and is not cloned.
#[derive(Debug)]
pub struct ClientCredential {
    name: CommonName,
    token: SecretText,
    signature: Option<Signature>,
    session: Option<String>,
}

impl ClientCredential {
    pub(super) fn new(name: CommonName, token: SecretText, signature: Signature) -> Self {
        Self { name, token, signature: Some(signature), session: None }
    }

    /// What a parent process hands down to its job or its training process, which acts under the parent's name.
    ///
    /// Nothing is verified here: who shows a wrong credential is refused by the server. A signature of `NA` is that of a
    /// federation without keys.
    ///
    /// # Errors
    ///
    /// [`BadCredential`] if the token is not a canonical UUID or the signature is not base64.
    pub fn handed_down(name: CommonName, token: &str, signature: &str) -> Result<Self, BadCredential> {
        let token = Token::parse(token).map_err(|_| BadCredential::Token)?;
        let signature = if signature == AuthPlaceholder::NOT_AVAILABLE.as_str() {
            None
        } else {
            Some(Signature::from_base64(signature).map_err(|_| BadCredential::Signature)?)
        };
        Ok(Self { name, token: SecretText::new(token.expose().to_owned()), signature, session: None })
    }

    /// The same with the service session id that the server gave, which is echoed on every request.
    #[must_use]
    pub fn with_session(mut self, session: &str) -> Self {
        self.session = (!session.is_empty()).then(|| session.to_owned());
        self
    }

    /// The client's name.
    #[must_use]
    pub const fn name(&self) -> &CommonName {
        &self.name
    }

    /// The token. Each caller of this is a place where it may leak.
    #[must_use]
    pub fn expose_token(&self) -> &str {
        self.token.expose()
    }

    /// The server's signature over name and token as the header has it: base64, or `NA` in a federation without keys.
    ///
    /// It is one half of what the token's thief would need: treat it as the token.
    #[must_use]
    pub fn signature_text(&self) -> String {
        let none = || AuthPlaceholder::NOT_AVAILABLE.as_str().to_owned();
        self.signature.as_ref().map_or_else(none, Signature::to_base64)
    }

    /// Names and values of the headers to set on a message.
    #[must_use]
    pub fn headers(&self) -> Vec<(AuthHeaderKey<'static>, SecretText)> {
        let mut headers = vec![
            (AuthHeaderKey::CLIENT_NAME, SecretText::new(self.name.as_str().to_owned())),
            (AuthHeaderKey::TOKEN, SecretText::new(self.token.expose().to_owned())),
            (AuthHeaderKey::TOKEN_SIGNATURE, SecretText::new(self.signature_text())),
        ];
        if let Some(session) = &self.session {
            headers.push((AuthHeaderKey::SSID, SecretText::new(session.clone())));
        }
        headers
    }
}

/// What was handed down is no credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadCredential {
    /// The token has another form.
    #[error("expected a token that is a canonical 36-character UUID")]
    Token,
    /// The signature has another form.
    #[error("expected a token signature in base64, or NA")]
    Signature,
}

impl BadCredential {
    /// Always [`Fault::Caller`]: the parent process gave it.
    #[must_use]
    pub const fn fault(self) -> Fault {
        Fault::Caller
    }
}

/// The auth headers of a message that came, unverified. A header that is missing is empty text.
#[derive(Clone, Copy)]
pub struct AuthHeaders<'a> {
    /// Header `client_name`.
    pub client_name: &'a str,
    /// Header `__token__`.
    pub token: &'a str,
    /// Header `__token_signature__`, base64.
    pub signature: &'a str,
}

impl AuthHeaders<'_> {
    /// What is missing, in the order in which the reference looks: a party without one says `NA`.
    pub(super) fn missing(&self) -> Option<&'static str> {
        let absent = |value: &str| value.is_empty() || value == AuthPlaceholder::NOT_AVAILABLE.as_str();
        if self.client_name.is_empty() {
            Some("no client name")
        } else if absent(self.token) {
            Some("no token")
        } else if absent(self.signature) {
            Some("no token signature")
        } else {
            None
        }
    }
}

impl fmt::Debug for AuthHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthHeaders").field("client_name", &self.client_name).finish_non_exhaustive()
    }
}

/// Why a message needs no auth headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exemption {
    /// Challenge and registration: their sender has no token yet.
    Joining,
    /// A goodbye that ends at this cell: a cell that stops sends it without headers. One that is to be forwarded needs
    /// them, as it would make another cell drop its neighbour.
    Goodbye,
}

/// Whether the message needs no auth headers at the cell `local`.
#[must_use]
pub fn exemption(channel: &str, topic: &str, destination: &str, local: &str) -> Option<Exemption> {
    let joining = [Topic::CHALLENGE.as_str(), Topic::REGISTER.as_str()].contains(&topic);
    if channel == Channel::SERVER_MAIN.as_str() && joining {
        return Some(Exemption::Joining);
    }
    let goodbye = channel == Channel::CELLNET.as_str() && topic == Topic::BYE.as_str();
    (goodbye && !local.is_empty() && destination == local).then_some(Exemption::Goodbye)
}

/// Headers that the server takes off a message between two clients before it forwards it: no client may see another
/// one's token, nor an address to connect to.
#[must_use]
pub const fn stripped_headers() -> [&'static str; 5] {
    [
        AuthHeaderKey::CLIENT_NAME.as_str(),
        AuthHeaderKey::TOKEN.as_str(),
        AuthHeaderKey::TOKEN_SIGNATURE.as_str(),
        AuthHeaderKey::SSID.as_str(),
        HeaderKey::CONN_URL.as_str(),
    ]
}
