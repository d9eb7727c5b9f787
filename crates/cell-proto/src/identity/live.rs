//! Names in use: one connection each, and no taking over by somebody else.

use core::fmt;

use super::{AdmittedName, IdentityError, PeerIdentity};
use crate::address::FqcnBuf;
use crate::names::ByName;

/// The names of the peers that are connected now, each with its connection `C`.
///
/// The newest connection of an identity wins, because after a lost network the older one may take long to notice. A
/// peer that has proved a certificate may take the name from one that has proved nothing; nobody may take it from a
/// peer that has proved another certificate.
#[derive(Debug)]
pub struct LiveNames<C> {
    holders: ByName<FqcnBuf, (PeerIdentity, C)>,
}

impl<C> Default for LiveNames<C> {
    fn default() -> Self {
        Self { holders: ByName::default() }
    }
}

impl<C: Copy + PartialEq + fmt::Debug> LiveNames<C> {
    /// No name in use.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the name to `connection`, and says which older connection of the same peer has to be closed for it.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Taken`] if the name is held under another identity; the holder keeps it.
    pub fn take(&mut self, admitted: &AdmittedName, connection: C) -> Result<Option<C>, IdentityError> {
        let (name, identity) = (admitted.name(), admitted.identity());
        match self.holders.get_mut(name) {
            Some((held_by, held_on)) => {
                if *held_by != PeerIdentity::Unproven && held_by != identity {
                    return Err(IdentityError::Taken { name: name.clone() });
                }
                let older = core::mem::replace(held_on, connection);
                *held_by = identity.clone();
                Ok(Some(older).filter(|older| *older != connection))
            }
            None => {
                self.holders.insert(name.clone(), (identity.clone(), connection));
                Ok(None)
            }
        }
    }

    /// Frees the name if `connection` still holds it; says whether it did. A connection that was replaced does not.
    pub fn release(&mut self, name: &FqcnBuf, connection: C) -> bool {
        let holds = self.holder(name.as_str()) == Some(connection);
        if holds {
            self.holders.remove(name);
        }
        holds
    }

    /// The connection that holds the name.
    #[must_use]
    pub fn holder(&self, name: &str) -> Option<C> {
        self.holders.get(name).map(|(_, connection)| *connection)
    }

    /// How many names are in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.holders.len()
    }

    /// Whether no name is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holders.is_empty()
    }
}
