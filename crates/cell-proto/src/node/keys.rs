//! Dispatch keys that come again and again: requests with the same one share it.

use core::fmt;
use std::sync::Arc;

use crate::headers::fingerprint;

/// A channel and a topic.
#[derive(PartialEq, Eq)]
pub(super) struct DispatchKey {
    pub(super) channel: Box<str>,
    pub(super) topic: Box<str>,
}

impl fmt::Debug for DispatchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.channel, self.topic)
    }
}

/// How many keys are remembered; a new one takes the place of another.
const REMEMBERED: usize = 16;

/// The keys of recent requests.
#[derive(Debug, Default)]
pub(super) struct Keys([Option<Arc<DispatchKey>>; REMEMBERED]);

impl Keys {
    /// The key of this channel and topic.
    pub(super) fn of(&mut self, channel: &str, topic: &str) -> Arc<DispatchKey> {
        let mark = fingerprint(channel.as_bytes()).rotate_left(16) ^ fingerprint(topic.as_bytes());
        let Some(place) = self.0.get_mut(mark as usize % REMEMBERED) else {
            return Arc::new(DispatchKey { channel: channel.into(), topic: topic.into() });
        };
        if let Some(known) = place
            && *known.channel == *channel
            && *known.topic == *topic
        {
            return known.clone();
        }
        place.insert(Arc::new(DispatchKey { channel: channel.into(), topic: topic.into() })).clone()
    }
}
