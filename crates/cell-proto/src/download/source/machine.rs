//! The machine itself.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use fedcell_auth::UnixTime;
use fedcell_fobs::{Map, Text};
use fedcell_protocol_defs::download::{ConfirmStatus, Defaults};

use super::{Cause, ObjectOutcome, Offer, Outcome, Plan, Receivers};
use crate::address::{Fqcn, FqcnBuf};
use crate::download::body::{Confirm, End, Pull};

/// Bounds and habits of a source.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SourceConfig {
    /// Whether receivers that can are asked to confirm. Default yes.
    pub confirmations: bool,
    /// How long a finished object is remembered for receivers that ask once more. Default 1800 s.
    pub memory: Duration,
    /// Objects on offer at a time. Default 65 536.
    pub objects: usize,
    /// Finished objects that are remembered. Default 65 536.
    pub finished: usize,
    /// Receivers of one transaction. Default 4096; others are told that there is no such object.
    pub receivers: usize,
    /// Most bytes of a piece that a receiver may ask for, if it likes larger ones than the offer has. Default 8 MiB.
    pub largest_piece: u64,
    /// States that a receiver is told beyond that of the next piece, if it wants to ask ahead. Default 8.
    pub most_ahead: usize,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            confirmations: true,
            memory: Duration::from_secs_f64(Defaults::FINISHED_REFS_TTL),
            objects: 65_536,
            finished: 65_536,
            receivers: 4096,
            largest_piece: 8 << 20,
            most_ahead: 8,
        }
    }
}

/// Names a transaction within one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(u64);

/// Objects that are offered together and let go together.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Transaction {
    /// Who is to fetch them.
    pub receivers: Receivers,
    /// How long it lives without any request for any of them. Default 600 s.
    pub timeout: Duration,
    /// How long a receiver that is known by name may take before its first request. Default unlimited.
    pub acquire_timeout: Option<Duration>,
    /// How long a receiver may be silent between two requests. Default unlimited.
    pub idle_timeout: Option<Duration>,
    /// How many receivers are enough for its owner. Says nothing about when it ends.
    pub least: Option<usize>,
}

impl Transaction {
    /// A transaction for these receivers.
    #[must_use]
    pub fn new(receivers: Receivers) -> Self {
        let timeout = Duration::from_secs_f64(Defaults::STREAMING_IDLE_TIMEOUT);
        Self { receivers, timeout, acquire_timeout: None, idle_timeout: None, least: None }
    }
}

/// An object cannot be offered. The caller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The transaction has ended, or never was.
    #[error("the transaction has ended: open another one")]
    NoTransaction,
    /// The id is taken.
    #[error("the reference id is taken: use a fresh one")]
    Taken,
    /// Too much is on offer.
    #[error("{limit} objects are on offer, which is the limit")]
    Full {
        /// The limit.
        limit: usize,
    },
}

/// What the caller is told to do about a pull.
#[derive(Debug)]
#[non_exhaustive]
pub enum PullAnswer {
    /// Make this part, then call [`Source::handle_produced`] and answer.
    Produce(Production),
    /// Answer that nothing follows.
    End(End),
    /// Answer with the return code for an exception: the state makes no sense.
    Broken,
    /// Answer with the return code for an invalid request: there is no such object, for this receiver.
    Unknown,
}

/// A part that is to be made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Production {
    /// The transaction it belongs to.
    pub transaction: TransactionId,
    /// The object.
    pub ref_id: Text,
    /// The receiver.
    pub receiver: FqcnBuf,
    /// Which part.
    pub plan: Plan,
    /// States to be told beside that of the plan.
    pub ahead: Vec<Map>,
    confirms: bool,
}

/// Something that the owner of a transaction may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceEvent {
    /// A receiver has been given more.
    Progress {
        /// The transaction.
        transaction: TransactionId,
        /// The object.
        ref_id: Text,
        /// The receiver.
        receiver: FqcnBuf,
        /// Bytes of the object that it has been given, repetitions included.
        bytes: u64,
    },
    /// A receiver is done with an object.
    ReceiverDone {
        /// The transaction.
        transaction: TransactionId,
        /// The object.
        ref_id: Text,
        /// The receiver.
        receiver: FqcnBuf,
        /// Whether it has the object.
        is_success: bool,
    },
    /// The transaction has ended: its content can be dropped.
    Settled(Box<Outcome>),
}

#[derive(Debug)]
struct Object {
    ref_id: Text,
    offer: Offer,
    /// Receivers that are done, and whether they have the object.
    done: BTreeMap<FqcnBuf, bool>,
    /// Receivers that have been told that nothing follows, with what they must repeat.
    provisional: HashMap<FqcnBuf, Text>,
    given: HashMap<FqcnBuf, u64>,
}

