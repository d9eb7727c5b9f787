//! The client's side of the challenge, one type per step.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use fedcell_protocol_defs::federation::RegistrationDefaults;
use rand_core::CryptoRng;

use super::message::{ChallengeReply, ChallengeRequest, PartyError, Registration, RegistrationClaim, SigningFailed};
use super::signed_content;
use crate::error::Unauthenticated;
use crate::identity::{CertificateChain, Identity, ProjectRoot, Purpose, VerifiedCertificate};
use crate::name::CommonName;
use crate::signature::MAX_SIGNATURE_LENGTH;
use crate::time::UnixTime;
use crate::token::TokenVerifier;
use crate::uuid::Nonce;

const STEP: &str = "server identity";

/// What a client brings to every challenge: itself, the root that it believes, and the server that it wants.
#[derive(Debug, Clone)]
pub struct ClientParty {
    identity: Arc<Identity>,
    root: ProjectRoot,
    server: CommonName,
}

impl ClientParty {
    /// A client that accepts only a server of the name `server`, which its kit configures.
    ///
    /// # Errors
    ///
    /// [`PartyError::ServerHasOwnName`] if that is the client's own name.
    pub fn new(identity: Arc<Identity>, root: ProjectRoot, server: CommonName) -> Result<Self, PartyError> {
        if identity.name() == &server {
            return Err(PartyError::ServerHasOwnName);
        }
        Ok(Self { identity, root, server })
    }

    /// Who this client is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The server that it expects.
    #[must_use]
    pub const fn expected_server(&self) -> &CommonName {
        &self.server
    }
}

/// A challenge that has been started: the request is to be sent, then the reply to be verified.
///
/// It is good for one reply, and for as long as the server keeps its own half (60 s).
pub struct ClientChallenge {
    party: ClientParty,
    nonce: Nonce,
    started: UnixTime,
}

impl ClientChallenge {
    /// Starts a challenge with a fresh nonce.
    #[must_use]
    pub fn start(party: &ClientParty, now: UnixTime, rng: &mut impl CryptoRng) -> Self {
        Self { party: party.clone(), nonce: Nonce::random(rng), started: now }
    }

    /// What to send to the server.
    #[must_use]
    pub fn request(&self) -> ChallengeRequest {
        ChallengeRequest {
            common_name: self.party.identity.name().as_str().to_owned(),
            nonce: self.nonce.as_str().to_owned(),
        }
    }

    /// How long a reply is waited for.
    #[must_use]
    pub fn lifetime() -> Duration {
        Duration::from_secs_f64(RegistrationDefaults::MAX_REG_DURATION)
    }

    /// Checks that the reply comes from the configured server: its name, its certificate's path to the project root at
    /// `now` and usages, and its signature over name and nonce.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`] if anything does not hold. The challenge is spent either way.
    pub fn verify_server(self, reply: &ChallengeReply, now: UnixTime) -> Result<VerifiedServer, Unauthenticated> {
        let because = |reason: &str| Unauthenticated::because(STEP, reason);
        if now.saturating_since(self.started) > Self::lifetime() {
            return Err(because("the reply came too late"));
        }
        let name = CommonName::parse(&reply.common_name).map_err(|_| because("the name is not usable"))?;
        if &name == self.party.identity.name() {
            return Err(because("the name is our own"));
        }
        if name != self.party.server {
            return Err(because("the name is not the configured one"));
        }
        let nonce = Nonce::parse(&reply.nonce).map_err(|_| because("the nonce is not a canonical UUID"))?;
        if nonce == self.nonce {
            return Err(because("the nonce is our own"));
        }
        let certificate = verify_asserter(
            STEP,
            &self.party.root,
            (&name, &self.nonce),
            (&reply.certificate, &reply.signature),
            Purpose::Server,
            now,
        )?;
        Ok(VerifiedServer { party: self.party, certificate, nonce })
    }
}

impl fmt::Debug for ClientChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientChallenge")
            .field("party", &self.party)
            .field("started", &self.started)
            .finish_non_exhaustive()
    }
}

/// The witness that the configured server has proved itself, and its nonce, which we have not signed yet.
///
/// Only [`ClientChallenge::verify_server`] makes one, and only it leads to a [`Registration`].
#[derive(Debug)]
pub struct VerifiedServer {
    party: ClientParty,
    certificate: VerifiedCertificate,
    nonce: Nonce,
}

impl VerifiedServer {
    /// The server's certificate.
    #[must_use]
    pub const fn certificate(&self) -> &VerifiedCertificate {
        &self.certificate
    }

    /// Signs the server's nonce. Gives what to send, and what verifies the token that comes back.
    ///
    /// # Errors
    ///
    /// [`SigningFailed`] if our key cannot sign.
    pub fn register(self) -> Result<(Registration, TokenVerifier), SigningFailed> {
        let identity = &self.party.identity;
        let signature = identity.key().sign(&signed_content(identity.name(), &self.nonce)).ok_or(SigningFailed)?;
        let claim = RegistrationClaim {
            client_name: identity.name().as_str().to_owned(),
            common_name: identity.name().as_str().to_owned(),
            certificate: identity.chain().pem().to_vec(),
            signature: signature.as_bytes().to_vec(),
        };
        Ok((Registration::assertion(claim), TokenVerifier::new(self.certificate)))
    }
}

/// The part of the check that both sides share: chain, certificate's name, signature over name and nonce.
pub(super) fn verify_asserter(
    step: &'static str,
    root: &ProjectRoot,
    (name, nonce): (&CommonName, &Nonce),
    (certificate, signature): (&[u8], &[u8]),
    purpose: Purpose,
    now: UnixTime,
) -> Result<VerifiedCertificate, Unauthenticated> {
    if signature.is_empty() || signature.len() > MAX_SIGNATURE_LENGTH {
        return Err(Unauthenticated::because(step, "the signature has no possible length"));
    }
    // The reason may repeat text of the certificate, so only its kind is logged.
    let chain = CertificateChain::from_pem("certificate of the peer", certificate).map_err(|error| {
        Unauthenticated::because(step, format_args!("the certificate's {} {}", error.field(), error.problem()))
    })?;
    if chain.leaf().common_name() != Some(name) {
        return Err(Unauthenticated::because(step, "the certificate bears another name"));
    }
    let verified = root.examine(&chain, now, purpose).map_err(|reason| Unauthenticated::because(step, reason))?;
    if !verified.key().verify(&signed_content(name, nonce), signature) {
        return Err(Unauthenticated::because(step, "the signature does not cover this name and nonce"));
    }
    Ok(verified)
}
