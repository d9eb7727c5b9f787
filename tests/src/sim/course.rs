//! The course of a simulation: a digest of all that happened, and the text of it if somebody wants to read it.

use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::hash::DefaultHasher;

/// How many lines of a failed course are printed.
const SHOWN: usize = 120;

/// What happened so far.
#[derive(Debug)]
pub(super) struct Course {
    digest: DefaultHasher,
    lines: Option<Vec<String>>,
}

impl Course {
    /// A course of which only the digest is kept, or the text too.
    pub(super) fn new(in_words: bool) -> Self {
        Self { digest: DefaultHasher::new(), lines: in_words.then(Vec::new) }
    }

    /// Something happened at that time: `facts` go into the digest, `words` are made only if they are kept.
    pub(super) fn note(&mut self, at: Duration, facts: impl Hash, words: impl FnOnce() -> String) {
        (at, facts).hash(&mut self.digest);
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>10.3} ms  {}", at.as_secs_f64() * 1e3, words()));
        }
    }

    /// A number that differs if anything differed.
    pub(super) fn digest(&self) -> u64 {
        self.digest.finish()
    }
}

impl Drop for Course {
    #[expect(clippy::print_stderr, reason = "the course of a failed simulation is for whoever runs the test")]
    fn drop(&mut self) {
        if let Some(lines) = self.lines.as_ref().filter(|_| std::thread::panicking()) {
            eprintln!("the last of {} things that happened:", lines.len());
            lines.iter().skip(lines.len().saturating_sub(SHOWN)).for_each(|line| eprintln!("{line}"));
        }
    }
}
