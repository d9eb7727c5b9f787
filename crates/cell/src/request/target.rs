//! Addresses as callers write them.

use fedcell_cell_proto::address::{Fqcn, FqcnBuf, FqcnError};

/// The address of a cell in any form: text is parsed, a parsed one is taken as it is.
pub trait Target {
    /// The address.
    ///
    /// # Errors
    ///
    /// [`FqcnError`] if the text is no address.
    fn address(self) -> Result<FqcnBuf, FqcnError>;
}

impl Target for &str {
    fn address(self) -> Result<FqcnBuf, FqcnError> {
        FqcnBuf::parse(self)
    }
}

impl Target for &String {
    fn address(self) -> Result<FqcnBuf, FqcnError> {
        FqcnBuf::parse(self)
    }
}

impl Target for String {
    fn address(self) -> Result<FqcnBuf, FqcnError> {
        FqcnBuf::parse(&self)
    }
}

impl Target for FqcnBuf {
    fn address(self) -> Result<FqcnBuf, FqcnError> {
        Ok(self)
    }
}

impl Target for &FqcnBuf {
    fn address(self) -> Result<FqcnBuf, FqcnError> {
        Ok(self.clone())
    }
}

impl Target for Fqcn<'_> {
    fn address(self) -> Result<FqcnBuf, FqcnError> {
        Ok(self.to_owned())
    }
}