#[derive(Debug)]
struct Open {
    terms: Transaction,
    since: UnixTime,
    active: UnixTime,
    /// Receivers that have asked for anything, and when they did last.
    seen: HashMap<FqcnBuf, UnixTime>,
    objects: Vec<Object>,
}

#[derive(Debug)]
struct Finished {
    receivers: BTreeMap<FqcnBuf, bool>,
    until: UnixTime,
}

/// What one cell offers.
#[derive(Debug, Default)]
pub struct Source {
    config: SourceConfig,
    transactions: HashMap<TransactionId, Open>,
    objects: HashMap<Text, (TransactionId, usize)>,
    finished: HashMap<Text, Finished>,
    finished_order: VecDeque<(Text, UnixTime)>,
    events: VecDeque<SourceEvent>,
    last_id: u64,
}

impl Source {
    /// Nothing on offer yet.
    #[must_use]
    pub fn new(config: SourceConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Opens a transaction, empty.
    pub fn open(&mut self, now: UnixTime, terms: Transaction) -> TransactionId {
        self.last_id += 1;
        let id = TransactionId(self.last_id);
        let open = Open { terms, since: now, active: now, seen: HashMap::new(), objects: Vec::new() };
        self.transactions.insert(id, open);
        id
    }

    /// Puts an object into a transaction.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is no such transaction, the id is taken, or too much is on offer.
    pub fn add(&mut self, id: TransactionId, ref_id: Text, offer: Offer) -> Result<(), OpenError> {
        let limit = self.config.objects;
        if self.objects.len() >= limit {
            return Err(OpenError::Full { limit });
        }
        if self.objects.contains_key(&ref_id) {
            return Err(OpenError::Taken);
        }
        let open = self.transactions.get_mut(&id).ok_or(OpenError::NoTransaction)?;
        self.finished.remove(&ref_id);
        self.objects.insert(ref_id.clone(), (id, open.objects.len()));
        let (done, provisional, given) = Default::default();
        open.objects.push(Object { ref_id, offer, done, provisional, given });
        Ok(())
    }

    /// Ends a transaction at the wish of its owner. Nothing happens if it has ended.
    pub fn delete(&mut self, now: UnixTime, id: TransactionId) {
        self.settle(now, id, Cause::Deleted);
    }

    /// Whether a transaction has not ended.
    #[must_use]
    pub fn is_open(&self, id: TransactionId) -> bool {
        self.transactions.contains_key(&id)
    }

    /// Number of transactions that have not ended.
    #[must_use]
    pub fn open_transactions(&self) -> usize {
        self.transactions.len()
    }

    /// Receivers that have asked for something of a transaction.
    pub fn acquired(&self, id: TransactionId) -> impl Iterator<Item = &FqcnBuf> {
        self.transactions.get(&id).into_iter().flat_map(|open| open.seen.keys())
    }

    /// A receiver asks for the next piece. `nonce` is fresh randomness.
    pub fn handle_pull(&mut self, now: UnixTime, receiver: Fqcn<'_>, pull: &Pull, nonce: [u8; 16]) -> PullAnswer {
        let Some(&(id, at)) = self.objects.get(&pull.ref_id) else { return self.repeat(now, receiver, &pull.ref_id) };
        let Some(open) = self.transactions.get_mut(&id) else { return PullAnswer::Unknown };
        let receiver = receiver.to_owned();
        if open.seen.len() >= self.config.receivers && !open.seen.contains_key(&receiver) {
            return PullAnswer::Unknown;
        }
        open.active = now;
        open.seen.insert(receiver.clone(), now);
        let Some(object) = open.objects.get(at) else { return PullAnswer::Unknown };
        let wanted = pull.piece.unwrap_or_default().min(self.config.largest_piece);
        let plan = object.offer.plan(pull.state.as_ref(), wanted);
        let confirms = pull.confirms && self.config.confirmations;
        let is_complete = match plan {
            Plan::Complete => true,
            Plan::Failed => false,
            Plan::Broken => return PullAnswer::Broken,
            plan => {
                let (transaction, ref_id) = (id, pull.ref_id.clone());
                let ahead = object.offer.ahead(&plan, wanted, pull.ahead.min(self.config.most_ahead));
                return PullAnswer::Produce(Production { transaction, ref_id, receiver, plan, ahead, confirms });
            }
        };
        PullAnswer::End(self.serve_end(now, (id, at), receiver, is_complete, confirms, nonce))
    }

    /// A part has been made: so many bytes of it go to the receiver.
    pub fn handle_produced(&mut self, now: UnixTime, production: &Production, bytes: u64) {
        let Some(&(id, at)) = self.objects.get(&production.ref_id) else { return };
        let Some(open) = self.transactions.get_mut(&id) else { return };
        open.active = now;
        if let Some(object) = open.objects.get_mut(at) {
            let given = object.given.entry(production.receiver.clone()).or_default();
            *given = given.saturating_add(bytes);
            self.events.push_back(SourceEvent::Progress {
                transaction: id,
                ref_id: production.ref_id.clone(),
                receiver: production.receiver.clone(),
                bytes: *given,
            });
        }
    }

    /// The application says that nothing follows: the receiver has everything, or the source cannot go on. `nonce` is
    /// fresh randomness. What is returned is to be answered.
    pub fn handle_end(&mut self, now: UnixTime, production: &Production, is_complete: bool, nonce: [u8; 16]) -> End {
        match self.objects.get(&production.ref_id) {
            Some(&place) => {
                self.serve_end(now, place, production.receiver.clone(), is_complete, production.confirms, nonce)
            }
            None => End { is_complete, nonce: None },
        }
    }

    /// A receiver says what became of an object. Whether that was accepted; nothing is answered either way.
    pub fn handle_confirm(&mut self, now: UnixTime, receiver: Fqcn<'_>, confirm: &Confirm) -> bool {
        let is_success = confirm.status == *ConfirmStatus::SUCCESS.as_str();
        if !is_success && confirm.status != *ConfirmStatus::FAILED.as_str() {
            return false;
        }
        let Some(&(id, at)) = self.objects.get(&confirm.ref_id) else { return false };
        let Some(open) = self.transactions.get_mut(&id) else { return false };
        let Some(object) = open.objects.get(at) else { return false };
        let receiver = receiver.to_owned();
        // Only what answers the last serve counts: a confirmation that comes late is about another one.
        if object.provisional.get(&receiver) != confirm.nonce.as_ref() || confirm.nonce.is_none() {
            return false;
        }
        open.active = now;
        let is_accepted = self.finalize(id, at, receiver, is_success);
        self.settle_if_finished(now, id);
        is_accepted
    }

    /// A receiver gives an object up, and with it all objects of the transaction. Ignored unless it has begun.
    pub fn handle_cancel(&mut self, now: UnixTime, receiver: Fqcn<'_>, ref_id: &Text) -> bool {
        let Some(&(id, _)) = self.objects.get(ref_id) else { return false };
        let Some(open) = self.transactions.get(&id) else { return false };
        let receiver = receiver.to_owned();
        if !open.seen.contains_key(&receiver) {
            return false;
        }
        for at in 0..open.objects.len() {
            self.finalize(id, at, receiver.clone(), false);
        }
        self.settle_if_finished(now, id);
        true
    }

    /// What happens by itself: transactions and receivers that have been silent for too long.
    pub fn handle_timeout(&mut self, now: UnixTime) {
        let ids: Vec<TransactionId> = self.transactions.keys().copied().collect();
        for id in ids {
            self.fail_silent(now, id);
            if self.transactions.get(&id).is_some_and(|open| open.expires() <= now) {
                self.settle(now, id, Cause::TimedOut);
            }
        }
        while self.finished_order.front().is_some_and(|(_, until)| *until <= now) {
            self.forget_finished();
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        let transactions = self.transactions.values().map(Open::next_deadline).min();
        let finished = self.finished_order.front().map(|(_, until)| *until);
        transactions.into_iter().chain(finished).min()
    }

    /// What has happened.
    pub fn poll_event(&mut self) -> Option<SourceEvent> {
        self.events.pop_front()
    }

    /// The answer about an object that is not on offer: what the receiver had been told, or that there is none.
    fn repeat(&self, now: UnixTime, receiver: Fqcn<'_>, ref_id: &Text) -> PullAnswer {
        let finished = self.finished.get(ref_id).filter(|finished| now < finished.until);
        match finished.and_then(|finished| finished.receivers.get(receiver.as_str())) {
            Some(&is_complete) => PullAnswer::End(End { is_complete, nonce: None }),
            None => PullAnswer::Unknown,
        }
    }

    fn serve_end(
        &mut self,
        now: UnixTime,
        (id, at): (TransactionId, usize),
        receiver: FqcnBuf,
        is_complete: bool,
        confirms: bool,
        nonce: [u8; 16],
    ) -> End {
        let object = self.transactions.get_mut(&id).and_then(|open| open.objects.get_mut(at));
        if confirms && let Some(object) = object {
            if object.done.contains_key(&receiver) {
                return End { is_complete, nonce: None };
            }
            let nonce = hexadecimal(nonce);
            object.provisional.insert(receiver, nonce.clone());
            return End { is_complete, nonce: Some(nonce) };
        }
        self.finalize(id, at, receiver, is_complete);
        self.settle_if_finished(now, id);
        End { is_complete, nonce: None }
    }

    /// A receiver is done with an object; the first word counts.
    fn finalize(&mut self, id: TransactionId, at: usize, receiver: FqcnBuf, is_success: bool) -> bool {
        let object = self.transactions.get_mut(&id).and_then(|open| open.objects.get_mut(at));
        let Some(object) = object.filter(|object| !object.done.contains_key(&receiver)) else { return false };
        object.provisional.remove(&receiver);
        object.done.insert(receiver.clone(), is_success);
        let ref_id = object.ref_id.clone();
        self.events.push_back(SourceEvent::ReceiverDone { transaction: id, ref_id, receiver, is_success });
        true
    }

    fn fail_silent(&mut self, now: UnixTime, id: TransactionId) {
        let Some(open) = self.transactions.get(&id) else { return };
        let silent: Vec<FqcnBuf> = open
            .candidates()
            .filter(|receiver| open.budget_end(receiver).is_some_and(|end| end <= now))
            .cloned()
            .collect();
        for receiver in silent {
            let objects = self.transactions.get(&id).map_or(0, |open| open.objects.len());
            for at in 0..objects {
                self.finalize(id, at, receiver.clone(), false);
            }
        }
        self.settle_if_finished(now, id);
    }

    fn settle_if_finished(&mut self, now: UnixTime, id: TransactionId) {
        if self.transactions.get(&id).is_some_and(Open::is_finished) {
            self.settle(now, id, Cause::Finished);
        }
    }

    fn settle(&mut self, now: UnixTime, id: TransactionId, cause: Cause) {
        let Some(open) = self.transactions.remove(&id) else { return };
        let mut objects = Vec::with_capacity(open.objects.len());
        for object in open.objects {
            self.objects.remove(&object.ref_id);
            if cause == Cause::Finished {
                let until = now.saturating_add(self.config.memory);
                let finished = Finished { receivers: object.done.clone(), until };
                self.finished.insert(object.ref_id.clone(), finished);
                self.finished_order.push_back((object.ref_id.clone(), until));
            }
            objects.push(ObjectOutcome { ref_id: object.ref_id, receivers: object.done });
        }
        while self.finished_order.len() > self.config.finished {
            self.forget_finished();
        }
        let outcome = Outcome::new(id, cause, &open.terms.receivers, open.terms.least, objects);
        self.events.push_back(SourceEvent::Settled(Box::new(outcome)));
    }

    fn forget_finished(&mut self) {
        if let Some((ref_id, until)) = self.finished_order.pop_front()
            && self.finished.get(&ref_id).is_some_and(|finished| finished.until == until)
        {
            self.finished.remove(&ref_id);
        }
    }
}

impl Open {
    fn expires(&self) -> UnixTime {
        self.active.saturating_add(self.terms.timeout)
    }

    /// Receivers that may run out of time.
    fn candidates(&self) -> impl Iterator<Item = &FqcnBuf> {
        let unique: HashSet<&FqcnBuf> = self.terms.receivers.names().iter().chain(self.seen.keys()).collect();
        unique.into_iter()
    }

    /// When a receiver runs out of time; never if it is done or has no budget. What counts is what it did last with any
    /// object of the transaction.
    fn budget_end(&self, receiver: &FqcnBuf) -> Option<UnixTime> {
        if self.objects.iter().all(|object| object.done.contains_key(receiver)) {
            return None;
        }
        match self.seen.get(receiver) {
            Some(&last) => Some(last.saturating_add(self.terms.idle_timeout?)),
            None => Some(self.since.saturating_add(self.terms.acquire_timeout?)),
        }
    }

    fn next_deadline(&self) -> UnixTime {
        let has_budgets = self.terms.acquire_timeout.is_some() || self.terms.idle_timeout.is_some();
        let budgets = has_budgets.then(|| self.candidates().filter_map(|it| self.budget_end(it)).min()).flatten();
        budgets.map_or_else(|| self.expires(), |end| end.min(self.expires()))
    }

    /// Whether every expected receiver is done with every object.
    fn is_finished(&self) -> bool {
        let is_done = |object: &Object| match &self.terms.receivers {
            Receivers::Unknown => false,
            Receivers::Count(count) => *count > 0 && object.done.len() >= *count,
            Receivers::Named(named) => named.iter().all(|name| object.done.contains_key(name)),
        };
        !self.objects.is_empty() && self.objects.iter().all(is_done)
    }
}

fn hexadecimal(bytes: [u8; 16]) -> Text {
    use core::fmt::Write as _;
    let mut text = String::with_capacity(32);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}
