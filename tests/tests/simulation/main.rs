//! Networks of cells in virtual time: two of them, trees of them, random federations in a storm, and their streams.

mod pair;
mod storm;
mod streams;
mod tree;
