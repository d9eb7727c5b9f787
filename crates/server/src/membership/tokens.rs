//! The table of tokens: every message is looked up in it, registrations and goodbyes alone change it.

use core::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use fedcell_auth::token::{AuthHeaders, TokenRegistry};
use fedcell_auth::{Unauthenticated, UnixTime};
use fedcell_cell_proto::transit::Authenticator;

/// The tokens that are good now. Clones are the same table.
///
/// Readers do not wait for each other, nor for anything that the registrar does besides. A token is in it before the
/// reply that brings it leaves, and one that has been taken away passes no look that begins later.
#[derive(Clone)]
pub struct TokenTable(Arc<RwLock<TokenRegistry>>);

impl TokenTable {
    pub(super) fn new(registry: TokenRegistry) -> Self {
        Self(Arc::new(RwLock::new(registry)))
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, TokenRegistry> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, TokenRegistry> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authenticator for TokenTable {
    fn authenticate(&self, now: UnixTime, headers: &AuthHeaders<'_>, origin: &str) -> Result<(), Unauthenticated> {
        self.read().authenticate(headers, origin, now).map(drop)
    }
}

impl fmt::Debug for TokenTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenTable").field(&*self.read()).finish()
    }
}
