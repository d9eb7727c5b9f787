//! Federated averaging: results are added as they come, and one average is all that is kept.
//!
//! ```text
//!   DXO of site-1 ─► check all of it ─► sums += weight × values ─► dropped
//!   DXO of site-2 ─► check all of it ─► sums += weight × values ─► dropped      sums ÷ weights ─► Aggregate
//! ```
//!
//! A result is weighted with its number of steps (meta property `NUM_STEPS_CURRENT_ROUND`, 1 if there is none) times the
//! weight of its site (1 if none is set), as in the reference. The average has the type that numpy would give it: floats
//! keep theirs, whole numbers and truth values become 64-bit floats.
//!
//! The average is the same to the last bit in whatever order the results come: each product of a value and a weight is a
//! 64-bit float, and these are added as integers of several digits, without rounding (see `sum`). Memory is 17 bytes per
//! element of one model of 32-bit floats, 25 of others, however many sites there are.
//!
//! Stricter than the reference: a result is refused as a whole, before any of it is added, if a name, a shape or a type
//! differs, if anything in it is not a finite number, or if its weight is not positive.

pub(crate) mod average;
mod error;
pub(crate) mod sum;

use core::fmt;
use std::collections::HashMap;

use fedcell_fobs::array::Array;
use fedcell_fobs::typed::Dxo;
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::federation::{DataKind, MetaKey};

pub use error::{AggregationError, ContributionError};

use crate::model::Model;
use average::{Average, Real};
use sum::Sum;

/// Which names a result must have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Names {
    /// Exactly those of the model, or of the first result if the round has no model.
    #[default]
    Same,
    /// Any of the model's; each is averaged over the sites that sent it, as in the reference. Without a model, any.
    Some,
}

/// How results are added up.
pub struct FedAvgOptions {
    /// Kind of data: weights, differences of weights, or metrics.
    pub kind: DataKind<'static>,
    /// Which names a result must have.
    pub names: Names,
    /// Weights of sites, by name; others have 1.
    pub site_weights: HashMap<String, f64>,
    /// Names that are left out of the average.
    pub is_excluded: fn(&str) -> bool,
    /// Most elements of a result that defines the model, 2³⁵ if nothing else is set.
    pub max_elements: usize,
    /// Most names, 2²⁰ if nothing else is set.
    pub max_names: usize,
}

impl Default for FedAvgOptions {
    fn default() -> Self {
        Self {
            kind: DataKind::WEIGHTS,
            names: Names::Same,
            site_weights: HashMap::new(),
            is_excluded: |_| false,
            max_elements: 1 << 35,
            max_names: 1 << 20,
        }
    }
}

impl fmt::Debug for FedAvgOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FedAvgOptions").field("kind", &self.kind).field("names", &self.names).finish_non_exhaustive()
    }
}

/// The weighted average of one round, under way.
#[derive(Debug)]
pub struct FedAvg {
    options: FedAvgOptions,
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
    contributors: Vec<Contributor>,
    /// Whether the entries are a model's; otherwise results bring them.
    is_given: bool,
}

#[derive(Debug)]
struct Entry {
    name: String,
    sum: Average,
    /// The numbers of metrics are no arrays.
    is_number: bool,
    weight: Sum,
    count: usize,
}

/// A site whose result has been added.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Contributor {
    /// Its name.
    pub site: String,
    /// Its weight.
    pub weight: f64,
}

/// The average of a round.
#[derive(Debug)]
#[non_exhaustive]
pub struct Aggregate {
    /// Averages by name, as the data of a DXO.
    pub data: Map,
    /// Whose results it is made of, in the order in which they came.
    pub contributors: Vec<Contributor>,
    /// Names that only some of them have sent.
    pub partial_names: usize,
}

impl FedAvg {
    /// An average whose names, shapes and types the first result sets.
    #[must_use]
    pub fn new(options: FedAvgOptions) -> Self {
        Self { options, entries: Vec::new(), places: HashMap::new(), contributors: Vec::new(), is_given: false }
    }

