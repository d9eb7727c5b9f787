//! Sources that are gone: the notice of their parent, and what a receiver remembers of it.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};

use fedcell_auth::UnixTime;
use fedcell_fobs::{Map, Text, Value};
use fedcell_protocol_defs::download::{Defaults, SourceFailureKey};

use crate::address::{Fqcn, FqcnBuf};

/// A source is gone, with all objects that it owned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a body with a field for each key")]
pub struct SourceFailure {
    /// The cell that is gone.
    pub source: FqcnBuf,
    /// Its objects, each once.
    pub ref_ids: Vec<Text>,
    /// Why.
    pub reason: Text,
}

/// A notice of a source failure is refused. The peer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FailureRefused {
    /// The body is no map.
    #[error("source failure payload must be a dict")]
    NotAMap,
    /// The sender is not the parent of the source.
    #[error("source failure origin does not own source_fqcn")]
    NotTheParent,
    /// The list of objects is empty, too long, or no list of texts.
    #[error("source failure ref_ids are invalid")]
    RefIds,
    /// There is no reason.
    #[error("source failure reason is invalid")]
    Reason,
}

impl SourceFailure {
    /// Reads a notice that came from `origin`. Only the parent of a source may say that it is gone.
    ///
    /// # Errors
    ///
    /// [`FailureRefused`], whose texts are those that the reference answers.
    pub fn parse(origin: Fqcn<'_>, body: &Value) -> Result<Self, FailureRefused> {
        let body = body.as_map().ok_or(FailureRefused::NotAMap)?;
        let Some(Value::Str(source)) = body.get(SourceFailureKey::SOURCE_FQCN.as_str()) else {
            return Err(FailureRefused::NotTheParent);
        };
        let source = FqcnBuf::parse(source.as_str()).map_err(|_| FailureRefused::NotTheParent)?;
        if source.as_fqcn().parent() != Some(origin) {
            return Err(FailureRefused::NotTheParent);
        }
        let ref_ids = body.get(SourceFailureKey::REF_IDS.as_str());
        let Some(Value::List(ref_ids) | Value::Tuple(ref_ids)) = ref_ids else { return Err(FailureRefused::RefIds) };
        if ref_ids.is_empty() || ref_ids.len() > Defaults::MAX_SOURCE_FAILURE_REFS {
            return Err(FailureRefused::RefIds);
        }
        let mut known = Vec::with_capacity(ref_ids.len());
        for ref_id in ref_ids {
            match ref_id {
                Value::Str(ref_id) if ref_id.is_empty() => return Err(FailureRefused::RefIds),
                Value::Str(ref_id) if known.contains(ref_id) => {}
                Value::Str(ref_id) => known.push(ref_id.clone()),
                _ => return Err(FailureRefused::RefIds),
            }
        }
        let Some(Value::Str(reason)) = body.get(SourceFailureKey::REASON.as_str()) else {
            return Err(FailureRefused::Reason);
        };
        if reason.is_empty() {
            return Err(FailureRefused::Reason);
        }
        Ok(Self { source, ref_ids: known, reason: cut(reason) })
    }

    /// The body of a notice.
    #[must_use]
    pub fn into_value(self) -> Value {
        let mut body = Map::with_capacity(3);
        body.insert(Text::from_static(SourceFailureKey::SOURCE_FQCN.as_str()), self.source.as_str());
        // A tuple, as the reference sends it.
        let ref_ids = Value::Tuple(self.ref_ids.into_iter().map(Value::Str).collect());
        body.insert(Text::from_static(SourceFailureKey::REF_IDS.as_str()), ref_ids);
        body.insert(Text::from_static(SourceFailureKey::REASON.as_str()), self.reason);
        body.into()
    }
}

/// As many letters of a reason as are kept.
fn cut(reason: &Text) -> Text {
    let letters = reason.as_str();
    match letters.char_indices().nth(Defaults::MAX_SOURCE_FAILURE_REASON) {
        None => reason.clone(),
        Some((end, _)) => letters.get(..end).unwrap_or_default().into(),
    }
}

/// The objects that a receiver knows to be gone, for half an hour each and bounded in number.
#[derive(Debug, Default)]
pub struct FailedSources {
    reasons: HashMap<(FqcnBuf, Text), (Text, UnixTime)>,
    /// In the order in which they were told; an entry whose time differs from that in the table is an old one.
    order: VecDeque<((FqcnBuf, Text), UnixTime)>,
}

fn memory() -> Duration {
    Duration::from_secs_f64(Defaults::SOURCE_FAILURE_TTL)
}

