//! A map that keeps the order of its entries, as the wire does.

use crate::{Text, Value};

/// A map with keys of any kind in the order of insertion, as a Python dict.
///
/// Look-ups are linear: the maps of this protocol have a handful of entries, and one that has thousands (a model's
/// layers) is gone through, not searched. Two maps are equal if they have equal entries in the same order, that is,
/// if they encode alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map(Vec<(Value, Value)>);

impl Map {
    /// A map without entries.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// A map without entries and with room for some.
    pub fn with_capacity(entries: usize) -> Self {
        Self(Vec::with_capacity(entries))
    }

    /// From entries whose keys the caller knows to be distinct.
    pub(crate) const fn from_distinct(entries: Vec<(Value, Value)>) -> Self {
        Self(entries)
    }

    /// Number of entries.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a text key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| is_text(name, key)).map(|(_, value)| value)
    }

    /// The value of a text key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.iter_mut().find(|(name, _)| is_text(name, key)).map(|(_, value)| value)
    }

    /// The value of a key of any kind.
    pub fn get_value(&self, key: &Value) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Sets the value of a key and returns the one that it had. A new key goes to the end.
    pub fn insert(&mut self, key: impl Into<Value>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        if let Some((_, old)) = self.0.iter_mut().find(|(name, _)| *name == key) {
            return Some(core::mem::replace(old, value));
        }
        self.0.push((key, value));
        None
    }

    /// Takes the entry of a text key out; the order of the others stays.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let at = self.0.iter().position(|(name, _)| is_text(name, key))?;
        Some(self.0.remove(at).1)
    }

    /// The map under a text key, which is put in, empty, if there is none or something else.
    pub(crate) fn map_at(&mut self, key: Text) -> Option<&mut Self> {
        let key = Value::Str(key);
        let at = self.0.iter().position(|(name, _)| *name == key).unwrap_or(self.0.len());
        if at == self.0.len() {
            self.0.push((key, Value::Null));
        }
        let (_, slot) = self.0.get_mut(at)?;
        if !matches!(slot, Value::Map(_)) {
            *slot = Value::Map(Self::new());
        }
        slot.as_map_mut()
    }

    /// The entries in order.
    pub fn iter(&self) -> core::slice::Iter<'_, (Value, Value)> {
        self.0.iter()
    }

    /// The values in order, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Keys and values in order, both to be changed by the crate itself.
    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut (Value, Value)> {
        self.0.iter_mut()
    }
}

fn is_text(value: &Value, key: &str) -> bool {
    matches!(value, Value::Str(text) if text == key)
}

impl<'a> IntoIterator for &'a Map {
    type Item = &'a (Value, Value);
    type IntoIter = core::slice::Iter<'a, (Value, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Map {
    type Item = (Value, Value);
    type IntoIter = std::vec::IntoIter<(Value, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A key that comes twice keeps its first place and its last value.
impl<K: Into<Value>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut entries = entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        crate::distinct::merge_repeated(&mut entries);
        Self(entries)
    }
}

impl<K: Into<Value>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Map {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}
