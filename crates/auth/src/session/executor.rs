//! The job's end of the handshake: answers HELLO and HELLO_PROOF over a [`SessionTokenManager`].
//!
//! | request | from the expected trainer, attach waiting | reply |
//! |---|---|---|
//! | HELLO without proof | yes | HELLO_CHALLENGE |
//! | HELLO with nonce and proof (one round) | yes, proof holds | HELLO_ACCEPTED |
//! | HELLO_PROOF | yes, proof holds | HELLO_ACCEPTED |
//! | any | no | HELLO_REJECTED |
//!
//! All state between two messages is in the manager, so that one end serves any number of requests, in any order, from
//! any number of threads. The origin of a request is compared with the trainer's FQCN before anything else: what comes
//! from elsewhere uses no nonce up and counts as no failure.

use core::fmt;

use fedcell_protocol_defs::client_api::{Key, Topic};
use rand_core::CryptoRng;

use super::error::IssueError;
use super::manager::{SessionTokenManager, VerifiedSession};
use super::message::{Body, Message, SessionId, presented_scope};
use super::nonces::HelloNonce;
use super::scope::{FieldValue, PresentedScope, ScopeField};
use crate::error::{TARGET, Unauthenticated};
use crate::time::UnixTime;

/// Answers the trainer of one attach.
#[derive(Debug, Clone, Copy)]
pub struct ExecutorHandshake<'m> {
    manager: &'m SessionTokenManager,
}

/// The answer to one request of a trainer.
#[derive(Debug)]
#[non_exhaustive]
#[must_use = "the trainer waits for the reply"]
pub enum ExecutorReply {
    /// The trainer is to answer this nonce.
    Challenge(HelloNonce),
    /// The trainer is in.
    Accepted(ExecutorSession),
    /// The trainer is not in.
    Rejected(Rejection),
}

/// Why a request was rejected, as far as the trainer may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// The request does not come from the trainer of this attach, or claims another job, site or attach.
    Identity,
    /// The trainer speaks another version of the protocol.
    Version,
    /// The topic is none of a trainer's in this handshake, or a key is missing.
    Request,
    /// Nobody can attach (any more).
    NotWaiting,
    /// The proof was refused; the cause is in the log of this side.
    Proof,
}

/// A session, as the job has it.
#[derive(Debug)]
pub struct ExecutorSession {
    verified: VerifiedSession,
    id: SessionId,
}

impl ExecutorSession {
    /// What was proved.
    #[must_use]
    pub const fn verified(&self) -> &VerifiedSession {
        &self.verified
    }

    /// The name of the session, which every later message of it bears.
    #[must_use]
    pub const fn id(&self) -> &SessionId {
        &self.id
    }
}

impl ExecutorReply {
    /// The reply to send. The job may add what else HELLO_ACCEPTED tells.
    #[must_use]
    pub fn message(&self) -> Message<'_> {
        match self {
            Self::Challenge(nonce) => {
                Message::new(Topic::HELLO_CHALLENGE, [(Key::NONCE, FieldValue::Text(nonce.as_str()))])
            }
            Self::Accepted(session) => {
                let scope = session.verified.scope();
                Message::new(
                    Topic::HELLO_ACCEPTED,
                    [
                        (Key::SESSION_ID, FieldValue::Text(session.id.as_str())),
                        (Key::JOB_ID, FieldValue::Text(scope.job_id())),
                        (Key::SITE_NAME, FieldValue::Text(scope.site_name())),
                    ],
                )
            }
            Self::Rejected(rejection) => {
                Message::new(Topic::HELLO_REJECTED, [(Key::REASON, FieldValue::Text(rejection.text()))])
            }
        }
    }
}

impl Rejection {
    const fn text(self) -> &'static str {
        match self {
            Self::Identity => "not the trainer of this attach",
            Self::Version => "unsupported protocol version",
            Self::Request => "not a request of this handshake",
            Self::NotWaiting => "no trainer is waited for",
            Self::Proof => "session proof refused",
        }
    }
}

/// The text that HELLO_REJECTED carries.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for Rejection {}

impl<'m> ExecutorHandshake<'m> {
    /// The end that answers for the attach that `manager` guards.
    #[must_use]
    pub const fn new(manager: &'m SessionTokenManager) -> Self {
        Self { manager }
    }

