//! The outbox on a thread that may block.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use fedcell_durable::{Files, Storage};

use crate::outbox::{Outbox, OutboxError};

/// An outbox that several task loops share.
pub struct ResultStore<S: Storage = Files> {
    outbox: Arc<Mutex<Outbox<S>>>,
}

impl<S: Storage> Clone for ResultStore<S> {
    fn clone(&self) -> Self {
        Self { outbox: Arc::clone(&self.outbox) }
    }
}

impl<S: Storage + Send + 'static> ResultStore<S> {
    /// Takes an outbox over.
    #[must_use]
    pub fn new(outbox: Outbox<S>) -> Self {
        Self { outbox: Arc::new(Mutex::new(outbox)) }
    }

    /// Does something with the outbox, where it may block.
    ///
    /// # Errors
    ///
    /// The outbox's own.
    ///
    /// # Panics
    ///
    /// If the verb does.
    ///
    /// # Cancel safety
    ///
    /// What was begun is finished, whether or not somebody waits for it.
    pub async fn with<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Outbox<S>, Instant) -> Result<T, OutboxError> + Send + 'static,
    ) -> Result<T, OutboxError> {
        let (outbox, now) = (Arc::clone(&self.outbox), tokio::time::Instant::now().into_std());
        let done =
            tokio::task::spawn_blocking(move || verb(&mut outbox.lock().unwrap_or_else(PoisonError::into_inner), now));
        match done.await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl<S: Storage> fmt::Debug for ResultStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultStore").finish_non_exhaustive()
    }
}
