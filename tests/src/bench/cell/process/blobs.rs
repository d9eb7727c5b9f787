//! Blobs as they become whole: how many, how many bytes, when the last.

use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, Default)]
struct State {
    number: u64,
    bytes: u64,
    last: u64,
}

/// What has come since the last reset.
#[derive(Debug, Default)]
pub struct Blobs {
    state: Mutex<State>,
    more: Notify,
}

impl Blobs {
    /// Forgets what has come.
    pub fn reset(&self) {
        *self.lock() = State::default();
    }

    /// Notes a blob that is here whole.
    pub fn add(&self, bytes: usize) {
        let mut state = self.lock();
        state.number += 1;
        state.bytes += bytes as u64;
        state.last = super::now();
        drop(state);
        self.more.notify_waiters();
    }

    /// What has come, once so many have or the time is over.
    pub async fn wait(&self, number: u64, timeout: Duration) -> Value {
        let all = async {
            loop {
                // Made before the look, so that no blob falls between look and wait.
                let more = self.more.notified();
                if self.lock().number >= number {
                    break;
                }
                more.await;
            }
        };
        let _ = tokio::time::timeout(timeout, all).await;
        let state = *self.lock();
        json!({"number": state.number, "bytes": state.bytes, "last": state.last})
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
