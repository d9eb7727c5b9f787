//! Random federations with failures: every request ends, nothing goes in circles, nothing stays behind, and the network
//! heals.

use core::num::NonZero;
use core::sync::atomic::{AtomicU64, Ordering};

use fedcell_tests::sim::{Summary, run, run_or_explain};

/// How many seeds are run, from 0 on.
const SEEDS: u64 = 1000;

/// Runs the seeds on as many threads as there are processors; which seed runs where does not matter to it.
fn run_all(seeds: u64) -> Summary {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicU64::new(0);
    let work = || {
        core::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed))
            .take_while(|seed| *seed < seeds)
            .map(run_or_explain)
            .fold(Summary::default(), Summary::plus)
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().fold(Summary::default(), |total, worker| match worker.join() {
            Ok(part) => total.plus(part),
            Err(failure) => std::panic::resume_unwind(failure),
        })
    })
}

#[test]
#[expect(clippy::print_stdout, reason = "with --nocapture it says what was gone through")]
fn every_request_ends_nothing_goes_in_circles_and_the_network_heals() {
    if let Some(seed) = std::env::var("FEDCELL_SIM_SEED").ok().and_then(|text| text.parse().ok()) {
        let _ = run(seed, true);
        return;
    }
    let total = run_all(SEEDS);
    println!("{SEEDS} seeds: {total:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(total.answered > total.targets / 4, "{total:?}");
    assert!(total.returned > 500 && total.failed > 500 && total.timed_out > 500, "{total:?}");
    assert!(total.surplus > 500 && total.transits > 5_000 && total.faults > 5_000, "{total:?}");
    assert!(total.offers > 500 && total.unknown > 500, "{total:?}");
}

#[test]
fn the_same_seed_gives_the_same_course_and_another_seed_another() {
    for seed in 0..20 {
        assert_eq!(run(seed, false), run(seed, true), "seed {seed}");
        assert_ne!(run(seed, false).digest, run(seed + 1000, false).digest, "seed {seed}");
    }
}
