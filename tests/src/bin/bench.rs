//! Runs the benchmarks paired with the reference: `cargo run -p fedcell-tests --bin bench -- [SUBJECT]…`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let subjects: Vec<String> = std::env::args().skip(1).collect();
    fedcell_tests::bench::main(&subjects)
}
