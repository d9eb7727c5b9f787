//! Breaks networks while transfers run, and kills the participants of jobs: `cargo xtask faults`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    fedcell_tests::faults::main(&arguments)
}
