//! How rows are run, several networks at the same time, and what is said of them.

use core::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Error, Result, ensure};

use super::Outcome;

/// How a row went.
pub(super) struct Verdict {
    /// Name of its network: a letter a cell among others, `R` for ours.
    network: String,
    row: String,
    seconds: f64,
    /// Why not, if it failed.
    reason: Option<String>,
}

impl Verdict {
    /// Runs a row and notes how it went.
    pub(super) fn of(network: &str, row: &str, run: impl FnOnce() -> Result<()>) -> Self {
        let start = Instant::now();
        let reason = run().err().map(|error| reason(&error));
        Self { network: network.to_owned(), row: row.to_owned(), seconds: start.elapsed().as_secs_f64(), reason }
    }
}

/// What one run of a subject is asked for, and what came of it.
pub(super) struct Report {
    subject: &'static str,
    filter: String,
    start: Instant,
    verdicts: Mutex<Vec<Verdict>>,
}

impl Report {
    /// A run that begins now; the environment's `FEDCELL_ROWS` says which rows.
    pub(super) fn begin(subject: &'static str) -> Self {
        let filter = std::env::var("FEDCELL_ROWS").unwrap_or_default();
        Self { subject, filter, start: Instant::now(), verdicts: Mutex::default() }
    }

    /// Whether a row is wanted.
    pub(super) fn wants(&self, network: &str, row: &str) -> bool {
        network.contains(&self.filter) || row.contains(&self.filter)
    }

    /// Does every job, so many at the same time, and prints a line for each row as its job ends.
    #[expect(clippy::print_stdout, reason = "the rows are what these commands are for")]
    pub(super) fn run<J: Send>(&self, workers: usize, jobs: Vec<J>, run: impl Fn(J) -> Vec<Verdict> + Sync) {
        let jobs = Mutex::new(jobs.into_iter());
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    loop {
                        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).next();
                        let Some(job) = job else { break };
                        let found = run(job);
                        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
                        print!("{}", table(&found));
                        verdicts.extend(found);
                    }
                });
            }
        });
    }

    /// Runs the wanted rows of one network, which is started anew after a row that failed: the next shall not fail for
    /// this one's reason.
    pub(super) fn run_network<N, R>(
        &self,
        network: &str,
        rows: Vec<(String, R)>,
        start: impl Fn() -> Result<N>,
        show: impl Fn(&R, &mut N) -> Result<()>,
    ) -> Vec<Verdict> {
        let rows: Vec<_> = rows.into_iter().filter(|(row, _)| self.wants(network, row)).collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let mut running = start();
        let mut verdicts = Vec::new();
        for (name, row) in rows {
            let verdict = Verdict::of(network, &name, || match &mut running {
                Ok(running) => show(&row, running),
                Err(error) => Err(anyhow::anyhow!("the network does not start: {error:#}")),
            });
            let broken = verdict.reason.is_some() && running.is_ok();
            verdicts.push(verdict);
            if broken {
                drop(running);
                running = start();
            }
        }
        verdicts
    }

    /// The last line.
    ///
    /// # Errors
    ///
    /// If a row failed, or there was none.
    #[expect(clippy::print_stdout, reason = "the rows are what these commands are for")]
    pub(super) fn end(self) -> Outcome {
        let Self { subject, filter, start, verdicts } = self;
        let verdicts = verdicts.into_inner().unwrap_or_else(PoisonError::into_inner);
        let failed = verdicts.iter().filter(|verdict| verdict.reason.is_some()).count();
        let ours = verdicts.iter().filter(|verdict| verdict.network.contains('R')).count();
        let (rows, seconds) = (verdicts.len(), start.elapsed().as_secs_f64());
        println!("{subject}: {rows} rows, {ours} of them with cells of ours, {failed} failed, in {seconds:.0} s");
        ensure!(failed == 0, "{failed} of {rows} rows failed");
        ensure!(rows > 0, "no row has {filter:?} in its name");
        Ok(())
    }
}

/// The reason itself, then what the logs end with.
fn reason(error: &Error) -> String {
    let mut causes: Vec<_> = error.chain().map(ToString::to_string).filter(|text| !text.is_empty()).collect();
    if causes.len() > 1 {
        causes.rotate_left(1);
    }
    causes.join(": ")
}

/// A line for each row, and the reason below one that failed.
fn table(verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for Verdict { network, row, seconds, reason } in verdicts {
        let mark = if reason.is_some() { "FAIL" } else { "PASS" };
        // Writing to a string does not fail.
        _ = write!(text, "{mark}  {network}  {row}  [{seconds:.1} s]");
        _ = match reason {
            Some(reason) => writeln!(text, "\n      {reason}"),
            None => writeln!(text),
        };
    }
    text
}
