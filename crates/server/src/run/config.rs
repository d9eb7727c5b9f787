//! What a training run is to do, what it reports, and why it cannot go on.

use core::time::Duration;
use std::collections::{BTreeSet, HashMap};

use fedcell_fobs::Error as FobsError;
use fedcell_protocol_defs::federation::{DataKind, WorkflowTask};

use crate::aggregate::{AggregationError, ContributionError, FedAvgOptions, Names};
use crate::journal::Ending;
use crate::model::{CheckpointError, ModelError};
use crate::round::{Outcome, RoundPolicy};
use crate::selection::{Better, StopCondition};

/// What a run is to do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunConfig {
    /// Id of the job.
    pub job: String,
    /// Sites that train.
    pub sites: Vec<String>,
    /// Number of rounds at most; their numbers begin with 0.
    pub rounds: u32,
    /// Name of the task, `train` if nothing else is set.
    pub task_name: String,
    /// Name of the workflow, which results bear as a cookie.
    pub workflow: String,
    /// When a round is over.
    pub round: RoundPolicy,
    /// What sites send: weights, or differences of weights.
    pub kind: DataKind<'static>,
    /// Which names a result must have.
    pub names: Names,
    /// Weights of sites, by name; others have 1.
    pub site_weights: HashMap<String, f64>,
    /// Names that are left as they are in the model.
    pub is_excluded: fn(&str) -> bool,
    /// The metric that sites report of the model they are sent, by which the best one is selected.
    pub metric: Option<(String, Better)>,
    /// Metric and target at which the run ends early. Its metric must be [`metric`](Self::metric).
    pub stop: Option<StopCondition>,
    /// Rounds without a better model after which the run ends.
    pub patience: Option<u32>,
    /// After which time a site that has nothing to do is to ask again.
    pub ask_again: Duration,
}

impl RunConfig {
    /// A run of so many rounds, with everything else as the reference has it.
    #[must_use]
    pub fn new(job: &str, sites: Vec<String>, rounds: u32) -> Self {
        Self {
            job: job.to_owned(),
            sites,
            rounds,
            task_name: WorkflowTask::TASK_TRAIN.as_str().to_owned(),
            workflow: "scatter_and_gather".to_owned(),
            round: RoundPolicy::default(),
            kind: DataKind::WEIGHTS,
            names: Names::Same,
            site_weights: HashMap::new(),
            is_excluded: |_| false,
            metric: None,
            stop: None,
            patience: None,
            ask_again: Duration::from_secs_f64(fedcell_protocol_defs::federation::TaskDefaults::REQUEST_INTERVAL),
        }
    }

    pub(super) fn average(&self) -> FedAvgOptions {
        FedAvgOptions {
            kind: self.kind,
            names: self.names,
            site_weights: self.site_weights.clone(),
            is_excluded: self.is_excluded,
            ..FedAvgOptions::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), RunError> {
        let problem = if self.sites.is_empty() {
            "there are no sites"
        } else if self.sites.iter().collect::<BTreeSet<_>>().len() < self.sites.len() {
            "a site is named twice"
        } else if self.rounds == 0 {
            "there are no rounds"
        } else if self.round.min_responses > self.sites.len() {
            "more responses are required than there are sites"
        } else if self.kind != DataKind::WEIGHTS && self.kind != DataKind::WEIGHT_DIFF {
            "only weights and differences of weights can be averaged into a model"
        } else if self
            .stop
            .as_ref()
            .is_some_and(|stop| self.metric.as_ref().is_none_or(|(name, _)| *name != stop.metric))
        {
            "the condition to stop is about another metric than the one that is followed"
        } else {
            return Ok(());
        };
        Err(RunError::Config(problem))
    }
}

/// What happened in a run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RunEvent {
    /// A round began. After a restart it is reported again.
    RoundOpened {
        /// Its number.
        round: u32,
        /// Results that an earlier process has counted already.
        counted: usize,
    },
    /// A site's result counts.
    Counted {
        /// The round.
        round: u32,
        /// The site.
        site: String,
        /// With which weight.
        weight: f64,
    },
    /// A site's result does not count.
    Refused {
        /// The round.
        round: u32,
        /// The site.
        site: String,
        /// Why not.
        reason: String,
    },
    /// A round is over, and its model is on disk.
    RoundClosed {
        /// Its number.
        round: u32,
        /// How it ended.
        outcome: Outcome,
        /// How many results counted.
        counted: usize,
        /// What sites say of the model with which it began, if they say it.
        metric: Option<f64>,
        /// Whether that model is the best so far.
        is_best: bool,
    },
    /// There are no more rounds.
    Ended {
        /// Why.
        reason: Ending,
    },
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The configuration contradicts itself.
    #[error("the run cannot begin: {0}")]
    Config(&'static str),
    /// The folder holds the journal of a run that was configured differently.
    #[error("the folder holds the journal of job {found}, which is another run: choose another folder, or remove it")]
    OtherRun {
        /// Job in the journal.
        found: String,
    },
    /// The journal's records are in no order that this program writes.
    #[error("the journal does not say how the run began: restore it from a copy, or begin anew in another folder")]
    Journal,
    /// The disk does not do what it must.
    #[error("the journal cannot be used")]
    Disk(#[from] fedcell_durable::Error),
    /// A model cannot be written or read.
    #[error("a checkpoint cannot be used")]
    Checkpoint(#[from] CheckpointError),
    /// The results have no average.
    #[error("the results of round {round} cannot be averaged")]
    Aggregation {
        /// The round.
        round: u32,
        /// Why not.
        source: AggregationError,
    },
    /// The average does not fit the model.
    #[error("the average cannot become the model")]
    Model(#[from] ModelError),
    /// The model itself cannot be averaged.
    #[error("the model cannot be trained in this way")]
    Untrainable(#[source] ContributionError),
    /// A result in the journal no longer counts.
    #[error("the journal's result of {site} cannot be read")]
    Replay {
        /// Whose result.
        site: String,
        /// Why not.
        source: ReplayError,
    },
    /// The result cannot be written.
    #[error("the result cannot be written to the journal")]
    Encode(#[source] FobsError),
    /// An earlier call failed after it had changed something.
    #[error("the run failed before: open it again from what is on disk")]
    Broken,
}

/// Why a result in the journal cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It is no object.
    #[error("its bytes are no object")]
    Decode(#[from] FobsError),
    /// It does not fit the model.
    #[error("it does not fit the model")]
    Contribution(#[from] ContributionError),
}
