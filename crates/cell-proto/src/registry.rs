//! Who handles which channel and topic, and in what order that is looked up.

use fedcell_protocol_defs::cell::Wildcard;

use crate::names::ByName;

/// Things registered under a channel and a topic, each of which may be [`Wildcard::ANY`].
///
/// Look-up order, the first hit wins: the exact pair, then the channel with any topic, then any channel with any topic.
/// A topic of any channel is never consulted: that is how the reference looks handlers up, and a peer may count on it.
#[derive(Debug, Clone)]
pub struct Registry<T> {
    channels: ByName<Box<str>, ByName<Box<str>, T>>,
}

impl<T> Registry<T> {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self { channels: ByName::default() }
    }

    /// Registers `item`; gives back what stood there before.
    pub fn insert(&mut self, channel: &str, topic: &str, item: T) -> Option<T> {
        self.channels.entry(channel.into()).or_default().insert(topic.into(), item)
    }

    /// Takes out what is registered under exactly this channel and topic.
    pub fn remove(&mut self, channel: &str, topic: &str) -> Option<T> {
        let topics = self.channels.get_mut(channel)?;
        let item = topics.remove(topic);
        if topics.is_empty() {
            self.channels.remove(channel);
        }
        item
    }

    /// What handles this channel and topic. Does not allocate.
    #[must_use]
    pub fn find(&self, channel: &str, topic: &str) -> Option<&T> {
        let any = Wildcard::ANY.as_str();
        self.exact(channel, topic).or_else(|| self.exact(channel, any)).or_else(|| self.exact(any, any))
    }

    /// Whether nothing is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    fn exact(&self, channel: &str, topic: &str) -> Option<&T> {
        self.channels.get(channel)?.get(topic)
    }
}

impl<T> Registry<Vec<T>> {
    /// Adds `item` behind those that are registered under exactly this channel and topic.
    pub fn append(&mut self, channel: &str, topic: &str, item: T) {
        self.channels.entry(channel.into()).or_default().entry(topic.into()).or_default().push(item);
    }
}

impl<T> Default for Registry<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn looks_up_in_the_order_of_the_reference() {
        let mut registry = Registry::new();
        for (channel, topic, item) in
            [("ch", "tp", "exact"), ("ch", "*", "topic-wild"), ("*", "tp", "never"), ("*", "*", "all")]
        {
            assert_eq!(registry.insert(channel, topic, item), None);
        }
        let cases: Vec<Value> = serde_json::from_str(include_str!("../testdata/registry.json")).unwrap();
        for case in &cases {
            let [channel, topic] = [0, 1].map(|part| case["lookup"][part].as_str().unwrap());
            assert_eq!(registry.find(channel, topic).copied(), case["result"].as_str(), "{channel}:{topic}");
        }
        assert_eq!(cases.len(), 5);
    }

    #[test]
    fn only_the_first_list_that_matches_counts() {
        let mut registry = Registry::<Vec<u8>>::new();
        registry.append("ch", "tp", 1);
        registry.append("ch", "tp", 2);
        registry.append("*", "*", 3);
        assert_eq!(registry.find("ch", "tp"), Some(&vec![1, 2]));
        assert_eq!(registry.find("ch", "other"), Some(&vec![3]));
        assert_eq!(registry.remove("ch", "tp"), Some(vec![1, 2]));
        assert_eq!(registry.find("ch", "tp"), Some(&vec![3]));
    }
}
