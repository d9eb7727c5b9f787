//! Standard output: results, and nothing else.

use std::io::Write as _;

use serde_json::Value;

use crate::exit::Failure;

/// Prints a JSON object on one line.
///
/// # Errors
///
/// [`Failure`] if standard output cannot be written.
pub(crate) fn json(value: &Value) -> Result<(), Failure> {
    line(&value.to_string())
}

/// Prints one line.
///
/// # Errors
///
/// As [`json`].
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())?;
    bytes(b"\n")
}

/// Prints bytes as they are.
///
/// # Errors
///
/// As [`json`].
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    written.map_err(|error| Failure::local(error).context("standard output cannot be written"))
}

/// Lays out rows in columns, with their titles if there are any.
pub(crate) fn table(headers: &[String], rows: &[Vec<String>]) -> String {
    let head = Some(headers).filter(|headers| !headers.is_empty());
    let all: Vec<&[String]> = head.into_iter().chain(rows.iter().map(Vec::as_slice)).collect();
    let columns = all.iter().map(|row| row.len()).max().unwrap_or(0);
    let width = |column: usize| all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let lines = all.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let text = table(&row(&["name", "n"]), &[row(&["a", "10"]), row(&["longer one", "2"])]);
        assert_eq!(text, "name        n\na           10\nlonger one  2");
        assert_eq!(table(&[], &[]), "");
    }
}
