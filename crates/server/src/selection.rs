//! Which model is the best so far, and when to stop before the last round.

use core::fmt;
use core::str::FromStr;

use fedcell_fobs::typed::Dxo;
use fedcell_protocol_defs::federation::MetaKey;

use crate::aggregate::number;
use crate::aggregate::sum::Sum;

/// Which of two values of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Better {
    /// The higher, as of an accuracy.
    Higher,
    /// The lower, as of a loss.
    Lower,
}

/// How a metric is compared with its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Comparison {
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `=`
    Equal,
}

impl Comparison {
    fn holds(self, value: f64, target: f64) -> bool {
        match self {
            Self::AtLeast => value >= target,
            Self::Above => value > target,
            Self::AtMost => value <= target,
            Self::Below => value < target,
            Self::Equal => value == target,
        }
    }
}

/// A condition such as `accuracy >= 0.95`, in the notation of the reference.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StopCondition {
    /// Name of the metric.
    pub metric: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub target: f64,
}

/// A text is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no condition: expected a metric, one of >= > <= < =, and a number, as in \"accuracy >= 0.95\"")]
pub struct ParseConditionError(String);

impl FromStr for StopCondition {
    type Err = ParseConditionError;

    fn from_str(text: &str) -> Result<Self, ParseConditionError> {
        let wrong = || ParseConditionError(text.to_owned());
        let mut words = text.split_whitespace();
        let (Some(metric), Some(comparison), Some(target), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(wrong());
        };
        let comparison = match comparison {
            ">=" => Comparison::AtLeast,
            ">" => Comparison::Above,
            "<=" => Comparison::AtMost,
            "<" => Comparison::Below,
            "=" => Comparison::Equal,
            _ => return Err(wrong()),
        };
        let target = target.parse::<f64>().ok().filter(|target| target.is_finite()).ok_or_else(wrong)?;
        Ok(Self { metric: metric.to_owned(), comparison, target })
    }
}

impl fmt::Display for StopCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let comparison = match self.comparison {
            Comparison::AtLeast => ">=",
            Comparison::Above => ">",
            Comparison::AtMost => "<=",
            Comparison::Below => "<",
            Comparison::Equal => "=",
        };
        write!(f, "{} {comparison} {}", self.metric, self.target)
    }
}

impl StopCondition {
    /// Whether this value meets it.
    #[must_use]
    pub fn is_met(&self, value: f64) -> bool {
        self.comparison.holds(value, self.target)
    }
}

/// What a new value of the metric means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Judgement {
    /// Its model is the best so far.
    pub is_best: bool,
    /// There should be no further round.
    pub is_enough: bool,
}

/// The best value of a metric so far, and how long nothing better has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    better: Better,
    stop: Option<StopCondition>,
    /// Rounds without a better model after which there is no further one.
    patience: Option<u32>,
    best: Option<Best>,
    without_better: u32,
}

/// The best model so far.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Best {
    /// The round that began with it.
    pub round: u32,
    /// Its metric.
    pub value: f64,
}

impl Selection {
    /// A selection that has seen nothing.
    #[must_use]
    pub const fn new(better: Better, stop: Option<StopCondition>, patience: Option<u32>) -> Self {
        Self { better, stop, patience, best: None, without_better: 0 }
    }

    /// As it was after a round.
    #[must_use]
    pub(crate) const fn resumed(mut self, best: Option<Best>, without_better: u32) -> Self {
        self.best = best;
        self.without_better = without_better;
        self
    }

    /// The best model so far.
    #[must_use]
    pub const fn best(&self) -> Option<Best> {
        self.best
    }

    /// Rounds since the best one.
    #[must_use]
    pub const fn without_better(&self) -> u32 {
        self.without_better
    }

    /// Takes the metric of the model with which a round began. What is not a finite number is no better than nothing.
    pub fn judge(&mut self, round: u32, value: f64) -> Judgement {
        let is_better = |best: Best| match self.better {
            Better::Higher => value > best.value,
            Better::Lower => value < best.value,
        };
        let is_best = value.is_finite() && self.best.is_none_or(is_better);
        if is_best {
            self.best = Some(Best { round, value });
            self.without_better = 0;
        } else {
            self.without_better = self.without_better.saturating_add(1);
        }
        let is_met = value.is_finite() && self.stop.as_ref().is_some_and(|stop| stop.is_met(value));
        let is_out_of_patience = self.patience.is_some_and(|patience| self.without_better >= patience);
        Judgement { is_best, is_enough: is_met || is_out_of_patience }
    }
}

