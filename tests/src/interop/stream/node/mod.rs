//! Our cell with streams under remote control: `tests/reference/stream_node.py` is the same program on the reference's
//! side, and its documentation describes the protocol of both.

mod commands;
pub(super) mod content;
mod downloads;
mod objects;

use core::time::Duration;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use fedcell_cell::Limits;
use fedcell_cell::download::DownloadConfig;
use serde_json::Value;

use crate::interop::cell::node::{NO_CELL, Node as CellNode, State, announce, builder, watch};
use crate::remote::{lines, obey, run_node};
use commands::Node;

/// Runs the node until its input ends or it is told to stop.
pub(crate) fn main() -> ExitCode {
    run_node(run())
}

async fn run() -> Result<()> {
    let mut lines = lines();
    let config = lines.recv().await.context("no configuration")?;
    let settings = &config["settings"];
    let builder = builder(&config)?.limits(limits(settings)?).downloads(downloads(settings));
    let cell = builder.build().context(NO_CELL)?;
    let events = cell.events();
    let cell = cell.start().await.context(NO_CELL)?;
    let state = Arc::new(State::default());
    let base = CellNode::new(cell.clone(), Arc::clone(&state));
    tokio::spawn(watch(events, state));
    tokio::spawn(announce(cell.clone()));
    let node = Node::new(cell.clone(), base, config["scratch"].as_str())?;
    obey(&cell, lines, |command| {
        let node = node.clone();
        async move { node.serve(command).await }
    })
    .await;
    Ok(())
}

/// The reference's settings by name, as ours has them.
fn limits(settings: &Value) -> Result<Limits> {
    let mut limits = Limits::default();
    let streams = &mut limits.streams;
    for (name, value) in settings.as_object().into_iter().flatten() {
        let number = value.as_f64().with_context(|| format!("{name} is no number"))?;
        let whole = value.as_u64().unwrap_or_default();
        match name.as_str() {
            "streaming_chunk_size" => streams.chunk_size = usize::try_from(whole)?,
            "streaming_window_size" => streams.window = whole,
            "streaming_ack_interval" => streams.ack_interval = whole,
            "streaming_retry_wait" => streams.retry_wait = Duration::from_secs_f64(number),
            "streaming_retry_timeout" => streams.retry_timeout = Duration::from_secs_f64(number),
            PER_REQUEST_TIMEOUT => {}
            other => anyhow::bail!("no setting {other:?}"),
        }
    }
    Ok(limits)
}

/// The setting of how long one request of a download may pass without progress.
const PER_REQUEST_TIMEOUT: &str = "streaming_per_request_timeout";

/// The same for downloads. Patience stays what it is by default: shorter waits, more of them.
fn downloads(settings: &Value) -> DownloadConfig {
    let mut downloads = DownloadConfig::default();
    if let Some(seconds) = settings[PER_REQUEST_TIMEOUT].as_f64() {
        let consumer = &mut downloads.consumer;
        let before = consumer.request_timeout.as_secs_f64();
        consumer.request_timeout = Duration::from_secs_f64(seconds);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dozen at most")]
        let times = (before / seconds).ceil() as u32;
        consumer.retries = consumer.retries.saturating_mul(times.max(1));
    }
    downloads
}
