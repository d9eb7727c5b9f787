//! Checking the server's signature under a token, with the certificate that the server proved.

use fedcell_protocol_defs::federation::AuthName;

use super::headers::{AuthHeaders, ClientCredential};
use super::signed_content;
use crate::error::Unauthenticated;
use crate::identity::VerifiedCertificate;
use crate::name::CommonName;
use crate::secret::SecretText;
use crate::signature::Signature;
use crate::uuid::Token;

const STEP: &str = "token signature";

/// Verifies the signatures under tokens of one server.
#[derive(Debug, Clone)]
pub struct TokenVerifier {
    server: VerifiedCertificate,
}

/// The witness that a server once signed this pair of name and token.
///
/// It authenticates nobody: the token may be revoked, old, or shown by someone else. A relay lets such messages pass;
/// the server decides.
#[derive(Debug)]
pub struct SignedByServer {
    client_name: CommonName,
}

impl SignedByServer {
    /// The name under the signature.
    #[must_use]
    pub const fn client_name(&self) -> &CommonName {
        &self.client_name
    }
}

impl TokenVerifier {
    /// A verifier for tokens of the server that this certificate was verified for.
    #[must_use]
    pub const fn new(server: VerifiedCertificate) -> Self {
        Self { server }
    }

    /// The server's certificate.
    #[must_use]
    pub const fn server(&self) -> &VerifiedCertificate {
        &self.server
    }

    /// Takes the token that the server gave to the client `name`.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`] if the token is not a canonical UUID or the server did not sign it for this name.
    pub fn accept(&self, name: &CommonName, token: &str, signature: &str) -> Result<ClientCredential, Unauthenticated> {
        let token = Token::parse(token).map_err(|reason| Unauthenticated::because(STEP, reason))?;
        let signature = self.checked(name, token.expose(), signature)?;
        Ok(ClientCredential::new(name.clone(), SecretText::new(token.expose().to_owned()), signature))
    }

    /// Checks the signature of a message that passes by, as relays and admin clients do.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`] if a header is missing or malformed or the signature does not hold.
    pub fn check_signature(&self, headers: &AuthHeaders<'_>) -> Result<SignedByServer, Unauthenticated> {
        if let Some(missing) = headers.missing() {
            return Err(Unauthenticated::because(STEP, missing));
        }
        let client_name =
            CommonName::parse(headers.client_name).map_err(|reason| Unauthenticated::because(STEP, reason))?;
        check_form(client_name.as_str(), headers.token)?;
        self.checked(&client_name, headers.token, headers.signature)?;
        Ok(SignedByServer { client_name })
    }

    fn checked(&self, name: &CommonName, token: &str, signature: &str) -> Result<Signature, Unauthenticated> {
        // The server signs its own name and a nonce of the asker's choice for anyone who sends it a challenge. Under its
        // own name such an answer would be a token.
        if token != AuthName::SERVER.as_str() && name == self.server.name() {
            return Err(Unauthenticated::because(STEP, "the client name is the server's own"));
        }
        let signature = Signature::from_base64(signature).map_err(|reason| Unauthenticated::because(STEP, reason))?;
        if self.server.key().verify(&signed_content(name.as_str(), token), signature.as_bytes()) {
            Ok(signature)
        } else {
            Err(Unauthenticated::because(STEP, "the server did not sign this name and token"))
        }
    }
}

/// A token is a canonical UUID, but for the server's own, which is its name.
pub(super) fn check_form(client_name: &str, token: &str) -> Result<(), Unauthenticated> {
    let own = AuthName::SERVER.as_str();
    if client_name == own {
        if token == own { Ok(()) } else { Err(Unauthenticated::because(STEP, "the server's own token is its name")) }
    } else {
        Token::parse(token).map(drop).map_err(|reason| Unauthenticated::because(STEP, reason))
    }
}