/// The weighted mean of a metric that sites have found for the model that they were sent, in whatever order they come.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MetricMean {
    sum: Sum,
    weight: Sum,
}

impl MetricMean {
    /// Adds what a result's meta properties say of this metric, if they say something usable; whether they do.
    pub fn add(&mut self, dxo: &Dxo, metric: &str, weight: f64) -> bool {
        let Some(found) = dxo.meta(MetaKey::INITIAL_METRICS.as_str()) else { return false };
        // The metric itself, or a map of several.
        let value = match found.as_map() {
            Some(metrics) => metrics.get(metric).and_then(number),
            None => number(found),
        };
        let Some(value) = value.filter(|value| value.is_finite()) else { return false };
        self.sum.add(value * weight);
        self.weight.add(weight);
        true
    }

    /// The mean, if there is one.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let weight = self.weight.value();
        (weight > 0.0).then(|| self.sum.value() / weight).filter(|mean| mean.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use fedcell_fobs::{Map, Value};
    use fedcell_protocol_defs::federation::DataKind;

    use super::*;

    #[track_caller]
    fn check_condition(text: &str, meets: Option<(f64, f64)>) {
        let Ok(condition) = text.parse::<StopCondition>() else {
            assert_eq!(meets, None, "{text}");
            return;
        };
        let (met, missed) = meets.unwrap();
        assert!(condition.is_met(met) && !condition.is_met(missed), "{text}");
        assert_eq!(condition.to_string().parse(), Ok(condition));
    }

    #[test]
    fn conditions() {
        check_condition("accuracy >= 0.95", Some((0.95, 0.94)));
        check_condition("accuracy > 80", Some((80.5, 80.0)));
        check_condition("loss <= 1e-3", Some((0.001, 0.002)));
        check_condition("loss < 0", Some((-1.0, 0.0)));
        check_condition("steps = 3", Some((3.0, 4.0)));
        for text in ["", "accuracy", "accuracy >= ", "accuracy => 1", "accuracy >= x", "a >= 1 2", "a >= NaN"] {
            check_condition(text, None);
        }
    }

    #[track_caller]
    fn check(selection: Selection, values: &[f64], best: (u32, f64), stops_at: Option<usize>) {
        let mut selection = selection;
        let mut stop = None;
        for (at, value) in values.iter().enumerate() {
            let judgement = selection.judge(u32::try_from(at).unwrap(), *value);
            if judgement.is_enough && stop.is_none() {
                stop = Some(at);
            }
        }
        assert_eq!(selection.best(), Some(Best { round: best.0, value: best.1 }));
        assert_eq!(stop, stops_at);
    }

    #[test]
    fn the_best_model_and_the_end() {
        let high =
            |stop: Option<&str>, patience| Selection::new(Better::Higher, stop.map(|s| s.parse().unwrap()), patience);
        check(high(None, None), &[0.1, 0.5, 0.5, 0.4], (1, 0.5), None);
        check(high(Some("a >= 0.5"), None), &[0.1, 0.5, 0.6], (2, 0.6), Some(1));
        check(high(None, Some(2)), &[0.3, 0.2, 0.4, 0.4, 0.1], (2, 0.4), Some(4));
        check(high(None, None), &[0.3, f64::NAN, f64::INFINITY], (0, 0.3), None);
        check(Selection::new(Better::Lower, None, None), &[0.3, 0.2, 0.4], (1, 0.2), None);
    }

    #[test]
    fn metrics_of_sites_are_weighted() {
        let with = |metrics: Value| {
            let mut dxo = Dxo::new(DataKind::WEIGHTS, Map::new());
            dxo.meta.insert(MetaKey::INITIAL_METRICS.as_str(), metrics);
            dxo
        };
        let mut mean = MetricMean::default();
        assert_eq!(mean.mean(), None);
        assert!(mean.add(&with(Map::from([("accuracy", 0.5)]).into()), "accuracy", 1.0));
        assert!(mean.add(&with(0.9.into()), "accuracy", 3.0));
        assert!(!mean.add(&with(Map::from([("loss", 0.5)]).into()), "accuracy", 1.0));
        assert!(!mean.add(&with(f64::NAN.into()), "accuracy", 1.0));
        assert!(!mean.add(&Dxo::new(DataKind::WEIGHTS, Map::new()), "accuracy", 1.0));
        assert!((mean.mean().unwrap() - 0.8).abs() < 1e-12);
    }
}
