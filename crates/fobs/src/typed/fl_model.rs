//! `FLModel`: a model as training frameworks see it.

use fedcell_protocol_defs::federation::{ModelKey, ParamsType};
use fedcell_protocol_defs::fobs::{DecomposerName, TypeName};

use super::{FobsType, map, parts, take, unexpected, word};
use crate::{EnumMember, Error, Map, Object, Text, Value};

/// A model with its metrics and rounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlModel {
    params_type: Option<Text>,
    params: Value,
    /// Parameters of the optimizer, or none.
    pub optimizer_params: Value,
    /// Metrics by name.
    pub metrics: Option<Map>,
    /// First round.
    pub start_round: Option<i64>,
    /// Current round.
    pub current_round: Option<i64>,
    /// Number of rounds.
    pub total_rounds: Option<i64>,
    /// Meta properties, see [`MetaKey`](fedcell_protocol_defs::federation::MetaKey).
    pub meta: Map,
}

impl FlModel {
    /// A model with parameters, usually a map from name to array.
    pub fn new(params_type: ParamsType<'_>, params: impl Into<Value>) -> Self {
        Self {
            params_type: Some(params_type.as_str().into()),
            params: params.into(),
            start_round: Some(0),
            ..Self::default()
        }
    }

    /// A model without parameters: only metrics.
    pub fn of_metrics(metrics: Map) -> Self {
        Self { metrics: Some(metrics), start_round: Some(0), ..Self::default() }
    }

    /// Whether the parameters are whole or a difference; none if there are no parameters.
    pub fn params_type(&self) -> Option<ParamsType<'_>> {
        self.params_type.as_ref().map(|name| ParamsType::new(name.as_str()))
    }

    /// The parameters, or none.
    pub const fn params(&self) -> &Value {
        &self.params
    }

    /// Takes the parameters out.
    pub fn take_params(&mut self) -> Value {
        self.params_type = None;
        core::mem::take(&mut self.params)
    }
}

impl FobsType for FlModel {
    fn into_value(self) -> Value {
        let params_type = self.params_type.map(|name| EnumMember::new(word(TypeName::PARAMS_TYPE.as_str()), name));
        let parts = Value::Tuple(vec![
            params_type.into(),
            self.params,
            self.optimizer_params,
            self.metrics.into(),
            self.start_round.into(),
            self.current_round.into(),
            self.total_rounds.into(),
            self.meta.into(),
        ]);
        Object::new(word(TypeName::FL_MODEL.as_str()), word(DecomposerName::FL_MODEL.as_str()), parts).into()
    }

    fn from_value(value: Value) -> Result<Self, Error> {
        let data = take(value, TypeName::FL_MODEL)?;
        let [params_type, params, optimizer_params, metrics, start, current, total, meta] =
            parts(data, "a tuple of the eight parts of a model")?;
        let params_type = match params_type {
            Value::Null if params.is_null() => None,
            // The reference fills it in.
            Value::Null => Some(word(ParamsType::FULL.as_str())),
            Value::Str(name) => Some(name),
            Value::Enum(member) if member.type_name == *TypeName::PARAMS_TYPE.as_str() => Some(member.member),
            other => return Err(unexpected("a type of parameters", &other).in_field(ModelKey::PARAMS_TYPE.as_str())),
        };
        if params.is_null() && params_type.is_some() {
            return Err(unexpected("parameters", &params).in_field(ModelKey::PARAMS.as_str()));
        }
        Ok(Self {
            params_type,
            params,
            optimizer_params,
            metrics: optional_map(metrics, ModelKey::METRICS)?,
            start_round: round(&start, ModelKey::START_ROUND)?,
            current_round: round(&current, ModelKey::CURRENT_ROUND)?,
            total_rounds: round(&total, ModelKey::TOTAL_ROUNDS)?,
            meta: optional_map(meta, ModelKey::META)?.unwrap_or_default(),
        })
    }
}

fn optional_map(value: Value, key: ModelKey<'static>) -> Result<Option<Map>, Error> {
    match value {
        Value::Null => Ok(None),
        value => map(value, "a map").map(Some).map_err(|error| error.in_field(key.as_str())),
    }
}

fn round(value: &Value, key: ModelKey<'static>) -> Result<Option<i64>, Error> {
    match value.as_i64() {
        Some(round) if round >= 0 => Ok(Some(round)),
        None if value.is_null() => Ok(None),
        _ => Err(unexpected("a round that is not negative", value).in_field(key.as_str())),
    }
}
