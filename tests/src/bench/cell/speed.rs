//! How fast: round trips, requests with many outstanding, one-way messages; directly and through relays.

use anyhow::Context;
use serde_json::{Value, json};

use super::column::Chain;
use crate::bench::awake::Awake;
use crate::bench::figures::{Aim, Measure, Report, Summary};
use crate::bench::memory;

/// Requests on their way at a time.
const OUTSTANDING: usize = 64;
/// Payload of the small messages.
const SMALL: usize = 64;

/// How much is done; a column that is slower does less in one run.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Times that each column's turn comes.
    pub repetitions: usize,
    /// Seconds that one run of one column takes, about.
    pub seconds: f64,
}

/// Measures all chains, which have so many relays, in turns, while no core sleeps; one row says what it is when they may.
///
/// # Errors
///
/// If a peer fails.
pub fn measure(report: &mut Report, chains: &mut [Option<Chain>], relays: usize, effort: Effort) -> anyhow::Result<()> {
    let way = match relays {
        0 => String::new(),
        1 => " through 1 relay".to_owned(),
        more => format!(" through {more} relays"),
    };
    // What one small request costs when the machine does nothing else is the machine's; that row is for its sake.
    if relays == 0 {
        let measure = Measure::less(
            format!("round trip, {}, while cores may sleep", shown(SMALL)),
            "µs",
            &[Aim::Within("bare", 2.0)],
        );
        let runs = turns(chains, effort, |chain, count| round_trip(chain, SMALL, count))?;
        report.add(measure, runs.iter().map(|runs| Summary::of_samples(runs)).collect());
    }
    let awake = Awake::keep();
    if let Err(error) = &awake {
        report.note(format!("cores may sleep in all rows, they cannot be kept from it here: {error}"));
    }
    let sizes: &[usize] = if relays == 0 { &[SMALL, 1 << 10, 64 << 10] } else { &[SMALL] };
    for size in sizes {
        let aims: &[Aim] = match (relays, *size) {
            (0, SMALL) => &[Aim::Better("reference", 8.0), Aim::Within("bare", 2.0)],
            (0, _) => &[],
            _ => &[Aim::Better("reference", 8.0)],
        };
        let measure = Measure::less(format!("round trip, {}{way}", shown(*size)), "µs", aims);
        let runs = turns(chains, effort, |chain, count| round_trip(chain, *size, count))?;
        report.add(measure, runs.iter().map(|runs| Summary::of_samples(runs)).collect());
    }
    let many = if relays == 0 { 30.0 } else { 20.0 };
    let mut peaks = vec![Vec::new(); chains.len()];
    let aims = [Aim::Better("reference", many)];
    let measure = Measure::more(format!("requests with {OUTSTANDING} outstanding, {SMALL} B{way}"), "/s", &aims);
    for relay in chains.iter().flatten().flat_map(|chain| &chain.relays) {
        memory::forget_peak(relay.id())?;
    }
    let runs = turns(chains, effort, outstanding)?;
    report.add(measure, rates(&runs));
    for (chain, peaks) in chains.iter().zip(&mut peaks) {
        for relay in chain.iter().flat_map(|chain| &chain.relays) {
            peaks.push(mebibytes(memory::peak(relay.id())?));
        }
    }
    let aims = [Aim::Better("reference", if relays == 0 { 40.0 } else { 20.0 })];
    let measure = Measure::more(format!("one-way messages, {SMALL} B{way}"), "/s", &aims);
    let mut inverted = vec![Vec::new(); chains.len()];
    let index: Vec<_> = chains.iter().map(|chain| chain.as_ref().map(|chain| chain.column)).collect();
    let runs = turns(chains, effort, |chain, count| {
        let (rate, share) = one_way(chain, count)?;
        if let Some(at) = index.iter().position(|column| *column == Some(chain.column)) {
            inverted[at].push(share);
        }
        Ok(vec![rate])
    })?;
    report.add(measure, rates(&runs));
    let measure = Measure::less(format!("messages behind one sent later{way}"), "%", &[Aim::AtMost(0.0)]);
    report.add(measure, inverted.iter().map(|shares| Summary::of_runs(shares)).collect());
    if relays > 0 {
        let measure = Measure::less(format!("memory of a relay while forwarding{way}"), "MiB", &[]);
        report.add(measure, peaks.iter().map(|peaks| Summary::of_runs(peaks)).collect());
    }
    Ok(())
}

