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
mod probes;
mod progress;
mod provision;
mod role;
mod seconds;
mod send;
mod shell;
mod stop;
mod transfer;
mod value;

use std::process::ExitCode;

use clap::ArgMatches;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, registry};

use crate::exit::{Failure, Kind};

#[expect(clippy::print_stderr, reason = "the one place where a failure is told to the user")]
fn main() -> ExitCode {
    let matches = match command::fedcell().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => match command::in_one_line(&error, std::env::args_os().skip(1)) {
            Some(line) => {
                eprintln!("fedcell: {line}");
                return Failure::text(Kind::Usage, line).code();
            }
            None => error.exit(),
        },
    };
    let log = fmt::layer().with_writer(std::io::stderr).with_target(false);
    registry().with(log.with_filter(command::log_filter(&matches))).init();
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
        Some((shell::COMPLETIONS, arguments)) => shell::completions(arguments),
        Some((shell::MAN, arguments)) => shell::man(arguments),
        Some((net::NAME, arguments)) => runtime.block_on(net::run(arguments)),
        // clap has refused everything else.
        _ => Ok(()),
    };
    // A thread that still reads standard input would hold the runtime.
    runtime.shutdown_background();
    outcome
}
