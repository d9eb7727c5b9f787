//! Categories: what statistics are kept by, numbered once so that counting does not allocate.

use std::collections::HashMap;

use crate::headers::fingerprint;

/// The number of a category within its [`Categories`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CategoryId(usize);

impl CategoryId {
    pub(super) const fn index(self) -> usize {
        self.0
    }
}

/// The categories of some pools.
#[derive(Debug)]
pub struct Categories {
    ids: HashMap<Box<str>, CategoryId>,
    names: Vec<Box<str>>,
    scratch: String,
    limit: usize,
    /// Those last asked for, by a mark of their parts: nearly all messages are of a few kinds.
    recent: Box<[Option<CategoryId>; RECENT]>,
}

/// How many categories are found without hashing their name.
const RECENT: usize = 64;

/// Name of the category for everything beyond the limit.
const OVERFLOW: &str = "(other)";
/// What stands behind an origin, between two parts of a kind, and before the kind of what is passed on for others.
const ORIGIN: char = '#';
const PART: char = ':';
const FORWARDED: &str = "fwd.";
/// What stands for a channel or topic that a message does not name.
const UNNAMED: &str = "?";

impl Categories {
    /// Up to `limit` categories, at least one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            ids: HashMap::new(),
            names: Vec::new(),
            scratch: String::new(),
            limit: limit.max(1),
            recent: Box::new([None; RECENT]),
        }
    }

    /// The category of messages of this kind, `origin#kind:channel:topic` or without the origin. `forwarded` puts `fwd.`
    /// before the kind. Empty texts count as unnamed.
    pub fn of(&mut self, origin: Option<&str>, forwarded: bool, kind: &str, channel: &str, topic: &str) -> CategoryId {
        let named = |text| if str::is_empty(text) { UNNAMED } else { text };
        let parts = [named(kind), named(channel), named(topic)];
        let mark =
            parts.iter().fold(u32::from(forwarded), |mark, part| mark.rotate_left(9) ^ fingerprint(part.as_bytes()));
        let mark = mark ^ origin.map_or(0, |origin| fingerprint(origin.as_bytes()));
        let place = mark as usize % RECENT;
        if let Some(Some(id)) = self.recent.get(place)
            && self.names.get(id.index()).is_some_and(|name| is_name_of(name, origin, forwarded, parts))
        {
            return *id;
        }
        let mut name = core::mem::take(&mut self.scratch);
        name.clear();
        if let Some(origin) = origin {
            name.push_str(origin);
            name.push(ORIGIN);
        }
        if forwarded {
            name.push_str(FORWARDED);
        }
        // Piece by piece: this is done for each message, and formatting costs several times as much.
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                name.push(PART);
            }
            name.push_str(part);
        }
        let id = self.named(&name);
        self.scratch = name;
        if let Some(recent) = self.recent.get_mut(place) {
            *recent = Some(id);
        }
        id
    }

    /// The category with exactly this name.
    pub fn named(&mut self, name: &str) -> CategoryId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let name = if self.names.len() + 1 < self.limit { name } else { OVERFLOW };
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = CategoryId(self.names.len());
        self.names.push(name.into());
        self.ids.insert(name.into(), id);
        id
    }

    /// All categories by name, in the order of the names.
    #[must_use]
    pub fn sorted(&self) -> Vec<(&str, CategoryId)> {
        let mut all: Vec<_> = self.names.iter().enumerate().map(|(id, name)| (&**name, CategoryId(id))).collect();
        all.sort_unstable();
        all
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Whether a name is the one that these parts make.
fn is_name_of(name: &str, origin: Option<&str>, forwarded: bool, [kind, channel, topic]: [&str; 3]) -> bool {
    let name = match origin {
        Some(origin) => name.strip_prefix(origin).and_then(|name| name.strip_prefix(ORIGIN)),
        None => Some(name),
    };
    let name = name.and_then(|name| if forwarded { name.strip_prefix(FORWARDED) } else { Some(name) });
    name.and_then(|name| name.strip_prefix(kind)?.strip_prefix(PART)?.strip_prefix(channel)?.strip_prefix(PART))
        == Some(topic)
}
