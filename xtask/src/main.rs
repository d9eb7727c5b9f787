//! `cargo xtask`: the only entry point to the repo's checks. One file per command; CI runs `cargo xtask ci`.

#![expect(clippy::print_stdout, reason = "these commands talk to a terminal")]

mod api;
mod ci;
mod dist;
mod layers;
mod nostd;
mod process;
mod product;
mod reference;
mod repo;
mod test;
mod tidy;
mod wire;

use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgMatches, Command};

/// A command: how it is called, and what runs it.
struct Task {
    command: fn() -> Command,
    run: fn(&ArgMatches) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task { command: ci::command, run: ci::run },
    Task { command: test::command, run: test::run },
    Task { command: wire::command, run: wire::run },
    Task { command: layers::command, run: layers::run },
    Task { command: tidy::command, run: tidy::run },
    Task { command: api::command, run: api::run },
    Task { command: nostd::command, run: nostd::run },
    Task { command: reference::command, run: reference::run },
    Task { command: dist::command, run: dist::run },
    Task { command: product::interop_command, run: product::interop },
    Task { command: product::bench_command, run: product::bench },
    Task { command: product::faults_command, run: product::faults },
    Task { command: product::fuzz_command, run: product::fuzz },
];

fn main() -> ExitCode {
    let matches = Command::new("cargo xtask")
        .about("Checks and tools of the fedcell repo")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(TASKS.iter().map(|task| (task.command)()))
        .get_matches();
    let (name, arguments) = matches.subcommand().unwrap_or(("", &matches));
    let task = TASKS.iter().find(|task| (task.command)().get_name() == name);
    match task.map_or(Ok(()), |task| (task.run)(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{name}: failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
