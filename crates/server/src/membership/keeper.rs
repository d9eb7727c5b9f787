//! Tokens on stable storage before they leave: what has changed is written by whoever has to wait for it, for all.

use core::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use fedcell_auth::token::TokenRecord;

use super::event::MembershipEvent;
use super::member::Member;
use super::registrar::Registrar;

/// A change of the tokens that are good.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TokenChange {
    /// A client has a new token; an older one of its name is good no more.
    Issued {
        /// The token.
        token: TokenRecord,
        /// Whose it is.
        member: Box<Member>,
    },
    /// A client has none any more.
    Revoked {
        /// Its name.
        name: String,
    },
}

impl TokenChange {
    /// None if it is none; nor is a token whose client is gone again.
    fn of(event: &MembershipEvent, registrar: &Registrar) -> Option<Self> {
        match event {
            MembershipEvent::TokenIssued(token) => {
                let member = Box::new(registrar.member(&token.client_name)?.clone());
                Some(Self::Issued { token: TokenRecord::clone(token), member })
            }
            MembershipEvent::TokenRevoked { name } => Some(Self::Revoked { name: name.clone() }),
            _ => None,
        }
    }
}

/// Keeps the tokens of a server over its restart.
pub trait TokenKeeper: Send + Sync {
    /// Writes changes, in this order; they are on stable storage when it returns. It may block.
    ///
    /// It is called once at a time, with all that has changed since: what many clients wait for is one write.
    ///
    /// # Errors
    ///
    /// If they could not be kept. The same changes come again then, at the head of the next call.
    fn keep(&self, changes: &[TokenChange]) -> io::Result<()>;
}

/// The changes that nobody has kept yet.
#[derive(Default)]
pub(super) struct Keeping {
    keeper: OnceLock<Arc<dyn TokenKeeper>>,
    queue: Mutex<Queue>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Queue {
    changes: Vec<TokenChange>,
    /// How many changes have been kept before these.
    kept: usize,
}

impl Queue {
    /// How many changes there have been.
    const fn noted(&self) -> usize {
        self.kept + self.changes.len()
    }
}

impl Keeping {
    /// Sets who keeps. False if there is somebody already.
    pub(super) fn set(&self, keeper: Arc<dyn TokenKeeper>) -> bool {
        self.keeper.set(keeper).is_ok()
    }

    /// Notes what an event changes. Called with the registrar locked, so that the order is that of the table.
    pub(super) fn note(&self, event: &MembershipEvent, registrar: &Registrar) {
        if self.keeper.get().is_some()
            && let Some(change) = TokenChange::of(event, registrar)
        {
            self.lock().changes.push(change);
        }
    }

    /// Whether something is to be kept.
    pub(super) fn is_behind(&self) -> bool {
        !self.lock().changes.is_empty()
    }

    /// Waits until all that has been noted is kept.
    ///
    /// Whoever comes first writes for all who have come meanwhile. If its future is dropped, what it has begun goes on,
    /// and the next one waits for that.
    pub(super) async fn keep(self: Arc<Self>) -> io::Result<()> {
        let wanted = self.lock().noted();
        let is_kept = || self.lock().kept >= wanted;
        if is_kept() {
            return Ok(());
        }
        let turn = Arc::clone(&self.turn).lock_owned().await;
        if is_kept() {
            return Ok(());
        }
        let written = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            self.write()
        });
        written.await.unwrap_or_else(|_| Err(io::Error::other("the keeper of tokens has panicked")))
    }

    /// One write, by whoever has the turn. What could not be written stays first in the queue.
    fn write(&self) -> io::Result<()> {
        let Some(keeper) = self.keeper.get() else { return Ok(()) };
        let changes = self.lock().changes.clone();
        keeper.keep(&changes)?;
        let mut queue = self.lock();
        queue.changes.drain(..changes.len());
        queue.kept += changes.len();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping").field("is_set", &self.keeper.get().is_some()).finish_non_exhaustive()
    }
}
