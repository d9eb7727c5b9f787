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
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command, value_parser};
use fedcell_auth::challenge::ClientParty;
use fedcell_auth::identity::{Identity, ProjectRoot};
use fedcell_auth::{CommonName, Nonce};
use fedcell_cell::proto::address::Fqcn;
use fedcell_cell::security::{Credentials, SecurityMode};
use fedcell_cell::{Cell, CellBuilder, Limits};
use fedcell_client::Config;
use fedcell_protocol_defs::config::KitFile;

use crate::doctor;
use crate::doctor::startup::{Role, Startup, Uplink};
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
fn listen_url(startup: &Startup, arguments: &ArgMatches) -> Result<String, Failure> {
    let Some((_, port)) = startup.listens.first() else {
        return Err(Failure::text(Kind::Configuration, "the kit does not say on which port to listen"));
    };
    let address = arguments.get_one::<String>(LISTEN).map_or("0.0.0.0", String::as_str);
    Ok(format!("{}://{address}:{port}", startup.scheme))
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
fn kit(arguments: &ArgMatches, role: Role) -> Result<Startup, Failure> {
    let path = arguments.get_one::<PathBuf>(KIT).cloned().unwrap_or_default();
    let startup = Startup::read(&path).map_err(|error| {
        Failure::text(Kind::Configuration, format!("{error:#}; take the kit as it was provisioned"))
    })?;
    if startup.role != role {
        let (found, wanted) = (startup.role.name(), role.name());
        let text = format!("{} is a kit of {found}, this command needs one of {wanted}", path.display());
        return Err(Failure::text(Kind::Configuration, text));
    }
    doctor::usable(&startup)?;
    Ok(startup)
}

/// A cell of the role's name and protection, which dials what the kit says, if anything.
fn builder(startup: &Startup, arguments: &ArgMatches) -> Result<CellBuilder, Failure> {
    let name = startup.name.as_deref().unwrap_or_default();
    let fqcn = match &startup.uplink {
        None => Fqcn::SERVER.as_str().to_owned(),
        Some(uplink) if uplink.fqcn == Fqcn::SERVER.as_str() => name.to_owned(),
        Some(uplink) => format!("{}.{name}", uplink.fqcn),
    };
    let mut limits = Limits::default();
    limits.redial_first = at_most(arguments, limits.redial_first);
    limits.redial_longest = at_most(arguments, limits.redial_longest);
    let mut builder = Cell::builder(&fqcn).security(startup.security).limits(limits);
    for (address, identity) in &startup.identities {
        builder = builder.identity(address, identity);
    }
    if let Some(uplink) = &startup.uplink {
        if let Some(identity) = &uplink.identity {
            builder = builder.identity(&uplink.fqcn, identity);
        }
        builder = if uplink.fqcn == Fqcn::SERVER.as_str() {
            builder.root_url(uplink.url())
        } else {
            builder.parent_url_with(uplink.url(), uplink.security)
        };
    }
    if startup.security != SecurityMode::Clear {
        let credentials = Credentials::from_kit(&startup.folder).map_err(|error| {
            Failure::new(Kind::Configuration, error).context("the certificates of the kit cannot be used")
        })?;
        builder = builder.credentials(credentials);
    }
    Ok(builder)
}

/// What a participant that registers is told: its name, its project, and what the challenge needs.
pub(crate) fn client_config(startup: &Startup) -> Result<Config, Failure> {
    let wrong = |text: String| Failure::text(Kind::Configuration, text);
    let name = startup.name.as_deref().unwrap_or_default();
    let name = CommonName::parse(name).map_err(|error| Failure::new(Kind::Configuration, error))?;
    let project = startup.project.clone().ok_or_else(|| wrong("the kit does not name its project".to_owned()))?;
    let server =
        startup.server_identity.as_deref().ok_or_else(|| wrong("the kit does not name its server".to_owned()))?;
    let server = CommonName::parse(server).map_err(|error| Failure::new(Kind::Configuration, error))?;
    let file = |file: KitFile<'static>| startup.folder.join(file.as_str());
    let identity = Identity::load(&file(KitFile::CLIENT_CERT), &file(KitFile::CLIENT_PRIVATE_KEY))
        .map_err(|error| Failure::new(Kind::Configuration, error))?;
    let root =
        ProjectRoot::load(&file(KitFile::ROOT_CERT)).map_err(|error| Failure::new(Kind::Configuration, error))?;
    let party =
        ClientParty::new(Arc::new(identity), root, server).map_err(|error| Failure::new(Kind::Configuration, error))?;
    Ok(Config::new(name, project).with_party(party))
}

/// Shortens its waits to the longest that is wanted.
fn shorten(config: &mut Config, arguments: &ArgMatches) {
    for wait in [
        &mut config.register_interval,
        &mut config.task_timeout,
        &mut config.maintenance_timeout,
        &mut config.heartbeat_interval,
    ] {
        *wait = at_most(arguments, *wait);
    }
}
