//! How a transaction ended: whether every receiver that was expected has everything.

use std::collections::BTreeMap;

use fedcell_fobs::Text;

use super::{Receivers, TransactionId};
use crate::address::FqcnBuf;

/// Why a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Every expected receiver was done, one way or the other.
    Finished,
    /// Nobody had asked for anything for the length of its timeout.
    TimedOut,
    /// Its owner deleted it.
    Deleted,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Every expected receiver has every object.
    Completed,
    /// Somebody does not, or nobody can say.
    Failed,
    /// It was deleted before.
    Aborted,
}

/// How the verdict came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// All expected receivers succeeded.
    AllSucceeded,
    /// A receiver failed.
    ReceiverFailed,
    /// There was no object in it.
    NoObjects,
    /// It timed out.
    TimedOut,
    /// It was deleted.
    Deleted,
    /// It was not known who should fetch it.
    UnknownReceivers,
}

/// How one object of a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectOutcome {
    /// The object.
    pub ref_id: Text,
    /// Which receivers are done with it, and whether they have it.
    pub receivers: BTreeMap<FqcnBuf, bool>,
}

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The transaction.
    pub transaction: TransactionId,
    /// What became of it.
    pub verdict: Verdict,
    /// How that came about.
    pub reason: Reason,
    /// Why it ended.
    pub cause: Cause,
    /// Its objects.
    pub objects: Vec<ObjectOutcome>,
    /// Whether as many receivers as its owner insists on have every object.
    pub is_quorum_met: bool,
}

impl Outcome {
    /// What receivers report counts for more than why the transaction ended.
    pub(super) fn new(
        transaction: TransactionId,
        cause: Cause,
        receivers: &Receivers,
        least: Option<usize>,
        objects: Vec<ObjectOutcome>,
    ) -> Self {
        let (verdict, reason) = match cause {
            _ if all_succeeded(receivers, &objects) => (Verdict::Completed, Reason::AllSucceeded),
            Cause::Deleted => (Verdict::Aborted, Reason::Deleted),
            Cause::TimedOut => (Verdict::Failed, Reason::TimedOut),
            Cause::Finished if receivers.count() == 0 => (Verdict::Failed, Reason::UnknownReceivers),
            Cause::Finished if objects.is_empty() => (Verdict::Failed, Reason::NoObjects),
            Cause::Finished => (Verdict::Failed, Reason::ReceiverFailed),
        };
        let is_quorum_met = match least {
            None => verdict == Verdict::Completed,
            Some(least) => !objects.is_empty() && succeeded_everywhere(receivers, &objects) >= least,
        };
        Self { transaction, verdict, reason, cause, objects, is_quorum_met }
    }
}

fn all_succeeded(receivers: &Receivers, objects: &[ObjectOutcome]) -> bool {
    let is_complete = |object: &ObjectOutcome| match receivers {
        Receivers::Unknown => false,
        Receivers::Count(count) => object.receivers.len() >= *count && object.receivers.values().all(|&ok| ok),
        Receivers::Named(named) => named.iter().all(|name| object.receivers.get(name) == Some(&true)),
    };
    receivers.count() > 0 && !objects.is_empty() && objects.iter().all(is_complete)
}

/// A receiver counts if it has every object: parts of a model in different places make no model.
fn succeeded_everywhere(receivers: &Receivers, objects: &[ObjectOutcome]) -> usize {
    let Some((first, others)) = objects.split_first() else { return 0 };
    let has = |object: &ObjectOutcome, name: &FqcnBuf| object.receivers.get(name) == Some(&true);
    let counts = |name: &&FqcnBuf| receivers.names().is_empty() || receivers.names().contains(name);
    first
        .receivers
        .keys()
        .filter(counts)
        .filter(|name| has(first, name) && others.iter().all(|object| has(object, name)))
        .count()
}
