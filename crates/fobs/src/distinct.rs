//! Repeated keys: found in linear time whatever the keys are, and merged as a Python dict does.

use core::hash::{BuildHasher, Hash, Hasher};
use std::collections::hash_map::RandomState;

use crate::Value;

/// Up to this many entries each key is compared with each; beyond, through a table.
const FEW: usize = 12;

/// Bytes that [`merge_repeated`] allocates at most for so many entries.
pub(crate) const fn table_bytes(entries: usize) -> usize {
    if entries <= FEW { entries } else { slots(entries) * size_of::<u32>() + entries }
}

const fn slots(entries: usize) -> usize {
    (entries * 2).next_power_of_two()
}

/// Merges entries with equal keys: the first place, the last value.
///
/// Keys are equal as in Python, where the numbers 1, 1.0 and `True` are one key.
pub(crate) fn merge_repeated(entries: &mut Vec<(Value, Value)>) {
    let mut merged = Merged::default();
    if entries.len() <= FEW {
        let mut seen = 0;
        for again in 0..entries.len() {
            let Some((earlier, [(key, value), ..])) = entries.split_at_mut_checked(again) else { break };
            let sign = sign(key);
            if seen & sign != 0
                && let Some((at, first)) = earlier.iter_mut().enumerate().find(|(_, (other, _))| same_key(other, key))
            {
                merged.take(at, again, &mut first.1, value);
            }
            seen |= sign;
        }
    } else {
        merge_through_table(entries, &mut merged);
    }
    if !merged.gone.is_empty() {
        let mut gone = merged.gone.into_iter();
        entries.retain(|_| !gone.next().unwrap_or(false));
    }
}

/// One of 64 bits for a text key, all of them for another: keys without a bit in common are different.
fn sign(key: &Value) -> u64 {
    let Value::Str(text) = key else { return u64::MAX };
    let bytes = text.as_bytes();
    let ends = bytes.first().unwrap_or(&0).wrapping_add(*bytes.last().unwrap_or(&0));
    1 << (usize::from(ends).wrapping_add(bytes.len().wrapping_mul(7)) & 63)
}

/// Which entries have been merged into an earlier one; empty as long as none has, which is the rule.
#[derive(Default)]
struct Merged {
    gone: Vec<bool>,
}

impl Merged {
    fn take(&mut self, first: usize, again: usize, value: &mut Value, later: &mut Value) {
        debug_assert!(first < again, "a key repeats an earlier one");
        *value = core::mem::take(later);
        self.gone.resize(again, false);
        self.gone.push(true);
    }
}

fn merge_through_table(entries: &mut [(Value, Value)], merged: &mut Merged) {
    // Seeded by the process, so that nobody can choose keys that collide.
    let seed = RandomState::new();
    let mask = slots(entries.len()) - 1;
    let mut table = vec![u32::MAX; mask + 1];
    for again in 0..entries.len() {
        let Some((earlier, [(key, value), ..])) = entries.split_at_mut_checked(again) else { break };
        let mut hasher = seed.build_hasher();
        hash_key(key, &mut hasher);
        #[expect(clippy::cast_possible_truncation, reason = "only the low bits select the slot")]
        let mut slot = hasher.finish() as usize & mask;
        while let Some(taken) = table.get_mut(slot) {
            let Some((other, first)) = earlier.get_mut(*taken as usize) else {
                *taken = u32::try_from(again).unwrap_or(u32::MAX);
                break;
            };
            if same_key(other, key) {
                merged.take(*taken as usize, again, first, value);
                break;
            }
            slot = (slot + 1) & mask;
        }
    }
}

/// Whether two values are one key of a dict.
fn same_key(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Str(ours), Value::Str(theirs)) => ours == theirs,
        // What is not a number equals nothing, itself included.
        (Value::Float(number), _) | (_, Value::Float(number)) if number.is_nan() => false,
        _ => match (Number::of(ours), Number::of(theirs)) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, None) => ours == theirs,
            _ => false,
        },
    }
}

fn hash_key(key: &Value, state: &mut impl Hasher) {
    match (Number::of(key), key) {
        (Some(number), _) => number.hash(state),
        (None, Value::Str(text)) => text.hash(state),
        (None, Value::Bytes(blob)) => blob.iter().for_each(|byte| state.write_u8(byte)),
        (None, Value::Enum(member)) => (&member.type_name, &member.member).hash(state),
        (None, Value::Tuple(items)) => items.iter().for_each(|item| hash_key(item, state)),
        // Kinds that hardly occur as keys share a slot and are told apart by comparison.
        (None, _) => {}
    }
}

/// A number as a key: the kind does not matter, only the value.
#[derive(PartialEq, Eq, Hash)]
enum Number {
    Whole(i128),
    Other(u64),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        Some(match *value {
            Value::Bool(bit) => Self::Whole(i128::from(bit)),
            Value::Int(number) => Self::Whole(i128::from(number)),
            Value::UInt(number) => Self::Whole(i128::from(number)),
            Value::Float(number) => Self::of_float(number),
            _ => return None,
        })
    }

    fn of_float(number: f64) -> Self {
        // 2^64: above it no integer of the format is.
        const TOP: f64 = 18_446_744_073_709_551_616.0;
        if number.trunc() == number && number.abs() <= TOP {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and within the range of the integer")]
            return Self::Whole(number as i128);
        }
        Self::Other(number.to_bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(keys: Vec<Value>, expected: &[(Value, i64)]) {
        let mut entries = keys.into_iter().zip((0_i64..).map(Value::Int)).collect();
        let expected: Vec<_> = expected.iter().map(|(key, value)| (key.clone(), Value::Int(*value))).collect();
        merge_repeated(&mut entries);
        assert_eq!(entries, expected);
    }

    #[test]
    fn the_first_place_and_the_last_value() {
        let (a, b) = (Value::from("a"), Value::from("b"));
        check(vec![], &[]);
        check(vec![a.clone(), b.clone()], &[(a.clone(), 0), (b.clone(), 1)]);
        check(vec![a.clone(), b.clone(), a.clone()], &[(a.clone(), 2), (b.clone(), 1)]);
        check(vec![a.clone(), a.clone(), b.clone(), a.clone(), b.clone()], &[(a, 3), (b, 4)]);
        check(vec![Value::Int(1), Value::Bool(true), Value::Float(1.0)], &[(Value::Int(1), 2)]);
        let nan = Value::Float(f64::NAN);
        check(vec![nan.clone(), nan.clone()], &[(nan.clone(), 0), (nan, 1)]);
    }

    #[test]
    fn many_keys_go_through_the_table() {
        let mut keys: Vec<_> = (0..100).map(Value::Int).collect();
        keys.push(Value::Int(7));
        let mut merged = keys.into_iter().map(|key| (key.clone(), key)).collect();
        merge_repeated(&mut merged);
        assert_eq!(merged.len(), 100);
        let mut keys: Vec<_> = (0..100).map(|at| Value::from(format!("key-{}", at % 50).as_str())).collect();
        keys.dedup();
        check(keys.clone(), &keys.iter().take(50).cloned().zip(50..).collect::<Vec<_>>());
    }
}
