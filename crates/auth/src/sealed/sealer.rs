//! Making envelopes: one content key for each target, renewed by count and by age.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use fedcell_protocol_defs::cell::Envelope;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::content_key::ContentKey;
use super::envelope::{associated_data, signed_digest};
use super::recent::RecentMap;
use crate::error::Fault;
use crate::identity::{Fingerprint, Identity, VerifiedCertificate};
use crate::time::UnixTime;

/// Bounds of a [`Sealer`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SealLimits {
    /// How many targets have a content key at a time. Default 1024; the one that was not used for longest goes first.
    pub max_targets: usize,
    /// How many envelopes one content key makes. Default 2^20, far below the 2^32 that random nonces allow.
    pub max_uses: u64,
    /// How old a content key may be. Default one hour.
    pub max_age: Duration,
}

impl Default for SealLimits {
    fn default() -> Self {
        Self { max_targets: 1024, max_uses: 1 << 20, max_age: Duration::from_secs(3600) }
    }
}

/// A message cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Our key has another size; the envelope's layout leaves room for one of 2048 bits only.
    #[error("this party's key has {bits} bits, sealed messages need {}", Envelope::RSA_BITS)]
    OwnKeySize {
        /// Bits of our key.
        bits: usize,
    },
    /// The target's key has another size.
    #[error("the target's key is not of {} bits, sealed messages need that", Envelope::RSA_BITS)]
    TargetKeySize,
    /// The target's certificate, or one above it, is not valid now.
    #[error("the target's certificate is not valid now")]
    TargetExpired,
    /// AWS-LC has no memory or no random bytes left.
    #[error("the message could not be encrypted or signed")]
    Crypto,
}

impl SealError {
    /// Whose fault it is.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::OwnKeySize { .. } | Self::Crypto => Fault::Local,
            Self::TargetKeySize | Self::TargetExpired => Fault::Peer,
        }
    }
}

struct TargetKey {
    key: ContentKey,
    wrapped: Vec<u8>,
    made: UnixTime,
}

/// Seals messages in the name of one identity. It may be shared between threads.
pub struct Sealer {
    identity: Arc<Identity>,
    limits: SealLimits,
    targets: Mutex<RecentMap<Fingerprint, (u64, Arc<TargetKey>)>>,
}

impl Sealer {
    /// A sealer without content keys.
    ///
    /// # Errors
    ///
    /// [`SealError::OwnKeySize`] if the identity's key is not of 2048 bits.
    pub fn new(identity: Arc<Identity>, limits: SealLimits) -> Result<Self, SealError> {
        let bits = identity.key().bits();
        if bits != Envelope::RSA_BITS {
            return Err(SealError::OwnKeySize { bits });
        }
        Ok(Self { identity, limits, targets: Mutex::new(RecentMap::new(limits.max_targets)) })
    }

    /// Seals `plaintext` for the holder of `target`. The envelope is 541 bytes longer.
    ///
    /// Content key and nonce come from `rng`. A target gets a new content key after so many envelopes and so long a time
    /// as the limits say, and when the clock was set back.
    ///
    /// # Errors
    ///
    /// [`SealError`] if the target cannot be sealed for now, or at all.
    pub fn seal(
        &self,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        target: &VerifiedCertificate,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        if !target.is_valid_at(now) {
            return Err(SealError::TargetExpired);
        }
        let content = self.target_key(now, rng, target)?;
        let mut nonce = [0_u8; 12];
        rng.fill_bytes(&mut nonce);

        let mut envelope = Vec::with_capacity(Envelope::OVERHEAD + plaintext.len());
        envelope.push(Envelope::VERSION);
        envelope.extend_from_slice(&nonce);
        envelope.extend_from_slice(&content.wrapped);
        envelope.resize(Envelope::HEADER_SIZE, 0);
        envelope.extend_from_slice(plaintext);
        let body = envelope.get_mut(Envelope::HEADER_SIZE..).ok_or(SealError::Crypto)?;
        let tag = content.key.seal(nonce, &associated_data(&content.wrapped), body).ok_or(SealError::Crypto)?;
        envelope.extend_from_slice(&tag);

        let body = envelope.get(Envelope::HEADER_SIZE..).ok_or(SealError::Crypto)?;
        let digest = signed_digest(&nonce, &content.wrapped, body);
        let signature = self.identity.key().sign_digest(&digest).ok_or(SealError::Crypto)?;
        envelope
            .get_mut(Envelope::SIGNATURE_OFFSET..Envelope::HEADER_SIZE)
            .filter(|slot| slot.len() == signature.as_bytes().len())
            .ok_or(SealError::Crypto)?
            .copy_from_slice(signature.as_bytes());
        Ok(envelope)
    }

    /// How many targets have a content key.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn target_key(
        &self,
        now: UnixTime,
        rng: &mut impl CryptoRng,
        target: &VerifiedCertificate,
    ) -> Result<Arc<TargetKey>, SealError> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((uses, key)) = targets.get_mut(&target.fingerprint()) {
            let age_known = key.made <= now;
            if *uses < self.limits.max_uses && age_known && now.saturating_since(key.made) < self.limits.max_age {
                *uses += 1;
                return Ok(Arc::clone(key));
            }
        }
        let key = Arc::new(new_target_key(now, rng, target)?);
        targets.insert(target.fingerprint(), (1, Arc::clone(&key)));
        Ok(key)
    }
}

fn new_target_key(
    now: UnixTime,
    rng: &mut impl CryptoRng,
    target: &VerifiedCertificate,
) -> Result<TargetKey, SealError> {
    if target.certificate().rsa_bits() != Some(Envelope::RSA_BITS) {
        return Err(SealError::TargetKeySize);
    }
    let public = PublicEncryptingKey::from_der(target.certificate().spki())
        .and_then(|key| OaepPublicEncryptingKey::new(key).map_err(Into::into))
        .map_err(|_| SealError::TargetKeySize)?;
    let mut bytes = Zeroizing::new([0_u8; Envelope::KEY_SIZE]);
    rng.fill_bytes(bytes.as_mut_slice());
    let mut wrapped = vec![0; Envelope::WRAPPED_KEY_SIZE];
    let length = public
        .encrypt(&OAEP_SHA256_MGF1SHA256, bytes.as_slice(), &mut wrapped, None)
        .map_err(|_| SealError::Crypto)?
        .len();
    if length != Envelope::WRAPPED_KEY_SIZE {
        return Err(SealError::TargetKeySize);
    }
    let key = ContentKey::new(bytes.as_slice()).ok_or(SealError::Crypto)?;
    Ok(TargetKey { key, wrapped, made: now })
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("identity", &self.identity)
            .field("limits", &self.limits)
            .field("targets", &self.targets())
            .finish()
    }
}
