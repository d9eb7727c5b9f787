//! Loss and repetition: a job of five rounds whose site, relay and coordinator are killed at random points, in virtual
//! time and on simulated disks.
//!
//! ```text
//!   Plan (a seed) ── kills: who, when, for how long, with or without power
//!     └── World ── server: membership, tasks, run, journal      on cells in memory, each with its disk in memory
//!           │      relay, sites: registration, task loop, outbox
//!           └── Ledger: what was seen from outside, over all lives of all processes
//! ```
//!
//! Every result that a site has put on its disk is counted once, nothing is done a second time after that, and the model
//! at the end is that of the same run without a kill, bit by bit. `FEDCELL_LOSS_COUNT` and `FEDCELL_LOSS_SEED` choose how
//! many seeds are run, and from which on.

mod disk;
mod ledger;
mod plan;
mod server;
mod site;
mod world;

use core::num::NonZero;
use core::sync::atomic::{AtomicU64, Ordering};

use disk::Mutation;
use ledger::Summary;
use world::run;

/// How many seeds are run.
const SEEDS: u64 = 250;

/// Seeds in which a mutation must be noticed at least once.
const MUTATED_SEEDS: u64 = 40;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Runs seeds on as many threads as there are processors; which seed runs where does not matter to it. The summary, and
/// what was wrong.
fn run_all(first: u64, count: u64, mutation: Mutation) -> (Summary, Vec<String>) {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicU64::new(first);
    let work = || {
        let mut total = (Summary::default(), Vec::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return total;
            }
            match run(seed, mutation) {
                Ok(summary) => total.0 = total.0.plus(summary),
                Err(problem) => total.1.push(format!("seed {seed}: {problem}")),
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().fold((Summary::default(), Vec::new()), |mut all, worker| match worker.join() {
            Ok((part, problems)) => {
                all.1.extend(problems);
                (all.0.plus(part), all.1)
            }
            Err(failure) => std::panic::resume_unwind(failure),
        })
    })
}

#[test]
#[expect(clippy::print_stdout, reason = "with --nocapture it says what was gone through")]
fn every_result_is_counted_once_and_the_model_is_the_undisturbed_one() {
    let (first, count) = (number("FEDCELL_LOSS_SEED", 0), number("FEDCELL_LOSS_COUNT", SEEDS));
    let (total, problems) = run_all(first, count, Mutation::None);
    println!("{count} seeds from {first} on: {total:?}");
    assert!(problems.is_empty(), "{} of {count} runs are wrong:\n{}", problems.len(), problems.join("\n"));
    // A simulation in which nothing happens proves nothing.
    assert!(total.kills >= count && total.power_losses > count / 4 && total.in_writing > count / 4, "{total:?}");
    if count >= SEEDS {
        assert!(total.repeated > count / 20 && total.done_again > count / 20, "{total:?}");
    }
}

/// A disk that syncs nothing is what a server has that acknowledges a result before it is in the journal for good; one
/// that loses a record when it is read is what a site has that forgets a result before it is acknowledged.
#[test]
fn what_is_acknowledged_too_early_or_forgotten_too_early_is_noticed() {
    for mutation in [Mutation::JournalSyncsNothing, Mutation::OutboxForgetsWhatItSends] {
        let is_noticed = (0..MUTATED_SEEDS).any(|seed| run(seed, mutation).is_err());
        assert!(is_noticed, "{mutation:?} is not noticed in {MUTATED_SEEDS} runs");
    }
}
