//! `fedcell doctor`: what is wrong with a kit, a certificate, a port or a server, one line each.

mod reach;

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use fedcell_auth::identity::{Kit as Pair, KitFile, KitReport, KitRole, Severity};
use fedcell_auth::{CommonName, UnixTime};
use fedcell_cell::proto::cause::with_causes;
use fedcell_cell::security::SecurityMode;
use fedcell_client::kit::{Kit, Role};
use fedcell_protocol_defs::config::KitFile as FileName;
use serde_json::json;

use crate::exit::{Failure, Kind};
use crate::{print, seconds};

/// Name of the command.
pub(crate) const NAME: &str = "doctor";

const KIT: &str = "kit";
const CA: &str = "ca";
const CERT: &str = "cert";
const KEY: &str = "key";
const FOR: &str = "for";
const OFFLINE: &str = "offline";
const TIMEOUT: &str = "timeout";
const JSON: &str = "json";

pub(crate) fn command() -> Command {
    let file = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf)).conflicts_with(KIT).help(help)
    };
    Command::new(NAME)
        .about("Say what is wrong with a kit, a certificate, a port or a server")
        .long_about(
            "Say what is wrong with a kit, a certificate, a port or a server, one line each.\n\nOf a kit, its \
             configuration and its certificates are looked at; then whether its ports are free, if it listens, and \
             whether its server or relay takes a connection with it. Nothing is registered and nothing is changed. The \
             exit code is 3 if something is wrong with what is here, 4 if only the way to the server is.",
        )
        .arg(
            Arg::new(KIT)
                .value_name("KIT")
                .value_parser(value_parser!(PathBuf))
                .required_unless_present(CERT)
                .help("Folder of a kit"),
        )
        .arg(file(CA, "Root certificate, for a certificate without a kit"))
        .arg(file(CERT, "Certificate, instead of a kit").requires(CA).requires(KEY))
        .arg(file(KEY, "Private key of the certificate").requires(CERT))
        .arg(
            Arg::new(FOR)
                .long(FOR)
                .value_name("ROLE")
                .value_parser(["server", "client"])
                .default_value("client")
                .help("What the certificate is to be good for"),
        )
        .arg(Arg::new(OFFLINE).long(OFFLINE).action(ArgAction::SetTrue).help("Look at files only"))
        .arg(
            Arg::new(TIMEOUT)
                .long(TIMEOUT)
                .value_name("SECONDS")
                .value_parser(seconds::some)
                .default_value("5")
                .help("How long the server is waited for"),
        )
        .arg(Arg::new(JSON).long(JSON).action(ArgAction::SetTrue).help("Print a JSON object a line"))
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Fine,
    Warning,
    Error,
}

/// One thing that was looked at.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) state: State,
    /// `config`, `certificate`, `port` or `server`.
    pub(crate) subject: &'static str,
    pub(crate) text: String,
    /// What to do about it.
    pub(crate) remedy: Option<String>,
}

impl Check {
    fn fine(subject: &'static str, text: impl Into<String>) -> Self {
        Self { state: State::Fine, subject, text: text.into(), remedy: None }
    }

    fn error(subject: &'static str, text: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Error, subject, text: text.into(), remedy: Some(remedy.into()) }
    }

    fn print(&self, is_json: bool) -> Result<(), Failure> {
        let state = match self.state {
            State::Fine => "ok",
            State::Warning => "warning",
            State::Error => "error",
        };
        if is_json {
            return print::json(&json!({
                "state": state, "subject": self.subject, "text": self.text, "remedy": self.remedy,
            }));
        }
        let remedy = self.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        print::line(&format!("{state:<8} {:<12} {}{remedy}", self.subject, self.text))
    }
}

/// Looks, and says what it has seen.
///
/// # Errors
///
/// [`Failure`] if something is wrong.
pub(crate) async fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let is_json = arguments.get_flag(JSON);
    let path = |name| arguments.get_one::<PathBuf>(name).map(PathBuf::as_path);
    let mut checks = Vec::new();
    match (path(KIT), path(CA), path(CERT), path(KEY)) {
        (Some(kit), ..) => match Kit::open(kit) {
            Ok(kit) => {
                checks.extend(files(&kit));
                if !arguments.get_flag(OFFLINE) {
                    let limit = arguments.get_one::<Duration>(TIMEOUT).copied().unwrap_or_default();
                    // With wrong files, no connection would say more.
                    let is_usable = checks.iter().all(|check| check.state < State::Error);
                    checks.extend(reach::check(&kit, is_usable, limit).await);
                }
            }
            Err(error) => {
                checks.push(Check::error("config", with_causes(&error), "take the kit as it was provisioned"));
            }
        },
        (None, Some(root), Some(certificate), Some(key)) => {
            let role = match arguments.get_one::<String>(FOR).map(String::as_str) {
                Some("server") => KitRole::Server,
                _ => KitRole::Client,
            };
            let read = |path: &Path| match std::fs::read(path) {
                Ok(bytes) => Ok(KitFile::new(&path.display().to_string(), bytes)),
                Err(error) => {
                    Err(Failure::new(Kind::Configuration, error).context(format!("cannot read {}", path.display())))
                }
            };
            let pair = Pair { root: read(root)?, certificate: read(certificate)?, key: read(key)? };
            certificates(pair.examine(role, None, now()?), &certificate.display().to_string(), &mut checks);
        }
        // clap has asked for one of them.
        _ => {}
    }
    checks.iter().try_for_each(|check| check.print(is_json))?;
    verdict(&checks)
}

