//! The task that writes one connection: many frames with one call, control frames first.

use core::time::Duration;
use std::io;
use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::outbox::{Next, Outbox};
use super::times::WriteTimes;
use crate::driver::{Batch, TransportKind, WriteHalf};

/// Writes that follow each other as quickly as this are many small ones that could be one.
const DENSE: Duration = Duration::from_micros(10);

/// Where the times of writes go.
#[derive(Debug, Clone)]
pub(crate) struct Timed {
    pub(crate) times: Arc<WriteTimes>,
    pub(crate) transport: TransportKind,
}

/// Writes what the outbox holds until it is closed and empty, or the peer takes nothing for `stall`.
///
/// On an error the outbox is closed and what it held is forgotten.
pub(crate) async fn write_loop(
    mut writing: WriteHalf,
    outbox: Arc<Outbox>,
    stall: Duration,
    timed: Timed,
) -> io::Result<()> {
    let outcome = drive(&mut writing, &outbox, stall, &timed).await;
    outbox.close(true);
    // The peer may be gone already; then there is nobody to tell.
    let _ = timeout(stall.min(Duration::from_secs(1)), writing.shutdown()).await;
    outcome
}

async fn drive(writing: &mut WriteHalf, outbox: &Outbox, stall: Duration, timed: &Timed) -> io::Result<()> {
    let mut batch = Batch::default();
    let mut wrote_at = None;
    loop {
        // While there is much to send, senders that are ready come first: their frames leave with the same call. One that
        // sends and then waits for the answer never finds the last write so short a time ago.
        if wrote_at.is_some_and(|at: Instant| at.elapsed() < DENSE) {
            tokio::task::yield_now().await;
        }
        match outbox.next(&mut batch) {
            Next::Write => {}
            Next::Finish => return within(stall, writing.flush()).await,
            Next::Idle => {
                within(stall, writing.flush()).await?;
                batch.shrink();
                outbox.filled().await;
                continue;
            }
        }
        let began = Instant::now();
        while !batch.is_empty() {
            let written = within(stall, writing.write(&mut batch)).await?;
            outbox.written(written);
        }
        let ended = Instant::now();
        timed.times.record(timed.transport, ended - began);
        wrote_at = Some(ended);
    }
}

async fn within<T>(stall: Duration, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(stall, step).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
