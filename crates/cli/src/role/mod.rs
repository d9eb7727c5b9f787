//! One role of a federation as a process: server, relay or site, from its kit or from options that say the same.
//!
//! Each prints one JSON object a line on standard output about what happens, and ends on SIGTERM, SIGINT or when a
//! pipe at its standard input closes, after saying goodbye.

mod digits;
mod flags;
mod join;
pub(crate) mod relay;
pub(crate) mod server;
pub(crate) mod site;
mod tokens;
mod workspace;

pub(crate) use digits::train as train_site;

use core::time::Duration;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use fedcell_auth::Nonce;
use fedcell_cell::proto::url::ConnUrl;
use fedcell_cell::security::SecurityMode;
use fedcell_cell::{CellBuilder, Limits};
use fedcell_client::Config;
use fedcell_client::kit::{Kit, Role};

use crate::doctor;
use crate::exit::{Failure, Kind};
use crate::seconds;

const KIT: &str = "kit";
const LISTEN: &str = "listen";
const JOB: &str = "job";
const WORKSPACE: &str = "workspace";
const LONGEST_WAIT: &str = "longest-wait";

/// The options that say who it is: a kit, or what stands for one.
fn identity_arguments(command: Command, role: Role) -> Command {
    let kit = Arg::new(KIT)
        .long(KIT)
        .value_name("DIR")
        .required_unless_present(flags::CREDENTIALS)
        .value_parser(value_parser!(PathBuf))
        .help("Startup kit, as fedcell or nvflare has provisioned it");
    flags::arguments(command.arg(kit), role)
}

/// The option of the roles that listen.
fn listen_argument() -> Arg {
    Arg::new(LISTEN)
        .long(LISTEN)
        .value_name("ADDRESS[:PORT]|URL")
        .default_value("0.0.0.0")
        .help("Address to listen on; the port is that of the kit if none is given")
}

/// Where such a role listens, on the port of the kit if the command line says none, and how that is protected.
fn listener(kit: &Kit, arguments: &ArgMatches) -> Result<(String, SecurityMode), Failure> {
    let text = arguments.get_one::<String>(LISTEN).map_or("0.0.0.0", String::as_str);
    let Some(listen) = &kit.listen else {
        return Err(Failure::text(Kind::Configuration, "the kit does not say where to listen"));
    };
    let url = if text.contains("://") { text.to_owned() } else { format!("{}://{text}", listen.scheme) };
    let wrong = |why: &str| Failure::text(Kind::Usage, format!("--{LISTEN} {text}: {why}"));
    let place = ConnUrl::parse(&url).map_err(|error| wrong(&error.to_string()))?;
    if place.port().is_some() {
        return Ok((url, listen.security));
    }
    let (_, port) = listen.places.first().ok_or_else(|| wrong("no kit says on which port; give ADDRESS:PORT"))?;
    Ok((format!("{}://{}:{port}", place.scheme().as_str(), place.host().unwrap_or_default()), listen.security))
}

/// The option that shortens all waits.
fn wait_argument() -> Arg {
    Arg::new(LONGEST_WAIT)
        .long(LONGEST_WAIT)
        .value_name("SECONDS")
        .value_parser(seconds::some)
        .help("Longest wait for an answer, or before something is tried again, where it would be longer")
}

/// The same wait, or the longest that is wanted.
fn at_most(arguments: &ArgMatches, wait: Duration) -> Duration {
    arguments.get_one::<Duration>(LONGEST_WAIT).map_or(wait, |wanted| wait.min(*wanted))
}

/// The options of the roles that work on a job.
fn job_arguments(command: Command, role: Role, job: &'static str, workspace: &'static str) -> Command {
    let command = identity_arguments(command, role)
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

/// The kit that is named, which must be one for this role, or what the command line says in its stead.
fn kit(arguments: &ArgMatches, role: Role) -> Result<Kit, Failure> {
    let kit = match arguments.get_one::<PathBuf>(KIT) {
        Some(path) => read(path, role)?,
        None => flags::kit(arguments, role)?,
    };
    doctor::usable(&kit)?;
    Ok(kit)
}

fn read(path: &Path, role: Role) -> Result<Kit, Failure> {
    let kit = Kit::open(path).map_err(|error| Failure::from(error).advice("take the kit as it was provisioned"))?;
    if kit.role != role {
        let (found, wanted) = (kit.role.name(), role.name());
        let text = format!("{} is a kit of {found}, this command needs one of {wanted}", path.display());
        return Err(Failure::text(Kind::Configuration, text));
    }
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
