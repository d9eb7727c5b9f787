//! What can be wrong with the text of an address.

use thiserror::Error;

/// Text that is no address. Whoever wrote the text is at fault: a peer, or the local configuration.
///
/// Positions are byte offsets into the text after blanks around it were stripped. The text itself is not repeated: it
/// may be long and is not trustworthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FqcnError {
    /// Nothing but blanks.
    #[error("an address must not be empty")]
    Empty,
    /// A character other than letters, digits, `_`, `.`, `~` and `-` of ASCII.
    #[error("byte {at} of the address is not one of A-Z a-z 0-9 _ . ~ -")]
    InvalidCharacter {
        /// Where the character begins.
        at: usize,
    },
    /// Two separators in a row, or one at either end.
    #[error("the segment at byte {at} of the address is empty")]
    EmptySegment {
        /// Where the segment would begin.
        at: usize,
    },
    /// A segment that stands in the address already.
    #[error("the segment at byte {at} of the address stands in it twice")]
    DuplicateSegment {
        /// Where the second of the two begins.
        at: usize,
    },
}
