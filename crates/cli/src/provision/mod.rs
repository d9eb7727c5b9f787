//! `fedcell provision`: a project's authority, and a startup kit for everyone.

mod authority;
mod kit;
mod project;
#[cfg(test)]
mod tests;
mod write;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::json;

use crate::connect::PROTECTIONS;
use crate::exit::{Failure, Kind};
use crate::print;

pub(crate) use project::{Admin, Project, Relay, Server, Site};

use authority::Authority;

/// Name of the command.
pub(crate) const NAME: &str = "provision";

const FILE: &str = "project-file";
const OUTPUT: &str = "output";
const PROJECT: &str = "project";
const ORGANIZATION: &str = "org";
const SERVER: &str = "server";
const HOST: &str = "host";
const PORT: &str = "port";
const ADMIN_PORT: &str = "admin-port";
const SITES: &str = "sites";
const SITE: &str = "site";
const RELAY: &str = "relay";
const ADMIN: &str = "admin";
const SCHEME: &str = "scheme";
const SECURITY: &str = "security";
const DAYS: &str = "days";
const JSON: &str = "json";

pub(crate) fn command() -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let many =
        |name: &'static str, value: &'static str, help: &'static str| text(name, value, help).action(ArgAction::Append);
    Command::new(NAME)
        .about("Make the certificates of a project and a startup kit for everyone")
        .long_about(
            "Make the certificates of a project and a startup kit for everyone.\n\nThe kits have the file names and \
             contents of nvflare provision and can be used with both programs. The project is described by options, or by \
             a project.yml of nvflare; a key in it that would be lost is named and is an error. Nothing is overwritten, and nothing is \
             left behind when it fails. Whoever holds state/cert.json can make certificates: keep it in a safe place.",
        )
        .arg(
            text(FILE, "FILE", "A project.yml of nvflare, instead of the options that describe a project")
                .short('p')
                .value_parser(value_parser!(PathBuf))
                .conflicts_with_all([
                    PROJECT, ORGANIZATION, SERVER, HOST, PORT, ADMIN_PORT, SITES, SITE, RELAY, ADMIN, SCHEME, SECURITY,
                ]),
        )
        .arg(
            text(OUTPUT, "DIR", "Folder in which that of the project is made")
                .value_parser(value_parser!(PathBuf))
                .default_value("."),
        )
        .arg(text(PROJECT, "NAME", "Name of the project").default_value("project"))
        .arg(text(ORGANIZATION, "NAME", "Organization in certificates").default_value("fedcell"))
        .arg(
            text(SERVER, "HOST", "Host name of the server, which is its name in certificates")
                .default_value("localhost"),
        )
        .arg(many(HOST, "HOST", "Further host name or address of the server"))
        .arg(text(PORT, "PORT", "Port of the server").value_parser(value_parser!(u16)).default_value("8002"))
        .arg(
            text(ADMIN_PORT, "PORT", "Port of the server for administrators")
                .value_parser(value_parser!(u16))
                .default_value("8003"),
        )
        .arg(
            text(SITES, "N", "Number of sites, site-1 to site-N, that reach the server directly; 2 if none are named")
                .value_parser(value_parser!(u16).range(1..=1000)),
        )
        .arg(many(SITE, "NAME[=RELAY]", "A site, and the relay through which it reaches the server"))
        .arg(many(
            RELAY,
            "NAME@HOST:PORT[=RELAY]",
            "A relay, where it listens, and the relay through which it reaches the server",
        ))
        .arg(many(ADMIN, "NAME[:ROLE]", "An administrator; the role is project_admin if none is given"))
        .arg(text(SCHEME, "SCHEME", "How cells talk").value_parser(["tcp", "grpc", "http"]).default_value("tcp"))
        .arg(
            text(SECURITY, "MODE", "How connections are protected")
                .value_parser(PROTECTIONS)
                .default_value("mtls"),
        )
        .arg(
            text(DAYS, "N", "Days for which certificates are valid")
                .value_parser(value_parser!(u32).range(1..=36500))
                .default_value("360"),
        )
        .arg(Arg::new(JSON).long(JSON).action(ArgAction::SetTrue).help("Print a JSON object a line"))
}

