//! How a command joins a network: name, URLs, protection and certificates.

use core::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use fedcell_auth::identity::CertificateChain;
use fedcell_cell::proto::address::Fqcn;
use fedcell_cell::security::{Credentials, SecurityMode};
use fedcell_cell::{Cell, CellBuilder, CellEvent, Events, Limits};
use fedcell_client::kit::Kit;
use tokio::time::timeout;

use crate::exit::{Failure, Kind};

/// How connections can be protected, as it is said on a command line.
pub(crate) const PROTECTIONS: [&str; 3] = ["clear", "tls", "mtls"];

const FQCN: &str = "fqcn";
const ROOT_URL: &str = "root-url";
const PARENT_URL: &str = "parent-url";
const SECURITY: &str = "security";
const CREDENTIALS: &str = "credentials";
const CA: &str = "ca";
const CERT: &str = "cert";
const KEY: &str = "key";
const IDENTITY: &str = "identity";

/// What the command line says about joining.
#[derive(Debug)]
pub(crate) struct Connect {
    /// Address of the cell, if one is given.
    pub(crate) fqcn: Option<String>,
    root_urls: Vec<String>,
    parent_url: Option<String>,
    security: SecurityMode,
    credentials: Option<Credentials>,
    identities: Vec<(String, String)>,
}

/// Adds the options of a cell that says itself where it belongs.
pub(crate) fn cell_arguments(command: Command) -> Command {
    protection(
        command
            .arg(Arg::new(FQCN).long(FQCN).value_name("NAME").required(true).help("Address of the cell"))
            .arg(
                Arg::new(ROOT_URL)
                    .long(ROOT_URL)
                    .value_name("URL")
                    .action(ArgAction::Append)
                    .required_unless_present(PARENT_URL)
                    .help("URL of the server; the cell `server` listens on it, with port 0 on any free port"),
            )
            .arg(
                Arg::new(PARENT_URL)
                    .long(PARENT_URL)
                    .value_name("URL")
                    .help("URL at which the parent listens for the cells below it"),
            ),
    )
}

/// Adds the options of a tool that is a cell for as long as it runs.
pub(crate) fn tool_arguments(command: Command, url_option: &'static str) -> Command {
    protection(
        command
            .arg(
                Arg::new(ROOT_URL)
                    .long(url_option)
                    .value_name("URL")
                    .required(true)
                    .help("URL of the server, through which everything goes"),
            )
            .arg(
                Arg::new(FQCN)
                    .long(FQCN)
                    .value_name("NAME")
                    .help("Address to take; by default one below the name in the certificate"),
            ),
    )
}

fn protection(command: Command) -> Command {
    let file = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("FILE").conflicts_with(CREDENTIALS).help(help)
    };
    command
        .arg(
            Arg::new(SECURITY)
                .long(SECURITY)
                .value_name("MODE")
                .value_parser(PROTECTIONS)
                .default_value("mtls")
                .help("How connections to the outside are protected"),
        )
        .arg(
            Arg::new(CREDENTIALS)
                .long(CREDENTIALS)
                .value_name("DIR")
                .help("Startup kit, or the folder in it with rootCA.pem"),
        )
        .arg(file(CA, "Root certificate, instead of a kit"))
        .arg(file(CERT, "Certificate, instead of a kit").requires(CA).requires(KEY))
        .arg(file(KEY, "Private key of the certificate").requires(CERT))
        .arg(
            Arg::new(IDENTITY)
                .long(IDENTITY)
                .value_name("ADDRESS=NAME")
                .action(ArgAction::Append)
                .value_parser(value_parser!(String))
                .help(
                    "Name in the certificate of a cell and all below it, where neither the kit nor the first part of the \
                     address says it",
                ),
        )
}

