//! The trainer's end of the handshake, as types that can only be gone through in order.
//!
//! ```text
//!   TrainerHello ── HELLO_CHALLENGE ──▶ TrainerProof ── HELLO_ACCEPTED ──▶ TrainerSession
//!       │                                    ▲    │
//!       └── one_round (bootstrap nonce) ─────┘    └── HELLO_REJECTED, or anything else ──▶ TrainerError
//! ```
//!
//! Each state has the message to send, which may be sent again as long as no reply came, and takes the reply. The
//! handshake proves the trainer to the job; that the job is the right one, the trainer knows from the connection or
//! from the messages being sealed.

use core::fmt;

use fedcell_protocol_defs::client_api::{Key, Topic};
use rand_core::CryptoRng;

use super::error::SecretError;
use super::message::{Body, Message, SessionId};
use super::nonces::HelloNonce;
use super::proof::{HelloProof, combine_nonces};
use super::scope::{FieldValue, ScopeField, TokenScope};
use super::token::SessionToken;
use crate::error::Fault;

/// Why a trainer gets no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainerError {
    /// The job said no.
    #[error("the job rejected the session: {reason}")]
    Rejected {
        /// The job's own words, shortened and without control characters.
        reason: String,
    },
    /// The job sent a reply that has no place here.
    #[error("the job sent {topic:?} while {state} was waiting")]
    UnexpectedReply {
        /// The state that was waiting.
        state: &'static str,
        /// The topic that came, shortened and without control characters.
        topic: String,
    },
    /// The job sent a reply in which a value is missing or has the wrong type or form.
    #[error("the job sent a reply without a usable {}", key.as_str())]
    BadField {
        /// The key.
        key: Key<'static>,
        /// What is wrong with the value, if it has the right type.
        #[source]
        cause: Option<SecretError>,
    },
    /// The job accepted a session of another scope than the one that was proved.
    #[error("the job accepted a session with another {}", key.as_str())]
    ForeignSession {
        /// The key of the value that differs.
        key: Key<'static>,
    },
}

impl TrainerError {
    /// Whose fault it is: a rejection is this side's, whose token or claim did not hold; the rest is the job's.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Rejected { .. } => Fault::Local,
            Self::UnexpectedReply { .. } | Self::BadField { .. } | Self::ForeignSession { .. } => Fault::Peer,
        }
    }
}

/// A trainer that wants a session and waits for the challenge.
#[derive(Debug)]
pub struct TrainerHello<'t> {
    token: &'t SessionToken,
    scope: TokenScope,
    rank: String,
}

impl<'t> TrainerHello<'t> {
    /// A trainer of this rank that holds `token` and claims `scope`.
    #[must_use]
    pub fn new(token: &'t SessionToken, scope: TokenScope, rank: &str) -> Self {
        Self { token, scope, rank: rank.to_owned() }
    }

    /// HELLO, without a proof.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        // HELLO says who the trainer is; what else its scope has, the proof will cover.
        let identity = hello_fields(&self.scope, &self.rank)
            .filter(|(key, _)| *key != Key::TARGET_FQCN && *key != Key::RANK_POLICY);
        Message::new(Topic::HELLO, identity)
    }

    /// Takes the reply to HELLO, and computes the proof if it is a challenge.
    ///
    /// # Errors
    ///
    /// [`TrainerError`]; nothing was proved to the peer.
    pub fn handle_reply<B: Body + ?Sized>(self, topic: &str, body: &B) -> Result<TrainerProof, TrainerError> {
        expect(Topic::HELLO_CHALLENGE, "a trainer that said hello", topic, body)?;
        let nonce = parse(body, Key::NONCE, HelloNonce::parse)?;
        let proof = HelloProof::compute(self.token, nonce.as_str(), &self.scope);
        Ok(TrainerProof { scope: self.scope, rank: None, nonce, proof })
    }

    /// Skips the challenge: proves over the nonce that came with the token and a fresh one of its own.
    #[must_use]
    pub fn one_round(self, bootstrap: &HelloNonce, generator: &mut (impl CryptoRng + ?Sized)) -> TrainerProof {
        let nonce = HelloNonce::generate(generator);
        let combined = combine_nonces(bootstrap.as_str(), nonce.as_str());
        let proof = HelloProof::compute(self.token, &combined, &self.scope);
        TrainerProof { scope: self.scope, rank: Some(self.rank), nonce, proof }
    }
}

