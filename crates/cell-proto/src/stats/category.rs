//! Categories: what statistics are kept by, numbered once so that counting does not allocate.

use std::collections::HashMap;

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
}

/// Name of the category for everything beyond the limit.
const OVERFLOW: &str = "(other)";
/// What stands for a channel or topic that a message does not name.
const UNNAMED: &str = "?";

impl Categories {
    /// Up to `limit` categories, at least one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { ids: HashMap::new(), names: Vec::new(), scratch: String::new(), limit: limit.max(1) }
    }

    /// The category of messages of this kind, `origin#kind:channel:topic` or without the origin. `forwarded` puts `fwd.`
    /// before the kind. Empty texts count as unnamed.
    pub fn of(&mut self, origin: Option<&str>, forwarded: bool, kind: &str, channel: &str, topic: &str) -> CategoryId {
        let named = |text| if str::is_empty(text) { UNNAMED } else { text };
        let mut name = core::mem::take(&mut self.scratch);
        name.clear();
        if let Some(origin) = origin {
            name.push_str(origin);
            name.push('#');
        }
        if forwarded {
            name.push_str("fwd.");
        }
        // Piece by piece: this is done for each message, and formatting costs several times as much.
        for (index, part) in [kind, channel, topic].into_iter().enumerate() {
            if index > 0 {
                name.push(':');
            }
            name.push_str(named(part));
        }
        let id = self.named(&name);
        self.scratch = name;
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
