//! Figures of a benchmark: medians of repeated runs, the table with its ratios and aims, and one JSON line a measurement.

use core::fmt::Write as _;
use std::fs;

use anyhow::Context;
use serde_json::json;

use crate::Options;
use crate::reference::workspace;

/// What repeated runs of one measurement gave, in the unit of the measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Median of the runs (of the runs' medians, if a run gives many samples).
    pub value: f64,
    /// Least of the runs.
    pub low: f64,
    /// Greatest of the runs.
    pub high: f64,
    /// 99th percentile of all samples, if a run gives many.
    pub p99: Option<f64>,
    /// Number of samples behind the figures.
    pub samples: usize,
}

impl Summary {
    /// Of runs that give one figure each; `None` without a run.
    pub fn of_runs(runs: &[f64]) -> Option<Self> {
        let sorted = sorted(runs.iter().copied());
        Some(Self {
            value: percentile(&sorted, 50.0)?,
            low: *sorted.first()?,
            high: *sorted.last()?,
            p99: None,
            samples: sorted.len(),
        })
    }

    /// Of runs that give many samples each; `None` without a sample.
    pub fn of_samples(runs: &[Vec<f64>]) -> Option<Self> {
        let medians: Vec<f64> = runs.iter().filter_map(|run| percentile(&sorted(run.iter().copied()), 50.0)).collect();
        let all = sorted(runs.iter().flatten().copied());
        let of_medians = Self::of_runs(&medians)?;
        Some(Self { p99: percentile(&all, 99.0), samples: all.len(), ..of_medians })
    }
}

/// The sample below or at which `percent` of the sorted samples lie (nearest rank).
pub fn percentile(sorted: &[f64], percent: f64) -> Option<f64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

fn sorted(samples: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut samples: Vec<f64> = samples.collect();
    samples.sort_by(f64::total_cmp);
    samples
}