/// The worst of it, as an exit code.
fn verdict(checks: &[Check]) -> Result<(), Failure> {
    let errors: Vec<_> = checks.iter().filter(|check| check.state == State::Error).collect();
    let text = match errors.len() {
        0 => return Ok(()),
        1 => "one thing is wrong".to_owned(),
        count => format!("{count} things are wrong"),
    };
    let is_here = errors.iter().any(|check| check.subject != reach::SERVER);
    Err(Failure::text(if is_here { Kind::Configuration } else { Kind::Network }, text))
}

fn now() -> Result<UnixTime, Failure> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(Failure::local)?;
    Ok(UnixTime::from_secs(now.as_secs()))
}

/// Configuration and certificates of a kit.
fn files(kit: &Kit) -> Vec<Check> {
    let role = kit.role.name();
    let name = kit.name.as_deref().unwrap_or("?");
    let project = kit.project.as_deref().unwrap_or("?");
    let mut checks = vec![Check::fine("config", format!("kit of {role}, {name}, in project {project}"))];
    let clear = |what: String, remedy: &str| Check {
        state: State::Warning,
        subject: "config",
        text: format!("{what} not protected"),
        remedy: Some(remedy.to_owned()),
    };
    if kit.security == SecurityMode::Clear {
        let remedy = "provision with mtls unless something else protects them";
        checks.push(clear("connections are".to_owned(), remedy));
    } else {
        // A project of nvflare that says nothing of a relay's connections has the relay listen in clear.
        let remedy = "say connection_security: mtls for listening_host of the relay, and provision again";
        let is_clear = |security| security == SecurityMode::Clear;
        if kit.listen.as_ref().is_some_and(|listen| is_clear(listen.security)) {
            checks.push(clear("connections from those behind it are".to_owned(), remedy));
        }
        if let Some(uplink) = kit.uplink.as_ref().filter(|uplink| is_clear(uplink.security)) {
            checks.push(clear(format!("the connection to {} is", uplink.fqcn), remedy));
        }
    }
    match pairs(kit) {
        Ok(pairs) => pairs.into_iter().for_each(|(report, file)| certificates(report, &file, &mut checks)),
        Err(_) => checks.push(Check::error("config", "the clock of this machine stands before 1970", "set it")),
    }
    checks
}

/// Whether a participant can join with the certificates of its kit.
///
/// # Errors
///
/// [`Failure`] with the worst of what keeps it from that.
pub(crate) fn usable(kit: &Kit) -> Result<(), Failure> {
    for (report, _) in pairs(kit)? {
        for finding in report.findings {
            match finding.severity {
                Severity::Error => return Err(Failure::text(Kind::Configuration, finding)),
                _ => tracing::info!(%finding, "the kit should be looked at"),
            }
        }
    }
    Ok(())
}

/// What is to be said of each certificate of a kit, and its file.
fn pairs(kit: &Kit) -> Result<Vec<(KitReport, String)>, Failure> {
    let now = now()?;
    let (listening, dialling) = ((KitRole::Server, FileName::SERVER_CERT), (KitRole::Client, FileName::CLIENT_CERT));
    let pairs = match kit.role {
        Role::Server => vec![listening],
        // It dials with one and listens with the other.
        Role::Relay if kit.file(listening.1).exists() => vec![dialling, listening],
        _ => vec![dialling],
    };
    let common_name = kit.name.as_deref().and_then(|name| CommonName::parse(name).ok());
    let report = |(role, file): (KitRole, FileName<'static>)| {
        let report = Pair::read(&kit.startup, role).examine(role, common_name.as_ref(), now);
        (report, kit.file(file).display().to_string())
    };
    Ok(pairs.into_iter().map(report).collect())
}

fn certificates(report: KitReport, file: &str, checks: &mut Vec<Check>) {
    let is_fine = report.findings.is_empty();
    for finding in report.findings {
        let state = match finding.severity {
            Severity::Error => State::Error,
            _ => State::Warning,
        };
        let text = format!("{}: {} {}", finding.file, finding.field, finding.problem);
        checks.push(Check { state, subject: "certificate", text, remedy: Some(finding.remedy.to_owned()) });
    }
    if is_fine {
        let name = report.certificate.as_ref().and_then(|certificate| certificate.common_name());
        let name = name.map_or_else(|| "?".to_owned(), ToString::to_string);
        checks.push(Check::fine("certificate", format!("{file} is {name}'s, believed and good for its role")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(checks: &[(State, &'static str)], expected: Option<Kind>) {
        let checks: Vec<_> = checks
            .iter()
            .map(|(state, subject)| Check { state: *state, subject, text: String::new(), remedy: None })
            .collect();
        assert_eq!(verdict(&checks).err().map(|failure| failure.kind()), expected);
    }

    #[test]
    fn the_exit_code_says_where_it_is_wrong() {
        check(&[], None);
        check(&[(State::Fine, "config"), (State::Warning, "certificate")], None);
        check(&[(State::Fine, "config"), (State::Error, reach::SERVER)], Some(Kind::Network));
        check(&[(State::Error, "port"), (State::Error, reach::SERVER)], Some(Kind::Configuration));
    }
}
