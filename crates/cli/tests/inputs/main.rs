//! What an operator does: what goes wrong at its hands is one line each, the right exit code, and nothing left behind; what
//! it watches is there; and what the guide tells it to type works.
//!
//! Every message is a committed text in `testdata/`; `FEDCELL_BLESS=1 cargo nextest run -p fedcell` writes them anew.

mod ask;
mod doctor;
mod executors;
mod flags;
mod guide;
mod leaving;
mod probes;
mod rows;
mod scene;
mod shell;
mod snapshot;
