//! Streams beside those of the reference and beside bare TCP: how fast, how much memory, and what others feel of them.
//!
//! The processes are those of the benchmark of cells: a client, no or one relay, a server, in each column.

use anyhow::Context;
use serde_json::{Value, json};

use crate::Options;
use crate::bench::cell::column::{Chain, Column, Overhead, Peer};
use crate::bench::cell::kit::Kits;
use crate::bench::cell::speed::{mebibytes, microseconds};
use crate::bench::figures::{Aim, Measure, Report, Summary};
use crate::bench::{memory, wants_rows};

/// Longest that a transfer may take, in seconds.
const PATIENCE: u64 = 120;
/// Arrays or byte strings of a model.
const ITEMS: usize = 64;
/// Small requests on their way at a time.
const OUTSTANDING: usize = 64;
/// Payload of a small request.
const SMALL: usize = 1 << 10;

/// How much is done.
#[derive(Debug, Clone, Copy)]
struct Effort {
    repetitions: usize,
    large: usize,
    /// Transfers of `large` beside which small requests are asked: enough for one in a hundred to be several.
    transfers: usize,
    model: usize,
    round_trips: usize,
    requests: usize,
}

/// Runs the whole comparison, or those parts of it that `FEDCELL_BENCH_ROWS` names: `blobs`, `models`, `requests`.
///
/// # Errors
///
/// If a process of one of the columns cannot be started or fails; never because one is slow.
pub fn run(options: Options) -> super::Outcome {
    let effort = if options.quick {
        Effort { repetitions: 2, large: 256 << 20, transfers: 4, model: 128 << 20, round_trips: 200, requests: 2_560 }
    } else {
        Effort { repetitions: 3, large: 1 << 30, transfers: 8, model: 256 << 20, round_trips: 1_000, requests: 6_400 }
    };
    let columns = Column::wanted();
    let mut report = Report::new("stream", &Column::ALL.map(Column::name), options);
    let kits = Kits::make(&["site-1", "relay-1"])?;
    for (relays, kits) in [(0, None), (0, Some(&kits)), (1, None)] {
        let mut chains = Vec::new();
        for column in columns {
            let start = |column| Chain::start_with(column, relays, Overhead::default(), kits);
            chains.push(column.map(start).transpose()?);
        }
        let way = match (relays, kits.is_some()) {
            (0, false) => "clear",
            (0, true) => "mTLS",
            _ => "clear, 1 relay",
        };
        if wants_rows("blobs") {
            goodput(&mut report, &mut chains, way, effort)?;
        }
        if relays > 0 {
            continue;
        }
        if wants_rows("models") {
            models(&mut report, &mut chains, way, effort)?;
        }
        if kits.is_none() && wants_rows("requests") {
            small(&mut report, &mut chains, effort)?;
        }
    }
    report.finish()
}

/// Raw blobs, and the peak of memory of all three processes while the largest is on its way.
fn goodput(report: &mut Report, chains: &mut [Option<Chain>], way: &str, effort: Effort) -> anyhow::Result<()> {
    let relayed = chains.iter().flatten().any(|chain| !chain.relays.is_empty());
    for size in [64 << 20, effort.large] {
        for streams in [1, 8] {
            let aims = match relayed {
                true => [Aim::Better("reference", 2.5), Aim::Within("bare", 1.5)],
                false => [Aim::Better("reference", 2.0), Aim::Within("bare", 1.5)],
            };
            let name =
                format!("blob of {} in {streams} stream{}, {way}", shown(size), if streams > 1 { "s" } else { "" });
            let runs = turns(chains, effort.repetitions, |chain| push(chain, size, streams))?;
            report.add(Measure::more(name, "GB/s", &aims), runs.iter().map(|runs| Summary::of_runs(runs)).collect());
        }
    }
    let mut peaks: [Vec<Option<Summary>>; 3] = Default::default();
    for chain in chains {
        let Some(chain) = chain else {
            peaks.iter_mut().for_each(|cells| cells.push(None));
            continue;
        };
        for peer in peers(chain) {
            memory::forget_peak(peer.id())?;
        }
        push(chain, effort.large, 1)?;
        let found = [Some(&chain.client), chain.relays.first(), Some(&chain.server)];
        for (cells, peer) in peaks.iter_mut().zip(found) {
            let peak = peer.map(|peer| memory::peak(peer.id())).transpose()?.map(mebibytes);
            cells.push(peak.and_then(|peak| Summary::of_runs(&[peak])));
        }
    }
    let [sender, relay, receiver] = peaks;
    let payload = mebibytes(effort.large as u64);
    for (who, cells) in [("sender", sender), ("receiver", receiver)] {
        let name = format!("peak memory of the {who} of {}, as a multiple, {way}", shown(effort.large));
        let multiple = |cell: Option<Summary>| cell.and_then(|peak| Summary::of_runs(&[peak.value / payload]));
        report.add(Measure::less(name, "×", &[]), cells.into_iter().map(multiple).collect());
    }
    if relayed {
        let name = format!("peak memory of the relay while {} pass", shown(effort.large));
        report.add(Measure::less(name, "MiB", &[Aim::AtMost(64.0)]), relay);
    }
    Ok(())
}

