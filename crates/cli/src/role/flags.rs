//! A participant that the command line describes, where there is no kit.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use fedcell_cell::proto::address::{Fqcn, FqcnBuf};
use fedcell_cell::proto::url::ConnUrl;
use fedcell_cell::security::SecurityMode;
use fedcell_client::kit::{Kit, Listen, Role, Uplink};
use fedcell_protocol_defs::config::Scheme;

use super::KIT;
use crate::connect::PROTECTIONS;
use crate::exit::{Failure, Kind};

pub(super) const CREDENTIALS: &str = "credentials";
const NAME: &str = "name";
const PROJECT: &str = "project";
const URL: &str = "url";
const PARENT: &str = "parent";
const SERVER_IDENTITY: &str = "server-identity";
const SECURITY: &str = "security";

/// The options that together say what a kit would.
pub(super) fn arguments(command: Command, role: Role) -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).requires(CREDENTIALS).help(help)
    };
    let credentials = Arg::new(CREDENTIALS)
        .long(CREDENTIALS)
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .conflicts_with(KIT)
        .requires_all([NAME, PROJECT])
        .help("Instead of a kit: folder with rootCA.pem and the certificates and keys, named as in one");
    let command = command
        .arg(if role == Role::Server { credentials } else { credentials.requires(URL) })
        .arg(option(NAME, "NAME", "Instead of a kit: name in the certificate"))
        .arg(option(PROJECT, "NAME", "Instead of a kit: name of the project"))
        .arg(
            option(SECURITY, "MODE", "Instead of a kit: how connections are protected; mtls if not given")
                .value_parser(PROTECTIONS),
        );
    if role == Role::Server {
        return command;
    }
    command
        .arg(
            option(URL, "URL", "Instead of a kit: where the server or the relay above listens, as in tcp://host:8002")
                .value_parser(ConnUrl::parse),
        )
        .arg(
            option(
                PARENT,
                "FQCN",
                "Instead of a kit: address of the relay that listens there, if it is not the server",
            )
            .value_parser(FqcnBuf::parse)
            .requires(SERVER_IDENTITY),
        )
        .arg(option(
            SERVER_IDENTITY,
            "NAME",
            "Instead of a kit: name in the server's certificate; the host of --url if not given",
        ))
}

/// What the options say.
///
/// # Errors
///
/// [`Failure`] if the URL has no host or no port.
pub(super) fn kit(arguments: &ArgMatches, role: Role) -> Result<Kit, Failure> {
    let text = |name| arguments.get_one::<String>(name).cloned();
    // clap has checked the word.
    let security = text(SECURITY).and_then(|word| word.parse().ok()).unwrap_or(SecurityMode::Mtls);
    let mut kit = Kit::new(role, security);
    kit.startup = arguments.get_one::<PathBuf>(CREDENTIALS).cloned().unwrap_or_default();
    kit.name = text(NAME);
    kit.project = text(PROJECT);
    if role != Role::Site {
        kit.listen = Some(Listen::new(Scheme::TCP, security));
    }
    if role != Role::Server
        && let Some(url) = arguments.get_one::<ConnUrl>(URL)
    {
        let (Some(host), Some(port)) = (url.host(), url.port()) else {
            let text = format!("--{URL} {}: expected a host and a port, as in tcp://host:8002", url.as_str());
            return Err(Failure::text(Kind::Usage, text));
        };
        let server = text(SERVER_IDENTITY).unwrap_or_else(|| host.to_owned());
        let parent = arguments.get_one::<FqcnBuf>(PARENT).map_or(Fqcn::SERVER, |parent| parent.as_fqcn());
        let mut uplink = Uplink::new(parent, url.scheme(), host, port, security);
        if uplink.is_server() {
            uplink.identity = Some(server.clone());
        }
        kit.server_identity = Some(server);
        kit.uplink = Some(uplink);
    }
    Ok(kit)
}
