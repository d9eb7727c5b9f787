//! The server's side of the challenge: a table of open challenges, and rates.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use fedcell_protocol_defs::federation::{AuthName, RegistrationDefaults};
use rand_core::CryptoRng;

use super::client::verify_asserter;
use super::message::{
    ChallengeRefused, ChallengeReply, ChallengeRequest, PartyError, RegistrationClaim, SigningFailed,
};
use super::outstanding::Outstanding;
use super::rate::{Rate, RateLimiter};
use super::signed_content;
use crate::error::Unauthenticated;
use crate::identity::{Identity, ProjectRoot, Purpose, VerifiedCertificate};
use crate::name::CommonName;
use crate::time::UnixTime;
use crate::uuid::Nonce;

const STEP: &str = "client identity";

/// Longest origin that is kept in a table, in bytes.
pub(crate) const MAX_ORIGIN_LENGTH: usize = 1024;

/// Bounds of the server's side.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ChallengeLimits {
    /// How long a challenge stays open. Default 60 s, as in the reference.
    pub lifetime: Duration,
    /// How many may be open at a time. Default 4096; one more is refused, so that none that is open is lost.
    pub max_open: usize,
    /// How often one origin may ask. Default a burst of 8, then one in two seconds, which is a client's retry interval.
    pub per_origin: Rate,
    /// How often all origins together may ask. Default a burst of 1024, then 250 a second.
    pub overall: Rate,
}

impl Default for ChallengeLimits {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs_f64(RegistrationDefaults::MAX_REG_DURATION),
            max_open: 4096,
            per_origin: Rate { burst: 8, interval: Duration::from_secs(2) },
            overall: Rate { burst: 1024, interval: Duration::from_millis(4) },
        }
    }
}

/// The server: answers challenges and verifies registrations.
pub struct ServerChallenge {
    identity: Arc<Identity>,
    root: ProjectRoot,
    rates: RateLimiter,
    open: Outstanding,
}

impl ServerChallenge {
    /// A server with no challenge open.
    ///
    /// # Errors
    ///
    /// [`PartyError::ReservedName`] if the certificate names the server `server_job`: its answers to challenges would
    /// then be valid signatures of job tokens. The name `server` is harmless, as no token of that name is a UUID.
    pub fn new(identity: Arc<Identity>, root: ProjectRoot, limits: ChallengeLimits) -> Result<Self, PartyError> {
        if identity.name().as_str() == AuthName::SERVER_JOB.as_str() {
            return Err(PartyError::ReservedName);
        }
        Ok(Self {
            identity,
            root,
            rates: RateLimiter::new(limits.per_origin, limits.overall, limits.max_open.saturating_mul(4)),
            open: Outstanding::new(limits.lifetime, limits.max_open),
        })
    }

    /// Answers a challenge that came from the cell `origin`, and opens one of our own to it.
    ///
    /// An older one of the same origin is forgotten, as the reference does.
    ///
    /// # Errors
    ///
    /// [`ChallengeRefused`]; nothing has been signed then.
    pub fn handle_challenge(
        &mut self,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        origin: &str,
        request: &ChallengeRequest,
    ) -> Result<ChallengeReply, ChallengeRefused> {
        Ok(self.open_challenge(now, rng, origin, request)?.sign()?)
    }

    /// The part of [`handle_challenge`](Self::handle_challenge) that needs the table: decides, and opens our own
    /// challenge. What takes long, the signature, is made by [`UnsignedReply::sign`] without it.
    ///
    /// # Errors
    ///
    /// As [`handle_challenge`](Self::handle_challenge).
    pub fn open_challenge(
        &mut self,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        origin: &str,
        request: &ChallengeRequest,
    ) -> Result<UnsignedReply, ChallengeRefused> {
        self.open.expire(now);
        if origin.is_empty() || origin.len() > MAX_ORIGIN_LENGTH {
            return Err(ChallengeRefused::BadOrigin);
        }
        self.rates.take(origin, now).map_err(|retry_after| ChallengeRefused::TooOften { retry_after })?;
        let theirs = Nonce::parse(&request.nonce).map_err(|_| ChallengeRefused::BadNonce)?;
        let name = CommonName::parse(&request.common_name).map_err(|_| ChallengeRefused::BadName)?;
        if &name == self.identity.name() {
            return Err(ChallengeRefused::OwnName);
        }
        if !self.open.has_room(origin) {
            return Err(ChallengeRefused::Busy);
        }
        let ours = Nonce::random(rng);
        self.open.insert(origin, name, ours.clone(), now);
        Ok(UnsignedReply { identity: self.identity.clone(), theirs, ours })
    }

    /// Verifies a registration that came from the cell `origin`. The origin's challenge is spent, whatever comes of it.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`] if the origin has no open challenge, or the client is not who it says it is.
    pub fn handle_registration(
        &mut self,
        now: UnixTime,
        origin: &str,
        registration: &RegistrationClaim,
    ) -> Result<VerifiedClient, Unauthenticated> {
        self.take_claim(now, origin, registration)?.verify(now)
    }

