//! The server's registry: which token belongs to which client, from which origin, since when.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use fedcell_protocol_defs::address::ReservedSegment;
use fedcell_protocol_defs::federation::AuthName;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;

use super::headers::{AuthHeaders, ClientCredential};
use super::signed_content;
use super::verifier::check_form;
use crate::challenge::{SigningFailed, VerifiedClient};
use crate::error::{Fault, Unauthenticated};
use crate::identity::Identity;
use crate::name::CommonName;
use crate::secret::SecretText;
use crate::signature::{Signature, VerifyingKey};
use crate::time::UnixTime;
use crate::uuid::Token;

const STEP: &str = "token";

/// SHA-256 of a token: the registry keeps no token, and looking one up takes no time that depends on another.
type TokenDigest = [u8; 32];

fn digest_of(text: &str) -> TokenDigest {
    let mut bytes = [0_u8; 32];
    for (to, from) in bytes.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()) {
        *to = *from;
    }
    bytes
}

/// Bounds of the registry.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RegistryLimits {
    /// How many tokens there may be, those of jobs among them. Default 65 536.
    pub max_tokens: usize,
    /// How old a token may be. Default `None`: as long as its certificate, as in the reference.
    pub max_age: Option<Duration>,
}

impl Default for RegistryLimits {
    fn default() -> Self {
        Self { max_tokens: 65_536, max_age: None }
    }
}

/// A token cannot be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// There are as many as there may be.
    #[error("the token registry is full")]
    Full,
    /// The id of the job is not a canonical UUID, or is taken.
    #[error("the job id is not a canonical UUID or already has a token")]
    BadJobId,
    /// A record is not one that this registry made, or is for a client that has a token.
    #[error("the record of a token is damaged or for a client that has a token already")]
    BadRecord,
    /// Our own key could not sign.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
}

impl IssueError {
    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Full | Self::Signing(_) => Fault::Local,
            Self::BadJobId | Self::BadRecord => Fault::Caller,
        }
    }
}

/// A token as a server keeps it over a restart: digests, from which no token can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// The client.
    pub client_name: String,
    /// The cell from which it registered.
    pub origin: String,
    /// SHA-256 of the token.
    pub token_digest: [u8; 32],
    /// SHA-256 of the signature as issued.
    pub signature_digest: [u8; 32],
    /// When the token was issued.
    pub issued: UnixTime,
    /// Last moment at which the client's certificate path is valid.
    pub valid_until: UnixTime,
}

/// What kind of party a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerKind {
    /// Registered by challenge: a site, a relay or an admin, and the jobs of a site.
    Client,
    /// A job process of the server.
    ServerJob,
    /// The server itself.
    Server,
}

struct Entry {
    kind: PeerKind,
    name: CommonName,
    origin: String,
    issued: UnixTime,
    /// Digest of the signature as we issued it: a message that bears the same needs no RSA operation.
    signature: TokenDigest,
    /// Last moment of the client's certificate path.
    valid_until: Option<UnixTime>,
}

/// The registry of (client, token, origin).
///
/// The server is its only user. A token is known by its digest alone.
pub struct TokenRegistry {
    identity: Arc<Identity>,
    key: VerifyingKey,
    limits: RegistryLimits,
    tokens: HashMap<TokenDigest, Entry>,
    clients: HashMap<CommonName, TokenDigest>,
}

impl TokenRegistry {
    /// An empty registry of the server with this identity.
    ///
    /// # Errors
    ///
    /// [`SigningFailed`] if AWS-LC does not take the public key of the identity's certificate.
    pub fn new(identity: Arc<Identity>, limits: RegistryLimits) -> Result<Self, SigningFailed> {
        let key = VerifyingKey::from_spki(identity.chain().leaf().spki()).ok_or(SigningFailed)?;
        Ok(Self { identity, key, limits, tokens: HashMap::new(), clients: HashMap::new() })
    }

