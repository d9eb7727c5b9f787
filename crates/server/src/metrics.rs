//! What a coordinator counts for operators; see [`fedcell_cell::metrics`]. Sites and jobs have no labels of their own: who
//! asks for too much must not fill the memory of whoever watches.

use fedcell_cell::metrics::{Counter, Metric, OUTCOME, Share};

use crate::controller::Receipt;

const SITES: Metric = Metric::gauge("fedcell_server_sites", "Sites that are registered and alive.");
const REGISTRATIONS: Metric = Metric::counter(
    "fedcell_server_registrations_total",
    "Registrations, by outcome: admitted, refused, or unproved if the proof did not hold.",
);
const HEARTBEATS: Metric =
    Metric::counter("fedcell_server_heartbeats_total", "Heartbeats of sites, by outcome: ok or refused.");
const TASKS: Metric =
    Metric::counter("fedcell_server_tasks_total", "Tasks that were handed out. Asking again counts again.");
const RESULTS: Metric = Metric::counter(
    "fedcell_server_results_total",
    "Results that came, by outcome: counted, refused, repeated or unknown.",
);
const ROUNDS: Metric = Metric::counter("fedcell_server_rounds_total", "Rounds that are over, in this process.");

/// Every number that a coordinator shows, besides those of its cells.
pub const METRICS: &[Metric] = &[SITES, REGISTRATIONS, HEARTBEATS, TASKS, RESULTS, ROUNDS];

/// What a membership service counts.
#[derive(Debug)]
pub(crate) struct MemberMeters {
    pub(crate) sites: std::sync::Mutex<Share>,
    pub(crate) admitted: Counter,
    pub(crate) refused: Counter,
    pub(crate) unproved: Counter,
    pub(crate) heartbeats: Counter,
    pub(crate) heartbeats_refused: Counter,
}

impl MemberMeters {
    pub(crate) fn new() -> Self {
        Self {
            sites: SITES.share().into(),
            admitted: REGISTRATIONS.count_of(OUTCOME, "admitted"),
            refused: REGISTRATIONS.count_of(OUTCOME, "refused"),
            unproved: REGISTRATIONS.count_of(OUTCOME, "unproved"),
            heartbeats: HEARTBEATS.count_of(OUTCOME, "ok"),
            heartbeats_refused: HEARTBEATS.count_of(OUTCOME, "refused"),
        }
    }
}

/// What the service of a workflow counts.
#[derive(Debug)]
pub(crate) struct TaskMeters {
    pub(crate) tasks: Counter,
    counted: Counter,
    refused: Counter,
    repeated: Counter,
    unknown: Counter,
}

impl TaskMeters {
    pub(crate) fn new() -> Self {
        let results = |outcome| RESULTS.count_of(OUTCOME, outcome);
        Self {
            tasks: TASKS.count(),
            counted: results("counted"),
            refused: results("refused"),
            repeated: results("repeated"),
            unknown: results("unknown"),
        }
    }

    pub(crate) fn note(&self, receipt: Receipt) {
        let counter = match receipt {
            Receipt::Counted => &self.counted,
            Receipt::Refused => &self.refused,
            Receipt::Repeated => &self.repeated,
            Receipt::Unknown => &self.unknown,
        };
        counter.increment(1);
    }
}

/// Rounds that are over.
pub(crate) fn rounds() -> Counter {
    ROUNDS.count()
}
