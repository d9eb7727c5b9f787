//! Streams over bad networks: what comes is what was sent, memory is bounded, everything ends, nothing stays behind.

use core::num::NonZero;
use core::sync::atomic::{AtomicU64, Ordering};

use fedcell_tests::sim::streams::{Summary, run, run_or_explain};

/// How many seeds are run, from 0 on.
const SEEDS: u64 = 2500;

#[test]
#[expect(clippy::print_stdout, reason = "with --nocapture it says what was gone through")]
fn what_comes_is_what_was_sent_and_everything_ends() {
    if let Some(seed) = std::env::var("FEDCELL_SIM_SEED").ok().and_then(|text| text.parse().ok()) {
        let _ = run_or_explain(seed);
        return;
    }
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicU64::new(0);
    let work = || {
        core::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed))
            .take_while(|seed| *seed < SEEDS)
            .map(run_or_explain)
            .fold(Summary::default(), Summary::plus)
    };
    let total = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().fold(Summary::default(), |total, worker| match worker.join() {
            Ok(part) => total.plus(part),
            Err(failure) => std::panic::resume_unwind(failure),
        })
    });
    println!("{SEEDS} seeds: {total:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(total.flows > 12 * SEEDS && total.read > total.flows / 2, "{total:?}");
    assert!(total.failed > SEEDS && total.broken > 500 && total.reliable > total.flows / 4, "{total:?}");
    assert!(total.lost > 10 * SEEDS && total.faults > 2 * SEEDS && total.gentle > SEEDS / 4, "{total:?}");
}

#[test]
fn the_same_seed_gives_the_same_course_and_another_seed_another() {
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
        assert_ne!(run(seed).digest, run(seed + 1000).digest, "seed {seed}");
    }
}
