//! Federated training, round by round, that a restart continues where it was.
//!
//! ```text
//!   model ─► task for each site ─► results ─► journal ─► sums      round over: average ─► checkpoint ─► new journal
//!     ▲                                                                                        │
//!     └────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A result is in the journal before [`Controller::result`] returns, so a coordinator that is killed at any byte counts
//! each acknowledged result once, and each that was not acknowledged when the site sends it again. In which
//! order results come and are read again does not matter: the model is the same to the last bit.

mod config;
mod restart;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Instant;

use fedcell_cell::metrics::Counter;
use fedcell_durable::{Files, Storage};
use fedcell_fobs::typed::{Dxo, FobsType, Shareable};
use fedcell_fobs::{Value, encode};
use fedcell_protocol_defs::federation::{DataKind, ModelName, ShareableCode, ShareableHeader, WorkflowHeader};

pub use config::{ReplayError, RunConfig, RunError, RunEvent};

use crate::aggregate::FedAvg;
use crate::controller::{Controller, Receipt, Step, Task};
use crate::journal::{CLOSINGS, Closing, Ending, Journal, Record};
use crate::model::Model;
use crate::round::{Assignment, Outcome, Round, Standing};
use crate::selection::{MetricMean, Selection};

/// A training run and its folder on disk.
#[derive(Debug)]
pub struct Run<S = Files> {
    config: RunConfig,
    journal: Journal<S>,
    /// The model with which the round began.
    model: Model,
    stage: Stage,
    selection: Option<Selection>,
    closings: Vec<Closing>,
    events: VecDeque<RunEvent>,
    is_broken: bool,
    rounds: Counter,
}

#[derive(Debug)]
enum Stage {
    Training { round: Round, average: Box<FedAvg>, metric: MetricMean },
    Ended(Ending),
}

/// File of the model with which a round begins.
fn model_file(round: u32) -> String {
    format!("model-{round}.safetensors")
}

/// File of the model at the end.
#[must_use]
pub fn final_model_file() -> String {
    format!("{}.safetensors", ModelName::FINAL_MODEL.as_str())
}

/// File of the model with the best metric so far.
#[must_use]
pub fn best_model_file() -> String {
    format!("{}.safetensors", ModelName::BEST_MODEL.as_str())
}

impl<S: Storage> Run<S> {
    /// The model with which the round began; at the end, the last one.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// The round that goes on, and how many results count so far.
    #[must_use]
    pub fn round(&self) -> Option<(u32, usize)> {
        match &self.stage {
            Stage::Training { round, .. } => Some((round.number(), round.counted())),
            Stage::Ended(_) => None,
        }
    }

    /// Why there are no more rounds, if there are none.
    #[must_use]
    pub const fn ending(&self) -> Option<Ending> {
        match &self.stage {
            Stage::Training { .. } => None,
            Stage::Ended(reason) => Some(*reason),
        }
    }

    /// Rounds that are over, the last 100 at most, those before a restart included.
    #[must_use]
    pub fn closings(&self) -> &[Closing] {
        &self.closings
    }

    /// The best model so far: its round and its metric.
    #[must_use]
    pub fn best(&self) -> Option<crate::selection::Best> {
        self.selection.as_ref().and_then(Selection::best)
    }

