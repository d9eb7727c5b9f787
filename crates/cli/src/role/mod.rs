//! One role of a federation as a process: server, relay or site, from its kit.
//!
//! Each prints one JSON object a line on standard output about what happens, and ends on SIGTERM, SIGINT or when a
//! pipe at its standard input closes, after saying goodbye.

mod digits;
mod join;
pub(crate) mod relay;
pub(crate) mod server;
pub(crate) mod site;
mod tokens;
mod workspace;

pub(crate) use digits::train as train_site;

use core::time::Duration;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use fedcell_auth::Nonce;
use fedcell_cell::{CellBuilder, Limits};
use fedcell_client::Config;
use fedcell_client::kit::{Kit, Listen, Role};

use crate::doctor;
use crate::exit::{Failure, Kind};

const KIT: &str = "kit";
const LISTEN: &str = "listen";
const JOB: &str = "job";
const WORKSPACE: &str = "workspace";
const LONGEST_WAIT: &str = "longest-wait";

/// The option that every role has.
fn kit_argument() -> Arg {
    Arg::new(KIT)
        .long(KIT)
        .value_name("DIR")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("Startup kit, as fedcell or nvflare has provisioned it")
}

/// The option of the roles that listen.
fn listen_argument() -> Arg {
    Arg::new(LISTEN).long(LISTEN).value_name("ADDRESS").default_value("0.0.0.0").help("Address to listen on")
}

/// Where such a role listens: at the address of the command line, on the port of the kit.
fn listen_url<'a>(kit: &'a Kit, arguments: &ArgMatches) -> Result<(String, &'a Listen), Failure> {
    let place = kit.listen.as_ref().and_then(|listen| Some((listen, listen.places.first()?)));
    let Some((listen, (_, port))) = place else {
        return Err(Failure::text(Kind::Configuration, "the kit does not say on which port to listen"));
    };
    let address = arguments.get_one::<String>(LISTEN).map_or("0.0.0.0", String::as_str);
    Ok((format!("{}://{address}:{port}", listen.scheme), listen))
}

/// The option that shortens all waits.
fn wait_argument() -> Arg {
    Arg::new(LONGEST_WAIT)
        .long(LONGEST_WAIT)
        .value_name("SECONDS")
        .value_parser(value_parser!(f64))
        .help("Longest wait for an answer, or before something is tried again, where it would be longer")
}

/// The same wait, or the longest that is wanted.
fn at_most(arguments: &ArgMatches, wait: Duration) -> Duration {
    let wanted = arguments.get_one::<f64>(LONGEST_WAIT).copied();
    wanted.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).map_or(wait, |wanted| wait.min(wanted))
}

/// The options of the roles that work on a job.
fn job_arguments(command: Command, job: &'static str, workspace: &'static str) -> Command {
    let command = command
        .arg(kit_argument())
        .arg(wait_argument())
        .arg(Arg::new(JOB).long(JOB).value_name("UUID").value_parser(job_id).help(job))
        .arg(
            Arg::new(WORKSPACE)
                .long(WORKSPACE)
                .value_name("DIR")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help(workspace),
        );
    crate::probes::arguments(digits::arguments(command))
}

/// An id that a job can have.
fn job_id(text: &str) -> Result<String, &'static str> {
    let expected = "expected a UUID as `uuidgen` prints it, in lower case";
    Nonce::parse(text).map(|id| id.as_str().to_owned()).map_err(|_| expected)
}

/// Seconds on a command line.
fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or("expected seconds")
}

/// Reads the kit that is named, which must be one for this role.
fn kit(arguments: &ArgMatches, role: Role) -> Result<Kit, Failure> {
    let path = arguments.get_one::<PathBuf>(KIT).cloned().unwrap_or_default();
    let kit = Kit::open(&path).map_err(|error| Failure::from(error).advice("take the kit as it was provisioned"))?;
    if kit.role != role {
        let (found, wanted) = (kit.role.name(), role.name());
        let text = format!("{} is a kit of {found}, this command needs one of {wanted}", path.display());
        return Err(Failure::text(Kind::Configuration, text));
    }
    doctor::usable(&kit)?;
    Ok(kit)
}

/// A cell as the kit says it, which is never away for longer than the command line says.
fn builder(kit: &Kit, arguments: &ArgMatches) -> Result<CellBuilder, Failure> {
    let mut limits = Limits::default();
    limits.redial_first = at_most(arguments, limits.redial_first);
    limits.redial_longest = at_most(arguments, limits.redial_longest);
    Ok(kit.cell()?.limits(limits))
}

/// What a participant that registers is told, with waits as short as the command line says, and as long a try.
fn config(kit: &Kit, arguments: &ArgMatches, wait: Option<Duration>) -> Result<Config, Failure> {
    let mut config = kit.config()?;
    for wait in [
        &mut config.register_interval,
        &mut config.task_timeout,
        &mut config.maintenance_timeout,
        &mut config.heartbeat_interval,
    ] {
        *wait = at_most(arguments, *wait);
    }
    config.register_patience = wait;
    Ok(config)
}
