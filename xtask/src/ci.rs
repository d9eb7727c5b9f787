//! `cargo xtask ci`: all that must hold on every commit, in the order in which it is cheapest to fail.

use std::time::Instant;

use anyhow::{Context, Result};
use clap::ArgMatches;

use crate::{process, repo};

/// Each step: what it is called, and what cargo is asked to do.
const STEPS: &[(&str, &[&str])] = &[
    ("format", &["fmt", "--all", "--check"]),
    ("layers", &["xtask", "layers"]),
    ("tidy", &["xtask", "tidy"]),
    ("wire", &["xtask", "wire", "--against-reference"]),
    ("nostd", &["xtask", "nostd"]),
    ("clippy", &["clippy", "--workspace", "--all-targets", "--all-features", "--locked", "--", "-Dwarnings"]),
    ("api", &["xtask", "api"]),
    ("test", &["xtask", "test"]),
    ("interop", &["xtask", "interop", "--quick"]),
    ("docs", &["doc", "--workspace", "--no-deps", "--all-features", "--locked", "--document-private-items"]),
];

pub(crate) fn command() -> clap::Command {
    clap::Command::new("ci").about("Run every check of the repo; what CI runs")
}

pub(crate) fn run(_: &ArgMatches) -> Result<()> {
    let mut times = Vec::new();
    for (name, arguments) in STEPS {
        println!("ci: {name}");
        let start = Instant::now();
        process::run(
            repo::cargo()
                .args(*arguments)
                // Warnings are errors here, and nowhere in the sources.
                .env("RUSTDOCFLAGS", "-Dwarnings"),
        )
        .with_context(|| format!("the step `{name}`"))?;
        times.push((name, start.elapsed().as_secs()));
    }
    for (name, seconds) in times {
        println!("ci: {name:<10} {seconds:>5} s");
    }
    println!("ci: all green");
    Ok(())
}
