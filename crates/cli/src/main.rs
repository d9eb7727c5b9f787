//! The `fedcell` binary: cells and network tools, one command each.

mod cell;
mod chart;
mod command;
mod connect;
mod demo;
mod doctor;
mod exit;
mod learn;
mod learning;
mod net;
mod print;
mod progress;
mod provision;
mod role;
mod send;
mod stop;
mod transfer;
mod value;

use std::process::ExitCode;

use clap::ArgMatches;
use tracing_subscriber::filter::LevelFilter;

use crate::exit::Failure;

#[expect(clippy::print_stderr, reason = "the one place where a failure is told to the user")]
fn main() -> ExitCode {
    let matches = command::fedcell().get_matches();
    let level = match matches.get_count(command::VERBOSE) {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).with_max_level(level).init();
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("fedcell: {failure:#}");
            failure.code()
        }
    }
}

fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::local)?;
    let outcome = match matches.subcommand() {
        Some((cell::NAME, arguments)) => runtime.block_on(cell::run(arguments)),
        Some((send::NAME, arguments)) => runtime.block_on(send::run(arguments)),
        Some((doctor::NAME, arguments)) => runtime.block_on(doctor::run(arguments)),
        Some((demo::NAME, arguments)) => runtime.block_on(demo::run(arguments)),
        Some((role::server::NAME, arguments)) => runtime.block_on(role::server::run(arguments)),
        Some((role::relay::NAME, arguments)) => runtime.block_on(role::relay::run(arguments)),
        Some((role::site::NAME, arguments)) => runtime.block_on(role::site::run(arguments)),
        Some((learn::NAME, arguments)) => learn::run(arguments),
        Some((provision::NAME, arguments)) => provision::run(arguments),
        Some((net::NAME, arguments)) => runtime.block_on(net::run(arguments)),
        // clap has refused everything else.
        _ => Ok(()),
    };
    // A thread that still reads standard input would hold the runtime.
    runtime.shutdown_background();
    outcome
}
