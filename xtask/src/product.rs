//! `cargo xtask interop`, `bench`, `faults`, `fuzz`: run the programs of the `tests` package with the reference at hand.
//!
//! xtask links none of the product; it starts the binaries that do.

use std::env;
use std::fs;

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::{dist, process, reference, repo};

pub(crate) fn interop_command() -> Command {
    Command::new("interop")
        .about("Run against the reference implementation: `auth`, `cell`, `children`, `federation`, `fobs`, `programs`, `stream`; without a subject, all of them")
        .arg(Arg::new("subject").help("What to run; all if none is given"))
        .arg(quick("Fewer cases, for every commit"))
        .arg(rest())
}

pub(crate) fn interop(arguments: &ArgMatches) -> Result<()> {
    with_reference(command("interop", arguments, &[]))
}

pub(crate) fn bench_command() -> Command {
    Command::new("bench")
        .about("Measure beside the reference, in one run: `fobs`, `auth`, `cell`, `federation`, `stream`; without a subject, all of them")
        .arg(Arg::new("subject").help("What to measure; all if none is given"))
        .arg(quick("Shorter runs"))
        .arg(flag("against-reference", "Beside the reference, as without this flag too"))
        .arg(
            flag("without-reference", "Ours and bare TCP alone, which needs no Python: `cell` and `stream`")
                .conflicts_with("against-reference")
                .requires("subject"),
        )
        .arg(rest())
}

pub(crate) fn bench(arguments: &ArgMatches) -> Result<()> {
    let mut command = command("bench", arguments, &["--release"]);
    if arguments.get_flag("without-reference") {
        let subject = arguments.get_one::<String>("subject").map_or("", String::as_str);
        ensure!(["cell", "stream"].contains(&subject), "{subject} is measured beside the reference only");
        command.env("FEDCELL_BENCH_COLUMNS", "ours,bare");
        return process::run(&mut command);
    }
    if arguments.get_one::<String>("subject").is_none_or(|subject| subject == "federation") {
        // Memory is measured of what operators run.
        command.env("FEDCELL_PROGRAM", dist::build()?);
    }
    with_reference(command)
}

pub(crate) fn faults_command() -> Command {
    let number = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_parser(clap::value_parser!(u64)).help(help)
    };
    Command::new("faults")
        .about(
            "Break a network while it works: `stream`, transfers of real processes under kill, stop and cut; `federation`, \
             whole jobs of real processes that are killed; `job`, the same in virtual time",
        )
        .arg(
            Arg::new("subject")
                .default_value("stream")
                .value_parser(["stream", "federation", "job"])
                .help("What has to go on"),
        )
        .arg(number("count", "Transfers, 200, or jobs, 50 of processes and 250 in virtual time"))
        .arg(number("seed", "Of the moments at which things break; 1"))
}

pub(crate) fn faults(arguments: &ArgMatches) -> Result<()> {
    let subject = arguments.get_one::<String>("subject").map_or("stream", String::as_str);
    let default = match subject {
        "federation" => 50,
        "job" => 250,
        _ => 200,
    };
    let count: u64 = arguments.get_one("count").copied().unwrap_or(default);
    let seed: u64 = arguments.get_one("seed").copied().unwrap_or(1);
    let mut command = repo::cargo();
    if subject == "job" {
        command.args(["test", "--quiet", "--locked", "--package", "fedcell-tests", "--test", "loss", "--"]);
        command.args(["--nocapture", "every_result_is_counted_once"]);
        command.env("FEDCELL_LOSS_COUNT", count.to_string()).env("FEDCELL_LOSS_SEED", seed.to_string());
        return process::run(&mut command);
    }
    command.args(["run", "--quiet", "--locked", "--package", "fedcell-tests", "--bin", "faults", "--", subject]);
    command.args(["--count", &count.to_string(), "--seed", &seed.to_string()]);
    if subject == "federation" {
        return process::run(&mut command);
    }
    // What is freed goes back to the system, so that what is resident at the end tells of leaks.
    command.env("MALLOC_MMAP_THRESHOLD_", "131072").env("MALLOC_TRIM_THRESHOLD_", "131072");
    with_reference(command)
}

pub(crate) fn fuzz_command() -> Command {
    Command::new("fuzz")
        .about("Fuzz one target for a while, or all of them in turn; findings stay in tests/fuzz/artifacts")
        .arg(Arg::new("target").help("The target; all of them if none is given"))
        .arg(
            Arg::new("seconds")
                .long("seconds")
                .default_value("60")
                .value_parser(clap::value_parser!(u32))
                .help("How long each target runs"),
        )
}

/// Fuzzes with libFuzzer through cargo; the instrumentation needs flags that the stable compiler keeps behind
/// `RUSTC_BOOTSTRAP`.
pub(crate) fn fuzz(arguments: &ArgMatches) -> Result<()> {
    let folder = repo::root().join("tests/fuzz");
    let mut targets: Vec<String> = arguments.get_one::<String>("target").cloned().into_iter().collect();
    if targets.is_empty() {
        for entry in fs::read_dir(folder.join("targets")).context("no fuzz targets")? {
            let path = entry?.path();
            targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
        targets.sort();
    }
    let seconds: u32 = arguments.get_one("seconds").copied().unwrap_or(60);
    for target in targets {
        println!("fuzz: {target} for {seconds} s");
        let corpus = folder.join("corpus").join(&target);
        let scratch = repo::target().join("fuzz-corpus").join(&target);
        let artifacts = folder.join("artifacts").join(&target);
        for folder in [&corpus, &scratch, &artifacts] {
            fs::create_dir_all(folder)?;
        }
        process::run(
            repo::cargo()
                .current_dir(&folder)
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTFLAGS", FUZZ_FLAGS)
                .args(["run", "--release", "--target", &host()?, "--target-dir"])
                .arg(repo::target().join("fuzz"))
                .args(["--bin", &target, "--"])
                // New inputs go to the scratch folder; the committed corpus is read only.
                .arg(&scratch)
                .arg(&corpus)
                .arg(format!("-max_total_time={seconds}"))
                .arg(format!("-artifact_prefix={}/", artifacts.display()))
                .args(["-max_len=65536", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]),
        )?;
    }
    Ok(())
}

const FUZZ_FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1";

fn host() -> Result<String> {
    let text = process::output(std::process::Command::new("rustc").arg("-vV"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc does not tell its host")?.to_owned())
}

fn quick(help: &'static str) -> Arg {
    flag("quick", help)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn rest() -> Arg {
    Arg::new("rest").num_args(0..).last(true).help("Arguments for the program itself, behind --")
}

fn command(program: &str, arguments: &ArgMatches, profile: &[&str]) -> std::process::Command {
    let mut command = repo::cargo();
    command.args(["run", "--quiet", "--locked", "--package", "fedcell-tests", "--bin", program]).args(profile);
    command.arg("--").args(arguments.get_one::<String>("subject"));
    if arguments.get_flag("quick") {
        command.arg("--quick");
    }
    command.args(arguments.get_many::<String>("rest").into_iter().flatten());
    command
}

/// Runs a program that finds the reference at hand.
fn with_reference(mut command: std::process::Command) -> Result<()> {
    if env::var_os("FEDCELL_PYTHON").is_none() {
        command.env("FEDCELL_PYTHON", reference::python()?);
    }
    process::run(&mut command)
}
