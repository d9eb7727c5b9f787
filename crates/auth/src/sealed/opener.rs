//! Opening envelopes: the sender's signature first, then the key, then the content, then whether it is a repeat.

use core::fmt;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use fedcell_protocol_defs::cell::Envelope;

use super::content_key::ContentKey;
use super::envelope::{Parts, associated_data};
use super::recent::RecentMap;
use super::replay::ReplayWindow;
use super::sealer::SealError;
use crate::error::Unauthenticated;
use crate::identity::{Fingerprint, Identity, VerifiedCertificate};
use crate::time::UnixTime;

const STEP: &str = "sealed message";

/// Bounds of an [`Opener`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct OpenLimits {
    /// How many senders are remembered. Default 1024; the one that was not heard of for longest goes first.
    pub max_senders: usize,
    /// How many content keys of one sender are remembered. Default 8; the oldest goes first and is unwrapped again.
    pub keys_per_sender: usize,
    /// How many envelopes of one sender are remembered as opened. Default 8192, some 200 KiB for a busy sender.
    pub replay_window: usize,
    /// Longest envelope, in bytes. Default 1 GiB.
    pub max_length: usize,
}

impl Default for OpenLimits {
    fn default() -> Self {
        Self { max_senders: 1024, keys_per_sender: 8, replay_window: 8192, max_length: 1 << 30 }
    }
}

/// Whether an envelope has been opened before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Freshness {
    /// It has not, as far as the window reaches.
    Fresh,
    /// It has: a stream that sends a chunk again, which is to be acknowledged and not delivered, or a replay.
    Repeat,
}

/// An envelope was replayed where no repeat is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed message has been received before")]
#[non_exhaustive]
pub struct Replayed;

/// The content of an envelope.
#[must_use]
pub struct Opened {
    plaintext: Vec<u8>,
    freshness: Freshness,
}

impl Opened {
    /// Whether it was opened before. A reliable stream asks this and acknowledges a repeat without delivering it.
    #[must_use]
    pub const fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// The content of a fresh envelope: what everything but a reliable stream wants.
    ///
    /// # Errors
    ///
    /// [`Replayed`] if it is a repeat.
    pub fn into_fresh(self) -> Result<Vec<u8>, Replayed> {
        match self.freshness {
            Freshness::Fresh => Ok(self.plaintext),
            Freshness::Repeat => Err(Replayed),
        }
    }

    /// The content, and whether it is fresh: for a stream, which may have dropped the first copy.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Freshness) {
        (self.plaintext, self.freshness)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("length", &self.plaintext.len())
            .field("freshness", &self.freshness)
            .finish_non_exhaustive()
    }
}

struct Sender {
    keys: VecDeque<([u8; 32], Arc<ContentKey>)>,
    window: ReplayWindow,
}

/// Opens messages that were sealed for one identity. It may be shared between threads.
pub struct Opener {
    identity: Arc<Identity>,
    limits: OpenLimits,
    senders: Mutex<RecentMap<Fingerprint, Sender>>,
}

impl Opener {
    /// An opener that remembers nobody.
    ///
    /// # Errors
    ///
    /// [`SealError::OwnKeySize`] if the identity's key is not of 2048 bits.
    pub fn new(identity: Arc<Identity>, limits: OpenLimits) -> Result<Self, SealError> {
        let bits = identity.key().bits();
        if bits != Envelope::RSA_BITS {
            return Err(SealError::OwnKeySize { bits });
        }
        Ok(Self { identity, limits, senders: Mutex::new(RecentMap::new(limits.max_senders)) })
    }

    /// Opens an envelope that is said to come from the holder of `sender`.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`] if it is not an envelope, that holder did not make it, or it was not made for us.
    pub fn open(
        &self,
        now: UnixTime,
        sender: &VerifiedCertificate,
        envelope: &[u8],
    ) -> Result<Opened, Unauthenticated> {
        let because = |reason: &str| Unauthenticated::because(STEP, reason);
        if envelope.len() > self.limits.max_length {
            return Err(because("the envelope is longer than allowed"));
        }
        if !sender.is_valid_at(now) {
            return Err(because("the sender's certificate is not valid now"));
        }
        let parts = Parts::parse(envelope).map_err(|reason| Unauthenticated::because(STEP, reason))?;
        if !sender.key().verify_digest(&parts.signed_digest(), parts.signature) {
            return Err(because("the sender did not sign this envelope"));
        }
        let key = self.content_key(sender, parts.wrapped)?;
        let mut plaintext = parts.body.to_vec();
        if !key.open(parts.nonce, &associated_data(parts.wrapped), &mut plaintext) {
            return Err(because("the content is not what was sealed"));
        }
        let fresh = self.with_sender(sender, |known| known.window.note(parts.id()));
        Ok(Opened { plaintext, freshness: if fresh { Freshness::Fresh } else { Freshness::Repeat } })
    }

    /// How many senders are remembered.
    #[must_use]
    pub fn senders(&self) -> usize {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn content_key(&self, sender: &VerifiedCertificate, wrapped: &[u8]) -> Result<Arc<ContentKey>, Unauthenticated> {
        let mut id = [0_u8; 32];
        for (to, from) in id.iter_mut().zip(digest(&SHA256, wrapped).as_ref()) {
            *to = *from;
        }
        let known = self.with_sender(sender, |known| {
            known.keys.iter().find(|(known, _)| *known == id).map(|(_, key)| Arc::clone(key))
        });
        if let Some(key) = known {
            return Ok(key);
        }
        // Outside of the lock: unwrapping takes as long as a signature.
        let key = self
            .identity
            .key()
            .unwrap_key(wrapped)
            .and_then(|bytes| ContentKey::new(&bytes))
            .map(Arc::new)
            .ok_or_else(|| Unauthenticated::because(STEP, "the key was not wrapped for us"))?;
        self.with_sender(sender, |known| {
            if !known.keys.iter().any(|(known, _)| *known == id) {
                if known.keys.len() >= self.limits.keys_per_sender.max(1) {
                    known.keys.pop_front();
                }
                known.keys.push_back((id, Arc::clone(&key)));
            }
        });
        Ok(key)
    }

    fn with_sender<R>(&self, sender: &VerifiedCertificate, act: impl FnOnce(&mut Sender) -> R) -> R {
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = senders.get_mut(&sender.fingerprint()) {
            return act(known);
        }
        let mut new = Sender { keys: VecDeque::new(), window: ReplayWindow::new(self.limits.replay_window) };
        let result = act(&mut new);
        senders.insert(sender.fingerprint(), new);
        result
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("identity", &self.identity)
            .field("limits", &self.limits)
            .field("senders", &self.senders())
            .finish()
    }
}