    /// An average for results that must fit a model.
    ///
    /// # Errors
    ///
    /// [`ContributionError`] if the model itself holds what cannot be averaged.
    pub fn for_model(model: &Model, options: FedAvgOptions) -> Result<Self, ContributionError> {
        let mut average = Self::new(options);
        for (name, array) in model.iter() {
            if !(average.options.is_excluded)(name) {
                let sum = Average::like(array).map_err(|_| unusable(name, array))?;
                average.insert(name, sum, false);
            }
        }
        average.is_given = true;
        Ok(average)
    }

    /// Adds a site's result, whole or not at all; returns its weight.
    ///
    /// # Errors
    ///
    /// [`ContributionError`]: nothing of it was added.
    pub fn add(&mut self, site: &str, dxo: &Dxo) -> Result<f64, ContributionError> {
        if dxo.kind() != self.options.kind {
            let (expected, found) = (self.options.kind.to_string(), dxo.kind().to_string());
            return Err(ContributionError::Kind { expected, found });
        }
        if self.contributors.iter().any(|contributor| contributor.site == site) {
            return Err(ContributionError::Twice(site.to_owned()));
        }
        limit("contributions before it", self.contributors.len(), sum::MOST - 1)?;
        let weight = self.weight(site, dxo)?;
        let parts = self.parts(dxo)?;
        self.check_names(&parts)?;
        for part in parts {
            let failed = |source| ContributionError::Array { name: part.name.to_owned(), source };
            let place = match self.places.get(part.name) {
                Some(place) => *place,
                None => {
                    let sum = Average::like(&part.array).map_err(failed)?;
                    self.insert(part.name, sum, part.is_number)
                }
            };
            if let Some(entry) = self.entries.get_mut(place) {
                // Reading has succeeded a moment ago, when the values were checked.
                entry.sum.add(&part.array, weight).map_err(failed)?;
                entry.weight.add(weight);
                entry.count += 1;
            }
        }
        self.contributors.push(Contributor { site: site.to_owned(), weight });
        Ok(weight)
    }

    /// Whose results have been added, in the order in which they came.
    #[must_use]
    pub fn contributors(&self) -> &[Contributor] {
        &self.contributors
    }

    /// Divides by the weights. Names that nobody has sent are not in the result.
    ///
    /// # Errors
    ///
    /// [`AggregationError`].
    pub fn finish(self) -> Result<Aggregate, AggregationError> {
        if self.contributors.is_empty() {
            return Err(AggregationError::Nothing);
        }
        let all = self.contributors.len();
        let mut data = Vec::with_capacity(self.entries.len());
        let mut partial_names = 0;
        // Each sum is dropped when its average is made.
        for entry in self.entries.into_iter().filter(|entry| entry.count > 0) {
            partial_names += usize::from(entry.count < all);
            let mean = entry
                .sum
                .scaled(1.0 / entry.weight.value())
                .map_err(|source| AggregationError::Array { name: entry.name.clone(), source })?
                .ok_or_else(|| AggregationError::Overflow(entry.name.clone()))?;
            let value = match mean.to_vec::<f64>().ok().and_then(|values| values.first().copied()) {
                Some(number) if entry.is_number => Value::Float(number),
                _ => mean.into(),
            };
            data.push((entry.name, value));
        }
        let data = data.into_iter().collect();
        Ok(Aggregate { data, contributors: self.contributors, partial_names })
    }

    fn insert(&mut self, name: &str, sum: Average, is_number: bool) -> usize {
        let place = self.entries.len();
        self.entries.push(Entry { name: name.to_owned(), sum, is_number, weight: Sum::default(), count: 0 });
        self.places.insert(name.to_owned(), place);
        place
    }

    fn weight(&self, site: &str, dxo: &Dxo) -> Result<f64, ContributionError> {
        let steps = match dxo.meta(MetaKey::NUM_STEPS_CURRENT_ROUND.as_str()) {
            None | Some(Value::Null) => 1.0,
            Some(value) => number(value).ok_or_else(|| ContributionError::Steps(value.kind()))?,
        };
        let own = self.options.site_weights.get(site).copied().unwrap_or(1.0);
        let weight = steps * own;
        if !(steps > 0.0 && own > 0.0 && weight > 0.0 && weight.is_finite()) {
            return Err(ContributionError::Weight(weight));
        }
        Ok(weight)
    }