/// Makes kits.
///
/// # Errors
///
/// [`Failure`] if the project contradicts itself, or the disk refuses.
pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let mut days = arguments.get_one(DAYS).copied().unwrap_or(360);
    let project = match arguments.get_one::<PathBuf>(FILE) {
        Some(file) => {
            let wrong = |error| Failure::new(Kind::Configuration, error);
            let read = yaml::read(file).map_err(wrong)?;
            read.notes.iter().for_each(|note| tracing::warn!("{note}"));
            if arguments.value_source(DAYS) == Some(ValueSource::DefaultValue) {
                days = read.days.unwrap_or(days);
            }
            let named = || format!("{} cannot be used", file.display());
            read.project.check().with_context(named).map_err(wrong)?;
            read.project
        }
        None => {
            let project = read(arguments).map_err(|error| Failure::new(Kind::Usage, error))?;
            project.check().map_err(|error| Failure::new(Kind::Usage, error))?;
            project
        }
    };
    let output = arguments.get_one::<PathBuf>(OUTPUT).cloned().unwrap_or_default();
    let kits = create(&project, days, &output).map_err(Failure::local)?;
    let mut lines = vec![("server", project.server.name.as_str())];
    lines.extend(project.relays.iter().map(|relay| ("relay", relay.name.as_str())));
    lines.extend(project.sites.iter().map(|site| ("site", site.name.as_str())));
    lines.extend(project.admins.iter().map(|admin| ("admin", admin.name.as_str())));
    for (role, name) in lines {
        let path = kits.join(name);
        if arguments.get_flag(JSON) {
            print::json(&json!({"role": role, "name": name, "kit": path}))?;
        } else {
            print::line(&format!("{role:<7} {}", path.display()))?;
        }
    }
    Ok(())
}

/// Makes the authority, the certificates and the kits of a project; returns the folder with a kit for everyone.
///
/// # Errors
///
/// The project contradicts itself, something is in the way, or the disk refuses; nothing is left behind then.
pub(crate) fn create(project: &Project, days: u32, output: &Path) -> Result<PathBuf> {
    project.check()?;
    let authority = Authority::new(&project.name, days, SystemTime::now())?;
    let kits = project.kits(&authority)?;
    write::write(output, &project.name, &authority, &kits)
}

fn read(arguments: &ArgMatches) -> Result<Project> {
    let text = |name| arguments.get_one::<String>(name).cloned().unwrap_or_default();
    let all = |name| arguments.get_many::<String>(name).into_iter().flatten().map(String::as_str);
    let port = |name| arguments.get_one::<u16>(name).copied().unwrap_or_default();
    let named = if arguments.contains_id(SITE) { 0 } else { 2 };
    let numbered = arguments.get_one::<u16>(SITES).copied().unwrap_or(named);
    let mut sites: Vec<_> = (1..=numbered).map(|number| Site { name: format!("site-{number}"), relay: None }).collect();
    sites.extend(all(SITE).map(|entry| {
        let (name, relay) = two(entry, '=');
        Site { name, relay }
    }));
    let admins = all(ADMIN).map(|entry| {
        let (name, role) = two(entry, ':');
        Admin { name, role: role.unwrap_or_else(|| "project_admin".to_owned()) }
    });
    Ok(Project {
        name: text(PROJECT),
        organization: text(ORGANIZATION),
        organizations: BTreeMap::new(),
        scheme: text(SCHEME),
        security: text(SECURITY),
        server: Server {
            name: text(SERVER),
            hosts: all(HOST).map(str::to_owned).collect(),
            port: port(PORT),
            admin_port: port(ADMIN_PORT),
        },
        relays: all(RELAY).map(relay).collect::<Result<_>>()?,
        sites,
        admins: admins.collect(),
    })
}

fn two(entry: &str, between: char) -> (String, Option<String>) {
    match entry.split_once(between) {
        Some((first, second)) => (first.to_owned(), Some(second.to_owned())),
        None => (entry.to_owned(), None),
    }
}

/// `NAME@HOST:PORT[=RELAY]`
fn relay(entry: &str) -> Result<Relay> {
    let (own, parent) = two(entry, '=');
    let Some((name, address)) = own.split_once('@') else { bail!("--relay {entry}: expected NAME@HOST:PORT") };
    let Some((host, port)) = address.rsplit_once(':') else { bail!("--relay {entry}: expected NAME@HOST:PORT") };
    let port = port.parse().with_context(|| format!("--relay {entry}: {port} is no port"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok(Relay { name: name.to_owned(), parent, host: host.to_owned(), port })
}
