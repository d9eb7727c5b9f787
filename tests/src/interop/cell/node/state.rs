//! What has happened to a node so far, and waiting for more.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use fedcell_cell::ReplyTo;
use fedcell_cell::proto::request::Body;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// How often a condition is looked at that nobody tells of.
const TICK: Duration = Duration::from_millis(20);

/// What has happened to a node.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Messages by channel and topic.
    pub(crate) received: BTreeMap<(String, String), Vec<Value>>,
    /// Every peer that was ever connected, as often as it was.
    pub(crate) seen: Vec<String>,
    /// Requests to be answered later.
    pub(crate) kept: Vec<(ReplyTo, Body)>,
    /// Messages that came in while they were watched, for this cell or another.
    pub(crate) passed: Vec<Value>,
    /// Goodbyes of neighbours.
    pub(crate) byes: u64,
    /// Attempts to connect, from here or from there, that came to nothing.
    pub(crate) attempts: u64,
    /// Why the last of them did.
    pub(crate) last_failure: String,
}

/// The facts, and a bell that rings when they change.
#[derive(Debug, Default)]
pub(crate) struct State {
    facts: Mutex<Facts>,
    bell: Notify,
}

impl State {
    /// Changes the facts.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Facts) -> T) -> T {
        let result = change(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.notify_waiters();
        result
    }

    /// Reads the facts.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Facts) -> T) -> T {
        read(&self.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until the condition holds; false if it does not within the limit.
    pub(crate) async fn wait(&self, limit: Duration, condition: impl Fn() -> bool) -> bool {
        let end = Instant::now() + limit;
        loop {
            // Made before the look, so that no change falls between look and wait.
            let rung = self.bell.notified();
            if condition() {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            // A timeout is a reason to look again.
            _ = timeout_at((Instant::now() + TICK).min(end), rung).await;
        }
    }
}
