//! Challenge nonces: their one form, and the bounded table of those that still wait for an answer.

use core::borrow::Borrow;
use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;

use fedcell_protocol_defs::client_api::ProofSize;
use rand_core::CryptoRng;

use super::error::SecretError;
use super::hex;
use super::token::{check_size, random_hex};
use crate::time::UnixTime;

/// A challenge nonce: 32 to 128 lower-case hex digits. Public, but good for one attempt only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HelloNonce(String);

impl HelloNonce {
    /// Random bytes in a nonce if nothing else is asked for.
    pub const DEFAULT_BYTES: usize = ProofSize::NONCE_BYTES;
    /// Most random bytes in a nonce.
    pub const MAX_BYTES: usize = 64;

    /// A new nonce: 16 random bytes as 32 hex digits.
    #[must_use]
    pub fn generate(generator: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self::of_size(generator, Self::DEFAULT_BYTES)
    }

    /// A new nonce of `bytes` random bytes.
    ///
    /// # Errors
    ///
    /// [`SecretError::TooFewBytes`] under 16, [`SecretError::TooManyBytes`] over [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn generate_sized(generator: &mut (impl CryptoRng + ?Sized), bytes: usize) -> Result<Self, SecretError> {
        check_size(bytes, Self::MAX_BYTES)?;
        Ok(Self::of_size(generator, bytes))
    }

    /// The nonce that a peer sent, if it has the one form that a generator gives.
    ///
    /// # Errors
    ///
    /// [`SecretError::NotANonce`] for anything but 32 to 128 lower-case hex digits, an even number of them.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let sized = (2 * ProofSize::MIN_RANDOM_BYTES..=2 * Self::MAX_BYTES).contains(&text.len())
            && text.len().is_multiple_of(2);
        if sized && hex::is_lower_hex(text) { Ok(Self(text.to_owned())) } else { Err(SecretError::NotANonce) }
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of_size(generator: &mut (impl CryptoRng + ?Sized), bytes: usize) -> Self {
        Self(random_hex(generator, bytes))
    }
}

impl fmt::Display for HelloNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lets a table of nonces be asked with the text that a peer sent. Order and equality are those of the text.
impl Borrow<str> for HelloNonce {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What became of a nonce that a peer named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redeemed {
    /// It was outstanding and is now used up.
    Fresh,
    /// It was outstanding for too long, and is now gone.
    TooOld,
    /// It was never issued here, or was used, evicted or dropped before.
    Unknown,
}

/// Outstanding nonces, at most `capacity` of them, each for at most `lifetime`.
#[derive(Debug)]
pub(super) struct PendingNonces {
    capacity: usize,
    lifetime: Duration,
    /// Number of the issue, and with it the age, of every outstanding nonce.
    serials: BTreeMap<HelloNonce, u64>,
    /// The same nonces by age, the oldest first.
    by_age: BTreeMap<u64, (HelloNonce, UnixTime)>,
    next_serial: u64,
}

impl PendingNonces {
    pub(super) const fn new(capacity: usize, lifetime: Duration) -> Self {
        Self { capacity, lifetime, serials: BTreeMap::new(), by_age: BTreeMap::new(), next_serial: 0 }
    }

    /// Adds a nonce, and evicts the oldest ones if there is no room; false if it is outstanding already.
    pub(super) fn insert(&mut self, now: UnixTime, nonce: HelloNonce) -> bool {
        self.drop_old(now);
        if self.serials.contains_key(&nonce) {
            return false;
        }
        while self.by_age.len() >= self.capacity {
            let Some((_, (evicted, _))) = self.by_age.pop_first() else { break };
            self.serials.remove(&evicted);
        }
        let serial = self.next_serial;
        self.next_serial = self.next_serial.wrapping_add(1);
        self.serials.insert(nonce.clone(), serial);
        self.by_age.insert(serial, (nonce, now));
        true
    }

    /// Uses a nonce up, whatever comes of it.
    pub(super) fn redeem(&mut self, now: UnixTime, text: &str) -> Redeemed {
        let issued = self.serials.remove(text).and_then(|serial| self.by_age.remove(&serial));
        let redeemed = match issued {
            None => Redeemed::Unknown,
            Some((_, issued_at)) if now.saturating_since(issued_at) > self.lifetime => Redeemed::TooOld,
            Some(_) => Redeemed::Fresh,
        };
        self.drop_old(now);
        redeemed
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.serials.clear();
        self.by_age.clear();
    }

    pub(super) fn contains(&self, nonce: &HelloNonce) -> bool {
        self.serials.contains_key(nonce)
    }

    pub(super) fn len(&self) -> usize {
        self.by_age.len()
    }

    /// Times of issue never decrease, so that the old ones are all in front.
    fn drop_old(&mut self, now: UnixTime) {
        while let Some(oldest) = self.by_age.first_entry() {
            let (nonce, issued_at) = oldest.get();
            if now.saturating_since(*issued_at) <= self.lifetime {
                break;
            }
            self.serials.remove(nonce);
            oldest.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Seeded, at};
    use super::*;

    #[test]
    fn what_is_evicted_used_or_too_old_leaves_nothing_behind() {
        let mut pending = PendingNonces::new(8, Duration::from_secs(60));
        let generator = &mut Seeded(1);
        for round in 0..1000_u64 {
            let nonce = HelloNonce::generate(generator);
            let now = at(round / 20 * 50);
            assert!(pending.insert(now, nonce.clone()));
            if round % 3 == 0 {
                assert_eq!(pending.redeem(now, nonce.as_str()), Redeemed::Fresh);
                assert_eq!(pending.redeem(now, nonce.as_str()), Redeemed::Unknown);
            }
            assert!(pending.len() <= 8);
            assert_eq!(pending.serials.len(), pending.by_age.len());
        }
        pending.drop_old(at(1 << 30));
        assert_eq!((pending.serials.len(), pending.by_age.len()), (0, 0));
    }
}
