//! The registry: every word of the wire as data, for checks, printing and look-ups.
//!
//! The typed constants of this crate and the entries here are made by the same line of the same table, so neither can
//! say something that the other does not.

use core::fmt;

/// The groups of the crate, in the order in which `wire.txt` prints them.
pub fn groups() -> impl Iterator<Item = &'static Group> {
    crate::GROUPS.iter().copied()
}

/// Every entry of every group: group, name, value, since, status, doc.
pub fn registry() -> impl Iterator<Item = (&'static Group, &'static Entry)> {
    groups().flat_map(|group| group.entries.iter().map(move |entry| (group, entry)))
}

/// What the members of a group are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Words that are told apart by their value: no value stands twice without an alias reason.
    Names,
    /// Sizes, limits and defaults: two may be equal and mean different things.
    Quantities,
}

/// One table of the wire vocabulary.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Group {
    /// Dotted name, the first column of `wire.txt`; never changes.
    pub name: &'static str,
    /// The Rust type that carries the constants.
    pub type_name: &'static str,
    /// Names or quantities.
    pub kind: Kind,
    /// Where the reference implementation keeps its counterpart (`module:Class`), if it is one class or module whose
    /// members bear the same names.
    pub source: Option<&'static str>,
    /// The group's documentation.
    pub doc: &'static str,
    /// The entries in the order of declaration.
    pub entries: &'static [Entry],
}

/// One word or number of the wire.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Entry {
    /// Name of the constant; never changes.
    pub name: &'static str,
    /// What is written on the wire; never changes.
    pub value: Value,
    /// The release of this crate that froze the entry.
    pub since: &'static str,
    /// Whether the word is in use.
    pub status: Status,
    /// Why this value is allowed to stand twice in its group.
    pub alias: Option<&'static str>,
    /// Where the reference implementation keeps this value, if the group's source does not tell.
    pub source: Option<&'static str>,
    /// The entry's documentation.
    pub doc: &'static str,
}

/// A value on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Text, UTF-8.
    Str(&'static str),
    /// A whole number.
    Int(i128),
    /// A number of seconds or a ratio; sent as a 64-bit float.
    Float(f64),
    /// A switch.
    Bool(bool),
}

/// Whether a word is in use, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Spoken by release 2.9.0 of the reference and by us.
    Live,
    /// Part of a frozen protocol version, but release 2.9.0 of the reference does not speak it.
    Unspoken,
    /// An extension of ours; a reference peer ignores it.
    Extension,
    /// No longer sent by anyone; stays so that the value is never used for something else.
    Retired,
}

impl Entry {
    /// A live entry; the table macro is the only caller.
    pub(crate) const fn new(name: &'static str, value: Value, doc: &'static str) -> Self {
        Self { name, value, since: "0.1.0", status: Status::Live, alias: None, source: None, doc }
    }

    // The options that a line of a table may carry behind its value.

    pub(crate) const fn unspoken(self) -> Self {
        Self { status: Status::Unspoken, ..self }
    }

    pub(crate) const fn extension(self) -> Self {
        Self { status: Status::Extension, ..self }
    }

    pub(crate) const fn retired(self) -> Self {
        Self { status: Status::Retired, ..self }
    }

    #[expect(dead_code, reason = "every entry is of the first release so far")]
    pub(crate) const fn since(self, since: &'static str) -> Self {
        Self { since, ..self }
    }

    pub(crate) const fn alias(self, reason: &'static str) -> Self {
        Self { alias: Some(reason), ..self }
    }

    pub(crate) const fn from(self, source: &'static str) -> Self {
        Self { source: Some(source), ..self }
    }
}

/// Constructors named after the types that a table may declare.
impl Value {
    pub(crate) const fn str(value: &'static str) -> Self {
        Self::Str(value)
    }

    pub(crate) const fn u8(value: u8) -> Self {
        Self::Int(value as i128)
    }

    pub(crate) const fn u16(value: u16) -> Self {
        Self::Int(value as i128)
    }

    pub(crate) const fn u32(value: u32) -> Self {
        Self::Int(value as i128)
    }

    pub(crate) const fn i32(value: i32) -> Self {
        Self::Int(value as i128)
    }

    pub(crate) const fn u64(value: u64) -> Self {
        Self::Int(value as i128)
    }

    pub(crate) const fn usize(value: usize) -> Self {
        Self::Int(value as i128)
    }

    pub(crate) const fn f64(value: f64) -> Self {
        Self::Float(value)
    }

    pub(crate) const fn bool(value: bool) -> Self {
        Self::Bool(value)
    }

    const fn same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Str(a), Self::Str(b)) => same_bytes(a.as_bytes(), b.as_bytes()),
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            _ => false,
        }
    }
}

#[expect(clippy::indexing_slicing, reason = "a constant function cannot iterate; both indices stay below the length")]
const fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Name of the first entry of a group that has this text.
pub(crate) fn name_of_str(group: &'static Group, value: &str) -> Option<&'static str> {
    group.entries.iter().find(|entry| matches!(entry.value, Value::Str(text) if text == value)).map(|entry| entry.name)
}

/// Name of the first entry of a group that has this number.
pub(crate) fn name_of_int(group: &'static Group, value: i128) -> Option<&'static str> {
    group
        .entries
        .iter()
        .find(|entry| matches!(entry.value, Value::Int(number) if number == value))
        .map(|entry| entry.name)
}

/// Stops the build when a value stands twice in a group of names without a reason.
#[expect(clippy::indexing_slicing, reason = "runs at build time only, where an index out of bounds stops the build")]
pub(crate) const fn assert_unique(entries: &[Entry]) {
    let mut second = 0;
    while second < entries.len() {
        let mut first = 0;
        while first < second {
            assert!(
                !entries[first].value.same(entries[second].value) || entries[second].alias.is_some(),
                "a value stands twice in its group: give the second line `alias \"reason\"`, or another value"
            );
            first += 1;
        }
        second += 1;
    }
}

/// As `wire.txt` writes it: text quoted and escaped, numbers in decimal, floats with a point.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => write!(f, "{text:?}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Bool(switch) => write!(f, "{switch}"),
        }
    }
}

/// As `wire.txt` writes it.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Unspoken => "unspoken",
            Self::Extension => "extension",
            Self::Retired => "retired",
        })
    }
}
