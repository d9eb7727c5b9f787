//! One round of a task that goes to many sites: who has it, who has answered, when it is over.
//!
//! ```text
//!            assign                    answered                      all answered, or
//!   invited ────────► working(task) ────────────► counted / failed   the fewest and the wait after them ─► Complete
//!      └────── lost ──────┴─► lost ── assign ─► working              the deadline                       ─► TimedOut
//!                                                                    the fewest are out of reach        ─► TooFew
//! ```
//!
//! Drain contract: after every `assign`, `answered`, `lost` and `handle_timeout`, look at [`Round::outcome`], and call
//! [`Round::handle_timeout`] at [`Round::poll_timeout`]. Once there is an outcome nothing changes any more: whoever asks
//! for the task gets none, and a result is late. The moment `now` never goes back.

#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

/// When a round is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundPolicy {
    /// Fewest sites whose results must count; 0 is all that are invited.
    pub min_responses: usize,
    /// How long the others are waited for when the fewest have answered.
    pub wait_after_min: Duration,
    /// How long the round lasts at most, if there is a limit.
    pub timeout: Option<Duration>,
}

impl Default for RoundPolicy {
    /// All sites, 10 s for the others, no limit.
    fn default() -> Self {
        Self { min_responses: 0, wait_after_min: Duration::from_secs(10), timeout: None }
    }
}

impl RoundPolicy {
    /// A round that ends `wait_after_min` after so many results, or with all of them.
    #[must_use]
    pub const fn new(min_responses: usize, wait_after_min: Duration, timeout: Option<Duration>) -> Self {
        Self { min_responses, wait_after_min, timeout }
    }
}

/// How a round has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Every site has answered, or enough have and the others were waited for.
    Complete,
    /// The time is over; enough results may count or not.
    TimedOut {
        /// Whether there are as many results as must be.
        is_enough: bool,
    },
    /// So many sites have failed that there cannot be enough results.
    TooFew,
}

/// What a site that asks for a task gets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assignment {
    /// The task of this id. A site that asks again gets the same.
    Task(String),
    /// Nothing now: it has answered, and the round goes on.
    Wait,
    /// The round has nothing for it: it is not invited, or the round is over.
    None,
}

/// What becomes of a result that a site sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It is awaited: look at it, then say [`Round::answered`].
    Awaited,
    /// It is here already: acknowledge it again, and do nothing.
    Repeated,
    /// The task is not this round's, or not this site's, or the round is over.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Site {
    Invited,
    Working,
    Lost,
    Counted,
    Failed,
}

/// One round.
#[derive(Debug)]
pub struct Round {
    number: u32,
    policy: RoundPolicy,
    sites: BTreeMap<String, Site>,
    /// When the round ends whatever happens.
    deadline: Option<Instant>,
    /// When it ends because enough have answered.
    grace_ends: Option<Instant>,
    outcome: Option<Outcome>,
}

impl Round {
    /// A round of these sites that begins now.
    #[must_use]
    pub fn new(number: u32, sites: &[String], policy: RoundPolicy, now: Instant) -> Self {
        let deadline = policy.timeout.and_then(|timeout| now.checked_add(timeout));
        let sites = sites.iter().map(|site| (site.clone(), Site::Invited)).collect();
        let mut round = Self { number, policy, sites, deadline, grace_ends: None, outcome: None };
        round.judge(now);
        round
    }

    /// Number of the round.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// How it has ended, if it has.
    #[must_use]
    pub const fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// How many results count.
    #[must_use]
    pub fn counted(&self) -> usize {
        self.count(Site::Counted)
    }

    /// The task id of a site: the same after a restart, so that a site that has the task knows it.
    #[must_use]
    pub fn task_id(&self, site: &str) -> String {
        format!("round-{}-{site}", self.number)
    }

    /// A site asks for its task.
    pub fn assign(&mut self, site: &str) -> Assignment {
        if self.outcome.is_some() {
            return Assignment::None;
        }
        let id = self.task_id(site);
        match self.sites.get_mut(site) {
            None => Assignment::None,
            Some(Site::Counted | Site::Failed) => Assignment::Wait,
            Some(state) => {
                *state = Site::Working;
                Assignment::Task(id)
            }
        }
    }

    /// What a result with this task id from this site would be. Changes nothing.
    ///
    /// A site that was not given the task by this process may have it from an earlier one.
    #[must_use]
    pub fn standing(&self, site: &str, task: &str) -> Standing {
        match self.sites.get(site) {
            Some(Site::Counted | Site::Failed) if task == self.task_id(site) => Standing::Repeated,
            Some(_) if task == self.task_id(site) && self.outcome.is_none() => Standing::Awaited,
            _ => Standing::Unknown,
        }
    }

    /// An awaited result was taken: it counts, or the site has failed.
    pub fn answered(&mut self, site: &str, counts: bool, now: Instant) {
        if self.outcome.is_some() {
            return;
        }
        if let Some(state @ (Site::Invited | Site::Working | Site::Lost)) = self.sites.get_mut(site) {
            *state = if counts { Site::Counted } else { Site::Failed };
            self.judge(now);
        }
    }

    /// A site is gone. It gets its task again when it comes back, as long as the round goes on.
    pub fn lost(&mut self, site: &str) {
        if let Some(state @ (Site::Invited | Site::Working)) = self.sites.get_mut(site) {
            *state = Site::Lost;
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.outcome.is_some() {
            return None;
        }
        [self.deadline, self.grace_ends].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.outcome.is_some() {
            return;
        }
        if self.grace_ends.is_some_and(|end| end <= now) {
            self.outcome = Some(Outcome::Complete);
        } else if self.deadline.is_some_and(|end| end <= now) {
            self.outcome = Some(Outcome::TimedOut { is_enough: self.is_enough() });
        }
    }

    fn count(&self, state: Site) -> usize {
        self.sites.values().filter(|other| **other == state).count()
    }

    fn needed(&self) -> usize {
        match self.policy.min_responses {
            0 => self.sites.len(),
            min => min,
        }
    }

    fn is_enough(&self) -> bool {
        self.counted() >= self.needed()
    }

    fn judge(&mut self, now: Instant) {
        let open = self.sites.values().filter(|state| !matches!(state, Site::Counted | Site::Failed)).count();
        if self.counted() + open < self.needed() || self.sites.is_empty() {
            self.outcome = Some(Outcome::TooFew);
        } else if open == 0 {
            self.outcome = Some(Outcome::Complete);
        } else if self.is_enough() && self.grace_ends.is_none() {
            self.grace_ends = now.checked_add(self.policy.wait_after_min);
            self.handle_timeout(now);
        }
    }
}
