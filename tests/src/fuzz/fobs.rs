//! Containers of the payload codec, from whoever may send them.

use bytes::Bytes;
use fedcell_fobs::{Budget, Encoder, decode, decode_within};

/// The bytes behind the first one, cut into segments as the first one says: not at all, or in steps of up to 64.
fn segments(bytes: &[u8]) -> Vec<Bytes> {
    let Some((step, container)) = bytes.split_first() else { return Vec::new() };
    let container = Bytes::copy_from_slice(container);
    match usize::from(*step) {
        0 => vec![container],
        step => {
            let step = 1 + step % 64;
            (0..container.len()).step_by(step).map(|at| container.slice(at..container.len().min(at + step))).collect()
        }
    }
}

/// A container, received whole and in pieces.
///
/// # Panics
///
/// If it means one thing whole and another in pieces.
pub fn decoding(bytes: &[u8]) {
    let cut = segments(bytes);
    let whole = cut.concat();
    match (decode(&[Bytes::from(whole)]), decode(&cut)) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "the object depends on the cuts"),
        (Err(ours), Err(theirs)) => {
            // The memory for joining is a difference that there may be between the two.
            let (ours, theirs) = (ours.to_string(), theirs.to_string());
            assert!(ours == theirs || theirs.contains("of memory"), "{ours:?} in pieces is {theirs:?}");
        }
        (Ok(_), Err(error)) => assert!(error.to_string().contains("of memory"), "refused in pieces only: {error}"),
        (Err(error), Ok(_)) => panic!("refused whole only: {error}"),
    }
}

/// A container that is read, written and read again.
///
/// # Panics
///
/// If what was read cannot be written, or comes back as something else.
pub fn round_trip(bytes: &[u8]) {
    let Ok(value) = decode(&segments(bytes)) else { return };
    // Written in the shortest form the object may be smaller than it came, and deeper by a tuple for each ordered dict.
    let mut generous = Budget::default();
    generous.heap_factor = 4096;
    generous.depth = Budget::MAX_DEPTH;
    for size in [1024, 1 << 20] {
        let mut encoder = Encoder::new().max_value_size(size).unwrap_or_default();
        let encoded = match encoder.encode(&value) {
            Ok(encoded) => encoded,
            Err(error) => {
                assert!(error.to_string().contains("several batches"), "what was read cannot be written: {error}");
                return;
            }
        };
        match decode_within(encoded.segments(), &generous) {
            Ok(again) => assert_eq!(again, value, "it comes back as something else"),
            Err(error) => panic!("what was written cannot be read: {error}"),
        }
    }
}
