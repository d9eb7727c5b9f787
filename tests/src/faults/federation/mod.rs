//! Whole jobs whose participants are killed: real processes of `fedcell` over mutual TLS, with kits of their own.
//!
//! ```text
//!   server ◄─┬─ site-1
//!            └─ relay-1 ◄─┬─ site-2
//!                         └─ site-3
//! ```
//!
//! A job of five rounds; at seeded moments one or two of the processes are killed with SIGKILL and started again a moment
//! later, one to three times a run. In the end the model's file must be that of the undisturbed run of the same seed, byte
//! for byte, every site's result counted once in every round, every exit code right, and nothing left behind: no process,
//! no half-written file, no result in an outbox.

mod check;
mod kits;
mod plan;
mod process;
mod run;

use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use fedcell_netsim::SimRng;

use super::Wanted;
use kits::Kits;
use plan::{Plan, Victim};
use run::{Course, run};

/// Jobs that run at a time.
const AT_A_TIME: usize = 2;

/// Seeds of the job itself; each has an undisturbed run.
const JOB_SEEDS: u64 = 5;

/// Rounds of a job.
const ROUNDS: u32 = 5;

const SITES: [&str; 3] = ["site-1", "site-2", "site-3"];

/// Runs so many jobs.
#[expect(clippy::print_stdout, reason = "a long run shows how far it is")]
pub(super) fn main(wanted: Wanted) -> Result<()> {
    let start = Instant::now();
    let program = crate::binary::fedcell()?;
    let kits = (0..AT_A_TIME).map(|_| Kits::make(program)).collect::<Result<Vec<_>>>()?;
    let mut undisturbed = HashMap::new();
    for seed in 1..=JOB_SEEDS {
        let course = run(program, &kits[0], seed, &Plan::default())?;
        println!("undisturbed, seed {seed}: {:.1} s, model {}", course.seconds, course.model);
        undisturbed.insert(seed, course);
    }
    let longest = undisturbed.values().map(|course| course.seconds).fold(0.0, f64::max);
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for kits in &kits {
            let (next, results, undisturbed) = (&next, &results, &undisturbed);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::AcqRel);
                    if index >= wanted.count {
                        return;
                    }
                    let seed = 1 + index as u64 % JOB_SEEDS;
                    let plan = Plan::new(&mut SimRng::new(wanted.seed + index as u64), longest);
                    let outcome = run(program, kits, seed, &plan).and_then(|course| {
                        let expected = &undisturbed[&seed].model;
                        ensure!(course.model == *expected, "another model: {} for {expected}", course.model);
                        Ok(course)
                    });
                    match &outcome {
                        Ok(course) => println!("ok    {index:>3}  {:>5.1} s  {}", course.seconds, shown(course)),
                        Err(error) => println!("FAIL  {index:>3}  {plan}: {error:#}"),
                    }
                    results.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let failed = results.iter().filter(|result| result.is_err()).count();
    let courses: Vec<&Course> = results.iter().flatten().collect();
    let killed = |is_one: fn(Victim) -> bool| {
        courses.iter().flat_map(|course| &course.killed).filter(|(victim, _)| is_one(*victim)).count()
    };
    let (server, relay) = (killed(|victim| victim == Victim::Server), killed(|victim| victim == Victim::Relay));
    let sites = killed(|victim| matches!(victim, Victim::Site(_)));
    let mut seconds: Vec<f64> = courses.iter().map(|course| course.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    println!(
        "{} jobs, {failed} wrong; killed: server {server}, relay {relay}, sites {sites} times; {} results counted; a job \
         took {:.1} s (median), {:.1} s at most; {:.0} s together",
        results.len(),
        courses.iter().map(|course| course.counted).sum::<usize>(),
        seconds.get(seconds.len() / 2).copied().unwrap_or_default(),
        seconds.last().copied().unwrap_or_default(),
        start.elapsed().as_secs_f64(),
    );
    ensure!(failed == 0, "{failed} of {} jobs went wrong", results.len());
    ensure!(server + relay + sites >= wanted.count, "too little was killed");
    Ok(())
}

fn shown(course: &Course) -> String {
    let kills: Vec<String> =
        course.killed.iter().map(|(victim, at)| format!("{victim} at {:.2} s", at.as_secs_f64())).collect();
    format!("killed {}", kills.join(", "))
}
