//! Counters by category.

use super::category::{Categories, CategoryId};
use super::{Table, histogram::CATEGORY};

/// Counters with names, kept for each category. Names appear with their first use and stay in that order.
#[derive(Debug, Default)]
pub struct CounterPool {
    names: Vec<Box<str>>,
    counts: Vec<Vec<u64>>,
}

/// Names that one pool keeps apart; return codes come from peers.
const MAX_NAMES: usize = 64;
/// Counts what is beyond.
const OVERFLOW: &str = "(other)";

impl CounterPool {
    /// A pool without counts.
    #[must_use]
    pub const fn new() -> Self {
        Self { names: Vec::new(), counts: Vec::new() }
    }

    /// Counts one.
    pub fn increment(&mut self, category: CategoryId, counter: &str) {
        let column = self.column(counter);
        let index = category.index();
        if self.counts.len() <= index {
            self.counts.resize_with(index + 1, Vec::new);
        }
        let Some(row) = self.counts.get_mut(index) else { return };
        if row.len() <= column {
            row.resize(column + 1, 0);
        }
        if let Some(count) = row.get_mut(column) {
            *count += 1;
        }
    }

    /// How often `counter` was counted in the category.
    #[must_use]
    pub fn count(&self, category: CategoryId, counter: &str) -> u64 {
        let column = self.names.iter().position(|name| **name == *counter);
        column.and_then(|column| self.counts.get(category.index())?.get(column).copied()).unwrap_or(0)
    }

    /// How often `counter` was counted in all categories.
    #[must_use]
    pub fn total(&self, counter: &str) -> u64 {
        let Some(column) = self.names.iter().position(|name| **name == *counter) else { return 0 };
        self.counts.iter().filter_map(|row| row.get(column)).sum()
    }

    /// The pool as a table, categories by name, counters that are above zero anywhere.
    #[must_use]
    pub fn table(&self, categories: &Categories) -> Table {
        let mut headers = vec![CATEGORY.to_owned()];
        headers.extend(self.names.iter().map(ToString::to_string));
        let rows = categories
            .sorted()
            .into_iter()
            .filter_map(|(name, id)| Some((name, self.counts.get(id.index()).filter(|row| !row.is_empty())?)))
            .map(|(name, row)| {
                let counts = (0..self.names.len()).map(|column| row.get(column).copied().unwrap_or(0).to_string());
                core::iter::once(name.to_owned()).chain(counts).collect()
            })
            .collect();
        Table { headers, rows }
    }

    fn column(&mut self, counter: &str) -> usize {
        let known = self.names.iter().position(|name| **name == *counter);
        known.unwrap_or_else(|| {
            if self.names.len() >= MAX_NAMES && counter != OVERFLOW {
                return self.column(OVERFLOW);
            }
            self.names.push(counter.into());
            self.names.len() - 1
        })
    }
}