/// A model of arrays, which the receiver downloads, and a dictionary of byte strings, which travels in the request.
fn models(report: &mut Report, chains: &mut [Option<Chain>], way: &str, effort: Effort) -> anyhow::Result<()> {
    for (arrays, what, times) in [(true, "arrays", 8.0), (false, "byte strings", 15.0)] {
        let runs = turns(chains, effort.repetitions, |chain| {
            let command = json!({"do": "model", "size": effort.model, "items": ITEMS, "arrays": arrays});
            let seconds = chain.client.ask(&command)?["seconds"].as_f64().context("no time")?;
            Ok(gigabytes(effort.model) / seconds)
        })?;
        let name = format!("model of {ITEMS} {what}, {}, {way}", shown(effort.model));
        let measure = Measure::more(name, "GB/s", &[Aim::Better("reference", times)]);
        report.add(measure, runs.iter().map(|runs| Summary::of_runs(runs)).collect());
    }
    Ok(())
}

/// Streamed requests of 1 KiB: alone, many at a time, and while a large one is on its way.
fn small(report: &mut Report, chains: &mut [Option<Chain>], effort: Effort) -> anyhow::Result<()> {
    let mut idle = |pauses: bool| {
        samples(chains, |chain| {
            let count = effort.round_trips;
            let command =
                json!({"do": "round_trip", "size": SMALL, "count": count, "streamed": true, "pauses": pauses});
            Ok(microseconds(&chain.client.ask(&command)?))
        })
    };
    let measure = Measure::less("streamed request, 1 KiB", "µs", &[Aim::Better("reference", 20.0)]);
    let back_to_back = idle(false)?;
    report.add(measure, back_to_back.clone());
    // As those beside a large one are asked: what comes after a pause finds cores asleep and caches cold.
    let alike = idle(true)?;
    report.add(Measure::less("streamed request, 1 KiB, 2 ms after the one before", "µs", &[]), alike.clone());
    let idle = [("asked alike", alike), ("back to back", back_to_back)];

    let runs = turns(chains, effort.repetitions, |chain| {
        let count = if chain.column == Column::Reference { effort.requests / 10 } else { effort.requests };
        let command = json!({
            "do": "outstanding", "size": SMALL, "count": count.next_multiple_of(OUTSTANDING), "outstanding": OUTSTANDING,
            "streamed": true,
        });
        let done = chain.client.ask(&command)?;
        done["done"].as_f64().zip(done["seconds"].as_f64()).map(|(done, seconds)| done / seconds).context("no rate")
    })?;
    let name = format!("streamed requests with {OUTSTANDING} outstanding, 1 KiB");
    let measure = Measure::more(name, "/s", &[Aim::Better("reference", 100.0)]);
    report.add(measure, runs.iter().map(|runs| Summary::of_runs(runs)).collect());

    for streams in [1, 8] {
        during(report, chains, effort, streams, &idle)?;
    }
    Ok(())
}