    /// Does something that changes the run; after an error the run is not to be used.
    fn change<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T, RunError>) -> Result<T, RunError> {
        if self.is_broken {
            return Err(RunError::Broken);
        }
        let outcome = change(self);
        self.is_broken = outcome.is_err();
        outcome
    }

    fn task(&self, site: &str, id: String, round: u32) -> Task {
        let mut data = Shareable::new();
        data.set_dxo(Dxo::new(DataKind::WEIGHTS, self.model.to_map()));
        data.set_header(WorkflowHeader::CURRENT_ROUND.as_str(), round);
        data.set_header(WorkflowHeader::NUM_ROUNDS.as_str(), self.config.rounds);
        data.set_header(ShareableHeader::TASK_NAME.as_str(), self.config.task_name.as_str());
        data.set_header(ShareableHeader::TASK_ID.as_str(), id.as_str());
        data.add_cookie(WorkflowHeader::CONTRIBUTION_ROUND.as_str(), round);
        data.add_cookie(ShareableHeader::TASK_ID.as_str(), id.as_str());
        data.add_cookie(ShareableHeader::WORKFLOW.as_str(), self.config.workflow.as_str());
        tracing::debug!(site, round, task = id, "task assigned");
        Task { name: self.config.task_name.clone(), id, data }
    }

    /// Takes a result that is awaited.
    fn take(&mut self, site: &str, mut result: Shareable, now: Instant) -> Result<Receipt, RunError> {
        let Stage::Training { round, average, metric } = &mut self.stage else { return Ok(Receipt::Unknown) };
        let number = round.number();
        let counted = match result.return_code() {
            code if code != ShareableCode::OK => Err(failure(&code, &result)),
            _ => result.take_dxo().map_err(|error| error.to_string()).and_then(|dxo| {
                let weight = average.add(site, &dxo).map_err(|error| error.to_string())?;
                Ok((dxo, weight))
            }),
        };
        let (receipt, event) = match counted {
            Ok((dxo, weight)) => {
                if let Some((name, _)) = &self.config.metric {
                    metric.add(&dxo, name, weight);
                }
                let encoded = encode(&dxo.into_value()).map_err(RunError::Encode)?;
                let body: Vec<&[u8]> = encoded.segments().iter().map(|segment| &segment[..]).collect();
                self.journal.append(&Record::Counted { site: site.to_owned() }, &body)?;
                round.answered(site, true, now);
                (Receipt::Counted, RunEvent::Counted { round: number, site: site.to_owned(), weight })
            }
            Err(reason) => {
                self.journal.append(&Record::Failed { site: site.to_owned() }, &[])?;
                round.answered(site, false, now);
                (Receipt::Refused, RunEvent::Refused { round: number, site: site.to_owned(), reason })
            }
        };
        self.events.push_back(event);
        self.close_if_over(now)?;
        Ok(receipt)
    }

    /// Ends the round if it is over: average, checkpoint, journal of the next round.
    fn close_if_over(&mut self, now: Instant) -> Result<(), RunError> {
        let Stage::Training { round, .. } = &self.stage else { return Ok(()) };
        let Some(outcome) = round.outcome() else { return Ok(()) };
        if matches!(outcome, Outcome::TooFew | Outcome::TimedOut { is_enough: false }) {
            return self.end(Ending::TooFewResults);
        }
        let Stage::Training { round, average, metric } =
            core::mem::replace(&mut self.stage, Stage::Ended(Ending::AllRounds))
        else {
            return Ok(());
        };
        let (number, counted, mean) = (round.number(), round.counted(), metric.mean());
        let aggregate = average.finish().map_err(|source| RunError::Aggregation { round: number, source })?;
        let contributors = aggregate.contributors.into_iter();
        let closing = Closing { round: number, counted: contributors.map(|one| (one.site, one.weight)).collect() };
        let average = Model::from_map(aggregate.data)?;
        let next = if self.config.kind == DataKind::WEIGHT_DIFF {
            self.model.plus(&average)?
        } else {
            self.model.with(average)?
        };
        let judgement = match (&mut self.selection, mean) {
            (Some(selection), Some(mean)) => Some(selection.judge(number, mean)),
            _ => None,
        };
        if judgement.is_some_and(|judgement| judgement.is_best) {
            self.model.save(self.journal.storage_mut(), &best_model_file())?;
        }
        let ending = if number + 1 >= self.config.rounds {
            Some(Ending::AllRounds)
        } else {
            judgement.filter(|judgement| judgement.is_enough).map(|_| Ending::Stopped)
        };
        let file = if ending.is_some() { final_model_file() } else { model_file(number + 1) };
        next.save(self.journal.storage_mut(), &file)?;
        self.model = next;
        let excess = (self.closings.len() + 1).saturating_sub(CLOSINGS);
        self.closings.drain(..excess);
        self.closings.push(closing);
        let mut records = vec![self.began()];
        records.extend(self.closings.iter().cloned().map(Record::Closed));
        records.push(self.opened(number + 1, file));
        records.extend(ending.map(|reason| Record::Ended { reason }));
        self.journal.restart(&records)?;
        // The journal no longer names it; if it stays, it is in nobody's way.
        _ = self.journal.storage_mut().remove(&model_file(number));
        let is_best = judgement.is_some_and(|judgement| judgement.is_best);
        self.rounds.increment(1);
        self.events.push_back(RunEvent::RoundClosed { round: number, outcome, counted, metric: mean, is_best });
        match ending {
            Some(reason) => {
                self.stage = Stage::Ended(reason);
                self.events.push_back(RunEvent::Ended { reason });
                Ok(())
            }
            None => self.open_round(number + 1, now),
        }
    }

    fn open_round(&mut self, number: u32, now: Instant) -> Result<(), RunError> {
        let average = FedAvg::for_model(&self.model, self.config.average()).map_err(RunError::Untrainable)?;
        let round = Round::new(number, &self.config.sites, self.config.round, now);
        self.stage = Stage::Training { round, average: Box::new(average), metric: MetricMean::default() };
        self.events.push_back(RunEvent::RoundOpened { round: number, counted: 0 });
        Ok(())
    }

    fn end(&mut self, reason: Ending) -> Result<(), RunError> {
        self.journal.append(&Record::Ended { reason }, &[])?;
        self.stage = Stage::Ended(reason);
        self.events.push_back(RunEvent::Ended { reason });
        Ok(())
    }
}

