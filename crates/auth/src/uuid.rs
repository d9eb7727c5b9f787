//! Canonical UUID text, the one form of nonces and tokens that is ever signed or verified.

use core::fmt;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;

use crate::secret::SecretText;

/// Length of a canonical UUID in bytes, all of them ASCII.
pub const UUID_LENGTH: usize = 36;

/// Text that should be a canonical UUID and is not.
///
/// Canonical means 36 bytes: lower-case hexadecimal digits in groups of 8, 4, 4, 4 and 12, joined by hyphens. The error
/// does not repeat the text, which may be a secret or may have been chosen to hurt a reader of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a canonical 36-character UUID")]
#[non_exhaustive]
pub struct NotCanonicalUuid;

fn is_canonical(text: &str) -> bool {
    text.len() == UUID_LENGTH
        && text.bytes().enumerate().all(|(position, byte)| match position {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// A random UUID of version 4 (RFC 9562), 122 random bits.
fn random_text(rng: &mut impl CryptoRng) -> String {
    let mut bytes = [0_u8; 16];
    rng.fill_bytes(&mut bytes);
    let mut text = String::with_capacity(UUID_LENGTH);
    for (position, byte) in bytes.iter_mut().enumerate() {
        match position {
            6 => *byte = (*byte & 0x0f) | 0x40,
            8 => *byte = (*byte & 0x3f) | 0x80,
            _ => {}
        }
        if matches!(position, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [*byte >> 4, *byte & 0x0f] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    zeroize::Zeroize::zeroize(&mut bytes);
    text
}

/// A number used once: what one side asks the other to sign, so that the signature is fresh.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// A new nonce of 122 random bits.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self(random_text(rng))
    }

    /// Reads a nonce that came over the wire.
    ///
    /// # Errors
    ///
    /// [`NotCanonicalUuid`] if the text has any other form: a peer that may choose free text could have a signature of
    /// ours mean something else.
    pub fn parse(text: &str) -> Result<Self, NotCanonicalUuid> {
        if is_canonical(text) { Ok(Self(text.to_owned())) } else { Err(NotCanonicalUuid) }
    }

    /// The 36 characters that go on the wire and under the signature.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(redacted)")
    }
}

/// A client token: whoever shows it, with the signature and from the right origin, acts as that client.
///
/// It is a bearer secret: wiped on drop, not cloned, printed as redacted, compared in constant time.
pub struct Token(SecretText);

impl Token {
    /// A new token of 122 random bits.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        Self(SecretText::new(random_text(rng)))
    }

    /// Reads a token that came over the wire.
    ///
    /// # Errors
    ///
    /// [`NotCanonicalUuid`] if the text has any other form.
    pub fn parse(text: &str) -> Result<Self, NotCanonicalUuid> {
        if is_canonical(text) { Ok(Self(SecretText::new(text.to_owned()))) } else { Err(NotCanonicalUuid) }
    }

    /// The 36 characters that go on the wire. Each caller of this is a place where the token may leak.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, canonical: bool) {
        assert_eq!(Nonce::parse(text).is_ok(), canonical, "{text:?}");
        assert_eq!(Token::parse(text).is_ok(), canonical, "{text:?}");
    }

    #[test]
    fn only_the_canonical_form_is_read() {
        check("6f978619-4d59-4599-8d3c-872cfa36f2b9", true);
        check("00000000-0000-0000-0000-000000000000", true);
        check("", false);
        check("x", false);
        check("6F978619-4D59-4599-8D3C-872CFA36F2B9", false);
        check("6f9786194d5945998d3c872cfa36f2b9", false);
        check("{6f978619-4d59-4599-8d3c-872cfa36f2b9}", false);
        check("urn:uuid:6f978619-4d59-4599-8d3c-872cfa36f2b9", false);
        check(" 6f978619-4d59-4599-8d3c-872cfa36f2b9", false);
        check("6f978619-4d59-4599-8d3c-872cfa36f2b9\n", false);
        check("6f978619-4d59-4599-8d3c-872cfa36f2b", false);
        check("6f978619-4d59-4599-8d3c-872cfa36f2bg", false);
        check("6f978619_4d59_4599_8d3c_872cfa36f2b9", false);
        check("6f9786194-d59-4599-8d3c-872cfa36f2b9", false);
        check("６f978619-4d59-4599-8d3c-872cfa36f2", false);
    }
}
