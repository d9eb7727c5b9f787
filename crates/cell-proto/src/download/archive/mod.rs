//! How a piece of arrays is written: an uncompressed ZIP archive for each array, as numpy's `savez` makes it.
//!
//! ```text
//!  ┌───────────────┬────────────┬──────────────────────────┬───────────────────┐
//!  │ before member │ .npy header│ the elements, not copied │ directory and end │
//!  └───────────────┴────────────┴──────────────────────────┴───────────────────┘
//!          both made                  a slice of what was          made
//!                                   received, or a file's part
//! ```
//!
//! What is written has one member with the item id as its name. What is read may have several, and may have been written
//! by anybody who follows the format; nothing is ever inflated, so an archive costs no more than its own bytes.

mod layout;
mod read;
mod rising;
mod write;

pub use read::{ArchiveError, Check, read};
pub use rising::{Part, RisingArchive};
pub use write::{Member, write};

#[cfg(test)]
mod tests;
