//! What was seen from outside over all lives of all processes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fedcell_server::controller::Receipt;
use fedcell_tests::sums;
use tokio::sync::watch;

sums! {
    /// What seeds went through.
    pub(crate) struct Summary {
        /// Processes that were killed.
        kills,
        servers,
        relays,
        sites,
        /// Kills with which what was not synced was lost, or some of it.
        power_losses,
        /// Processes that were stopped between two steps of a write.
        in_writing,
        /// Results that reached the run when they had been counted before.
        repeated,
        /// Tasks that were begun again because their process had ended before there was a result.
        done_again,
        /// Virtual seconds.
        seconds,
    }
}

/// A task of a site, by its id.
type Work = (usize, String);

/// What was seen. Clones are the same ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    seen: Arc<Mutex<Seen>>,
    /// Results that have reached the run.
    arrived: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Seen {
    started: BTreeMap<Work, u64>,
    /// Results that are on the disk of their site, or were.
    submitted: BTreeSet<Work>,
    /// How often a result was counted.
    counted: BTreeMap<(u32, String), u64>,
    /// Results that came when they had been counted before.
    repeated: u64,
    problems: Vec<String>,
}

impl Ledger {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn started(&self, site: usize, task: &str) {
        let mut seen = self.seen();
        let work = (site, task.to_owned());
        if seen.submitted.contains(&work) {
            seen.problems.push(format!("site {site} does {task} again although its result had been submitted"));
        }
        *seen.started.entry(work).or_default() += 1;
    }

    pub(crate) fn submitted(&self, site: usize, task: &str) {
        self.seen().submitted.insert((site, task.to_owned()));
    }

    pub(crate) fn counted(&self, round: u32, site: &str) {
        let mut seen = self.seen();
        let times = seen.counted.entry((round, site.to_owned())).or_default();
        *times += 1;
        if *times > 1 {
            let text = format!("the result of {site} in round {round} is counted {times} times");
            seen.problems.push(text);
        }
    }

    /// A result has reached the run, which has taken it or not.
    pub(crate) fn arrived(&self, receipt: Option<Receipt>) {
        self.seen().repeated += u64::from(matches!(receipt, Some(Receipt::Repeated | Receipt::Unknown)));
        self.arrived.send_modify(|arrived| *arrived += 1);
    }

    pub(crate) fn results(&self) -> u64 {
        *self.arrived.borrow()
    }

    pub(crate) async fn until_arrived(&self, results: u64) {
        // This one is a sender, so that there is one.
        _ = self.arrived.subscribe().wait_for(|arrived| *arrived >= results).await;
    }

    pub(crate) fn problem(&self, text: String) {
        self.seen().problems.push(text);
    }

    /// What was wrong, if anything.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.seen().problems.clone()
    }

    /// Results that came again, and tasks that were begun again.
    pub(crate) fn repetitions(&self) -> (u64, u64) {
        let seen = self.seen();
        let again = seen.started.values().map(|times| times - 1).sum();
        (seen.repeated, again)
    }
}
