//! `Learnable` and `ModelLearnable`: what a workflow learns.

use fedcell_protocol_defs::federation::LearnableKey;
use fedcell_protocol_defs::fobs::TypeName;

use super::{FobsType, map, take, word};
use crate::{Error, Map, Object, Value};

/// A map of what is learned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learnable(pub Map);

impl FobsType for Learnable {
    fn into_value(self) -> Value {
        Object::dict(word(TypeName::LEARNABLE.as_str()), self.0).into()
    }

    fn from_value(value: Value) -> Result<Self, Error> {
        map(take(value, TypeName::LEARNABLE)?, "the entries of a learnable").map(Self)
    }
}

/// A learned model: weights and meta.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelLearnable(Map);

impl ModelLearnable {
    /// A model of these weights.
    pub fn new(weights: impl Into<Value>, meta: Map) -> Self {
        Self(Map::from([
            (word(LearnableKey::WEIGHTS.as_str()), weights.into()),
            (word(LearnableKey::META.as_str()), meta.into()),
        ]))
    }

    /// All entries.
    pub const fn entries(&self) -> &Map {
        &self.0
    }

    /// The weights.
    pub fn weights(&self) -> Option<&Value> {
        self.0.get(LearnableKey::WEIGHTS.as_str())
    }

    /// The meta properties.
    pub fn meta(&self) -> Option<&Map> {
        self.0.get(LearnableKey::META.as_str())?.as_map()
    }

    /// Whether there are no weights.
    pub fn is_empty(&self) -> bool {
        match self.weights() {
            None | Some(Value::Null) => true,
            Some(weights) => weights.as_map().is_some_and(Map::is_empty),
        }
    }
}

impl FobsType for ModelLearnable {
    fn into_value(self) -> Value {
        Object::dict(word(TypeName::MODEL_LEARNABLE.as_str()), self.0).into()
    }

    fn from_value(value: Value) -> Result<Self, Error> {
        map(take(value, TypeName::MODEL_LEARNABLE)?, "the entries of a learnable").map(Self)
    }
}
