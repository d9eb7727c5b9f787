//! The start of a run: new, or where an earlier process was.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use fedcell_durable::Storage;
use fedcell_fobs::decode;
use fedcell_fobs::typed::{Dxo, FobsType};

use super::config::{ReplayError, RunConfig, RunError, RunEvent};
use super::{Run, Stage, model_file};
use crate::aggregate::FedAvg;
use crate::journal::{Closing, Ending, Journal, Record, Recovered};
use crate::model::Model;
use crate::round::Round;
use crate::selection::{Best, MetricMean, Selection};

/// What the journal says of the round that went on.
struct Resumed {
    round: u32,
    model: String,
    best: Option<(u32, f64)>,
    without_better: u32,
    /// Rounds before it.
    closings: Vec<Closing>,
    /// Sites that have answered, and whether their results count.
    answered: Vec<(String, bool)>,
    ending: Option<Ending>,
}

impl<S: Storage> Run<S> {
    /// Begins a run in an empty folder with this model, or goes on with the run that the folder holds.
    ///
    /// # Errors
    ///
    /// [`RunError`]: the configuration contradicts itself, the folder holds another run, the disk does not do what it
    /// must.
    pub fn open(config: RunConfig, initial: Model, storage: S, now: Instant) -> Result<Self, RunError> {
        config.check()?;
        let (mut journal, recovered) = Journal::open(storage)?;
        let mut resumed = config.resume(recovered)?;
        let model = match &resumed {
            Some(resumed) => Model::load(journal.storage_mut(), &resumed.model)?,
            None => {
                initial.save(journal.storage_mut(), &model_file(0))?;
                initial
            }
        };
        let selection = config.metric.as_ref().map(|(_, better)| {
            let selection = Selection::new(*better, config.stop.clone(), config.patience);
            match &resumed {
                Some(resumed) => {
                    let best = resumed.best.map(|(round, value)| Best { round, value });
                    selection.resumed(best, resumed.without_better)
                }
                None => selection,
            }
        });
        let stage = Stage::Ended(Ending::AllRounds);
        let closings = resumed.as_mut().map(|resumed| core::mem::take(&mut resumed.closings)).unwrap_or_default();
        let events = VecDeque::new();
        let mut run = Self {
            config,
            journal,
            model,
            stage,
            selection,
            closings,
            events,
            is_broken: false,
            rounds: crate::metrics::rounds(),
        };
        match &mut resumed {
            None => {
                let records = [run.began(), run.opened(0, model_file(0))];
                run.journal.restart(&records)?;
                run.open_round(0, now)?;
            }
            Some(Resumed { ending: Some(reason), .. }) => run.stage = Stage::Ended(*reason),
            Some(resumed) => run.resume_round(resumed, now)?,
        }
        Ok(run)
    }

    pub(super) fn began(&self) -> Record {
        Record::Began { job: self.config.job.clone(), rounds: self.config.rounds, sites: self.config.sites.clone() }
    }

    pub(super) fn opened(&self, round: u32, model: String) -> Record {
        let best = self.selection.as_ref().and_then(Selection::best).map(|best| (best.round, best.value));
        let without_better = self.selection.as_ref().map_or(0, Selection::without_better);
        Record::Opened { round, model, best, without_better }
    }

    /// Adds the results of the journal again, in their order.
    fn resume_round(&mut self, resumed: &Resumed, now: Instant) -> Result<(), RunError> {
        let mut average = FedAvg::for_model(&self.model, self.config.average()).map_err(RunError::Untrainable)?;
        let mut metric = MetricMean::default();
        let mut problem = None;
        let name = self.config.metric.as_ref().map(|(name, _)| name.as_str());
        self.journal.results(|site, body| {
            if problem.is_some() {
                return;
            }
            let add = || {
                let dxo = Dxo::from_value(decode(&[Bytes::from(body)])?)?;
                let weight = average.add(&site, &dxo)?;
                if let Some(name) = name {
                    metric.add(&dxo, name, weight);
                }
                Ok::<_, ReplayError>(())
            };
            problem = add().err().map(|source| RunError::Replay { site: site.clone(), source });
        })?;
        if let Some(problem) = problem {
            return Err(problem);
        }
        let mut round = Round::new(resumed.round, &self.config.sites, self.config.round, now);
        for (site, counts) in &resumed.answered {
            round.answered(site, *counts, now);
        }
        let counted = round.counted();
        self.stage = Stage::Training { round, average: Box::new(average), metric };
        self.events.push_back(RunEvent::RoundOpened { round: resumed.round, counted });
        // The crash may have come between the last result and the next round.
        self.close_if_over(now)
    }
}

impl RunConfig {
    /// What the journal says, if it says anything.
    fn resume(&self, recovered: Recovered) -> Result<Option<Resumed>, RunError> {
        if recovered.replay.cut > 0 {
            tracing::info!(bytes = recovered.replay.cut, "cut a record that was never confirmed from the journal");
        }
        let mut records = recovered.records.into_iter();
        let Some(began) = records.next() else { return Ok(None) };
        let mut closings = Vec::new();
        let opened = loop {
            match records.next() {
                Some(Record::Closed(closing)) => closings.push(closing),
                Some(opened) => break opened,
                None => return Err(RunError::Journal),
            }
        };
        let Record::Began { job, rounds, sites } = began else { return Err(RunError::Journal) };
        if job != self.job || rounds != self.rounds || sites != self.sites {
            return Err(RunError::OtherRun { found: job });
        }
        let Record::Opened { round, model, best, without_better } = opened else { return Err(RunError::Journal) };
        let answered = Vec::new();
        let mut resumed = Resumed { round, model, best, without_better, closings, answered, ending: None };
        for record in records {
            match record {
                Record::Counted { site } => resumed.answered.push((site, true)),
                Record::Failed { site } => resumed.answered.push((site, false)),
                Record::Ended { reason } => resumed.ending = Some(reason),
                Record::Began { .. } | Record::Opened { .. } | Record::Closed(_) => return Err(RunError::Journal),
            }
        }
        Ok(Some(resumed))
    }
}
