//! Keys of an envelope, plain and as msgpack has them, so that they are compared and copied without decoding.

use fedcell_protocol_defs::fobs::EnvelopeKey;

pub(crate) const TYPE: &[u8] = EnvelopeKey::TYPE.as_str().as_bytes();
pub(crate) const DATA: &[u8] = EnvelopeKey::DATA.as_str().as_bytes();
pub(crate) const DECOMPOSER: &[u8] = EnvelopeKey::DECOMPOSER.as_str().as_bytes();
pub(crate) const PACKED_TYPE: [u8; TYPE.len() + 1] = packed(TYPE);
pub(crate) const PACKED_DATA: [u8; DATA.len() + 1] = packed(DATA);
pub(crate) const PACKED_DECOMPOSER: [u8; DECOMPOSER.len() + 1] = packed(DECOMPOSER);

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "runs at compile time only")]
const fn packed<const N: usize>(key: &[u8]) -> [u8; N] {
    assert!(key.len() < 32 && key.len() + 1 == N, "the key fits a short msgpack text");
    let mut bytes = [0; N];
    bytes[0] = 0xa0 | key.len() as u8;
    let mut at = 0;
    while at < key.len() {
        bytes[at + 1] = key[at];
        at += 1;
    }
    bytes
}
