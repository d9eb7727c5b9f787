//! What the test binaries of this crate share.

mod notation;

use std::path::Path;

use fedcell_fobs::DatumId;
pub(crate) use notation::note;

/// A file of the crate's test data.
#[track_caller]
pub(crate) fn testdata(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Ids that an encoder has chosen for a well-formed container, in the order in which it asks for them: those of
/// references in the main body that the decoder takes away again, then those of download datums.
pub(crate) fn datum_ids(container: &[u8]) -> Vec<DatumId> {
    const BEFORE: &[u8] = b"\xa8datum_id\xd9\x24";
    const BEHIND: &[u8] = b"\xa6unwrap\xc3";
    let mut ids: Vec<_> = container
        .windows(BEFORE.len() + 36 + BEHIND.len())
        .filter(|window| window.starts_with(BEFORE) && window.ends_with(BEHIND))
        .map(|window| DatumId::parse(&window[BEFORE.len()..][..36]).unwrap())
        .collect();
    let mut rest = container;
    while let Some((header, body)) = rest.split_first_chunk::<10>() {
        let size = usize::try_from(u64::from_be_bytes(header[2..].try_into().unwrap())).unwrap();
        if header[1] != 0 {
            ids.push(DatumId::from_bytes(body[..16].try_into().unwrap()));
        }
        rest = &body[size..];
    }
    ids
}
