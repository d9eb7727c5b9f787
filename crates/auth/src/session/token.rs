//! Session tokens: the secret that a trainer proves to hold, and the digest of it that may be stored.

use core::fmt;

use aws_lc_rs::digest;
use fedcell_protocol_defs::client_api::ProofSize;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::error::SecretError;
use super::hex;
use crate::secret::SecretText;

/// A session token: text that only the job and its trainer know.
///
/// The text is wiped when the value is dropped. There is no `Clone`, no equality and no serialisation: a token leaves
/// this type through [`expose`](Self::expose) alone, for the one hand-over to the trainer.
///
/// ```
/// # fn demo(generator: &mut impl rand_core::CryptoRng) {
/// use fedcell_auth::session::SessionToken;
///
/// let token = SessionToken::generate(generator);
/// let stored = token.digest();
/// assert!(stored.matches(&token));
/// assert_eq!(format!("{token:?}"), "SessionToken(redacted)");
/// # }
/// ```
pub struct SessionToken(SecretText);

impl SessionToken {
    /// Random bytes in a token if nothing else is asked for.
    pub const DEFAULT_BYTES: usize = ProofSize::TOKEN_BYTES;
    /// Most random bytes that a generated token may have.
    pub const MAX_BYTES: usize = 1024;
    /// Longest token text from elsewhere, in characters.
    pub const MAX_CHARACTERS: usize = 4096;
    /// Fewest characters of a token that guards a session: 16 random bytes as hex digits.
    pub const MIN_GUARD_CHARACTERS: usize = 2 * ProofSize::MIN_RANDOM_BYTES;

    /// A new token: 32 random bytes as 64 hex digits.
    #[must_use]
    pub fn generate(generator: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self(SecretText::new(random_hex(generator, Self::DEFAULT_BYTES)))
    }

    /// A new token of `bytes` random bytes.
    ///
    /// # Errors
    ///
    /// [`SecretError::TooFewBytes`] under 16, [`SecretError::TooManyBytes`] over [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn generate_sized(generator: &mut (impl CryptoRng + ?Sized), bytes: usize) -> Result<Self, SecretError> {
        check_size(bytes, Self::MAX_BYTES)?;
        Ok(Self(SecretText::new(random_hex(generator, bytes))))
    }

    /// The token that someone else made, as a trainer finds it in its bootstrap file.
    ///
    /// Any text may be a token on that side: its strength is the job's business, and the job's manager refuses one of
    /// fewer than [`MIN_GUARD_CHARACTERS`](Self::MIN_GUARD_CHARACTERS). The text is wiped in any case.
    ///
    /// # Errors
    ///
    /// [`SecretError::TokenLength`] if it is empty or has more than [`MAX_CHARACTERS`](Self::MAX_CHARACTERS).
    pub fn from_text(text: String) -> Result<Self, SecretError> {
        let token = Self(SecretText::new(text));
        token.check_length(1)?;
        Ok(token)
    }

    /// The token itself, for the hand-over to the trainer. Never log it, store it or send it over a network.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The digest, which is all of a token that may be stored.
    #[must_use]
    pub fn digest(&self) -> TokenDigest {
        let digest = digest::digest(&digest::SHA256, self.expose().as_bytes());
        TokenDigest(hex::encode(digest.as_ref()))
    }

    /// Whether `presented` is this token, in constant time for texts of one length.
    ///
    /// For peers of the generation that presents the launch token itself in HELLO instead of proving it.
    #[must_use]
    pub fn is_text(&self, presented: &str) -> bool {
        self.0.ct_eq(presented)
    }

    /// Refuses a token that is too short to guard a session.
    pub(super) fn check_strength(&self) -> Result<(), SecretError> {
        self.check_length(Self::MIN_GUARD_CHARACTERS)
    }

    fn check_length(&self, least: usize) -> Result<(), SecretError> {
        let length = self.expose().chars().count();
        let most = Self::MAX_CHARACTERS;
        if (least..=most).contains(&length) { Ok(()) } else { Err(SecretError::TokenLength { length, least, most }) }
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(redacted)")
    }
}

/// SHA-256 of a token's text as 64 hex digits: recognises the token, does not give it away.
#[derive(Clone)]
pub struct TokenDigest(String);

impl TokenDigest {
    /// A digest that was stored.
    ///
    /// # Errors
    ///
    /// [`SecretError::NotADigest`] unless it is 64 lower-case hex digits.
    pub fn from_hex(text: &str) -> Result<Self, SecretError> {
        if text.len() != ProofSize::DIGEST_HEX_LEN || !hex::is_lower_hex(text) {
            return Err(SecretError::NotADigest);
        }
        Ok(Self(text.to_owned()))
    }

    /// The digits, for storage.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the digest of `token`, in constant time.
    #[must_use]
    pub fn matches(&self, token: &SessionToken) -> bool {
        self.0.as_bytes().ct_eq(token.digest().0.as_bytes()).into()
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenDigest({})", self.0)
    }
}

/// Refuses sizes that make a secret guessable or absurd.
pub(super) const fn check_size(asked: usize, most: usize) -> Result<(), SecretError> {
    let least = ProofSize::MIN_RANDOM_BYTES;
    if asked < least {
        return Err(SecretError::TooFewBytes { asked, least });
    }
    if asked > most {
        return Err(SecretError::TooManyBytes { asked, most });
    }
    Ok(())
}

/// `bytes` random bytes as hex digits, in one allocation; the raw bytes are wiped.
pub(super) fn random_hex(generator: &mut (impl CryptoRng + ?Sized), bytes: usize) -> String {
    let mut raw = Zeroizing::new(vec![0; bytes]);
    generator.fill_bytes(&mut raw);
    hex::encode(&raw)
}