    /// Everything that is to be added, checked by itself and against what is there.
    fn parts<'a>(&self, dxo: &'a Dxo) -> Result<Vec<Part<'a>>, ContributionError> {
        let data = dxo.data.as_map().filter(|data| !data.is_empty()).ok_or(ContributionError::Empty)?;
        limit("names", data.len(), self.options.max_names)?;
        let mut parts: Vec<Part<'_>> = Vec::with_capacity(data.len());
        let mut elements = 0_usize;
        for (name, value) in data {
            let name = name.as_str().ok_or_else(|| ContributionError::Name(name.kind()))?;
            if (self.options.is_excluded)(name) {
                continue;
            }
            let part = Part::new(name, value)?;
            elements = elements.saturating_add(part.array.len());
            limit("elements", elements, self.options.max_elements)?;
            self.check(&part)?;
            parts.push(part);
        }
        Ok(parts)
    }

    fn check(&self, part: &Part<'_>) -> Result<(), ContributionError> {
        let name = part.name.to_owned();
        match self.places.get(part.name).and_then(|place| self.entries.get(*place)) {
            Some(Entry { sum, .. }) => {
                if sum.shape() != part.array.shape() {
                    let (expected, found) = (sum.shape().to_vec(), part.array.shape().to_vec());
                    return Err(ContributionError::Shape { name, expected, found });
                }
                if sum.real() != part.real {
                    let (expected, found) = (sum.real().name(), part.real.name());
                    return Err(ContributionError::Elements { name, expected, found });
                }
            }
            None if self.is_given || (self.options.names == Names::Same && !self.contributors.is_empty()) => {
                return Err(ContributionError::Unknown(name));
            }
            None => {}
        }
        match average::is_finite(&part.array) {
            Ok(true) => Ok(()),
            Ok(false) => Err(ContributionError::NotFinite(name)),
            Err(source) => Err(ContributionError::Array { name, source }),
        }
    }

    fn check_names(&self, parts: &[Part<'_>]) -> Result<(), ContributionError> {
        if self.options.names == Names::Some || parts.len() == self.entries.len() {
            // The parts' names are distinct and all known, so as many are the same.
            return Ok(());
        }
        let sent: HashMap<&str, ()> = parts.iter().map(|part| (part.name, ())).collect();
        match self.entries.iter().find(|entry| !sent.contains_key(entry.name.as_str())) {
            Some(entry) => Err(ContributionError::Missing(entry.name.clone())),
            None => Ok(()),
        }
    }
}

/// One entry of a result.
#[derive(Debug)]
struct Part<'a> {
    name: &'a str,
    array: Array,
    real: Real,
    is_number: bool,
}

impl<'a> Part<'a> {
    fn new(name: &'a str, value: &Value) -> Result<Self, ContributionError> {
        let (array, is_number) = match value {
            // Shares the elements.
            Value::Array(array) => ((**array).clone(), false),
            Value::Remote(_) => return Err(ContributionError::Remote(name.to_owned())),
            other => {
                let number = number(other).ok_or_else(|| ContributionError::Value {
                    name: name.to_owned(),
                    found: other.kind().to_owned(),
                })?;
                let array = Array::from_elements([], &[number])
                    .map_err(|source| ContributionError::Array { name: name.to_owned(), source })?;
                (array, true)
            }
        };
        let real = Real::of(&array).ok_or_else(|| unusable(name, &array))?;
        Ok(Self { name, array, real, is_number })
    }
}

fn unusable(name: &str, array: &Array) -> ContributionError {
    ContributionError::Value { name: name.to_owned(), found: format!("an array of {}", array.dtype()) }
}

/// A number or a truth value, which counts as 0 or 1.
pub(crate) fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_bool().map(|bit| if bit { 1.0 } else { 0.0 }))
}

fn limit(what: &'static str, found: usize, limit: usize) -> Result<(), ContributionError> {
    if found > limit { Err(ContributionError::TooLarge { what, limit, found }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