/// What the first column is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aim {
    /// At least so many times better than that column: faster, more, or smaller.
    Better(&'static str, f64),
    /// At most so many times worse than that column.
    Within(&'static str, f64),
    /// The figure itself is at most this.
    AtMost(f64),
    /// The 99th percentile is at most this.
    TailAtMost(f64),
}

/// One kind of measurement.
#[derive(Debug, Clone)]
pub struct Measure {
    /// What is measured, as it stands in the table.
    pub name: String,
    /// Unit of its figures.
    pub unit: &'static str,
    /// Whether a greater figure is the better one.
    pub more_is_better: bool,
    /// What the first column is held against.
    pub aims: Vec<Aim>,
}

impl Measure {
    /// A measurement whose smaller figures are better.
    pub fn less(name: impl Into<String>, unit: &'static str, aims: &[Aim]) -> Self {
        Self { name: name.into(), unit, more_is_better: false, aims: aims.to_vec() }
    }

    /// A measurement whose greater figures are better.
    pub fn more(name: impl Into<String>, unit: &'static str, aims: &[Aim]) -> Self {
        Self { name: name.into(), unit, more_is_better: true, aims: aims.to_vec() }
    }

    /// How many times better `figure` is than `other`.
    fn factor(&self, figure: f64, other: f64) -> f64 {
        if self.more_is_better { figure / other } else { other / figure }
    }
}

#[derive(Debug)]
struct Row {
    measure: Measure,
    cells: Vec<Option<Summary>>,
}

/// The figures of one subject, gathered row by row; the first column is ours.
#[derive(Debug)]
pub struct Report {
    subject: &'static str,
    columns: Vec<&'static str>,
    options: Options,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Report {
    /// An empty report with these columns, ours first.
    pub fn new(subject: &'static str, columns: &[&'static str], options: Options) -> Self {
        Self { subject, columns: columns.to_vec(), options, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds one measurement: a summary for each column, `None` where the column has none.
    #[expect(clippy::print_stdout, reason = "a long run shows how far it is")]
    pub fn add(&mut self, measure: Measure, cells: Vec<Option<Summary>>) {
        let row = Row { measure, cells };
        println!("{}", self.line(&row));
        self.rows.push(row);
    }

    /// Adds a sentence below the table.
    #[expect(clippy::print_stdout, reason = "a long run shows how far it is")]
    pub fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        println!("note: {note}");
        self.notes.push(note);
    }

    /// Writes `target/bench/SUBJECT.jsonl` and `.md`, and prints the table, with `--print` the records too.
    ///
    /// # Errors
    ///
    /// If the files cannot be written.
    #[expect(clippy::print_stdout, reason = "the table is what the command is for")]
    pub fn finish(&self) -> anyhow::Result<()> {
        let folder = workspace().join("target/bench");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let (records, table) = (self.records(), self.table());
        for (ending, text) in [("jsonl", &records), ("md", &table)] {
            let path = folder.join(self.subject).with_extension(ending);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        if self.options.print {
            print!("{records}");
        }
        println!("\n{table}");
        Ok(())
    }

    fn records(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            for (column, cell) in self.columns.iter().zip(&row.cells) {
                let Some(cell) = cell else { continue };
                let record = json!({
                    "subject": self.subject, "measure": row.measure.name, "column": column, "unit": row.measure.unit,
                    "value": cell.value, "low": cell.low, "high": cell.high, "p99": cell.p99, "samples": cell.samples,
                    "quick": self.options.quick,
                });
                let _ = writeln!(text, "{record}");
            }
        }
        text
    }

    fn table(&self) -> String {
        let mut text = format!("| {} | unit |", self.subject);
        for column in &self.columns {
            let _ = write!(text, " {column} |");
        }
        for other in self.columns.iter().skip(1) {
            let _ = write!(text, " × {other} |");
        }
        text.push_str(" aim |\n|---|---|");
        text.push_str(&"---:|".repeat(self.columns.len() * 2 - 1));
        text.push_str("---|\n");
        for row in &self.rows {
            text.push_str(&self.line(row));
            text.push('\n');
        }
        text.push_str("\nMedian of interleaved runs (least–greatest); × is how many times better ours is.\n");
        for note in &self.notes {
            let _ = writeln!(text, "* {note}");
        }
        text
    }

    fn line(&self, row: &Row) -> String {
        let mut line = format!("| {} | {} |", row.measure.name, row.measure.unit);
        for cell in &row.cells {
            let _ = match cell {
                None => write!(line, " – |"),
                Some(cell) => write!(line, " {} |", shown(cell)),
            };
        }
        for other in row.cells.iter().skip(1) {
            let _ = match (row.cells.first().and_then(Option::as_ref), other) {
                (Some(ours), Some(other)) if other.value > 0.0 && ours.value > 0.0 => {
                    write!(line, " {} |", number(row.measure.factor(ours.value, other.value)))
                }
                _ => write!(line, " – |"),
            };
        }
        let aims: Vec<String> = row.measure.aims.iter().map(|aim| self.judged(*aim, row)).collect();
        let _ = write!(line, " {} |", aims.join("; "));
        line
    }

    fn judged(&self, aim: Aim, row: &Row) -> String {
        let ours = row.cells.first().and_then(Option::as_ref);
        let other = |name: &str| {
            let index = self.columns.iter().position(|column| *column == name)?;
            row.cells.get(index)?.as_ref()
        };
        let (text, reached) = match aim {
            Aim::Better(column, times) => (
                format!("{times} × {column}"),
                ours.zip(other(column)).map(|(a, b)| row.measure.factor(a.value, b.value) >= times),
            ),
            Aim::Within(column, times) => (
                format!("within {times} × {column}"),
                ours.zip(other(column)).map(|(a, b)| row.measure.factor(b.value, a.value) <= times),
            ),
            Aim::AtMost(most) => (format!("at most {most}"), ours.map(|ours| ours.value <= most)),
            Aim::TailAtMost(most) => {
                (format!("p99 at most {most}"), ours.and_then(|ours| ours.p99).map(|p99| p99 <= most))
            }
        };
        match reached {
            Some(true) => format!("{text}: reached"),
            Some(false) => format!("{text}: **short**"),
            None => text,
        }
    }
}

fn shown(summary: &Summary) -> String {
    let mut text = number(summary.value);
    if summary.samples > 1 && summary.low < summary.high {
        let _ = write!(text, " ({}–{})", number(summary.low), number(summary.high));
    }
    if let Some(p99) = summary.p99 {
        let _ = write!(text, ", p99 {}", number(p99));
    }
    text
}

/// Three significant digits, thousands in full.
fn number(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 1.0 || size == 0.0 => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(samples: &[f64], percent: f64, expected: Option<f64>) {
        assert_eq!(percentile(samples, percent), expected);
    }

    #[test]
    fn percentiles_are_samples() {
        check(&[], 50.0, None);
        check(&[7.0], 99.0, Some(7.0));
        check(&[1.0, 2.0, 3.0], 50.0, Some(2.0));
        check(&[1.0, 2.0, 3.0, 4.0], 50.0, Some(2.0));
        check(&[1.0, 2.0, 3.0, 4.0], 99.0, Some(4.0));
        check(&[1.0, 2.0], 0.0, Some(1.0));
    }

    #[test]
    fn a_table_holds_ours_against_the_others() {
        let mut report = Report::new("subject", &["ours", "slow", "bare"], Options::default());
        let runs = |figures: &[f64]| Summary::of_runs(figures);
        let aims = [Aim::Better("slow", 8.0), Aim::Within("bare", 2.0), Aim::AtMost(9.0)];
        report.add(
            Measure::less("round trip", "µs", &aims),
            vec![runs(&[10.0, 9.0, 11.0]), runs(&[100.0]), runs(&[4.0])],
        );
        let table = report.table();
        let line = "| round trip | µs | 10.0 (9.00–11.0) | 100 | 4.00 | 10.0 | 0.400 \
            | 8 × slow: reached; within 2 × bare: **short**; at most 9: **short** |";
        assert!(table.contains(line), "{table}");
    }

    #[test]
    fn samples_give_the_median_of_medians_and_a_common_tail() {
        let summary = Summary::of_samples(&[vec![1.0, 2.0, 9.0], vec![3.0, 4.0, 5.0], vec![]]);
        let expected = Summary { value: 2.0, low: 2.0, high: 4.0, p99: Some(9.0), samples: 6 };
        assert_eq!(summary, Some(expected));
    }
}
