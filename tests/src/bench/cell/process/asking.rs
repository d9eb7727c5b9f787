//! How a cell of ours asks, whatever the form of its requests: one after the other, many at a time, beside a transfer.

use core::time::Duration;
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::nanoseconds_since;

/// Pause behind a small request beside a transfer, and behind those of an idle connection that they are held against.
pub(super) const PAUSE: Duration = Duration::from_millis(2);

/// Who sends bytes and gets the same number back.
pub(super) trait Echo: Clone + Send + 'static {
    /// One request.
    fn echo(&self, payload: Bytes) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Nanoseconds of requests, one after the other, with a pause behind each.
pub(super) async fn round_trips(
    caller: &impl Echo,
    size: usize,
    count: usize,
    pause: Duration,
) -> anyhow::Result<Vec<u64>> {
    let payload = Bytes::from(vec![0; size]);
    let mut nanoseconds = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        caller.echo(payload.clone()).await?;
        nanoseconds.push(nanoseconds_since(started));
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(nanoseconds)
}

/// Seconds of requests, so many at a time.
pub(super) async fn outstanding(
    caller: &impl Echo,
    size: usize,
    count: usize,
    outstanding: usize,
) -> anyhow::Result<Value> {
    let payload = Bytes::from(vec![0; size]);
    let share = count / outstanding;
    let mut callers = JoinSet::new();
    let started = Instant::now();
    for _ in 0..outstanding {
        let (caller, payload) = (caller.clone(), payload.clone());
        callers.spawn(async move {
            for _ in 0..share {
                caller.echo(payload.clone()).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(json!({"seconds": started.elapsed().as_secs_f64(), "done": share * outstanding}))
}

/// Small requests with pauses, for as long as the transfer is on its way.
pub(super) async fn during(
    caller: &impl Echo,
    size: usize,
    transfer: impl Future<Output = anyhow::Result<()>> + Send + 'static,
) -> anyhow::Result<Value> {
    let transfer = tokio::spawn(async move {
        let started = Instant::now();
        transfer.await?;
        anyhow::Ok(started.elapsed().as_secs_f64())
    });
    let mut times = Vec::new();
    while !transfer.is_finished() {
        times.extend(round_trips(caller, size, 1, PAUSE).await?);
    }
    Ok(json!({"nanoseconds": times, "seconds": transfer.await??}))
}
