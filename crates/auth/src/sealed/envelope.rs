//! The layout of an envelope: taking one apart, and the digest that its signature covers.

use aws_lc_rs::digest::{Context, Digest, SHA256};
use fedcell_protocol_defs::cell::Envelope;

/// An envelope taken apart; nothing in it has been verified.
pub(super) struct Parts<'a> {
    pub(super) nonce: [u8; 12],
    pub(super) wrapped: &'a [u8],
    pub(super) signature: &'a [u8],
    /// Ciphertext and tag.
    pub(super) body: &'a [u8],
}

/// Why bytes are not an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotAnEnvelope {
    #[error("the envelope is shorter than {} bytes", Envelope::OVERHEAD)]
    TooShort,
    #[error("the envelope's version is not {}", Envelope::VERSION)]
    Version,
}

impl<'a> Parts<'a> {
    pub(super) fn parse(envelope: &'a [u8]) -> Result<Self, NotAnEnvelope> {
        if envelope.len() < Envelope::OVERHEAD {
            return Err(NotAnEnvelope::TooShort);
        }
        let short = NotAnEnvelope::TooShort;
        let (&version, rest) = envelope.split_first().ok_or(short)?;
        if version != Envelope::VERSION {
            return Err(NotAnEnvelope::Version);
        }
        let (nonce, rest) = rest.split_first_chunk().ok_or(short)?;
        let (wrapped, rest) = rest.split_at_checked(Envelope::WRAPPED_KEY_SIZE).ok_or(short)?;
        let (signature, body) = rest.split_at_checked(Envelope::SIGNATURE_SIZE).ok_or(short)?;
        Ok(Self { nonce: *nonce, wrapped, signature, body })
    }

    /// What the sender signed: everything but the signature.
    pub(super) fn signed_digest(&self) -> Digest {
        signed_digest(&self.nonce, self.wrapped, self.body)
    }

    /// A short name for this envelope, that no other message of an honest sender has: it covers key, nonce and tag, and
    /// so the content.
    pub(super) fn id(&self) -> u64 {
        let mut context = Context::new(&SHA256);
        context.update(&self.nonce);
        context.update(self.wrapped);
        context.update(self.body.last_chunk::<16>().map_or(&[], |tag| tag.as_slice()));
        context.finish().as_ref().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

pub(super) fn signed_digest(nonce: &[u8; 12], wrapped: &[u8], body: &[u8]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(&[Envelope::VERSION]);
    context.update(nonce);
    context.update(wrapped);
    context.update(body);
    context.finish()
}

/// What the seal covers besides the content: version and wrapped key.
pub(super) fn associated_data(wrapped: &[u8]) -> Vec<u8> {
    [&[Envelope::VERSION], wrapped].concat()
}
