//! The grammar of an address and of the segments with a fixed meaning.

use fedcell_protocol_defs::address::{AddressSyntax, ReservedPrefix};

use super::FqcnError;

/// Up to this many segments are compared pairwise; more go through a sorted set, so that a hostile address of many
/// thousand segments costs n log n.
const PAIRWISE_SEGMENTS: usize = 16;

/// Strips what the reference strips: Unicode white space, and the four ASCII separators that Python counts as such.
pub(super) fn strip(text: &str) -> &str {
    if let [first, .., last] = text.as_bytes()
        && first.is_ascii_graphic()
        && last.is_ascii_graphic()
    {
        return text;
    }
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}'))
}

/// Checks a stripped text, in the order in which the reference looks for faults.
pub(super) fn check(text: &str) -> Result<(), FqcnError> {
    if text.is_empty() {
        return Err(FqcnError::Empty);
    }
    if let Some(at) = text.bytes().position(|b| !is_valid_byte(b)) {
        return Err(FqcnError::InvalidCharacter { at });
    }
    if !text.contains(SEPARATOR) {
        return Ok(());
    }
    let mut at = 0;
    let mut count = 0_usize;
    for segment in text.split(SEPARATOR) {
        if segment.is_empty() {
            // A duplicate before this place is the fault that the reference would name.
            return Err(first_duplicate(text, count).unwrap_or(FqcnError::EmptySegment { at }));
        }
        at += segment.len() + SEPARATOR.len_utf8();
        count += 1;
    }
    first_duplicate(text, count).map_or(Ok(()), Err)
}

/// What stands between two segments, as a character, which is much faster to search for than a text.
pub(super) const SEPARATOR: char = match AddressSyntax::SEPARATOR.as_str().as_bytes() {
    [byte] => *byte as char,
    _ => '\0',
};
const _: () = assert!(SEPARATOR.is_ascii_punctuation());

const fn is_valid_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'~' | b'-')
}

/// The first segment among the first `count` that stands there a second time.
fn first_duplicate(text: &str, count: usize) -> Option<FqcnError> {
    let mut at = 0;
    if count <= PAIRWISE_SEGMENTS {
        for (index, segment) in text.split(SEPARATOR).take(count).enumerate() {
            if text.split(SEPARATOR).take(index).any(|earlier| earlier == segment) {
                return Some(FqcnError::DuplicateSegment { at });
            }
            at += segment.len() + SEPARATOR.len_utf8();
        }
    } else {
        let mut seen = std::collections::BTreeSet::new();
        for segment in text.split(SEPARATOR).take(count) {
            if !seen.insert(segment) {
                return Some(FqcnError::DuplicateSegment { at });
            }
            at += segment.len() + SEPARATOR.len_utf8();
        }
    }
    None
}

/// Whether a whole address is the name of an administrator's session: the prefix and a version 4 UUID in lower case.
/// As in the reference, the dashes of the UUID may stand anywhere or be missing.
pub(super) fn is_admin_session(address: &str) -> bool {
    let Some(id) = address.strip_prefix(ReservedPrefix::ADMIN.as_str()) else { return false };
    let mut digits = 0_usize;
    for byte in id.bytes().filter(|&b| b != b'-') {
        let fits = match digits {
            12 => byte == b'4',
            16 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        };
        if !fits {
            return false;
        }
        digits += 1;
    }
    digits == 32
}
