//! An address that owns its text.

use core::borrow::Borrow;
use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use super::{Fqcn, FqcnError};

/// The address of a cell, owned. Clones share the text.
///
/// Everything that can be asked of an address stands at [`Fqcn`]; [`as_fqcn`](Self::as_fqcn) leads there. A map with
/// keys of this type can be searched by `&str`, with the canonical text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FqcnBuf(Arc<str>);

impl FqcnBuf {
    /// Reads an address; see [`Fqcn::parse`].
    ///
    /// # Errors
    ///
    /// As [`Fqcn::parse`].
    pub fn parse(text: &str) -> Result<Self, FqcnError> {
        Fqcn::parse(text).map(Self::from)
    }

    /// The root of the server's tree.
    #[must_use]
    pub fn server() -> Self {
        Self::from(Fqcn::SERVER)
    }

    /// The same address, borrowed.
    #[must_use]
    pub fn as_fqcn(&self) -> Fqcn<'_> {
        Fqcn::from_checked(&self.0)
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Fqcn<'_>> for FqcnBuf {
    fn from(address: Fqcn<'_>) -> Self {
        Self(Arc::from(address.as_str()))
    }
}

impl<'a> From<&'a FqcnBuf> for Fqcn<'a> {
    fn from(address: &'a FqcnBuf) -> Self {
        address.as_fqcn()
    }
}

impl FromStr for FqcnBuf {
    type Err = FqcnError;

    fn from_str(text: &str) -> Result<Self, FqcnError> {
        Self::parse(text)
    }
}

impl Borrow<str> for FqcnBuf {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for FqcnBuf {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for FqcnBuf {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<Fqcn<'_>> for FqcnBuf {
    fn eq(&self, other: &Fqcn<'_>) -> bool {
        &*self.0 == other.as_str()
    }
}

/// The canonical text.
impl fmt::Display for FqcnBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for FqcnBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FqcnBuf({})", self.0)
    }
}
