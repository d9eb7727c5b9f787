//! What there is to learn: handwritten digits, their distribution over sites, and a small network that reads them.
//!
//! Everything is a function of its arguments and a seed, so that two runs with one seed give the same model on one
//! machine.

pub(crate) mod digits;
pub(crate) mod network;
pub(crate) mod random;
pub(crate) mod shares;
