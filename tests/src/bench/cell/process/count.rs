//! One-way messages as they arrive: how many, when the last came, and how many came behind one sent later.

use core::time::Duration;
use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::sync::Notify;

/// Counts numbered messages until as many have come as are expected.
#[derive(Debug, Default)]
pub struct Count {
    state: Mutex<State>,
    complete: Notify,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    expected: u64,
    received: u64,
    inverted: u64,
    highest: u64,
    last: u64,
}

impl Count {
    /// Begins anew: so many messages will come.
    pub fn expect(&self, expected: u64) {
        *self.lock() = State { expected, ..State::default() };
    }

    /// A message has come; its number is in the first eight bytes of its payload.
    pub fn add(&self, sequence: u64) {
        let mut state = self.lock();
        state.received += 1;
        if sequence < state.highest {
            state.inverted += 1;
        }
        state.highest = state.highest.max(sequence);
        if state.received == state.expected {
            state.last = super::now();
            drop(state);
            self.complete.notify_one();
        }
    }

    /// What has come, once all has or the time is over.
    pub async fn counted(&self, timeout: Duration) -> Value {
        let all = async {
            while self.lock().last == 0 {
                self.complete.notified().await;
            }
        };
        let _ = tokio::time::timeout(timeout, all).await;
        let state = *self.lock();
        let last = if state.last == 0 { super::now() } else { state.last };
        json!({"received": state.received, "inverted": state.inverted, "last": last})
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