/// What a site says about a task that has failed, as much of it as people read.
fn failure(code: &ShareableCode<'_>, result: &Shareable) -> String {
    const MOST: usize = 300;
    let said = result.header(ShareableHeader::ERROR.as_str()).and_then(Value::as_str).unwrap_or_default();
    let said: String = said.chars().take(MOST).flat_map(char::escape_debug).collect();
    format!("the site answered {code}{}{said}", if said.is_empty() { "" } else { ": " })
}

/// Id of the task that a result answers: from the cookies, which come back as they went, or from its header.
fn answered_task(result: &Shareable) -> Option<&str> {
    let cookie = result.cookie(ShareableHeader::TASK_ID.as_str()).and_then(Value::as_str);
    cookie.or_else(|| result.task_id())
}

impl<S: Storage> Controller for Run<S> {
    type Event = RunEvent;
    type Error = RunError;

    fn task_for(&mut self, site: &str, _: Instant) -> Result<Step, RunError> {
        if self.is_broken {
            return Err(RunError::Broken);
        }
        let Stage::Training { round, .. } = &mut self.stage else { return Ok(Step::End) };
        let number = round.number();
        Ok(match round.assign(site) {
            Assignment::Task(id) => Step::Task(self.task(site, id, number)),
            Assignment::Wait | Assignment::None => Step::Wait(self.config.ask_again),
        })
    }

    fn result(&mut self, site: &str, result: Shareable, now: Instant) -> Result<Receipt, RunError> {
        self.change(|run| {
            let Stage::Training { round, .. } = &run.stage else { return Ok(Receipt::Unknown) };
            match answered_task(&result).map_or(Standing::Unknown, |task| round.standing(site, task)) {
                Standing::Awaited => run.take(site, result, now),
                Standing::Repeated => Ok(Receipt::Repeated),
                Standing::Unknown => Ok(Receipt::Unknown),
            }
        })
    }

    fn lost(&mut self, site: &str, _: Instant) -> Result<(), RunError> {
        if let Stage::Training { round, .. } = &mut self.stage {
            round.lost(site);
        }
        Ok(())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Training { round, .. } => round.poll_timeout(),
            Stage::Ended(_) => None,
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), RunError> {
        self.change(|run| {
            if let Stage::Training { round, .. } = &mut run.stage {
                round.handle_timeout(now);
            }
            run.close_if_over(now)
        })
    }

    fn poll_event(&mut self) -> Option<RunEvent> {
        self.events.pop_front()
    }

    fn is_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }
}
