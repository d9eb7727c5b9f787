//! The three ways in which a connection is protected.

use core::fmt;
use core::str::FromStr;

use fedcell_protocol_defs::config::ConnectionSecurity;

/// Protection of a cell's connections.
///
/// It concerns connections only: challenge, registration and tokens are the same in all three. On the wire and in kits
/// it is a [`ConnectionSecurity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum SecurityMode {
    /// No TLS. Whoever reaches the port can claim any name.
    Clear,
    /// Only the listening side shows a certificate; the names of those who dial are not bound to one.
    Tls,
    /// Both sides show certificates, and the common name in a peer's must fit its address.
    #[default]
    Mtls,
}

impl SecurityMode {
    /// The word for it in kits and URLs.
    #[must_use]
    pub const fn word(self) -> ConnectionSecurity<'static> {
        match self {
            Self::Clear => ConnectionSecurity::CLEAR,
            Self::Tls => ConnectionSecurity::TLS,
            Self::Mtls => ConnectionSecurity::MTLS,
        }
    }
}

impl fmt::Display for SecurityMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word().as_str())
    }
}

/// A text that is no connection security.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no connection security, expected clear, tls or mtls")]
pub struct UnknownMode(String);

impl FromStr for SecurityMode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        [Self::Clear, Self::Tls, Self::Mtls]
            .into_iter()
            .find(|mode| mode.word().as_str() == text)
            .ok_or_else(|| UnknownMode(text.to_owned()))
    }
}
