//! Breaks a network while transfers run: `cargo xtask faults stream`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    fedcell_tests::faults::main(&arguments)
}
