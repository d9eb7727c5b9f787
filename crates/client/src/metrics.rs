//! What a participant counts for operators; see [`fedcell_cell::metrics`].

use std::sync::{Mutex, PoisonError};

use fedcell_cell::metrics::{Counter, Metric, OUTCOME, Share};

use crate::task_loop::{LoopEvent, Outcome};

const REGISTERED: Metric =
    Metric::gauge("fedcell_client_registered", "1 while the server has registered this process.");
const REGISTRATIONS: Metric = Metric::counter(
    "fedcell_client_registrations_total",
    "Registrations that have ended, by outcome: ok or failed. All but the first are for a server that had forgotten.",
);
const HEARTBEATS: Metric = Metric::counter(
    "fedcell_client_heartbeats_total",
    "Heartbeats, by outcome: ok, unanswered, or forgotten if the server did not know the token.",
);
const TASKS: Metric = Metric::counter(
    "fedcell_client_tasks_total",
    "Tasks that were done, by outcome: result, or failed, of which the server is told as well.",
);
const ACKNOWLEDGED: Metric =
    Metric::counter("fedcell_client_acknowledged_total", "Results that the server has acknowledged.");
const ACKNOWLEDGED_BYTES: Metric =
    Metric::counter("fedcell_client_acknowledged_bytes_total", "Bytes of the results that it has acknowledged.");
const OUTBOX: Metric = Metric::gauge("fedcell_client_outbox_results", "Results on disk that wait for the server.");
const OUTBOX_BYTES: Metric = Metric::gauge("fedcell_client_outbox_bytes", "Bytes of these results.");

/// Every number that a participant shows, besides those of its cells.
pub const METRICS: &[Metric] =
    &[REGISTERED, REGISTRATIONS, HEARTBEATS, TASKS, ACKNOWLEDGED, ACKNOWLEDGED_BYTES, OUTBOX, OUTBOX_BYTES];

/// What Communicators of one registration count.
#[derive(Debug)]
pub(crate) struct AccountMeters {
    pub(crate) registrations: Counter,
    pub(crate) registrations_failed: Counter,
    pub(crate) heartbeats: Counter,
    pub(crate) unanswered: Counter,
    pub(crate) forgotten: Counter,
    registered: Mutex<Share>,
}

impl AccountMeters {
    pub(crate) fn new() -> Self {
        Self {
            registrations: REGISTRATIONS.count_of(OUTCOME, "ok"),
            registrations_failed: REGISTRATIONS.count_of(OUTCOME, "failed"),
            heartbeats: HEARTBEATS.count_of(OUTCOME, "ok"),
            unanswered: HEARTBEATS.count_of(OUTCOME, "unanswered"),
            forgotten: HEARTBEATS.count_of(OUTCOME, "forgotten"),
            registered: REGISTERED.share().into(),
        }
    }

    /// Whether there is a registration from now on.
    pub(crate) fn show_registered(&self, is_registered: bool) {
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).set(usize::from(is_registered));
    }
}

/// What a task loop counts.
#[derive(Debug)]
pub(crate) struct LoopMeters {
    results: Counter,
    failed: Counter,
    acknowledged: Counter,
    acknowledged_bytes: Counter,
}

impl LoopMeters {
    pub(crate) fn new() -> Self {
        Self {
            results: TASKS.count_of(OUTCOME, "result"),
            failed: TASKS.count_of(OUTCOME, "failed"),
            acknowledged: ACKNOWLEDGED.count(),
            acknowledged_bytes: ACKNOWLEDGED_BYTES.count(),
        }
    }

    /// Counts what is reported.
    pub(crate) fn note(&self, event: &LoopEvent) {
        match event {
            LoopEvent::Done { outcome: Outcome::Result, .. } => self.results.increment(1),
            LoopEvent::Done { outcome: Outcome::Failed { .. }, .. } => self.failed.increment(1),
            LoopEvent::Acknowledged { bytes, .. } => {
                self.acknowledged.increment(1);
                self.acknowledged_bytes.increment(*bytes as u64);
            }
            _ => {}
        }
    }
}

/// What an outbox holds.
#[derive(Debug)]
pub(crate) struct OutboxMeters {
    results: Share,
    bytes: Share,
}

impl OutboxMeters {
    pub(crate) fn new() -> Self {
        Self { results: OUTBOX.share(), bytes: OUTBOX_BYTES.share() }
    }

    /// From now on it holds so much.
    pub(crate) fn set(&mut self, results: usize, bytes: u64) {
        self.results.set(results);
        self.bytes.set(usize::try_from(bytes).unwrap_or(usize::MAX));
    }
}
