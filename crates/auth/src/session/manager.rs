//! The job's side of one session token: issues challenges, verifies proofs, lets one session in.
//!
//! ```text
//!                     proof accepted
//!     Waiting ──────────────────────────▶ Active
//!        │                                  │
//!        │ attach window closed             │ invalidate
//!        ├───────────────▶ Expired ───┐     │
//!        │ too many failed proofs     │ invalidate
//!        ├───────────────▶ Closed ────┤     │
//!        │ invalidate                 ▼     ▼
//!        └───────────────────────▶ Invalidated
//! ```
//!
//! Nothing leads back to *Waiting*: a trainer that must attach again needs a new token and a new manager. The token is
//! wiped as soon as *Waiting* is left, because no proof is verified after that.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_core::CryptoRng;
use subtle::Choice;

use super::error::{IssueError, SecretError};
use super::limits::SessionLimits;
use super::nonces::{HelloNonce, PendingNonces, Redeemed};
use super::proof::{check_proof, combine_nonces, shaped};
use super::scope::{PresentedScope, TokenScope};
use super::token::{SessionToken, TokenDigest};
use crate::error::{TARGET, Unauthenticated};
use crate::time::UnixTime;

/// Guards one attach with one token. Shared between threads by reference; proofs are computed outside of its lock.
///
/// Times come from the caller and should come from one clock that never goes back; if it does, the latest time seen
/// counts.
///
/// A failed proof is one that names a challenge that is really outstanding, while the attach waits, and does not hold:
/// wrong length, wrong token, wrong scope. Such proofs are counted, and the last that the limits allow closes the
/// attach. Attempts without a live challenge, and attempts after the attach is settled, are refused and not counted:
/// they cannot succeed, and counting them would let a stranger end a session that stands.
pub struct SessionTokenManager {
    scope: Arc<TokenScope>,
    digest: TokenDigest,
    limits: SessionLimits,
    created_at: UnixTime,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    latest: UnixTime,
    pending: PendingNonces,
    /// The one nonce that went out with the bootstrap; a flood of HELLOs cannot evict it.
    bootstrap: Option<HelloNonce>,
    failures: u32,
}

enum Phase {
    Waiting(Arc<SessionToken>),
    Active,
    Expired,
    Closed,
    Invalidated,
}

/// Where an attach stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionStatus {
    /// A trainer may attach.
    Waiting,
    /// A trainer has attached.
    Active,
    /// Nobody attached in time.
    Expired,
    /// Too many proofs failed.
    TooManyFailures,
    /// The owner ended it.
    Invalidated,
}

/// Proof that a trainer has proved to hold the token of a scope. Only a [`SessionTokenManager`] makes one, and at most
/// one.
#[derive(Debug)]
pub struct VerifiedSession {
    scope: Arc<TokenScope>,
}

impl VerifiedSession {
    /// The scope within which the trainer is trusted.
    #[must_use]
    pub fn scope(&self) -> &TokenScope {
        &self.scope
    }
}

impl SessionTokenManager {
    /// Guards the attach that `scope` describes, with `token`, from `now` on.
    ///
    /// # Errors
    ///
    /// [`SecretError::TokenLength`] if the token is too short to guard anything.
    pub fn new(
        scope: TokenScope,
        token: SessionToken,
        limits: SessionLimits,
        now: UnixTime,
    ) -> Result<Self, SecretError> {
        token.check_strength()?;
        let digest = token.digest();
        let pending = PendingNonces::new(limits.pending_nonces, limits.nonce_lifetime);
        let phase = Phase::Waiting(Arc::new(token));
        let state = Mutex::new(State { phase, latest: now, pending, bootstrap: None, failures: 0 });
        Ok(Self { scope: Arc::new(scope), digest, limits, created_at: now, state })
    }

    /// The scope that a trainer must prove.
    #[must_use]
    pub fn scope(&self) -> &TokenScope {
        &self.scope
    }

    /// The digest of the token, for storage.
    #[must_use]
    pub const fn digest(&self) -> &TokenDigest {
        &self.digest
    }

