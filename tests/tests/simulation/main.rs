//! Networks of cells in virtual time: two of them, trees of them, and random federations in a storm.

mod pair;
mod storm;
mod tree;
