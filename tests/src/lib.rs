//! Everything that needs more than one crate: golden data, interop with the reference, simulation, fuzz corpora.
