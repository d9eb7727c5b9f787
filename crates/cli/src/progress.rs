//! Progress on a terminal: a bar on standard error, and nothing where there is no terminal.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// What the bar shows of a transfer whose size is known.
const KNOWN: &str = "{msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}";
/// The same without a size.
const UNKNOWN: &str = "{msg} {spinner} {bytes} {binary_bytes_per_sec}";

/// A bar for a transfer of that many bytes, if they are known.
pub(crate) fn bar(what: String, bytes: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), KNOWN),
        None => (ProgressBar::no_length(), UNKNOWN),
    };
    // The templates are constants; a bar in another style shows as much.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(what)
}
