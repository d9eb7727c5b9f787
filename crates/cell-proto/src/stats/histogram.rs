//! Histograms by category, with bins at fixed marks.

use fedcell_protocol_defs::cell::StatsMode;

use super::Table;
use super::category::{Categories, CategoryId};
use super::number::{fraction, scientific};

/// Title of the first column of every table.
pub(super) const CATEGORY: &str = "category";
/// Title of the last column of a histogram.
const OVERALL: &str = "overall";

/// Where the bins of a histogram begin, with the mark as it is printed. A value equal to a mark is in the bin above.
#[derive(Debug, Clone, Copy)]
pub struct Marks(&'static [(f64, &'static str)]);

impl Marks {
    /// For spans of time, in seconds.
    pub const SECONDS: Self = Self(&[
        (0.0001, "0.0001"),
        (0.0005, "0.0005"),
        (0.001, "0.001"),
        (0.002, "0.002"),
        (0.004, "0.004"),
        (0.008, "0.008"),
        (0.01, "0.01"),
        (0.02, "0.02"),
        (0.04, "0.04"),
        (0.08, "0.08"),
        (0.1, "0.1"),
        (0.2, "0.2"),
        (0.4, "0.4"),
        (0.8, "0.8"),
        (1.0, "1.0"),
        (2.0, "2.0"),
    ]);

    /// For sizes, in units of 1 048 576 bytes.
    pub const MEGABYTES: Self = Self(&[
        (0.01, "0.01"),
        (0.1, "0.1"),
        (1.0, "1"),
        (10.0, "10"),
        (50.0, "50"),
        (100.0, "100"),
        (200.0, "200"),
        (500.0, "500"),
        (800.0, "800"),
        (1000.0, "1000"),
    ]);

    const fn bins(self) -> usize {
        self.0.len() + 1
    }

    fn bin_of(self, value: f64) -> usize {
        self.0.iter().position(|(mark, _)| value < *mark).unwrap_or(self.0.len())
    }

    /// Titles of the bins: `<0.1`, `0.1-0.2`, `>=2.0`.
    fn titles(self) -> Vec<String> {
        let labels = || self.0.iter().map(|(_, label)| *label);
        let first = labels().next().map(|label| format!("<{label}"));
        let last = labels().next_back().map(|label| format!(">={label}"));
        let between = labels().zip(labels().skip(1)).map(|(low, high)| format!("{low}-{high}"));
        first.into_iter().chain(between).chain(last).collect()
    }
}

/// What a histogram table shows in its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HistogramMode {
    /// How many values.
    #[default]
    Count,
    /// Which part of all values of the category.
    Percent,
    /// Their mean.
    Average,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// Anything else that was asked for: every cell says `n/a`.
    Unknown,
}

impl HistogramMode {
    /// Reads the mode of a network command: nothing means count, anything that is no mode is unknown.
    #[must_use]
    pub fn parse(mode: &str) -> Self {
        let is = |name: StatsMode<'_>| mode == name.as_str();
        match mode {
            "" => Self::Count,
            _ if is(StatsMode::COUNT) => Self::Count,
            _ if is(StatsMode::PERCENT) => Self::Percent,
            _ if is(StatsMode::AVERAGE) => Self::Average,
            _ if is(StatsMode::MIN) => Self::Min,
            _ if is(StatsMode::MAX) => Self::Max,
            _ => Self::Unknown,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    count: u64,
    total: f64,
    min: f64,
    max: f64,
}

impl Bin {
    fn record(&mut self, value: f64) {
        let first = self.count == 0;
        self.count += 1;
        self.total += value;
        self.min = if first { value } else { self.min.min(value) };
        self.max = if first { value } else { self.max.max(value) };
    }

    fn merge(self, other: Self) -> Self {
        match (self.count, other.count) {
            (_, 0) => self,
            (0, _) => other,
            _ => Self {
                count: self.count + other.count,
                total: self.total + other.total,
                min: self.min.min(other.min),
                max: self.max.max(other.max),
            },
        }
    }

    fn show(self, mode: HistogramMode, whole: u64) -> String {
        if self.count == 0 {
            return String::new();
        }
        match mode {
            HistogramMode::Count => self.count.to_string(),
            HistogramMode::Percent => fraction(self.count, whole),
            #[expect(clippy::cast_precision_loss, reason = "shown with four digits")]
            HistogramMode::Average => scientific(self.total / self.count as f64),
            HistogramMode::Min => scientific(self.min),
            HistogramMode::Max => scientific(self.max),
            HistogramMode::Unknown => "n/a".to_owned(),
        }
    }
}

/// A histogram for each category.
#[derive(Debug)]
pub struct HistogramPool {
    marks: Marks,
    bins: Vec<Box<[Bin]>>,
}

impl HistogramPool {
    /// A pool without values.
    #[must_use]
    pub const fn new(marks: Marks) -> Self {
        Self { marks, bins: Vec::new() }
    }

    /// Records a value. Allocates only with the first value of a category.
    pub fn record(&mut self, category: CategoryId, value: f64) {
        let index = category.index();
        if self.bins.len() <= index {
            self.bins.resize_with(index + 1, Box::default);
        }
        let Some(row) = self.bins.get_mut(index) else { return };
        if row.is_empty() {
            *row = vec![Bin::default(); self.marks.bins()].into_boxed_slice();
        }
        if let Some(bin) = row.get_mut(self.marks.bin_of(value)) {
            bin.record(value);
        }
    }

    /// How many values were recorded in the category.
    #[must_use]
    pub fn count(&self, category: CategoryId) -> u64 {
        self.bins.get(category.index()).map_or(0, |row| row.iter().map(|bin| bin.count).sum())
    }

    /// The pool as a table: categories by name, bins that have a value anywhere, and all bins together.
    #[must_use]
    pub fn table(&self, categories: &Categories, mode: HistogramMode) -> Table {
        let used: Vec<bool> = (0..self.marks.bins())
            .map(|column| self.bins.iter().any(|row| row.get(column).is_some_and(|bin| bin.count > 0)))
            .collect();
        let mut headers = vec![CATEGORY.to_owned()];
        headers.extend(self.marks.titles().into_iter().zip(&used).filter(|(_, used)| **used).map(|(title, _)| title));
        headers.push(OVERALL.to_owned());
        let rows = categories
            .sorted()
            .into_iter()
            .filter_map(|(name, id)| Some((name, self.bins.get(id.index()).filter(|row| !row.is_empty())?)))
            .map(|(name, row)| {
                let overall = row.iter().fold(Bin::default(), |sum, bin| sum.merge(*bin));
                let shown = row.iter().zip(&used).filter(|(_, used)| **used).map(|(bin, _)| bin);
                let cells = shown.chain([&overall]).map(|bin| bin.show(mode, overall.count));
                core::iter::once(name.to_owned()).chain(cells).collect()
            })
            .collect();
        Table { headers, rows }
    }
}
