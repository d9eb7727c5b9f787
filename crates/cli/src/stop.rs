//! When a command that runs for long is to end: a signal, or a closed pipe at its input.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::exit::Failure;

/// Completes when the process is asked to end, by SIGTERM, SIGINT, or because whoever holds the other end of a pipe at
/// its standard input has closed it or is gone.
///
/// # Errors
///
/// [`Failure`] if the system does not let us listen for signals.
pub(crate) async fn requested() -> Result<&'static str, Failure> {
    tokio::select! {
        reason = interrupted() => reason,
        () = released() => Ok("end of input"),
    }
}

/// Completes when the pipe at standard input is closed. A terminal, a file and `/dev/null`, which a service has there, are
/// held by nobody and say nothing: a process in the background may not even read from its terminal.
async fn released() {
    if !is_held() {
        return core::future::pending().await;
    }
    let (sender, input_ended) = oneshot::channel();
    // A thread of its own: a read from standard input cannot be taken back.
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut buffer), Ok(count) if count > 0) {}
        // Nobody waits any more if a signal came first.
        _ = sender.send(());
    });
    _ = input_ended.await;
}

/// Whether somebody can close standard input: it is a pipe or a socket.
fn is_held() -> bool {
    let input = std::io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let kind = input.and_then(|input| Ok(input.metadata()?.file_type()));
    kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
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