    /// The token, for the hand-over to the trainer; none once the attach is settled.
    #[must_use]
    pub fn token(&self) -> Option<Arc<SessionToken>> {
        match &self.lock().phase {
            Phase::Waiting(token) => Some(Arc::clone(token)),
            _ => None,
        }
    }

    /// Where the attach stands at `now`.
    #[must_use]
    pub fn status(&self, now: UnixTime) -> SessionStatus {
        self.lock_at(now).phase.status()
    }

    /// How many proofs have failed.
    #[must_use]
    pub fn failed_proofs(&self) -> u32 {
        self.lock().failures
    }

    /// How many challenges are outstanding, those that are too old included until the next call that takes the time.
    #[must_use]
    pub fn pending_nonces(&self) -> usize {
        self.lock().pending.len()
    }

    /// The first moment at which the attach will have expired if nobody attaches; none if it cannot expire (any more).
    /// At that moment ask for the [`status`](Self::status).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let Phase::Waiting(_) = self.lock().phase else { return None };
        let window = self.limits.attach_window?;
        Some(self.created_at.saturating_add(window).saturating_add(Duration::from_nanos(1)))
    }

    /// A fresh challenge, good for one attempt. The oldest outstanding one makes room if there are too many.
    ///
    /// # Errors
    ///
    /// [`IssueError`] says why this attach is settled; or that `generator` is broken.
    pub fn issue_nonce(
        &self,
        now: UnixTime,
        generator: &mut (impl CryptoRng + ?Sized),
    ) -> Result<HelloNonce, IssueError> {
        let nonce = HelloNonce::generate(generator);
        let mut state = self.lock_at(now);
        state.phase.check_waiting()?;
        let latest = state.latest;
        if state.bootstrap.as_ref() == Some(&nonce) || !state.pending.insert(latest, nonce.clone()) {
            return Err(IssueError::GeneratorRepeats);
        }
        Ok(nonce)
    }

    /// A nonce that goes to the trainer together with its token, for the handshake in one round.
    ///
    /// It is good for one attempt until the attach window closes. There is one at a time: a new one replaces the old.
    ///
    /// # Errors
    ///
    /// [`IssueError`] says why this attach is settled; or that `generator` is broken.
    pub fn issue_bootstrap_nonce(
        &self,
        now: UnixTime,
        generator: &mut (impl CryptoRng + ?Sized),
    ) -> Result<HelloNonce, IssueError> {
        let nonce = HelloNonce::generate(generator);
        let mut state = self.lock_at(now);
        state.phase.check_waiting()?;
        if state.bootstrap.as_ref() == Some(&nonce) || state.pending.contains(&nonce) {
            return Err(IssueError::GeneratorRepeats);
        }
        state.bootstrap = Some(nonce.clone());
        Ok(nonce)
    }

    /// Verifies the answer to a challenge. If it holds, the session is active from now on.
    ///
    /// The nonce is used up whatever comes of it. The proof is verified against the scope that this manager expects;
    /// that the presented scope must be equal as well, types included, is a second condition.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`], without a reason.
    pub fn verify_proof(
        &self,
        now: UnixTime,
        nonce: &str,
        presented: &PresentedScope<'_>,
        proof: &str,
    ) -> Result<VerifiedSession, Unauthenticated> {
        let token = self.admit(now, |state| state.redeem_challenge(nonce));
        self.decide(now, token, nonce, presented, proof)
    }

    /// Verifies the handshake in one round: the proof covers the bootstrap nonce and one that the trainer chose.
    ///
    /// The bootstrap nonce is used up whatever comes of it; a trainer that fails can still ask for a challenge. The
    /// trainer's nonce must have the form of one.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`], without a reason.
    pub fn verify_one_round(
        &self,
        now: UnixTime,
        trainer_nonce: &str,
        presented: &PresentedScope<'_>,
        proof: &str,
    ) -> Result<VerifiedSession, Unauthenticated> {
        let mut bootstrap = None;
        let token = self.admit(now, |state| {
            bootstrap = state.bootstrap.take();
            if bootstrap.is_some() { Redeemed::Fresh } else { Redeemed::Unknown }
        });
        // What is authenticated is built from parsed parts only. An attempt without them is still a failed proof.
        let combined = match (&bootstrap, HelloNonce::parse(trainer_nonce)) {
            (Some(bootstrap), Ok(trainer)) => combine_nonces(bootstrap.as_str(), trainer.as_str()),
            _ => String::new(),
        };
        let proof = if combined.is_empty() { "" } else { proof };
        self.decide(now, token, &combined, presented, proof)
    }

    /// Ends the attach and the session for good and wipes the token.
    pub fn invalidate(&self) {
        let mut state = self.lock();
        state.leave_waiting(Phase::Invalidated);
        tracing::debug!(target: TARGET, attach_id = self.scope.attach_id(), "session token invalidated");
    }

    /// First half of an attempt: the nonce goes, the token comes if the attempt may be looked at.
    fn admit(&self, now: UnixTime, redeem: impl FnOnce(&mut State) -> Redeemed) -> Result<Arc<SessionToken>, Cause> {
        let mut state = self.lock_at(now);
        let redeemed = redeem(&mut state);
        let Phase::Waiting(token) = &state.phase else { return Err(Cause::Settled(state.phase.status())) };
        match redeemed {
            Redeemed::Fresh => Ok(Arc::clone(token)),
            Redeemed::TooOld => Err(Cause::NonceTooOld),
            Redeemed::Unknown => Err(Cause::NonceUnknown),
        }
    }

    /// Second half: the proof is computed without the lock, then the state is asked again, as another thread may have
    /// settled the attach meanwhile.
    fn decide(
        &self,
        now: UnixTime,
        token: Result<Arc<SessionToken>, Cause>,
        nonce: &str,
        presented: &PresentedScope<'_>,
        proof: &str,
    ) -> Result<VerifiedSession, Unauthenticated> {
        let outcome = token.and_then(|token| {
            let shaped = shaped(proof);
            let proved = shaped.map_or_else(|| Choice::from(0), |proof| check_proof(&token, nonce, &self.scope, proof));
            let same_scope = presented.is_exactly(&self.scope);
            drop(token);
            self.settle(now, bool::from(proved & same_scope)).map_err(|settled| match settled {
                Cause::ProofWrong if shaped.is_none() => Cause::ProofMisshapen,
                Cause::ProofWrong if bool::from(proved) => Cause::ScopeDiffers,
                other => other,
            })
        });
        outcome.map_err(|cause| Unauthenticated::because("session proof", cause))?;
        tracing::debug!(target: TARGET, attach_id = self.scope.attach_id(), "session proof accepted");
        Ok(VerifiedSession { scope: Arc::clone(&self.scope) })
    }

    fn settle(&self, now: UnixTime, holds: bool) -> Result<(), Cause> {
        let mut state = self.lock_at(now);
        if !matches!(state.phase, Phase::Waiting(_)) {
            return Err(Cause::Settled(state.phase.status()));
        }
        if holds {
            state.leave_waiting(Phase::Active);
            return Ok(());
        }
        state.failures = state.failures.saturating_add(1);
        let failures = state.failures;
        let closed = failures >= self.limits.failed_proofs;
        if closed {
            state.leave_waiting(Phase::Closed);
        }
        drop(state);
        if closed {
            tracing::warn!(target: TARGET, attach_id = self.scope.attach_id(), failures, "attach closed: failed proofs");
        }
        Err(Cause::ProofWrong)
    }

    /// Every critical section is a few assignments that cannot panic, so that a poisoned lock guards sound state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state with the clock moved on to `now`.
    fn lock_at(&self, now: UnixTime) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.latest = state.latest.max(now);
        let age = state.latest.saturating_since(self.created_at);
        let closed = self.limits.attach_window.is_some_and(|window| age > window);
        if closed && matches!(state.phase, Phase::Waiting(_)) {
            state.leave_waiting(Phase::Expired);
        }
        state
    }
}