    /// Issues a token to a client that has proved itself, bound to the origin from which it did. An older token of the
    /// same name is revoked, as the reference does.
    ///
    /// # Errors
    ///
    /// [`IssueError`]; the older token is as it was then.
    pub fn issue(
        &mut self,
        client: &VerifiedClient,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<ClientCredential, IssueError> {
        if !self.clients.contains_key(client.name()) {
            self.room()?;
        }
        let prepared = self.issuer().prepare(client, now, rng)?;
        self.accept(prepared)
    }

    /// Makes and signs tokens without the registry, so that nobody has to wait for it meanwhile.
    #[must_use]
    pub fn issuer(&self) -> TokenIssuer {
        TokenIssuer { identity: self.identity.clone() }
    }

    /// Takes a prepared token in: from now on it is good, and an older one of the same name is not.
    ///
    /// # Errors
    ///
    /// [`IssueError::Full`]; the older token is as it was then.
    pub fn accept(&mut self, prepared: PreparedToken) -> Result<ClientCredential, IssueError> {
        let PreparedToken { token, signature, entry } = prepared;
        match self.clients.get(&entry.name).copied() {
            Some(older) => drop(self.tokens.remove(&older)),
            None => self.room()?,
        }
        let (digest, name) = (digest_of(token.expose()), entry.name.clone());
        self.tokens.insert(digest, entry);
        self.clients.insert(name.clone(), digest);
        Ok(ClientCredential::new(name, SecretText::new(token.expose().to_owned()), signature))
    }

    /// Registers a job of the server, whose token is its job id, bound to its cell `origin`.
    ///
    /// # Errors
    ///
    /// [`IssueError`] if the id is not a canonical UUID, has a token already, or there is no room.
    pub fn register_server_job(
        &mut self,
        job_id: &str,
        origin: &str,
        now: UnixTime,
    ) -> Result<ClientCredential, IssueError> {
        let token = Token::parse(job_id).map_err(|_| IssueError::BadJobId)?;
        let digest = digest_of(token.expose());
        if self.tokens.contains_key(&digest) {
            return Err(IssueError::BadJobId);
        }
        self.room()?;
        let name = reserved(AuthName::SERVER_JOB)?;
        let signature = sign(&self.identity, name.as_str(), token.expose())?;
        self.tokens.insert(
            digest,
            Entry {
                kind: PeerKind::ServerJob,
                name: name.clone(),
                origin: origin.to_owned(),
                issued: now,
                signature: digest_of(&signature.to_base64()),
                valid_until: None,
            },
        );
        Ok(ClientCredential::new(name, SecretText::new(token.expose().to_owned()), signature))
    }

    /// The credential of the server's own messages: its name is its token.
    ///
    /// # Errors
    ///
    /// [`IssueError::Signing`] if our key cannot sign.
    pub fn own_credential(&self) -> Result<ClientCredential, IssueError> {
        let name = reserved(AuthName::SERVER)?;
        let signature = sign(&self.identity, name.as_str(), name.as_str())?;
        let token = SecretText::new(name.as_str().to_owned());
        Ok(ClientCredential::new(name, token, signature))
    }

    /// Decides on the auth headers of a message that came from the cell `origin`.
    ///
    /// The triple of client, token and origin has to be in the registry: the origin is the one that registered, or below
    /// it. Then the signature has to hold, the token must not be too old, and the client's certificate must still be
    /// valid.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`] if anything does not hold.
    pub fn authenticate(
        &self,
        headers: &AuthHeaders<'_>,
        origin: &str,
        now: UnixTime,
    ) -> Result<AuthenticatedPeer, Unauthenticated> {
        let because = |reason: &str| Unauthenticated::because(STEP, reason);
        if let Some(missing) = headers.missing() {
            return Err(because(missing));
        }
        check_form(headers.client_name, headers.token)?;
        if headers.client_name == AuthName::SERVER.as_str() {
            return self.authenticate_self(headers, origin);
        }
        let entry = self.tokens.get(&digest_of(headers.token)).ok_or_else(|| because("the token is not registered"))?;
        if entry.name.as_str() != headers.client_name {
            return Err(because("the token belongs to another client"));
        }
        if !is_at_or_below(origin, &entry.origin) {
            return Err(because("the token is bound to another origin"));
        }
        if self.is_too_old(entry, now) {
            return Err(because("the token is too old"));
        }
        if entry.valid_until.is_some_and(|last| now > last) {
            return Err(because("the client's certificate is no longer valid"));
        }
        let as_issued: bool = digest_of(headers.signature).ct_eq(&entry.signature).into();
        if !as_issued {
            self.check_signature(headers)?;
        }
        Ok(AuthenticatedPeer { kind: entry.kind, name: entry.name.clone(), registered_origin: entry.origin.clone() })
    }

    fn authenticate_self(&self, headers: &AuthHeaders<'_>, origin: &str) -> Result<AuthenticatedPeer, Unauthenticated> {
        if origin != ReservedSegment::ROOT_SERVER.as_str() {
            return Err(Unauthenticated::because(STEP, "the server's own token from another origin"));
        }
        self.check_signature(headers)?;
        let name = CommonName::parse(headers.client_name).map_err(|bad| Unauthenticated::because(STEP, bad))?;
        Ok(AuthenticatedPeer { kind: PeerKind::Server, name, registered_origin: origin.to_owned() })
    }

    fn check_signature(&self, headers: &AuthHeaders<'_>) -> Result<(), Unauthenticated> {
        let signature = Signature::from_base64(headers.signature).map_err(|bad| Unauthenticated::because(STEP, bad))?;
        let content = signed_content(headers.client_name, headers.token);
        if self.key.verify(&content, signature.as_bytes()) {
            Ok(())
        } else {
            Err(Unauthenticated::because(STEP, "the signature does not cover this name and token"))
        }
    }

    /// Takes the client's token away. `false` if it has none.
    pub fn revoke_client(&mut self, name: &CommonName) -> bool {
        self.clients.remove(name).is_some_and(|digest| self.tokens.remove(&digest).is_some())
    }

    /// Takes the token of a server job away when the job has ended. `false` if it has none.
    pub fn revoke_server_job(&mut self, job_id: &str) -> bool {
        let digest = digest_of(job_id);
        let is_job = self.tokens.get(&digest).is_some_and(|entry| entry.kind == PeerKind::ServerJob);
        is_job && self.tokens.remove(&digest).is_some()
    }

    /// Whether the client has a token.
    #[must_use]
    pub fn has_client(&self, name: &CommonName) -> bool {
        self.clients.contains_key(name)
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// What has to be kept so that a client's token is good after a restart of the server. None if it has no token.
    #[must_use]
    pub fn record(&self, name: &CommonName) -> Option<TokenRecord> {
        let digest = self.clients.get(name)?;
        let entry = self.tokens.get(digest)?;
        Some(TokenRecord {
            client_name: name.as_str().to_owned(),
            origin: entry.origin.clone(),
            token_digest: *digest,
            signature_digest: entry.signature,
            issued: entry.issued,
            valid_until: entry.valid_until?,
        })
    }

    /// Takes a token back that this server issued before it was restarted. What the client has to show is unchanged: the
    /// token whose digest this is, and a signature that holds.
    ///
    /// # Errors
    ///
    /// [`IssueError::Full`] if there is no room, [`IssueError::BadRecord`] if the record is not one that
    /// [`record`](Self::record) made, or is for a name that has a token already.
    pub fn restore(&mut self, record: TokenRecord) -> Result<(), IssueError> {
        let name = CommonName::parse(&record.client_name).map_err(|_| IssueError::BadRecord)?;
        let is_reserved = [AuthName::SERVER, AuthName::SERVER_JOB].iter().any(|held| held.as_str() == name.as_str());
        let is_known = self.clients.contains_key(&name) || self.tokens.contains_key(&record.token_digest);
        if is_reserved || is_known || record.origin.is_empty() {
            return Err(IssueError::BadRecord);
        }
        self.room()?;
        self.clients.insert(name.clone(), record.token_digest);
        let entry = Entry {
            kind: PeerKind::Client,
            name,
            origin: record.origin,
            issued: record.issued,
            signature: record.signature_digest,
            valid_until: Some(record.valid_until),
        };
        self.tokens.insert(record.token_digest, entry);
        Ok(())
    }

    /// When [`handle_timeout`](Self::handle_timeout) next has something to do, if ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let max_age = self.limits.max_age?;
        self.clients_entries().map(|entry| entry.issued.saturating_add(max_age)).min()
    }

    /// Forgets the tokens of clients that are too old, and gives the names of the clients that lost theirs.
    pub fn handle_timeout(&mut self, now: UnixTime) -> Vec<CommonName> {
        let old: Vec<CommonName> = self
            .clients_entries()
            .filter(|entry| self.is_too_old(entry, now))
            .map(|entry| entry.name.clone())
            .collect();
        for name in &old {
            self.revoke_client(name);
        }
        old
    }

    fn clients_entries(&self) -> impl Iterator<Item = &Entry> {
        self.tokens.values().filter(|entry| entry.kind == PeerKind::Client)
    }

    /// The token of a job lives as long as the job.
    fn is_too_old(&self, entry: &Entry, now: UnixTime) -> bool {
        entry.kind == PeerKind::Client
            && self.limits.max_age.is_some_and(|max_age| now.saturating_since(entry.issued) >= max_age)
    }

    fn room(&self) -> Result<(), IssueError> {
        if self.tokens.len() < self.limits.max_tokens { Ok(()) } else { Err(IssueError::Full) }
    }
}

/// Makes and signs the tokens of one registry, apart from it.
#[derive(Debug, Clone)]
pub struct TokenIssuer {
    identity: Arc<Identity>,
}

impl TokenIssuer {
    /// Makes a token for a client that has proved itself. It is good once
    /// [`accept`](TokenRegistry::accept) has taken it.
    ///
    /// # Errors
    ///
    /// [`IssueError::Signing`] if our key cannot sign.
    pub fn prepare(
        &self,
        client: &VerifiedClient,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<PreparedToken, IssueError> {
        let token = Token::random(rng);
        let signature = sign(&self.identity, client.name().as_str(), token.expose())?;
        let entry = Entry {
            kind: PeerKind::Client,
            name: client.name().clone(),
            origin: client.origin().to_owned(),
            issued: now,
            signature: digest_of(&signature.to_base64()),
            valid_until: Some(client.certificate().not_after()),
        };
        Ok(PreparedToken { token, signature, entry })
    }
}

/// A token with its signature that no registry knows yet: worth nothing before [`TokenRegistry::accept`].
pub struct PreparedToken {
    token: Token,
    signature: Signature,
    entry: Entry,
}

impl fmt::Debug for PreparedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedToken").field("client", &self.entry.name).finish_non_exhaustive()
    }
}

fn sign(identity: &Identity, name: &str, token: &str) -> Result<Signature, IssueError> {
    Ok(identity.key().sign(&signed_content(name, token)).ok_or(SigningFailed)?)
}

fn reserved(name: AuthName<'static>) -> Result<CommonName, IssueError> {
    CommonName::parse(name.as_str()).map_err(|_| IssueError::BadJobId)
}

/// Whether the address is `ancestor` or one of the cells below it.
fn is_at_or_below(address: &str, ancestor: &str) -> bool {
    !ancestor.is_empty() && address.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl fmt::Debug for TokenRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRegistry")
            .field("limits", &self.limits)
            .field("tokens", &self.tokens.len())
            .finish_non_exhaustive()
    }
}

/// The witness that a message came from a registered party, from where it registered or below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedPeer {
    kind: PeerKind,
    name: CommonName,
    registered_origin: String,
}

impl AuthenticatedPeer {
    /// What kind of party it is.
    #[must_use]
    pub const fn kind(&self) -> PeerKind {
        self.kind
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &CommonName {
        &self.name
    }

    /// The cell that registered; the message came from it or from below it.
    #[must_use]
    pub fn registered_origin(&self) -> &str {
        &self.registered_origin
    }
}