    /// Answers one request.
    ///
    /// `origin` is the FQCN from which the message came, as the network vouches for it, not as the body says.
    pub fn handle_request<B: Body + ?Sized>(
        &self,
        now: UnixTime,
        origin: &str,
        topic: &str,
        body: &B,
        generator: &mut (impl CryptoRng + ?Sized),
    ) -> ExecutorReply {
        let outcome = if origin != self.manager.scope().trainer_fqcn() {
            Err(Rejection::Identity)
        } else if Topic::HELLO == *topic {
            self.hello(now, body, generator)
        } else if Topic::HELLO_PROOF == *topic {
            self.proof(now, body, generator)
        } else {
            Err(Rejection::Request)
        };
        outcome.unwrap_or_else(|rejection| {
            tracing::debug!(target: TARGET, attach_id = self.manager.scope().attach_id(), %rejection, "handshake request rejected");
            ExecutorReply::Rejected(rejection)
        })
    }

    fn hello<B: Body + ?Sized>(
        &self,
        now: UnixTime,
        body: &B,
        generator: &mut (impl CryptoRng + ?Sized),
    ) -> Result<ExecutorReply, Rejection> {
        let (nonce, proof) = (body.field(Key::NONCE.as_str()), body.field(Key::PROOF.as_str()));
        match (nonce, proof) {
            (FieldValue::Absent, FieldValue::Absent) => {
                self.check_claims(&presented_scope(body))?;
                let nonce = self.manager.issue_nonce(now, generator).map_err(|error| not_waiting(&error))?;
                Ok(ExecutorReply::Challenge(nonce))
            }
            // A proof without a nonce is a launch token in the clear, as the older generation of peers sends it.
            (FieldValue::Absent, _) | (_, FieldValue::Absent) => Err(Rejection::Request),
            (nonce, proof) => {
                let presented = presented_scope(body);
                let nonce = nonce.text().unwrap_or_default();
                let verified = self.manager.verify_one_round(now, nonce, &presented, proof.text().unwrap_or_default());
                self.accept(verified, &presented, generator)
            }
        }
    }

    fn proof<B: Body + ?Sized>(
        &self,
        now: UnixTime,
        body: &B,
        generator: &mut (impl CryptoRng + ?Sized),
    ) -> Result<ExecutorReply, Rejection> {
        let nonce = body.field(Key::NONCE.as_str()).text().ok_or(Rejection::Request)?;
        // A proof of another type is a failed proof of a nonce that is used up, as one of another length is.
        let proof = body.field(Key::PROOF.as_str()).text().unwrap_or_default();
        let presented = presented_scope(body);
        let verified = self.manager.verify_proof(now, nonce, &presented, proof);
        self.accept(verified, &presented, generator)
    }

    /// Refuses a HELLO that is for another attach before a nonce is spent on it. What it leaves out, the proof covers.
    fn check_claims(&self, presented: &PresentedScope<'_>) -> Result<(), Rejection> {
        self.check_version(presented)?;
        let expected = self.manager.scope().present();
        let agrees = |field| match presented.field(field) {
            FieldValue::Absent => field != ScopeField::TrainerFqcn,
            claimed => claimed == expected.field(field),
        };
        if ScopeField::ALL.into_iter().all(agrees) { Ok(()) } else { Err(Rejection::Identity) }
    }

    fn check_version(&self, presented: &PresentedScope<'_>) -> Result<(), Rejection> {
        let expected = self.manager.scope().present().field(ScopeField::ProtocolVersion);
        if presented.field(ScopeField::ProtocolVersion) == expected { Ok(()) } else { Err(Rejection::Version) }
    }

    /// Opens the session, which takes the witness; or says no more than that the proof, or the version, is wrong.
    fn accept(
        &self,
        verified: Result<VerifiedSession, Unauthenticated>,
        presented: &PresentedScope<'_>,
        generator: &mut (impl CryptoRng + ?Sized),
    ) -> Result<ExecutorReply, Rejection> {
        match verified {
            Ok(verified) => {
                Ok(ExecutorReply::Accepted(ExecutorSession { verified, id: SessionId::generate(generator) }))
            }
            Err(Unauthenticated) => Err(self.check_version(presented).err().unwrap_or(Rejection::Proof)),
        }
    }
}

fn not_waiting(error: &IssueError) -> Rejection {
    tracing::debug!(target: TARGET, %error, "no challenge issued");
    Rejection::NotWaiting
}
