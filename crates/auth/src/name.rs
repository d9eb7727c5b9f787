//! Common names: what a certificate calls its holder, and what a party of the federation is called.

use core::fmt;

/// Longest common name that is read, in bytes. X.509 allows 64 characters.
pub const MAX_NAME_LENGTH: usize = 256;

/// Text that cannot be a common name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadName {
    /// There is nothing in it.
    #[error("the common name is empty")]
    Empty,
    /// It is longer than [`MAX_NAME_LENGTH`].
    #[error("the common name is longer than {MAX_NAME_LENGTH} bytes")]
    TooLong,
    /// It has a control character in it, or a blank at one end.
    #[error("the common name has a control character or an outer blank")]
    BadCharacter,
}

/// The name that a certificate gives its holder: `site-1`, `relay-1`, the server's host, an admin's address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommonName(String);

impl CommonName {
    /// Reads a name.
    ///
    /// # Errors
    ///
    /// [`BadName`] if it is empty, too long, or has characters that no name has.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text.len() > MAX_NAME_LENGTH {
            return Err(BadName::TooLong);
        }
        if text.chars().any(char::is_control) || text.trim() != text {
            return Err(BadName::BadCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
