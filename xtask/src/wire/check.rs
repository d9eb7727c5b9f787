//! What must hold between the registry, the committed text and its history.

use std::collections::BTreeMap;

use fedcell_protocol_defs::registry::{Entry, Group, Kind};

use super::line::{Line, Problem};

/// Each line of the history stands as it stood; only its status may move on.
pub(crate) fn history(current: &[Line], blessed: &[Line]) -> Vec<Problem> {
    let now: BTreeMap<_, _> = current.iter().map(|line| (line.key(), line)).collect();
    let mut problems = Vec::new();
    for old in blessed {
        let Some(new) = now.get(&old.key()) else {
            problems.push(Problem::Vanished {
                group: old.group.clone(),
                name: old.name.clone(),
                old: old.value.clone(),
            });
            continue;
        };
        let fields = [
            ("value", &old.value, &new.value, false),
            ("since", &old.since, &new.since, false),
            ("status", &old.status, &new.status, moves_on(&old.status, &new.status)),
        ];
        for (field, old_text, new_text, allowed) in fields {
            if old_text != new_text && !allowed {
                problems.push(Problem::Changed {
                    group: old.group.clone(),
                    name: old.name.clone(),
                    field,
                    old: old_text.clone(),
                    new: new_text.clone(),
                });
            }
        }
    }
    problems
}

/// A word may begin to be spoken, and any word may be retired; nothing comes back.
fn moves_on(old: &str, new: &str) -> bool {
    matches!((old, new), ("unspoken", "live") | ("live" | "unspoken" | "extension", "retired"))
}

/// The committed text says what the registry says.
pub(crate) fn committed(current: &[Line], committed: &[Line]) -> Vec<Problem> {
    let known: BTreeMap<_, _> = committed.iter().map(|line| (line.key(), line)).collect();
    let mut problems = history(current, committed);
    for line in current {
        let same_but_for_status = known.get(&line.key()).is_some_and(|old| old.status == line.status);
        let reported = problems.iter().any(|problem| {
            matches!(problem, Problem::Changed { group, name, .. } if *group == line.group && *name == line.name)
        });
        if !same_but_for_status && !reported {
            problems.push(Problem::Unblessed {
                group: line.group.clone(),
                name: line.name.clone(),
                new: line.value.clone(),
            });
        }
    }
    problems
}

/// In a group of names no value stands twice without a reason.
pub(crate) fn unique(entries: impl Iterator<Item = (&'static Group, &'static Entry)>) -> Vec<Problem> {
    let mut seen = BTreeMap::new();
    let mut problems = Vec::new();
    for (group, entry) in entries.filter(|(group, _)| group.kind == Kind::Names) {
        let value = entry.value.to_string();
        let first = *seen.entry((group.name, value.clone())).or_insert(entry.name);
        if first != entry.name && entry.alias.is_none() {
            problems.push(Problem::Twice {
                group: group.name.to_owned(),
                first: first.to_owned(),
                second: entry.name.to_owned(),
                value,
            });
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, value: &str, status: &str) -> Line {
        Line {
            group: "g".to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
            since: "0.1.0".to_owned(),
            status: status.to_owned(),
        }
    }

    #[track_caller]
    fn check(current: &[Line], blessed: &[Line], expected: &[&str]) {
        let said: Vec<String> = committed(current, blessed).iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.contains(expected), "{said:?} does not say {expected:?}");
        }
    }

    #[test]
    fn lines_move_only_forward() {
        let old = [line("A", "1", "live")];
        check(&old, &old, &[]);
        check(&[line("A", "2", "live")], &old, &["changed: g A: value was 1, is 2"]);
        check(&[], &old, &["vanished: g A: was 1"]);
        check(&[line("A", "1", "live"), line("B", "2", "live")], &old, &["not in wire.txt: g B: 2"]);
        check(&[line("A", "1", "retired")], &old, &["not in wire.txt: g A"]);
        check(&old, &[line("A", "1", "retired")], &["status was retired, is live"]);
        check(&[line("A", "1", "unspoken")], &old, &["status was live, is unspoken"]);
    }
}