/// Shows where the attach stands, never the token.
impl fmt::Debug for SessionTokenManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTokenManager")
            .field("scope", &self.scope)
            .field("status", &self.lock().phase.status())
            .finish_non_exhaustive()
    }
}

impl State {
    fn redeem_challenge(&mut self, nonce: &str) -> Redeemed {
        self.pending.redeem(self.latest, nonce)
    }

    /// Goes to a phase in which nothing is verified: the token and all nonces go.
    fn leave_waiting(&mut self, phase: Phase) {
        self.phase = phase;
        self.pending.clear();
        self.bootstrap = None;
    }
}

impl Phase {
    const fn status(&self) -> SessionStatus {
        match self {
            Self::Waiting(_) => SessionStatus::Waiting,
            Self::Active => SessionStatus::Active,
            Self::Expired => SessionStatus::Expired,
            Self::Closed => SessionStatus::TooManyFailures,
            Self::Invalidated => SessionStatus::Invalidated,
        }
    }

    const fn check_waiting(&self) -> Result<(), IssueError> {
        match self {
            Self::Waiting(_) => Ok(()),
            Self::Active => Err(IssueError::SessionActive),
            Self::Expired => Err(IssueError::Expired),
            Self::Closed => Err(IssueError::TooManyFailures),
            Self::Invalidated => Err(IssueError::Invalidated),
        }
    }
}