/// A trainer that has proved itself and waits for the verdict.
#[derive(Debug)]
pub struct TrainerProof {
    scope: TokenScope,
    /// The rank that HELLO says; only the one-round handshake proves in HELLO.
    rank: Option<String>,
    nonce: HelloNonce,
    proof: HelloProof,
}

impl TrainerProof {
    /// HELLO_PROOF, or HELLO with the proof in it.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        let proof =
            [(Key::NONCE, FieldValue::Text(self.nonce.as_str())), (Key::PROOF, FieldValue::Text(self.proof.expose()))];
        match &self.rank {
            Some(rank) => Message::new(Topic::HELLO, hello_fields(&self.scope, rank).chain(proof)),
            None => Message::new(Topic::HELLO_PROOF, scope_fields(&self.scope).chain(proof)),
        }
    }

    /// Takes the verdict.
    ///
    /// # Errors
    ///
    /// [`TrainerError`]; the proof is of no use any more.
    pub fn handle_reply<B: Body + ?Sized>(self, topic: &str, body: &B) -> Result<TrainerSession, TrainerError> {
        expect(Topic::HELLO_ACCEPTED, "a trainer that proved itself", topic, body)?;
        let id = parse(body, Key::SESSION_ID, SessionId::parse)?;
        for (field, value) in [ScopeField::JobId, ScopeField::SiteName].map(|it| (it, self.scope.present().field(it))) {
            if body.field(field.key().as_str()) != value {
                return Err(TrainerError::ForeignSession { key: field.key() });
            }
        }
        Ok(TrainerSession { scope: self.scope, id })
    }
}

/// A session, as the trainer has it.
#[derive(Debug)]
pub struct TrainerSession {
    scope: TokenScope,
    id: SessionId,
}

impl TrainerSession {
    /// The scope of the session.
    #[must_use]
    pub const fn scope(&self) -> &TokenScope {
        &self.scope
    }

    /// The name that the job gave to the session.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.id
    }
}

fn scope_fields(scope: &TokenScope) -> impl Iterator<Item = (Key<'static>, FieldValue<'_>)> {
    scope.present().fields().map(|(field, value)| (field.key(), value)).collect::<Vec<_>>().into_iter()
}

/// The whole scope, and the rank.
fn hello_fields<'a>(scope: &'a TokenScope, rank: &'a str) -> impl Iterator<Item = (Key<'static>, FieldValue<'a>)> {
    scope_fields(scope).chain([(Key::RANK, FieldValue::Text(rank))])
}

/// Refuses every reply but the expected one.
fn expect<B: Body + ?Sized>(
    expected: Topic<'static>,
    state: &'static str,
    topic: &str,
    body: &B,
) -> Result<(), TrainerError> {
    if expected == *topic {
        return Ok(());
    }
    if Topic::HELLO_REJECTED == *topic || Topic::ERROR == *topic {
        let reason = body.field(Key::REASON.as_str()).text().unwrap_or_default();
        return Err(TrainerError::Rejected { reason: printable(reason) });
    }
    Err(TrainerError::UnexpectedReply { state, topic: printable(topic) })
}

fn parse<B: Body + ?Sized, T>(
    body: &B,
    key: Key<'static>,
    parser: impl FnOnce(&str) -> Result<T, SecretError>,
) -> Result<T, TrainerError> {
    let text = body.field(key.as_str()).text().ok_or(TrainerError::BadField { key, cause: None })?;
    parser(text).map_err(|cause| TrainerError::BadField { key, cause: Some(cause) })
}

/// Text of a peer, fit for one line of a log.
fn printable(text: &str) -> String {
    const MOST: usize = 256;
    text.chars().take(MOST).map(|character| if character.is_control() { ' ' } else { character }).collect()
}

impl fmt::Display for TrainerSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {} of job {}", self.id, self.scope.job_id())
    }
}
