//! The payload codec against the reference: objects generated on each side cross both ways and compare equal.
//!
//! ```text
//!  reference: object, notation, container ──▶ ours: decode, compare, encode ──▶ reference: decode, compare
//!  ours:      object, notation, container ──▶ reference: decode, encode ──▶ ours: compare, decode, compare
//! ```

mod generate;
#[path = "../../../../crates/fobs/tests/it/support/notation.rs"]
mod notation;

use anyhow::{Context, ensure};
use bytes::Bytes;
use fedcell_fobs::{Encoder, Value, decode};
use generate::Generator;
use notation::note;

use crate::Options;
use crate::fobs_driver::{Driver, split};

/// Objects generated on each side.
const OBJECTS: u64 = 10_000;
const QUICK_OBJECTS: u64 = 500;

/// What the reference refuses to send, and a word of the reason that it gives. Ours cannot even hold them.
const REFUSED: [(&str, &str); 5] = [
    ("integer above 64 bits", "out of range"),
    ("integer below 64 bits", "out of range"),
    ("array of objects", "Object arrays"),
    ("scalar of 16 bits", "without a decomposer"),
    ("half a surrogate pair", "surrogates not allowed"),
];

/// Runs the comparison.
///
/// # Errors
///
/// The reference cannot be run, or one object is not the same on both sides.
#[expect(clippy::print_stdout, reason = "the figures are what the command is for")]
pub fn run(options: Options) -> super::Outcome {
    let objects = if options.quick { QUICK_OBJECTS } else { OBJECTS };
    let mut driver = Driver::start()?;
    for (name, reason) in REFUSED {
        let said = String::from_utf8(driver.ask(b'X', name.as_bytes())?)?;
        ensure!(said.contains(reason), "the reference was to refuse an {name}, but says {said:?}");
    }
    let mut theirs = Tally::default();
    for seed in 0..objects {
        from_reference(&mut driver, seed, &mut theirs).with_context(|| format!("object {seed} of the reference"))?;
    }
    println!("{objects} objects of the reference: equal here, and equal there again; {theirs}");
    let mut ours = Tally::default();
    for seed in 0..objects {
        to_reference(&mut driver, seed, &mut ours).with_context(|| format!("object {seed} of ours"))?;
    }
    println!("{objects} objects of ours: equal there, and equal here again; {ours}");
    println!("{} kinds of objects refused by the reference, as ours have no place for them", REFUSED.len());
    Ok(())
}

/// What came by, for the record.
#[derive(Debug, Default)]
struct Tally {
    bytes: usize,
    same_bytes: usize,
    datums: usize,
}

impl core::fmt::Display for Tally {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { bytes, same_bytes, datums } = self;
        write!(f, "{bytes} bytes, {datums} datums, {same_bytes} containers byte for byte the same from both sides")
    }
}

impl Tally {
    fn count(&mut self, ours: &[u8], theirs: &[u8]) {
        self.bytes += ours.len();
        self.datums += datums(ours);
        // Ids of datums and the order of sets differ; where neither occurs the bytes are the same.
        self.same_bytes += usize::from(ours == theirs);
    }
}

fn datums(container: &[u8]) -> usize {
    let mut count = 0;
    let mut rest = container;
    while let Some(([_, _, size @ ..], body)) = rest.split_first_chunk::<10>() {
        count += 1;
        rest = usize::try_from(u64::from_be_bytes(*size)).ok().and_then(|size| body.get(size..)).unwrap_or_default();
    }
    count - 1
}

fn from_reference(driver: &mut Driver, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
    let [noted, container, threshold] = split(&driver.ask(b'G', &seed.to_be_bytes())?)?;
    let value = decode_in_pieces(&container, seed)?;
    same("decoded here", &note(&value), &noted)?;
    let encoded = encode(&value, &threshold)?;
    let [back, _] = driver.ask_parts(b'R', &[&encoded, &threshold])?;
    same("encoded here and decoded there", &String::from_utf8_lossy(&back), &noted)?;
    tally.count(&encoded, &container);
    Ok(())
}

fn to_reference(driver: &mut Driver, seed: u64, tally: &mut Tally) -> anyhow::Result<()> {
    let mut generator = Generator::new(seed);
    let value = generator.object();
    let threshold: &[u8] = if seed.is_multiple_of(3) { b"1024" } else { b"0" };
    let encoded = encode(&value, threshold)?;
    let [noted, container] = driver.ask_parts(b'R', &[&encoded, threshold])?;
    same("decoded there", &note(&value), &noted)?;
    let back = decode_in_pieces(&container, seed)?;
    same("encoded there and decoded here", &note(&back), &noted)?;
    tally.count(&encoded, &container);
    Ok(())
}

/// Decodes a container cut at places that depend on the seed.
fn decode_in_pieces(container: &[u8], seed: u64) -> anyhow::Result<Value> {
    let container = Bytes::copy_from_slice(container);
    let step = usize::try_from(seed % 97)? * 13 + 1;
    let segments: Vec<_> = match seed % 3 {
        0 => vec![container],
        _ => (0..container.len()).step_by(step).map(|at| container.slice(at..container.len().min(at + step))).collect(),
    };
    Ok(decode(&segments)?)
}

fn encode(value: &Value, threshold: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = Encoder::new();
    if let size @ 1.. = core::str::from_utf8(threshold)?.parse()? {
        encoder = encoder.max_value_size(size)?;
    }
    Ok(encoder.encode(value)?.to_bytes().to_vec())
}

fn same(how: &str, ours: &str, theirs: &[u8]) -> anyhow::Result<()> {
    let theirs = String::from_utf8_lossy(theirs);
    if ours == theirs {
        return Ok(());
    }
    let at = ours.bytes().zip(theirs.bytes()).take_while(|(ours, theirs)| ours == theirs).count();
    let around = |text: &str| text.chars().skip(at.saturating_sub(60)).take(160).collect::<String>();
    anyhow::bail!("{how}, it is another object:\n ours   …{}…\n theirs …{}…", around(ours), around(&theirs))
}
