//! Ports that a kit listens on, and the cell that it dials.

use core::time::Duration;
use std::io::ErrorKind;

use fedcell_cell::proto::cause::with_causes;
use fedcell_cell::{Cell, CellEvent};
use fedcell_client::Communicator;
use fedcell_client::kit::{Kit, Role, Uplink};
use fedcell_protocol_defs::config::{Scheme, SecureScheme};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::time::timeout;

use super::{Check, State};

/// What is said of the cell that is dialled.
pub(crate) const SERVER: &str = "server";

const PORT: &str = "port";

/// Schemes over which the cell library connects.
const SCHEMES: [&str; 2] = [Scheme::TCP.as_str(), SecureScheme::STCP.as_str()];

/// Looks at everything that the network has to do with.
///
/// # Cancel safety
///
/// Nothing is left behind when it is dropped.
pub(super) async fn check(kit: &Kit, is_usable: bool, limit: Duration) -> Vec<Check> {
    let mut checks = Vec::new();
    for (host, port) in kit.listen.iter().flat_map(|listen| &listen.places) {
        checks.push(listener(host, *port).await);
    }
    if let Some(uplink) = &kit.uplink {
        checks.push(reach(kit, uplink, is_usable, limit).await);
    }
    checks
}

/// Whether a port is free: a cell of ours and of the reference listens on all addresses of the machine.
async fn listener(host: &str, port: u16) -> Check {
    match TcpListener::bind(("0.0.0.0", port)).await {
        Ok(_) => Check::fine(PORT, format!("{port} is free; others dial {host}:{port}")),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Check::error(
            PORT,
            format!("{port} is taken by another process"),
            "stop it, if it is not this participant itself, or provision with another port",
        ),
        Err(error) => Check::error(PORT, format!("{port} cannot be listened on: {error}"), "choose a port above 1023"),
    }
}

/// Whether the cell that is dialled is there, in three steps, so that the first that fails is named.
async fn reach(kit: &Kit, uplink: &Uplink, is_usable: bool, limit: Duration) -> Check {
    let place = format!("{}:{}", uplink.host, uplink.port);
    let bare_host = uplink.host.trim_start_matches('[').trim_end_matches(']');
    let why = match timeout(limit, lookup_host((bare_host, uplink.port))).await {
        Ok(Ok(mut addresses)) => addresses.next().is_none().then(|| "it has no address".to_owned()),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("the name service does not answer".to_owned()),
    };
    if let Some(why) = why {
        let text = format!("the host {bare_host} is not known: {why}");
        return Check::error(SERVER, text, "check the name and the name service");
    }
    match timeout(limit, TcpStream::connect((bare_host, uplink.port))).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            let remedy = "start it, or see which firewall is between";
            return Check::error(SERVER, format!("nothing answers at {place}: {error}"), remedy);
        }
        Err(_) => {
            let text = format!("nothing answers at {place} within {} s", limit.as_secs_f64());
            return Check::error(SERVER, text, "see which firewall is between");
        }
    }
    if !is_usable {
        let text =
            format!("{place} takes connections; whether it takes this kit cannot be seen before the kit is right");
        return Check { state: State::Warning, subject: SERVER, text, remedy: None };
    }
    if kit.role == Role::Admin {
        return Check::fine(SERVER, format!("{place} takes connections"));
    }
    if !SCHEMES.contains(&uplink.scheme.as_str()) {
        let text = format!("{place} takes connections; what it says over {} is not looked at", uplink.scheme);
        return Check { state: State::Warning, subject: SERVER, text, remedy: None };
    }
    match join(kit, uplink, limit).await {
        Ok(()) => {
            let text = format!("{} at {place} takes this kit, and the server has proved who it is", uplink.fqcn);
            Check::fine(SERVER, text)
        }
        Err(Obstacle::Connection(reason)) => {
            let remedy = "see whether both kits come from one project, and what the log of the other side says";
            Check::error(SERVER, format!("{} at {place} does not take this kit: {reason}", uplink.fqcn), remedy)
        }
        Err(Obstacle::Proof(reason)) => {
            let text =
                format!("{} at {place} takes this kit; the server has not proved who it is: {reason}", uplink.fqcn);
            Check::error(SERVER, text, "start the server, or see what its log says of this kit")
        }
    }
}

/// What a participant with a kit would meet.
enum Obstacle {
    /// The cell that it dials does not let it in.
    Connection(String),
    /// The server, which may stand behind that cell, says nothing or the wrong thing.
    Proof(String),
}

/// Connects as a cell below the one that the kit is for, and leaves.
async fn join(kit: &Kit, uplink: &Uplink, limit: Duration) -> Result<(), Obstacle> {
    let refused = |error: &dyn core::error::Error| Obstacle::Connection(with_causes(error));
    // The participant itself may be running or not.
    let address = format!("{}.fedcell-{:08x}", kit.address(), std::process::id());
    let builder = kit.cell_at(&address).map_err(|error| refused(&error))?.network_commands(false);
    let builder = if uplink.is_server() { builder } else { builder.guest_of(&uplink.fqcn) };
    let cell = builder.build().map_err(|error| refused(&error))?;
    let mut events = cell.events();
    let cell = cell.start().await.map_err(|error| refused(&error))?;
    let mut reason = format!("no cell answers within {} s", limit.as_secs_f64());
    let watch = async {
        loop {
            tokio::select! {
                () = cell.ready() => return true,
                event = events.next() => match event {
                    Some(CellEvent::DialFailed { reason: why, .. } | CellEvent::ConnectionRefused { reason: why, .. }) => {
                        reason = why;
                        return false;
                    }
                    Some(CellEvent::Closed { reason: why, .. }) => {
                        reason = with_causes(&why);
                        return false;
                    }
                    Some(_) => {}
                    None => return false,
                },
            }
        }
    };
    let is_joined = timeout(limit, watch).await.unwrap_or(false);
    let outcome = if is_joined {
        challenge(kit, &cell, limit).await.map_err(Obstacle::Proof)
    } else {
        Err(Obstacle::Connection(reason))
    };
    cell.shutdown().await;
    outcome
}

/// Has the server prove who it is, wherever it stands behind the cell that took the connection.
async fn challenge(kit: &Kit, cell: &Cell, limit: Duration) -> Result<(), String> {
    let mut config = kit.config().map_err(|error| with_causes(&error))?;
    config.maintenance_timeout = limit;
    let communicator = Communicator::new(config);
    communicator.set_cell(cell.clone());
    communicator.prove_server().await.map_err(|error| with_causes(&error))
}
