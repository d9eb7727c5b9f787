//! A line of `wire.txt`, and what can be wrong with one.

use std::fmt;

use anyhow::{Result, bail};
use fedcell_protocol_defs::registry::{Entry, Group};

/// One entry of the registry as text; fields are parted by tabs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) since: String,
    pub(crate) status: String,
}

/// A break of the frozen vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    Changed { group: String, name: String, field: &'static str, old: String, new: String },
    Vanished { group: String, name: String, old: String },
    Unblessed { group: String, name: String, new: String },
    Twice { group: String, first: String, second: String, value: String },
}

const HEADER: &str = "\
# The words and numbers on the wire: group, name, value, since, status. Frozen: a line of the default branch never
# changes and never vanishes; a word that falls out of use becomes `retired`. Written by `cargo xtask wire --bless`.
";

impl Line {
    pub(crate) fn of(group: &Group, entry: &Entry) -> Self {
        Self {
            group: group.name.to_owned(),
            name: entry.name.to_owned(),
            value: entry.value.to_string(),
            since: entry.since.to_owned(),
            status: entry.status.to_string(),
        }
    }

    pub(crate) fn key(&self) -> (String, String) {
        (self.group.clone(), self.name.clone())
    }
}

pub(crate) fn render(lines: &[Line]) -> String {
    let mut text = HEADER.to_owned();
    for line in lines {
        text.push_str(&format!("{}\t{}\t{}\t{}\t{}\n", line.group, line.name, line.value, line.since, line.status));
    }
    text
}

pub(crate) fn parse(text: &str) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (at, text) in text.lines().enumerate().filter(|(_, text)| !text.starts_with('#') && !text.is_empty()) {
        let fields: Vec<&str> = text.split('\t').collect();
        let [group, name, value, since, status] = fields.as_slice() else {
            bail!("wire.txt line {}: expected group, name, value, since, status, parted by tabs", at + 1);
        };
        lines.push(Line {
            group: (*group).to_owned(),
            name: (*name).to_owned(),
            value: (*value).to_owned(),
            since: (*since).to_owned(),
            status: (*status).to_owned(),
        });
    }
    Ok(lines)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { group, name, field, old, new } => {
                write!(f, "changed: {group} {name}: {field} was {old}, is {new}")
            }
            Self::Vanished { group, name, old } => {
                write!(f, "vanished: {group} {name}: was {old}, is nothing (mark it `retired` instead)")
            }
            Self::Unblessed { group, name, new } => {
                write!(f, "not in wire.txt: {group} {name}: {new} (`cargo xtask wire --bless` adds it)")
            }
            Self::Twice { group, first, second, value } => {
                write!(f, "twice in a group: {group}: {first} and {second} are both {value} (give the second an alias)")
            }
        }
    }
}
