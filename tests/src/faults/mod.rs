//! Real processes, killed, stopped and cut off at random moments: transfers while the network breaks, here, and whole jobs
//! whose participants die, in `federation`.
//!
//! ```text
//!   server ◄── proxy ◄── relay-1 ◄─┬─ proxy ◄── relay-1.site-1
//!                                  └─ proxy ◄── relay-1.site-2
//! ```
//!
//! The relay is killed with SIGKILL and started again, or stopped for 20 s; a proxy cuts its connections and takes no
//! new one for a while. Every transfer has to arrive whole, without beginning again from zero, and at the end no process
//! may hold more than at the beginning. Only transfers count that have met a trouble on their way.

mod check;
mod federation;
mod network;
mod transfer;
mod trouble;

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::time::Duration;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use fedcell_netsim::SimRng;

use crate::interop::{cell::kits::Kits, other_life};
use network::Network;
use transfer::Transfer;

/// Transfers that run at a time: enough for each to be on its way for some seconds.
const AT_A_TIME: usize = 12;
/// Transfers before the first trouble.
const WARM_UP: usize = 8;

/// What the command line says.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    count: usize,
    seed: u64,
}

/// Runs so many transfers or jobs: `faults [stream|federation] [--count N] [--seed N]`.
#[expect(clippy::print_stderr, clippy::print_stdout, reason = "the command reports to a terminal")]
pub fn main(arguments: &[String]) -> ExitCode {
    if let Some(code) = arguments.first().and_then(|first| other_life(first)) {
        return code;
    }
    let (subject, main): (_, fn(Wanted) -> Result<()>) = match arguments.first().map(String::as_str) {
        Some("federation") => ("federation", federation::main),
        _ => ("stream", run),
    };
    match wanted(arguments).and_then(main) {
        Ok(()) => {
            println!("faults {subject}: ok");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("faults {subject}: failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn wanted(arguments: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted { count: 200, seed: 1 };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let number = match argument.as_str() {
            "stream" | "federation" | "--quick" => continue,
            _ => rest.next().with_context(|| format!("{argument} without a number"))?.parse::<u64>()?,
        };
        match argument.as_str() {
            "--count" => wanted.count = usize::try_from(number)?,
            "--seed" => wanted.seed = number,
            other => anyhow::bail!("no option {other:?}; there are --count and --seed"),
        }
    }
    Ok(wanted)
}

#[expect(clippy::print_stdout, reason = "a long run shows how far it is")]
fn run(wanted: Wanted) -> Result<()> {
    let start = Instant::now();
    let kits = Kits::make()?;
    let network = Network::up(&kits)?;
    // The first transfers make what stays: connections, buffers, threads.
    for index in 0..WARM_UP {
        Transfer::new(index).run(&network)?;
    }
    let before = check::settle(&network)?;
    println!("before: {}", check::shown(&before));

    let (next, met, over) = (AtomicUsize::new(WARM_UP), AtomicUsize::new(0), AtomicBool::new(false));
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let maker = scope.spawn(|| trouble::make(&network, SimRng::new(wanted.seed), &over));
        let workers: Vec<_> = (0..AT_A_TIME)
            .map(|_| {
                scope.spawn(|| {
                    while met.load(Ordering::Acquire) < wanted.count {
                        let transfer = Transfer::new(next.fetch_add(1, Ordering::AcqRel));
                        let outcome = transfer.run(&network);
                        match &outcome {
                            Ok(done) => println!("ok    {transfer}: {:.1} s, {} troubles", done.seconds, done.met),
                            Err(error) => println!("FAIL  {transfer}: {error:#}"),
                        }
                        // One that failed counts, so that a network where none arrives comes to an end.
                        if outcome.as_ref().map_or(true, |done| done.met > 0) {
                            met.fetch_add(1, Ordering::AcqRel);
                        }
                        results.lock().unwrap_or_else(PoisonError::into_inner).push((transfer, outcome));
                    }
                })
            })
            .collect();
        for worker in workers {
            drop(worker.join());
        }
        over.store(true, Ordering::Release);
        maker.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the trouble maker panicked")))
    })?;
    let seconds = start.elapsed().as_secs_f64();

    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed = results.iter().filter(|(_, outcome)| outcome.is_err()).count();
    let repeats = check::repeats(&network, &results)?;
    let after = check::settle(&network)?;
    println!("after:  {}", check::shown(&after));
    println!("{}", trouble::Tally(&network.troubles()));
    println!("{}", check::troubles_met(&results));
    println!(
        "{} transfers, {failed} failed, {:.1} % of the bytes went again; {seconds:.0} s, and {:.0} s until all was settled",
        results.len(),
        100.0 * repeats,
        start.elapsed().as_secs_f64() - seconds
    );
    ensure!(failed == 0, "{failed} of {} transfers failed", results.len());
    check::no_leak(&before, &after)
}

/// How long a transfer may take: a stopped relay costs 20 s, and there may be several troubles in a row.
const TRANSFER_LIMIT: Duration = Duration::from_secs(300);
