//! The HELLO proof: an HMAC by the token over the nonce and the whole scope.
//!
//! ```text
//!   key      the token's text, as UTF-8
//!   message  netstrings of:  domain tag | nonce | str:'job id' | str:'site' | str:'attach id' | str:'target'
//!                            | str:'trainer' | str:'rank policy' | int:version
//!   proof    HMAC-SHA-256(key, message) as 64 lower-case hex digits
//! ```

use core::fmt;

use aws_lc_rs::hmac;
use fedcell_protocol_defs::client_api::{ProofSize, ProofSyntax};
use subtle::{Choice, ConstantTimeEq as _};

use super::scope::TokenScope;
use super::token::SessionToken;
use super::{hex, netstring};
use crate::secret::SecretText;

/// A proof that its maker holds a token, good for one nonce and one scope.
///
/// Wiped on drop, not cloneable, not comparable: [`is_proved_by`] compares, in constant time.
pub struct HelloProof(SecretText);

impl HelloProof {
    /// Length of a proof in characters.
    pub const LEN: usize = ProofSize::PROOF_HEX_LEN;

    /// The proof by `token` for `nonce` within `scope`.
    #[must_use]
    pub fn compute(token: &SessionToken, nonce: &str, scope: &TokenScope) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, token.expose().as_bytes());
        let tag = hmac::sign(&key, &proof_message(nonce, scope));
        Self(SecretText::new(hex::encode(tag.as_ref())))
    }

    /// The proof itself, for the one message that carries it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for HelloProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HelloProof(redacted)")
    }
}

/// Whether `presented` is the proof by `token` for `nonce` within `scope`; total over any text.
///
/// This checks a proof and nothing else: no freshness, no single use. A service verifies through
/// [`SessionTokenManager`](super::SessionTokenManager).
#[must_use]
pub fn is_proved_by(token: &SessionToken, nonce: &str, scope: &TokenScope, presented: &str) -> bool {
    shaped(presented).is_some_and(|presented| check_proof(token, nonce, scope, presented).into())
}

/// The bytes of a text that has the length of a proof. Another length is refused before anything is computed.
pub(super) fn shaped(presented: &str) -> Option<&[u8; HelloProof::LEN]> {
    presented.as_bytes().try_into().ok()
}

/// As [`is_proved_by`], for callers that go on without a branch.
pub(super) fn check_proof(
    token: &SessionToken,
    nonce: &str,
    scope: &TokenScope,
    presented: &[u8; HelloProof::LEN],
) -> Choice {
    let expected = HelloProof::compute(token, nonce, scope);
    expected.expose().as_bytes().ct_eq(presented)
}

/// The bytes that a proof authenticates. They hold no secret.
#[must_use]
pub fn proof_message(nonce: &str, scope: &TokenScope) -> Vec<u8> {
    let mut message = Vec::with_capacity(256);
    netstring::append(&mut message, ProofSyntax::DOMAIN.as_str().as_bytes());
    netstring::append(&mut message, nonce.as_bytes());
    for item in scope.proof_items() {
        netstring::append(&mut message, item.as_bytes());
    }
    message
}

/// The nonce of the one-round handshake, from one nonce of each side.
///
/// The number in front counts characters, not bytes, as the protocol does; it keeps the border between the two, so
/// that different pairs never combine to one text.
#[must_use]
pub fn combine_nonces(executor: &str, trainer: &str) -> String {
    let separator = ProofSyntax::FIELD_SEPARATOR;
    format!("{}{separator}{executor}{separator}{trainer}", executor.chars().count())
}
