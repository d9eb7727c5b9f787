//! `fedcell cell`: a bare cell that routes, and answers where it is told to.

use core::time::Duration;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};
use fedcell_cell::download::Offer;
use fedcell_cell::proto::download::source::Receivers;
use fedcell_cell::stream::StreamReader;
use fedcell_cell::{Cell, Request};
use serde_json::json;

use crate::connect::{Connect, cell_arguments};
use crate::exit::{Failure, Kind};
use crate::probes::{self, Probes};
use crate::{print, stop, transfer};

/// Name of the command.
pub(crate) const NAME: &str = "cell";

const LISTEN: &str = "listen";
const ECHO: &str = "echo";
const RECEIVE: &str = "receive";
const OFFER: &str = "offer";

/// How long a file stays on offer though nobody fetches it: a year, longer than a cell runs.
const OFFERED_FOR: Duration = Duration::from_secs(365 * 86_400);

pub(crate) fn command() -> Command {
    let command = cell_arguments(Command::new(NAME).about("Run a cell until SIGTERM, or until a pipe at its input closes").long_about(
        "Run a cell until SIGTERM, or until a pipe at its input closes.\n\nPrints one JSON line when its connections to the \
         network stand; then it routes, answers the in-band network commands, and echoes what it is told to.",
    ))
    .arg(
        Arg::new(LISTEN)
            .long(LISTEN)
            .value_name("URL")
            .action(ArgAction::Append)
            .help("Listen here for the cells below this one; port 0 is any free port, stcp:// is with TLS"),
    )
    .arg(
        Arg::new(ECHO)
            .long(ECHO)
            .value_name("CHANNEL:TOPIC")
            .action(ArgAction::Append)
            .help("Answer these requests with their own payload, as one message or as a stream; * is any"),
    )
    .arg(
        Arg::new(RECEIVE)
            .long(RECEIVE)
            .value_name("CHANNEL:TOPIC=DIR")
            .action(ArgAction::Append)
            .help("Keep the files that are streamed there in this folder; one JSON line for each"),
    )
    .arg(
        Arg::new(OFFER)
            .long(OFFER)
            .value_name("FILE")
            .action(ArgAction::Append)
            .help("Let other cells download this file; the line of the cell says under which reference"),
    );
    probes::arguments(command)
}

/// Runs the cell.
///
/// # Errors
///
/// [`Failure`] if it cannot be built.
pub(crate) async fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let connect = Connect::read(arguments)?;
    let mut builder = connect.builder(connect.fqcn.as_deref().unwrap_or_default());
    for url in arguments.get_many::<String>(LISTEN).into_iter().flatten() {
        builder = builder.listen_internal(url);
    }
    let echoes: Vec<(&str, &str)> =
        arguments.get_many::<String>(ECHO).into_iter().flatten().map(|entry| route(entry)).collect::<Result<_, _>>()?;
    let folders: Vec<_> = arguments
        .get_many::<String>(RECEIVE)
        .into_iter()
        .flatten()
        .map(|entry| folder(entry))
        .collect::<Result<_, _>>()?;
    let probes = Probes::start(arguments).await?;
    let cell = builder.start().await?;
    let watched = cell.clone();
    probes.watch(move || if watched.is_ready() { Ok(()) } else { Err("a connection is missing") });
    for (channel, topic) in echoes {
        cell.handle(channel, topic, |request: Request| async move { request.body() });
    }
    for ((channel, topic), folder) in folders {
        cell.handle_stream(channel, topic, move |stream: StreamReader| transfer::keep(stream, folder.clone()));
    }
    let downloads = cell.downloads();
    let mut offers = Vec::new();
    for file in arguments.get_many::<String>(OFFER).into_iter().flatten() {
        // For whoever comes, as long as this cell runs.
        let mut terms = downloads.terms(Receivers::Unknown);
        terms.timeout = OFFERED_FOR;
        let offer = downloads.offer_file(file, terms);
        let offer =
            offer.map_err(|error| Failure::new(Kind::Configuration, error).context(format!("--offer {file}")))?;
        offers.push((file.as_str(), offer));
    }
    let stopped = tokio::select! {
        reason = stop::requested() => reason?,
        outcome = until_ready(&cell, &offers) => match outcome? {},
        () = cell.ended() => "its own end",
    };
    tracing::info!(reason = stopped, "stopping");
    cell.shutdown().await;
    Ok(())
}

/// Says that the cell is ready, and then waits for ever.
async fn until_ready(cell: &Cell, offers: &[(&str, Offer)]) -> Result<core::convert::Infallible, Failure> {
    cell.ready().await;
    let listeners: Vec<_> = cell
        .connectors()
        .into_iter()
        .filter(|connector| connector.bound.is_some())
        .map(|connector| json!({"url": connector.url, "security": connector.security.to_string()}))
        .collect();
    let offers = offers.iter().map(|(file, offer)| {
        let reference = offer.ref_ids().first().map(|reference| reference.as_str().to_owned());
        json!({"file": file, "ref": reference})
    });
    print::json(&json!({
        "event": "ready",
        "fqcn": cell.address().as_str(),
        "pid": std::process::id(),
        "listeners": listeners,
        "offers": offers.collect::<Vec<_>>(),
        "peers": cell.peers().iter().map(|peer| peer.as_str().to_owned()).collect::<Vec<_>>(),
    }))?;
    core::future::pending().await
}

/// Channel and topic; neither holds a colon.
fn route(entry: &str) -> Result<(&str, &str), Failure> {
    match entry.split_once(':') {
        Some((channel, topic)) if !channel.is_empty() && !topic.is_empty() => Ok((channel, topic)),
        _ => Err(Failure::text(Kind::Usage, format!("--echo {entry}: expected CHANNEL:TOPIC"))),
    }
}

/// Channel and topic, and the folder for what is streamed there.
fn folder(entry: &str) -> Result<((&str, &str), PathBuf), Failure> {
    let wrong = || Failure::text(Kind::Usage, format!("--receive {entry}: expected CHANNEL:TOPIC=DIR"));
    let (key, folder) = entry.split_once('=').ok_or_else(wrong)?;
    let folder = PathBuf::from(folder);
    if !folder.is_dir() {
        return Err(Failure::text(Kind::Configuration, format!("--receive {entry}: there is no such folder")));
    }
    Ok((route(key).map_err(|_| wrong())?, folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(entry: &str, expected: Option<(&str, &str)>) {
        assert_eq!(route(entry).ok(), expected);
    }

    #[test]
    fn routes() {
        check("a:b", Some(("a", "b")));
        check("*:*", Some(("*", "*")));
        check("a:b:c", Some(("a", "b:c")));
        check("a", None);
        check(":b", None);
        check("a:", None);
    }
}
