//! One record: a preamble of 24 bytes, a head that `bincode` writes, a body of bytes. The one place that knows both.
//!
//! ```text
//!   0        4           8               16             20                24
//!   "fcd" v  head length  body length u64  sum of 24..end  sum of 0..20     head …  body …
//! ```
//!
//! All numbers are little endian. The first sum says that the lengths can be believed, so that a torn record is told
//! from a damaged one.

use std::io::{self, Read};

use bincode::config::Configuration;
use bincode::{Decode, Encode};

use crate::checksum::{self, Checksum};
use crate::error::{Error, Operation};

/// Largest head, in bytes.
pub const MAX_HEAD: usize = 1 << 20;

/// Largest body, in bytes: 64 GiB.
pub const MAX_BODY: u64 = 1 << 36;

/// Version of the format.
const VERSION: u8 = 1;

const MAGIC: [u8; 4] = [b'f', b'c', b'd', VERSION];

/// Bytes before the head.
const PREAMBLE: usize = 24;

const CONFIGURATION: Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<MAX_HEAD>,
> = bincode::config::standard().with_limit::<MAX_HEAD>();

/// Preamble and head of a record with this body.
pub(crate) fn preface<T: Encode>(head: &T, body: &[&[u8]]) -> Result<Vec<u8>, Error> {
    let encoded = bincode::encode_to_vec(head, CONFIGURATION).map_err(|error| Error::Encode(Box::new(error)))?;
    let length = body.iter().map(|part| part.len() as u64).sum::<u64>();
    let head_length = u32::try_from(encoded.len()).ok().filter(|_| encoded.len() <= MAX_HEAD && length <= MAX_BODY);
    let head_length = head_length.ok_or(Error::Size { head: encoded.len(), body: length })?;
    let mut sum = Checksum::new();
    sum.update(&encoded);
    body.iter().for_each(|part| sum.update(part));
    let mut preface = Vec::with_capacity(PREAMBLE + encoded.len());
    preface.extend_from_slice(&MAGIC);
    preface.extend_from_slice(&head_length.to_le_bytes());
    preface.extend_from_slice(&length.to_le_bytes());
    preface.extend_from_slice(&sum.value().to_le_bytes());
    preface.extend_from_slice(&checksum::of(&preface).to_le_bytes());
    preface.extend_from_slice(&encoded);
    Ok(preface)
}

/// What stands at a place in a file.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// A record, and its length in bytes.
    Record { head: T, body: Vec<u8>, length: u64 },
    /// The end of the file.
    End,
    /// Less than a record, or one whose bytes are not those that were written, and nothing behind it.
    Torn,
}

/// Reads the record at byte `at` of a file that has `left` more bytes.
pub(crate) fn read<T: Decode<()>>(reader: &mut impl Read, name: &str, at: u64, left: u64) -> Result<Found<T>, Error> {
    let failed = |error| Error::io(Operation::Read, name)(error);
    if left == 0 {
        return Ok(Found::End);
    }
    let mut preamble = [0; PREAMBLE];
    let whole = fill(reader, &mut preamble).map_err(failed)?;
    let [m0, m1, m2, m3, h0, h1, h2, h3, b0, b1, b2, b3, b4, b5, b6, b7, s0, s1, s2, s3, p0, p1, p2, p3] = preamble;
    // Zero is no version: it is what a torn write may leave in the place of one.
    if whole && [m0, m1, m2] == MAGIC[..3] && m3 != VERSION && m3 != 0 {
        return Err(Error::Version { name: name.to_owned(), expected: VERSION });
    }
    let is_ours = [m0, m1, m2, m3] == MAGIC;
    if !whole || !is_ours || checksum::of(&preamble[..20]) != u32::from_le_bytes([p0, p1, p2, p3]) {
        // A file that begins with something else was never ours to cut.
        return match at {
            0 if whole && !is_ours && !is_torn(preamble) => {
                Err(Error::Version { name: name.to_owned(), expected: VERSION })
            }
            _ => Ok(Found::Torn),
        };
    }
    let head_length = u64::from(u32::from_le_bytes([h0, h1, h2, h3]));
    let body_length = u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
    let length = (PREAMBLE as u64).saturating_add(head_length).saturating_add(body_length);
    if length > left || head_length > MAX_HEAD as u64 || body_length > MAX_BODY {
        return Ok(Found::Torn);
    }
    let (mut head, mut body) = (Vec::new(), Vec::new());
    reader.take(head_length).read_to_end(&mut head).map_err(failed)?;
    reader.take(body_length).read_to_end(&mut body).map_err(failed)?;
    let mut sum = Checksum::new();
    sum.update(&head);
    sum.update(&body);
    if sum.value() != u32::from_le_bytes([s0, s1, s2, s3]) || (head.len() + body.len() + PREAMBLE) as u64 != length {
        // Records are synced one by one, so a crash cannot have spoiled one that another one follows.
        return if length < left { Err(Error::Damaged { name: name.to_owned(), at }) } else { Ok(Found::Torn) };
    }
    let (head, _) = bincode::decode_from_slice(&head, CONFIGURATION).map_err(|error| Error::Head {
        name: name.to_owned(),
        at,
        source: Box::new(error),
    })?;
    Ok(Found::Record { head, body, length })
}

/// Whether these bytes begin as a record and go on with zeros, as a torn write may leave them.
fn is_torn(preamble: [u8; PREAMBLE]) -> bool {
    let written = preamble.iter().zip(MAGIC).take_while(|(byte, magic)| *byte == magic).count();
    preamble.iter().skip(written).all(|byte| *byte == 0)
}

/// Whether there were enough bytes.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
