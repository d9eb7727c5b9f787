//! When a command that runs for long is to end: a signal, or the end of its input.

use std::io::Read as _;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::exit::Failure;

/// Completes when the process is asked to end, by SIGTERM, SIGINT, or because whoever started it has closed its
/// standard input.
///
/// # Errors
///
/// [`Failure`] if the system does not let us listen for signals.
pub(crate) async fn requested() -> Result<&'static str, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::local)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::local)?;
    let (sender, input_ended) = oneshot::channel();
    // A thread of its own: a read from standard input cannot be taken back.
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut buffer), Ok(count) if count > 0) {}
        // Nobody waits any more if a signal came first.
        _ = sender.send(());
    });
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        _ = input_ended => "end of input",
    })
}

/// Completes when the process is asked to end by SIGTERM or SIGINT alone.
///
/// # Errors
///
/// As [`requested`].
pub(crate) async fn interrupted() -> Result<&'static str, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::local)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::local)?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
