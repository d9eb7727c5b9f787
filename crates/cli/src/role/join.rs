//! How a site or a relay gets to its server: waited for as long as the command line says, with every reason why not.

use core::time::Duration;

use clap::{Arg, ArgMatches};
use fedcell_cell::{Cell, CellEvent, Events};
use fedcell_client::Communicator;
use fedcell_client::kit::{Kit, Uplink};
use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::exit::{Failure, Kind};
use crate::print;

const WAIT: &str = "wait";

/// The option that says how long.
pub(super) fn argument() -> Arg {
    Arg::new(WAIT)
        .long(WAIT)
        .value_name("SECONDS")
        .default_value("60")
        .value_parser(crate::seconds::any)
        .help("How long the server is waited for at the start; 0 is without end")
}

/// What the option says; none is without end.
pub(super) fn patience(arguments: &ArgMatches) -> Option<Duration> {
    arguments.get_one::<Duration>(WAIT).copied().filter(|wait| !wait.is_zero())
}

/// Whether a participant does its work: it is connected and registered.
pub(super) fn readiness(
    cell: &Cell,
    communicator: &Communicator,
) -> impl Fn() -> Result<(), &'static str> + Send + Sync + 'static {
    let (cell, communicator) = (cell.clone(), communicator.clone());
    move || match (cell.is_ready(), communicator.is_registered()) {
        (false, _) => Err("there is no connection to its server or relay"),
        (true, false) => Err("the server has not registered it"),
        (true, true) => Ok(()),
    }
}

/// Waits until the cell is connected, then registers. Each new reason why there is no connection is printed as an event.
///
/// # Errors
///
/// [`Failure`] with the last reason, or with what the server said against this participant.
pub(super) async fn join(
    kit: &Kit,
    cell: &Cell,
    events: &mut Events,
    communicator: &Communicator,
    wait: Option<Duration>,
    abort: &CancellationToken,
) -> Result<(), Failure> {
    let name = kit.name.as_deref().unwrap_or_default();
    let url = kit.uplink.as_ref().map(Uplink::url).unwrap_or_default();
    let mut reason = String::new();
    let connected = connected(cell, events, &mut reason);
    match wait {
        None => connected.await?,
        Some(wait) => match timeout(wait, connected).await {
            Ok(connected) => connected?,
            Err(_) => {
                let why = if reason.is_empty() { "nothing answers".to_owned() } else { reason };
                let text = format!(
                    "{name} has no connection to {url} after {} s: {why}; start what should listen there, or ask \
                     `fedcell doctor`",
                    wait.as_secs_f64()
                );
                return Err(Failure::text(Kind::Network, text));
            }
        },
    }
    let registered = communicator.register(abort).await;
    registered.map(drop).map_err(|error| {
        let project = kit.project.as_deref().unwrap_or_default();
        Failure::from(error).context(format!(
            "{name} of project {project} cannot register over {url}, see that both kits are of one project"
        ))
    })
}

async fn connected(cell: &Cell, events: &mut Events, reason: &mut String) -> Result<(), Failure> {
    loop {
        tokio::select! {
            () = cell.ready() => return Ok(()),
            event = events.next() => match event {
                Some(CellEvent::DialFailed { reason: why, .. } | CellEvent::ConnectionRefused { reason: why, .. })
                    if why != *reason =>
                {
                    print::json(&json!({"event": "waiting", "reason": why}))?;
                    *reason = why;
                }
                Some(_) => {}
                None => return Err(Failure::text(Kind::Network, "the cell has ended")),
            },
        }
    }
}
