//! Addresses: the dotted name of a cell, its place in the tree, and which names are reserved.
//!
//! [`Fqcn`] is a view into text that somebody else owns, [`FqcnBuf`] owns its text and is cheap to clone. Parsing is the
//! only way to get either: what a function takes as an address has been checked and is canonical, so two addresses are
//! equal exactly when they name the same cell.

mod borrowed;
mod error;
mod owned;
mod syntax;

pub use borrowed::{Fqcn, Prefixes, Segments};
pub use error::FqcnError;
pub use owned::FqcnBuf;

#[cfg(test)]
mod tests;
