//! What goes wrong at the hands of an operator: one line each, the right exit code, and nothing left behind.
//!
//! Every message is a committed text in `testdata/`; `FEDCELL_BLESS=1 cargo nextest run -p fedcell` writes them anew.

mod executors;
mod rows;
mod scene;
mod snapshot;
