//! `fedcell relay`: joins sites to the server that cannot, or shall not, reach it themselves.

use core::time::Duration;
use std::sync::Arc;

use clap::{ArgMatches, Command};
use fedcell_cell::Cell;
use fedcell_cell::proto::filter::Place;
use fedcell_cell::proto::transit::{CheckCredential, Checker, SignatureCheck};
use fedcell_client::Communicator;
use fedcell_client::kit::Role;
use fedcell_protocol_defs::cell::Wildcard;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::exit::{Failure, Kind};
use crate::probes::{self, Probes};
use crate::{print, stop};

/// Name of the command.
pub(crate) const NAME: &str = "relay";

pub(crate) fn command() -> Command {
    let command = Command::new(NAME).about("Run a relay between sites and their server").long_about(
        "Run a relay between sites and their server.\n\nRegisters with the certificate of its kit and forwards what \
         bears a token of the server. Prints one JSON object a line.",
    );
    let command = super::identity_arguments(command, Role::Relay)
        .arg(super::join::argument())
        .arg(super::wait_argument())
        .arg(super::listen_argument());
    probes::arguments(command)
}

/// Runs the relay until it is asked to end.
///
/// # Errors
///
/// [`Failure`] if it cannot start, or the server does not take it.
pub(crate) async fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let kit = super::kit(arguments, Role::Relay)?;
    let (url, security) = super::listener(&kit, arguments)?;
    let wait = super::join::patience(arguments);
    let config = super::config(&kit, arguments, wait)?;
    let probes = Probes::start(arguments).await?;
    let communicator = Communicator::new(config);
    let builder = super::builder(&kit, arguments)?.listen_internal_with(&url, security).backbone_generation(1);
    let cell = builder.build()?;
    let mut events = cell.events();
    communicator.set_cell(Cell::clone(&cell));
    probes.watch(super::join::readiness(&cell, &communicator));
    let cell = cell.start().await?;
    let abort = CancellationToken::new();
    let life = async {
        super::join::join(&kit, &cell, &mut events, &communicator, wait, &abort).await?;
        // From now on it knows the server's key, and forwards nothing that the server would drop.
        if let Some(verifier) = communicator.verifier() {
            let any = Wildcard::ANY.as_str();
            let check = CheckCredential::new(Checker::Relay, Arc::new(SignatureCheck::new(verifier)));
            cell.filter(Place::Incoming, any, any, check);
        }
        print::json(&json!({
            "event": "ready", "fqcn": cell.address().as_str(), "url": url, "pid": std::process::id(),
        }))?;
        core::future::pending::<Result<(), Failure>>().await
    };
    let outcome = tokio::select! {
        outcome = life => outcome,
        reason = stop::requested() => reason.map(|reason| tracing::info!(reason, "stopping")),
        () = cell.ended() => Err(Failure::text(Kind::Network, "the cell of the relay has ended")),
    };
    abort.cancel();
    _ = tokio::time::timeout(Duration::from_secs(5), cell.shutdown()).await;
    outcome
}