/// Small requests while a large payload is on its way in so many streams, one such transfer after the other, beside those
/// of an idle connection.
fn during(
    report: &mut Report,
    chains: &mut [Option<Chain>],
    effort: Effort,
    streams: usize,
    idle: &[(&str, Vec<Option<Summary>>)],
) -> anyhow::Result<()> {
    let size = shown(effort.large);
    let many = if streams > 1 { format!(" in {streams} streams") } else { String::new() };
    let mut notes = Vec::new();
    let busy = samples(chains, |chain| {
        let (mut times, mut seconds) = (Vec::new(), Vec::new());
        for transfer in 0..=effort.transfers {
            let command = json!({
                "do": "during_bulk", "size": effort.large, "small": SMALL, "streamed": true, "streams": streams,
            });
            let done = chain.client.ask(&command)?;
            if transfer == 0 {
                continue; // Memory is not there yet.
            }
            seconds.push(done["seconds"].as_f64().context("no time")?);
            times.extend(microseconds(&done));
        }
        let took = Summary::of_runs(&seconds).context("no transfer")?;
        notes.push(format!(
            "{}: {size}{many} took {:.2} s ({:.2}–{:.2}) beside the small ones, of which there were {} in {} such transfers",
            chain.column.name(),
            took.value,
            took.low,
            took.high,
            times.len(),
            effort.transfers,
        ));
        Ok(times)
    })?;
    let name = format!("streamed request, 1 KiB, while {size}{many} are on their way");
    report.add(Measure::less(name, "µs", &[]), busy.clone());
    let tail = |summary: &Option<Summary>| summary.as_ref().and_then(|summary| summary.p99);
    for (how, idle) in idle {
        let ratios = idle
            .iter()
            .zip(&busy)
            .map(|(idle, busy)| tail(busy).zip(tail(idle)).and_then(|(busy, idle)| Summary::of_runs(&[busy / idle])));
        let name = format!("the 99th percentile of that, as a multiple of idle, {how}{many}");
        report.add(Measure::less(name, "×", &[Aim::AtMost(10.0)]), ratios.collect());
    }
    for note in notes {
        report.note(note);
    }
    Ok(())
}

/// One blob in so many streams; the rate until the receiver has all of it.
fn push(chain: &mut Chain, size: usize, streams: usize) -> anyhow::Result<f64> {
    chain.client.ask(&json!({"do": "prepare", "size": size / streams}))?;
    chain.server.ask(&json!({"do": "expect_blobs"}))?;
    let sent = chain.client.ask(&json!({"do": "push", "size": size, "streams": streams}))?;
    let came = chain.server.ask(&json!({"do": "await_blobs", "number": streams, "timeout": PATIENCE}))?;
    anyhow::ensure!(came["bytes"].as_u64() == Some(size as u64), "{} of {size} bytes arrived", came["bytes"]);
    let nanoseconds = |value: &Value| value.as_f64().context("no time");
    Ok(gigabytes(size) * 1e9 / (nanoseconds(&came["last"])? - nanoseconds(&sent["started"])?))
}

/// Each column in turn, and that several times, so that what else the machine does hits all alike. What a column does
/// not know is left out.
fn turns(
    chains: &mut [Option<Chain>],
    repetitions: usize,
    mut run: impl FnMut(&mut Chain) -> anyhow::Result<f64>,
) -> anyhow::Result<Vec<Vec<f64>>> {
    let mut runs = vec![Vec::new(); chains.len()];
    for repetition in 0..=repetitions {
        for turn in 0..chains.len() {
            let at = (turn + repetition) % chains.len();
            let Some(chain) = &mut chains[at] else { continue };
            let figure = match run(chain) {
                Err(_) if chain.column == Column::Bare => continue,
                figure => figure.with_context(|| format!("column {}", chain.column.name()))?,
            };
            // The first time, memory is not there yet.
            if repetition > 0 {
                runs[at].push(figure);
            }
        }
    }
    Ok(runs)
}

fn samples(
    chains: &mut [Option<Chain>],
    mut run: impl FnMut(&mut Chain) -> anyhow::Result<Vec<f64>>,
) -> anyhow::Result<Vec<Option<Summary>>> {
    let mut cells = Vec::new();
    for chain in chains {
        let Some(chain) = chain.as_mut().filter(|chain| chain.column != Column::Bare) else {
            cells.push(None);
            continue;
        };
        let run = run(chain).with_context(|| format!("column {}", chain.column.name()))?;
        cells.push(Summary::of_samples(&[run]));
    }
    Ok(cells)
}

fn peers(chain: &Chain) -> impl Iterator<Item = &Peer> {
    [&chain.client, &chain.server].into_iter().chain(&chain.relays)
}

fn gigabytes(size: usize) -> f64 {
    #[expect(clippy::cast_precision_loss)]
    let size = size as f64;
    size / 1e9
}

fn shown(size: usize) -> String {
    if size >= 1 << 30 { format!("{} GiB", size >> 30) } else { format!("{} MiB", size >> 20) }
}