    /// The part of [`handle_registration`](Self::handle_registration) that needs the table: spends the origin's
    /// challenge and checks the names. What takes long, chain and signature, is [`UnverifiedClient::verify`]'s.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`] if the origin has no open challenge, or the claim is for another name.
    pub fn take_claim(
        &mut self,
        now: UnixTime,
        origin: &str,
        registration: &RegistrationClaim,
    ) -> Result<UnverifiedClient, Unauthenticated> {
        let because = |reason: &str| Unauthenticated::because(STEP, reason);
        let (asked_as, nonce) =
            self.open.consume(origin, now).ok_or_else(|| because("no challenge is open for this origin"))?;
        let name = CommonName::parse(&registration.client_name).map_err(|_| because("the name is not usable"))?;
        if &name == self.identity.name() {
            return Err(because("the name is our own"));
        }
        if is_reserved(&name) {
            return Err(because("the name is reserved"));
        }
        if name != asked_as {
            return Err(because("the challenge was for another name"));
        }
        if registration.common_name != registration.client_name {
            return Err(because("client name and common name differ"));
        }
        Ok(UnverifiedClient {
            root: self.root.clone(),
            name,
            nonce,
            origin: origin.to_owned(),
            certificate: registration.certificate.clone(),
            signature: registration.signature.clone(),
        })
    }

    /// Whether a registration from the cell `origin` would find its challenge.
    #[must_use]
    pub fn is_open(&self, origin: &str, now: UnixTime) -> bool {
        self.open.is_open(origin, now)
    }

    /// Spends the challenge of the cell `origin`, if it has one: its registration was refused for another reason.
    pub fn spend(&mut self, origin: &str, now: UnixTime) {
        // Only that it is gone matters.
        let _ = self.open.consume(origin, now);
    }

    /// How many challenges are open, those that have expired and were not drained yet among them.
    #[must_use]
    pub fn open_challenges(&self) -> usize {
        self.open.len()
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        self.open.next_expiry()
    }

    /// Forgets the challenges that have expired.
    pub fn handle_timeout(&mut self, now: UnixTime) {
        self.open.expire(now);
    }
}

impl fmt::Debug for ServerChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerChallenge")
            .field("identity", &self.identity)
            .field("open_challenges", &self.open.len())
            .finish_non_exhaustive()
    }
}

/// Whether the protocol keeps this name for messages of the server's own.
fn is_reserved(name: &CommonName) -> bool {
    [AuthName::SERVER, AuthName::SERVER_JOB].iter().any(|reserved| reserved.as_str() == name.as_str())
}

/// An answer to a challenge that lacks its signature: our own challenge is in the table already.
#[derive(Debug)]
pub struct UnsignedReply {
    identity: Arc<Identity>,
    theirs: Nonce,
    ours: Nonce,
}

impl UnsignedReply {
    /// Signs it; a quarter of a millisecond with RSA-2048.
    ///
    /// # Errors
    ///
    /// [`SigningFailed`]; the challenge that is open then is of no use to anybody and expires.
    pub fn sign(self) -> Result<ChallengeReply, SigningFailed> {
        let content = signed_content(self.identity.name(), &self.theirs);
        let signature = self.identity.key().sign(&content).ok_or(SigningFailed)?;
        Ok(ChallengeReply {
            common_name: self.identity.name().as_str().to_owned(),
            nonce: self.ours.as_str().to_owned(),
            certificate: self.identity.chain().pem().to_vec(),
            signature: signature.as_bytes().to_vec(),
        })
    }
}

/// A claim whose challenge has been spent and whose proof nobody has looked at.
#[derive(Debug)]
pub struct UnverifiedClient {
    root: ProjectRoot,
    name: CommonName,
    nonce: Nonce,
    origin: String,
    certificate: Vec<u8>,
    signature: Vec<u8>,
}

impl UnverifiedClient {
    /// Verifies the proof.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`] if the client is not who it says it is.
    pub fn verify(self, now: UnixTime) -> Result<VerifiedClient, Unauthenticated> {
        let certificate = verify_asserter(
            STEP,
            &self.root,
            (&self.name, &self.nonce),
            (&self.certificate, &self.signature),
            Purpose::Client,
            now,
        )?;
        Ok(VerifiedClient { certificate, origin: self.origin })
    }
}

/// The witness that a client has proved its name from a certain origin.
///
/// Only [`ServerChallenge::handle_registration`] and the second half of it, [`UnverifiedClient::verify`], make one, and
/// only it leads to a token.
#[derive(Debug)]
pub struct VerifiedClient {
    certificate: VerifiedCertificate,
    origin: String,
}

impl VerifiedClient {
    /// The client's name.
    #[must_use]
    pub fn name(&self) -> &CommonName {
        self.certificate.name()
    }

    /// Organisation in the client's certificate.
    #[must_use]
    pub fn organisation(&self) -> Option<&str> {
        self.certificate.certificate().organisation()
    }

    /// The cell from which it registered, to which its token is bound.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Its certificate.
    #[must_use]
    pub const fn certificate(&self) -> &VerifiedCertificate {
        &self.certificate
    }
}
