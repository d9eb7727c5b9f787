//! What the demo knows of its participants, and how it shows it: a block of lines that is drawn anew on a terminal, one
//! line a round elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;

use serde_json::Value;

use crate::exit::Failure;
use crate::print;

/// One site, as its own lines and the server's tell it.
#[derive(Debug, Clone, Default)]
pub(super) struct SiteProgress {
    pub(super) state: String,
    pub(super) fqcn: String,
    pub(super) images: u64,
    /// Results that the server has counted.
    pub(super) counted: u32,
    /// Bytes of results that the server has acknowledged.
    pub(super) bytes: u64,
    /// Seconds of training.
    pub(super) seconds: f64,
}

/// A round that is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundResult {
    pub(super) round: u64,
    pub(super) accuracy: f64,
    pub(super) loss: f64,
    pub(super) counted: u64,
    /// Bytes of results of all sites since the last one.
    pub(super) bytes: u64,
    /// Since the last one.
    pub(super) seconds: f64,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) rounds: u32,
    pub(super) sites: BTreeMap<String, SiteProgress>,
    pub(super) results: Vec<RoundResult>,
    is_live: bool,
    drawn: usize,
}

impl Progress {
    pub(super) fn new(rounds: u32, sites: impl Iterator<Item = String>, is_json: bool) -> Self {
        let start = || SiteProgress { state: "starting".to_owned(), ..SiteProgress::default() };
        let is_live = !is_json && std::io::stdout().is_terminal();
        Self { rounds, sites: sites.map(|site| (site, start())).collect(), results: Vec::new(), is_live, drawn: 0 }
    }

    /// Takes in a line of a site.
    pub(super) fn site(&mut self, name: &str, line: &Value) {
        let Some(site) = self.sites.get_mut(name) else { return };
        let number = |key: &str| line[key].as_u64().unwrap_or_default();
        match line["event"].as_str().unwrap_or_default() {
            "registered" => {
                site.state = "registered".to_owned();
                site.fqcn = line["fqcn"].as_str().unwrap_or_default().to_owned();
                site.images = number("images");
            }
            "started" => site.state = "training".to_owned(),
            "done" => {
                site.state = "submitting".to_owned();
                site.seconds += line["seconds"].as_f64().unwrap_or_default();
            }
            "acknowledged" => {
                site.state = "waiting for the others".to_owned();
                site.bytes += number("bytes");
            }
            "failed" => site.state = format!("failed: {}", line["reason"].as_str().unwrap_or("?")),
            "waiting" => site.state = "waiting for the server".to_owned(),
            "ended" => site.state = "done".to_owned(),
            _ => {}
        }
    }

    /// Bytes of results of all sites.
    pub(super) fn bytes(&self) -> u64 {
        self.sites.values().map(|site| site.bytes).sum()
    }

    /// Draws the block anew, if there is a terminal to draw on.
    ///
    /// # Errors
    ///
    /// [`Failure`] if standard output cannot be written.
    pub(super) fn draw(&mut self) -> Result<(), Failure> {
        if !self.is_live {
            return Ok(());
        }
        let mut lines: Vec<String> = self.sites.iter().map(|(name, site)| site_line(name, site, self.rounds)).collect();
        lines.push(match self.results.last() {
            Some(last) => format!(
                "model    round {:>3}/{}  accuracy {:.4}  {}",
                last.round + 1,
                self.rounds,
                last.accuracy,
                bar(last.accuracy)
            ),
            None => "model    no round is over yet".to_owned(),
        });
        let up = if self.drawn > 0 { format!("\x1b[{}F", self.drawn) } else { String::new() };
        self.drawn = lines.len();
        let text: String = lines.iter().map(|line| format!("\x1b[2K{line}\n")).collect();
        print::bytes(format!("{up}{text}").as_bytes())
    }

    /// A line that stays, above the block.
    ///
    /// # Errors
    ///
    /// As [`draw`](Self::draw).
    pub(super) fn note(&mut self, text: &str) -> Result<(), Failure> {
        if self.is_live && self.drawn > 0 {
            print::bytes(format!("\x1b[{}F\x1b[J", self.drawn).as_bytes())?;
            self.drawn = 0;
        }
        print::line(text)?;
        self.draw()
    }
}

fn site_line(name: &str, site: &SiteProgress, rounds: u32) -> String {
    let fqcn = if site.fqcn.is_empty() || site.fqcn == name { String::new() } else { format!(" ({})", site.fqcn) };
    let part = f64::from(site.counted) / f64::from(rounds.max(1));
    format!("{name:<8} {} {:>3}/{rounds}  {}{fqcn}", bar(part), site.counted, site.state)
}

/// Twenty characters, part of them full.
fn bar(part: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 20")]
    let full = (part.clamp(0.0, 1.0) * 20.0).round() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(20 - full))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_of_a_site_add_up() {
        let mut progress = Progress::new(2, ["site-1".to_owned()].into_iter(), true);
        for line in [
            json!({"event": "registered", "fqcn": "relay-1.site-1", "images": 300}),
            json!({"event": "started", "task": "a"}),
            json!({"event": "done", "task": "a", "seconds": 0.5}),
            json!({"event": "acknowledged", "task": "a", "bytes": 100}),
            json!({"event": "done", "task": "b", "seconds": 0.25}),
            json!({"event": "acknowledged", "task": "b", "bytes": 50}),
        ] {
            progress.site("site-1", &line);
        }
        let site = &progress.sites["site-1"];
        assert_eq!((site.images, site.bytes, site.seconds), (300, 150, 0.75));
        assert_eq!(progress.bytes(), 150);
        assert!(site_line("site-1", site, 2).contains("relay-1.site-1"));
        assert_eq!(bar(0.5), "██████████░░░░░░░░░░");
    }
}
