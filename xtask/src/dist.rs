//! `cargo xtask dist`: the program as operators take it, one small static file.
//!
//! A build for work at the repo shares the C library and keeps its parts apart, which builds faster. This one is linked as
//! a whole, without what nobody calls: an idle process of it has some 3 MiB less in memory.

use std::path::PathBuf;
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use clap::{ArgMatches, Command};

use crate::{process, repo};

pub(crate) fn command() -> Command {
    Command::new("dist").about("Build the program for operators: one static file, optimised as a whole; takes minutes")
}

pub(crate) fn run(_: &ArgMatches) -> Result<()> {
    let program = build()?;
    let length = fs::metadata(&program).with_context(|| format!("no {}", program.display()))?.len();
    println!("dist: {}, {:.1} MiB", program.display(), length as f64 / 1_048_576.0);
    Ok(())
}

/// Builds the program and says where it is.
pub(crate) fn build() -> Result<PathBuf> {
    process::run(
        repo::cargo()
            .args([
                "rustc",
                "--quiet",
                "--locked",
                "--profile",
                "dist",
                "--package",
                "fedcell",
                "--bin",
                "fedcell",
                "--",
            ])
            // For the last step alone: what runs at build time, such as macros, is still loaded by the compiler.
            .args(["-C", "target-feature=+crt-static"]),
    )?;
    let program = repo::target().join("dist").join(format!("fedcell{}", env::consts::EXE_SUFFIX));
    let version = process::output(std::process::Command::new(&program).arg("--version"))?;
    ensure!(version.starts_with("fedcell "), "{} says it is {version}", program.display());
    Ok(program)
}
