//! `FLContext`: properties that components and peers share.

use fedcell_protocol_defs::fobs::{ContextKey, ContextMask, DecomposerName, TypeName};

use super::{FobsType, map, parts, take, text, unexpected, word};
use crate::{Error, Map, Object, Text, Value};

/// A context: named properties, each with a visibility.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlContext {
    /// The model, usually none.
    pub model: Value,
    props: Vec<(Text, Property)>,
}

/// A property of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its value.
    pub value: Value,
    /// Whether it is only for local components; peers do not see it then.
    pub private: bool,
    /// Whether it goes on into every later context of the run.
    pub sticky: bool,
}

impl FlContext {
    /// A context without properties.
    pub const fn new() -> Self {
        Self { model: Value::Null, props: Vec::new() }
    }

    /// The value of a property, by a name of [`ContextKey`](fedcell_protocol_defs::federation::ContextKey) or an
    /// application's.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.property(name).map(|property| &property.value)
    }

    /// A property with its visibility.
    pub fn property(&self, name: &str) -> Option<&Property> {
        self.props.iter().find(|(key, _)| *key == *name).map(|(_, property)| property)
    }

    /// Sets a property and returns what it was.
    pub fn put(&mut self, name: impl Into<Text>, property: Property) -> Option<Property> {
        let name = name.into();
        if let Some((_, old)) = self.props.iter_mut().find(|(key, _)| *key == name) {
            return Some(core::mem::replace(old, property));
        }
        self.props.push((name, property));
        None
    }

    /// Sets a property that peers see and that is not sticky.
    pub fn put_public(&mut self, name: impl Into<Text>, value: impl Into<Value>) {
        self.put(name, Property { value: value.into(), private: false, sticky: false });
    }

    /// Takes a property out.
    pub fn remove(&mut self, name: &str) -> Option<Property> {
        let at = self.props.iter().position(|(key, _)| *key == *name)?;
        Some(self.props.remove(at).1)
    }

    /// The properties in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Property)> {
        self.props.iter().map(|(name, property)| (name, property))
    }

    /// The context that a peer may see: the public properties.
    pub fn public(&self) -> Self {
        let props = self.props.iter().filter(|(_, property)| !property.private).cloned().collect();
        Self { model: Value::Null, props }
    }
}

impl Property {
    fn mask(&self) -> u8 {
        let bit = |set: bool, mask: ContextMask| if set { mask.get() } else { 0 };
        bit(self.private, ContextMask::PRIVATE) | bit(self.sticky, ContextMask::STICKY)
    }

    fn from_value(value: Value) -> Result<Self, Error> {
        let mut parts = map(value, "a map of value and mask")?;
        let value = parts.remove(ContextKey::VALUE.as_str()).unwrap_or_default();
        let mask = parts.remove(ContextKey::MASK.as_str()).unwrap_or_default();
        let Some(mask) = mask.as_u64() else {
            return Err(unexpected("a mask", &mask).in_field(ContextKey::MASK.as_str()));
        };
        let has = |bit: ContextMask| mask & u64::from(bit.get()) != 0;
        Ok(Self { value, private: has(ContextMask::PRIVATE), sticky: has(ContextMask::STICKY) })
    }
}

impl FobsType for FlContext {
    fn into_value(self) -> Value {
        let props = self.props.into_iter().map(|(name, property)| {
            let mask = property.mask();
            let parts = Map::from([
                (word(ContextKey::VALUE.as_str()), property.value),
                (word(ContextKey::MASK.as_str()), Value::Int(mask.into())),
            ]);
            (name, parts)
        });
        let parts = Value::List(vec![self.model, props.collect::<Map>().into()]);
        Object::new(word(TypeName::FL_CONTEXT.as_str()), word(DecomposerName::CONTEXT.as_str()), parts).into()
    }

    fn from_value(value: Value) -> Result<Self, Error> {
        let [model, props] = parts(take(value, TypeName::FL_CONTEXT)?, "a list of model and properties")?;
        let props = map(props, "a map of properties").map_err(|error| error.in_field("props"))?;
        let props = props.into_iter().map(|(name, value)| {
            let name = text(name, "the name of a property")?;
            let property =
                Property::from_value(value).map_err(|error| error.in_field(name.clone()).in_field("props"))?;
            Ok((name, property))
        });
        Ok(Self { model, props: props.collect::<Result<_, Error>>()? })
    }
}