fn rates(runs: &[Vec<Vec<f64>>]) -> Vec<Option<Summary>> {
    runs.iter().map(|runs| Summary::of_runs(&runs.concat())).collect()
}

/// Each column in turn, and that several times, so that what else the machine does hits all alike.
///
/// The first turn is short and tells how much each column can do in the time that a run has.
fn turns(
    chains: &mut [Option<Chain>],
    effort: Effort,
    mut run: impl FnMut(&mut Chain, usize) -> anyhow::Result<Vec<f64>>,
) -> anyhow::Result<Vec<Vec<Vec<f64>>>> {
    const TRIAL: usize = 10 * OUTSTANDING;
    let mut counts = Vec::new();
    for chain in chains.iter_mut() {
        let Some(chain) = chain else {
            counts.push(0);
            continue;
        };
        let started = std::time::Instant::now();
        run(chain, TRIAL).with_context(|| format!("column {}", chain.column.name()))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let count = (TRIAL as f64 * effort.seconds / started.elapsed().as_secs_f64()) as usize;
        counts.push(count.clamp(TRIAL, 2_000_000) / OUTSTANDING * OUTSTANDING);
    }
    let mut runs = vec![Vec::new(); chains.len()];
    for repetition in 0..effort.repetitions {
        for turn in 0..chains.len() {
            let at = (turn + repetition) % chains.len();
            if let Some(chain) = &mut chains[at] {
                runs[at].push(run(chain, counts[at]).with_context(|| format!("column {}", chain.column.name()))?);
            }
        }
    }
    Ok(runs)
}

fn round_trip(chain: &mut Chain, size: usize, count: usize) -> anyhow::Result<Vec<f64>> {
    let done = chain.client.ask(&json!({"do": "round_trip", "size": size, "count": count}))?;
    Ok(microseconds(&done))
}

fn outstanding(chain: &mut Chain, count: usize) -> anyhow::Result<Vec<f64>> {
    let command = json!({"do": "outstanding", "size": SMALL, "count": count, "outstanding": OUTSTANDING});
    let done = chain.client.ask(&command)?;
    let (done, seconds) = (done["done"].as_f64(), done["seconds"].as_f64());
    Ok(vec![done.zip(seconds).map(|(done, seconds)| done / seconds).context("no rate")?])
}

/// Messages a second, and the percentage that arrived behind one sent later.
fn one_way(chain: &mut Chain, count: usize) -> anyhow::Result<(f64, f64)> {
    chain.server.ask(&json!({"do": "expect", "count": count}))?;
    let sent = chain.client.ask(&json!({"do": "one_way", "size": SMALL, "count": count}))?;
    let counted = chain.server.ask(&json!({"do": "counted", "timeout": 60}))?;
    let received = counted["received"].as_f64().unwrap_or_default();
    #[expect(clippy::cast_precision_loss)]
    let wanted = count as f64;
    anyhow::ensure!(received >= wanted, "{received} of {wanted} one-way messages arrived");
    let took = counted["last"].as_f64().zip(sent["started"].as_f64()).map(|(last, started)| last - started);
    let seconds = took.context("no times")? / 1e9;
    Ok((received / seconds, 100.0 * counted["inverted"].as_f64().unwrap_or_default() / received))
}

/// The times of single requests that a peer gave, in microseconds.
pub fn microseconds(done: &Value) -> Vec<f64> {
    done["nanoseconds"].as_array().into_iter().flatten().filter_map(Value::as_f64).map(|each| each / 1e3).collect()
}

/// Bytes as mebibytes.
pub fn mebibytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss)]
    let bytes = bytes as f64;
    bytes / f64::from(1 << 20)
}

fn shown(size: usize) -> String {
    if size < 1024 { format!("{size} B") } else { format!("{} KiB", size / 1024) }
}