impl Connect {
    /// Reads the options.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the certificates cannot be found.
    pub(crate) fn read(arguments: &ArgMatches) -> Result<Self, Failure> {
        let text = |name| arguments.try_get_one::<String>(name).ok().flatten().cloned();
        let bad = |error| Failure::new(Kind::Configuration, error).context("the credentials cannot be used");
        let credentials = match (text(CREDENTIALS), text(CA)) {
            (Some(folder), _) => Some(Credentials::from_kit(folder).map_err(bad)?),
            (None, Some(root)) => {
                let credentials = Credentials::new(root);
                Some(match (text(CERT), text(KEY)) {
                    (Some(certificate), Some(key)) => credentials.client_pair(certificate, key),
                    _ => credentials,
                })
            }
            (None, None) => None,
        };
        // clap has checked the word.
        let security = text(SECURITY).and_then(|word| word.parse().ok()).unwrap_or_default();
        if security != SecurityMode::Clear && credentials.is_none() {
            let text = format!("--security {security} needs --credentials or --ca; without TLS it is --security clear");
            return Err(Failure::text(Kind::Configuration, text));
        }
        let mut identities = Vec::new();
        for entry in arguments.get_many::<String>(IDENTITY).into_iter().flatten() {
            let Some((address, name)) = entry.split_once('=') else {
                return Err(Failure::text(Kind::Usage, format!("--identity {entry}: expected ADDRESS=NAME")));
            };
            identities.push((address.to_owned(), name.to_owned()));
        }
        // A kit says under which name its server and the others are certified. A folder of certificates alone does not.
        if let Some(Ok(kit)) = text(CREDENTIALS).map(Kit::open) {
            let server = kit.server_identity.map(|name| (Fqcn::SERVER.as_str().to_owned(), name));
            for (address, name) in kit.identities.into_iter().chain(server) {
                if identities.iter().all(|(other, _)| *other != address) {
                    identities.push((address, name));
                }
            }
        }
        Ok(Self {
            fqcn: text(FQCN),
            root_urls: arguments.get_many::<String>(ROOT_URL).into_iter().flatten().cloned().collect(),
            parent_url: text(PARENT_URL),
            security,
            credentials,
            identities,
        })
    }

    /// Describes the cell of that address.
    pub(crate) fn builder(&self, fqcn: &str) -> CellBuilder {
        let mut builder = Cell::builder(fqcn).security(self.security);
        for url in &self.root_urls {
            builder = builder.root_url(url);
        }
        if let Some(url) = &self.parent_url {
            builder = builder.parent_url(url);
        }
        if let Some(credentials) = &self.credentials {
            builder = builder.credentials(credentials.clone());
        }
        for (address, name) in &self.identities {
            builder = builder.identity(address, name);
        }
        builder
    }

    /// Starts the cell of a tool and waits until it is connected. What it streams may stall for as long as the connection
    /// may take: somebody is watching.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the cell cannot be built, or no connection stands within `limit`.
    pub(crate) async fn tool(&self, limit: Duration) -> Result<Cell, Failure> {
        let name = self.fqcn.clone().unwrap_or_else(|| self.tool_name());
        let mut limits = Limits::default();
        limits.streams.ack_progress_timeout = limit;
        let cell = self.builder(&name).limits(limits).build()?;
        let mut events = cell.events();
        let cell = cell.start().await?;
        let mut reason = String::new();
        let ready = async {
            tokio::select! {
                () = cell.ready() => {}
                () = last_reason(&mut events, &mut reason) => {}
            }
        };
        match timeout(limit, ready).await {
            Ok(()) => Ok(cell),
            Err(_) => {
                let url = self.root_urls.join(" ");
                let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                let text = format!("no connection to {url} within {} s{why}", limit.as_secs_f64());
                Err(Failure::text(Kind::Network, text))
            }
        }
    }

    /// A name that nobody else has and that the certificate allows: one below that in the certificate.
    fn tool_name(&self) -> String {
        let leaf = format!("fedcell-{:08x}", std::process::id());
        let pair = self.credentials.as_ref().filter(|_| self.security == SecurityMode::Mtls);
        let chain = pair.and_then(Credentials::dialling_pair).map(|pair| CertificateChain::load(&pair.certificate));
        match chain {
            Some(Ok(chain)) => match chain.leaf().common_name() {
                Some(name) => format!("{name}.{leaf}"),
                None => leaf,
            },
            _ => leaf,
        }
    }
}

/// Follows the events and keeps the last reason why there is no connection.
async fn last_reason(events: &mut Events, reason: &mut String) {
    while let Some(event) = events.next().await {
        if let CellEvent::DialFailed { reason: why, .. } | CellEvent::ConnectionRefused { reason: why, .. } = event {
            *reason = why;
        }
    }
}
