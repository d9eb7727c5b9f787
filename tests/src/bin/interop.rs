//! Runs the differential tests against the reference: `cargo run -p fedcell-tests --bin interop -- [SUBJECT]…`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let subjects: Vec<String> = std::env::args().skip(1).collect();
    fedcell_tests::interop::main(&subjects)
}
