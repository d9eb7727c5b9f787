//! The payload codec beside the reference's, each measured in turn in one run, on the same objects.
//!
//! Three shareables: one with 100 arrays of 1 MB, which travel inside the main body; one with 4 of 25 MB, which travel
//! as datums; and one with headers only, as it goes to and fro all the time. The reference is measured in its best
//! form: writing a list of buffers, and reading whichever is faster of a list of chunks and one piece.

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use anyhow::{Context, ensure};
use bytes::Bytes;
use fedcell_fobs::array::{Array, DType, Order};
use fedcell_fobs::typed::{FobsType, Shareable};
use fedcell_fobs::{Encoder, Map, Value, decode};
use fedcell_protocol_defs::federation::{ShareableCode, ShareableHeader};

use super::figures::{Aim, Measure, Report, Summary};
use crate::Options;
use crate::fobs_driver::Driver;

const REFERENCE: &str = "reference";

/// Chunks in which a stream delivers, in bytes.
const CHUNK: usize = 1 << 20;

struct Case {
    /// The name by which the driver knows it.
    name: &'static str,
    object: Value,
    /// How many times faster than the reference encoding and decoding are meant to be.
    aims: (f64, f64),
}

fn cases() -> anyhow::Result<[Case; 3]> {
    Ok([
        Case { name: "100 arrays of 1 MB", object: weights(100, 1_000_000)?, aims: (20.0, 50.0) },
        Case { name: "4 arrays of 25 MB", object: weights(4, 25_000_000)?, aims: (1.0, 1.0) },
        Case { name: "headers only", object: headers(), aims: (15.0, 15.0) },
    ])
}

fn weights(count: u8, size: usize) -> anyhow::Result<Value> {
    let mut weights = Map::new();
    for at in 0..count {
        let data: Bytes = f32::from(at).to_le_bytes().repeat(size / 4).into();
        weights.insert(format!("layer-{at}"), Array::new(DType::parse(b"<f4")?, vec![size / 4], Order::C, data)?);
    }
    let mut shareable = Shareable::new();
    shareable.entries_mut().insert("weights", weights);
    Ok(shareable.into_value())
}

/// The reply to a task that has been done.
fn headers() -> Value {
    let mut shareable = Shareable::reply(ShareableCode::OK);
    shareable.set_header(ShareableHeader::TASK_NAME.as_str(), "train");
    shareable.set_header(ShareableHeader::TASK_ID.as_str(), "2f1c2b3a-0000-4000-8000-1234567890ab");
    shareable.add_cookie(ShareableHeader::WORKFLOW.as_str(), "scatter_and_gather");
    shareable.into_value()
}

/// Runs the benchmark and prints the table.
///
/// # Errors
///
/// The reference cannot be run, or makes another container of the same object.
pub fn run(options: Options) -> super::Outcome {
    let (rounds, seconds) = if options.quick { (3, 0.2) } else { (7, 1.0) };
    let mut driver = Driver::start()?;
    let mut report = Report::new("fobs", &["ours", REFERENCE], options);
    for case in cases()? {
        measure(&case, &mut driver, rounds, seconds, &mut report).context(case.name)?;
    }
    let small = per_second(seconds, decoding(&weights(100, 1_000)?)?)?;
    let large = per_second(seconds, decoding(&weights(100, 1_000_000)?)?)?;
    report.note(format!(
        "decoding 100 arrays takes {:.1} µs if they have 1 kB each, and {:.1} µs if they have 1 MB each: the elements \
         are not touched",
        1e6 / small,
        1e6 / large
    ));
    report.finish()
}

fn measure(case: &Case, driver: &mut Driver, rounds: usize, seconds: f64, report: &mut Report) -> anyhow::Result<()> {
    let mut encoder = Encoder::new();
    let container = encoder.encode(&case.object)?.to_bytes();
    let (mut encodings, mut decodings) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for _ in 0..rounds {
        encodings.0.push(per_second(seconds, || {
            black_box(encoder.encode(black_box(&case.object))?);
            Ok(())
        })?);
        decodings.0.push(per_second(seconds, decoding(&case.object)?)?);
        // Of the large objects the driver makes its own, which must come out equally long.
        let sent: &[u8] = if container.len() < 10_000 { &container } else { &[] };
        let answer = driver.ask_parts(b'B', &[case.name.as_bytes(), seconds.to_string().as_bytes(), sent])?;
        let [len, encoding, decoding] = answer.map(|part| String::from_utf8_lossy(&part).into_owned());
        ensure!(len.parse() == Ok(container.len()), "our container has {} bytes, theirs {len}", container.len());
        encodings.1.push(encoding.parse()?);
        decodings.1.push(decoding.parse()?);
    }
    for (verb, (ours, theirs), aim) in [("encode", encodings, case.aims.0), ("decode", decodings, case.aims.1)] {
        let measure = Measure::more(format!("{verb} {}", case.name), "1/s", &[Aim::Better(REFERENCE, aim)]);
        report.add(measure, vec![Summary::of_runs(&ours), Summary::of_runs(&theirs)]);
    }
    Ok(())
}

/// Decoding of an object's container as a stream delivers it.
fn decoding(object: &Value) -> anyhow::Result<impl FnMut() -> anyhow::Result<()> + use<>> {
    let container = Encoder::new().encode(object)?.to_bytes();
    let segments: Vec<_> =
        (0..container.len()).step_by(CHUNK).map(|at| container.slice(at..container.len().min(at + CHUNK))).collect();
    Ok(move || {
        black_box(decode(black_box(&segments))?);
        Ok(())
    })
}

/// How often a second something can be done.
fn per_second(seconds: f64, mut run: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    // Reading the clock costs as much as a small decoding.
    const BETWEEN_CLOCKS: u32 = 64;
    run()?;
    let start = Instant::now();
    let span = Duration::from_secs_f64(seconds);
    let mut count = 0_u32;
    loop {
        for _ in 0..BETWEEN_CLOCKS {
            run()?;
        }
        count += BETWEEN_CLOCKS;
        let spent = start.elapsed();
        if spent >= span {
            return Ok(f64::from(count) / spent.as_secs_f64());
        }
    }
}