/// Why an attempt was refused: for the log of this side only.
#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("the nonce is unknown, used or evicted")]
    NonceUnknown,
    #[error("the nonce is too old")]
    NonceTooOld,
    #[error("the proof does not have the length of one")]
    ProofMisshapen,
    #[error("the proof does not hold")]
    ProofWrong,
    #[error("the presented scope is not the expected one")]
    ScopeDiffers,
    #[error("the attach is settled: {0:?}")]
    Settled(SessionStatus),
}

#[cfg(test)]
mod tests {
    //! Two attempts at one time: what another thread does between the two halves of an attempt, done by hand.

    use super::super::HelloProof;
    use super::super::tests::{Seeded, TOKEN, at, manager, scope, token};
    use super::*;

    /// An honest attempt up to the middle, what happens then, and how the attempt ends.
    #[track_caller]
    fn check(meanwhile: impl FnOnce(&SessionTokenManager), ends_at: u64, accepted: bool, status: SessionStatus) {
        let manager = manager(SessionLimits::new().with_failed_proofs(1));
        let nonce = manager.issue_nonce(at(1), &mut Seeded(1)).unwrap();
        let proof = HelloProof::compute(&token(TOKEN), nonce.as_str(), &scope());
        let admitted = manager.admit(at(1), |state| state.redeem_challenge(nonce.as_str()));
        assert!(admitted.is_ok());
        meanwhile(&manager);
        let verdict = manager.decide(at(ends_at), admitted, nonce.as_str(), &scope().present(), proof.expose());
        assert_eq!(verdict.is_ok(), accepted);
        assert_eq!(manager.status(at(ends_at)), status);
    }

    fn second(manager: &SessionTokenManager, token_text: &str) {
        let nonce = manager.issue_nonce(at(1), &mut Seeded(2)).unwrap();
        let proof = HelloProof::compute(&token(token_text), nonce.as_str(), &scope());
        let _ = manager.verify_proof(at(1), nonce.as_str(), &scope().present(), proof.expose());
    }

    #[test]
    fn what_settles_the_attach_between_the_halves_counts() {
        check(|_| {}, 1, true, SessionStatus::Active);
        check(|manager| second(manager, TOKEN), 1, false, SessionStatus::Active);
        check(|manager| second(manager, "another token that is long enough"), 1, false, SessionStatus::TooManyFailures);
        check(SessionTokenManager::invalidate, 1, false, SessionStatus::Invalidated);
        check(|manager| assert_eq!(manager.status(at(601)), SessionStatus::Expired), 1, false, SessionStatus::Expired);
        check(|_| {}, 601, false, SessionStatus::Expired);
    }
}