impl FailedSources {
    /// Nothing is known to be gone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers a notice.
    pub fn insert(&mut self, now: UnixTime, failure: &SourceFailure) {
        self.forget(now);
        let until = now.saturating_add(memory());
        for ref_id in &failure.ref_ids {
            let key = (failure.source.clone(), ref_id.clone());
            self.reasons.insert(key.clone(), (failure.reason.clone(), until));
            self.order.push_back((key, until));
        }
        while self.order.len() > Defaults::MAX_SOURCE_FAILURE_TOMBSTONES {
            self.pop();
        }
    }

    /// Why an object is gone, if it is known to be.
    #[must_use]
    pub fn reason(&mut self, now: UnixTime, source: &FqcnBuf, ref_id: &Text) -> Option<Text> {
        self.forget(now);
        self.reasons.get(&(source.clone(), ref_id.clone())).map(|(reason, _)| reason.clone())
    }

    fn forget(&mut self, now: UnixTime) {
        while self.order.front().is_some_and(|(_, until)| *until <= now) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((key, until)) = self.order.pop_front()
            && self.reasons.get(&key).is_some_and(|(_, latest)| *latest == until)
        {
            self.reasons.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_767_225_600);

    fn failure(ref_ids: &[&str]) -> SourceFailure {
        SourceFailure {
            source: FqcnBuf::parse("site-1.job.t1").unwrap(),
            ref_ids: ref_ids.iter().map(|&id| id.into()).collect(),
            reason: "gone".into(),
        }
    }

    #[track_caller]
    fn check(origin: &str, change: impl FnOnce(&mut Map), expected: Result<(), FailureRefused>) {
        let Value::Map(mut body) = failure(&["r1"]).into_value() else { panic!() };
        change(&mut body);
        let parsed = SourceFailure::parse(FqcnBuf::parse(origin).unwrap().as_fqcn(), &body.into());
        assert_eq!(parsed.map(drop), expected);
    }

    #[test]
    fn only_the_parent_of_a_source_may_say_that_it_is_gone() {
        use FailureRefused::{NotTheParent, Reason, RefIds};
        check("site-1.job", |_| {}, Ok(()));
        for origin in ["site-1", "site-1.job.t1", "site-1.job.t2", "server", "site-2.job"] {
            check(origin, |_| {}, Err(NotTheParent));
        }
        check("site-1.job", |body| drop(body.insert("source_fqcn", "..")), Err(NotTheParent));
        check("site-1.job", |body| drop(body.insert("source_fqcn", 1)), Err(NotTheParent));
        check("site-1.job", |body| drop(body.insert("ref_ids", Vec::new())), Err(RefIds));
        check("site-1.job", |body| drop(body.insert("ref_ids", "r1")), Err(RefIds));
        check("site-1.job", |body| drop(body.insert("ref_ids", vec![Value::from("")])), Err(RefIds));
        check("site-1.job", |body| drop(body.insert("ref_ids", vec![Value::from("r"); 257])), Err(RefIds));
        check("site-1.job", |body| drop(body.insert("ref_ids", vec![Value::from("r"); 256])), Ok(()));
        check("site-1.job", |body| drop(body.insert("reason", "")), Err(Reason));
        check("site-1.job", |body| drop(body.remove("reason")), Err(Reason));
    }

    #[test]
    fn a_long_reason_is_cut_between_letters() {
        let long = SourceFailure { reason: "ü".repeat(2000).into(), ..failure(&["r1"]) };
        let origin = FqcnBuf::parse("site-1.job").unwrap();
        let parsed = SourceFailure::parse(origin.as_fqcn(), &long.into_value()).unwrap();
        assert_eq!(parsed.reason.as_str().chars().count(), 1024);
    }

    #[test]
    fn what_is_gone_is_remembered_for_half_an_hour_and_bounded() {
        let mut gone = FailedSources::new();
        let source = failure(&[]).source;
        gone.insert(NOW, &failure(&["r1", "r2"]));
        let later = NOW.saturating_add(Duration::from_secs(1000));
        gone.insert(later, &failure(&["r2"]));
        let end = NOW.saturating_add(memory());
        assert_eq!(gone.reason(later, &source, &"r1".into()), Some("gone".into()));
        assert_eq!(gone.reason(end, &source, &"r1".into()), None);
        assert_eq!(gone.reason(end, &source, &"r2".into()), Some("gone".into()));
        for at in 0..5000 {
            gone.insert(end, &failure(&[&format!("n{at}")]));
        }
        assert!(gone.reasons.len() <= 4096 && gone.order.len() <= 4096);
        assert!(gone.reason(end, &source, &"n4999".into()).is_some());
    }
}
