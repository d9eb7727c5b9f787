//! Programs of ours under remote control: commands on standard input, events and answers on standard output, a JSON value a
//! line. An answer bears the `id` of its command.

use core::time::Duration;
use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use fedcell_cell::Cell;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Runs a program's life with a log on standard error.
#[expect(clippy::print_stderr, reason = "standard error is the node's log")]
pub(crate) fn run_node(life: impl Future<Output = Result<()>>) -> ExitCode {
    let filter = std::env::var("FEDCELL_NODE_LOG").ok().and_then(|level| level.to_lowercase().parse().ok());
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(filter.unwrap_or(tracing::level_filters::LevelFilter::WARN))
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(life),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Serves each command beside the others, until the input ends or a command says to stop; then the cell ends.
pub(crate) async fn obey<F>(cell: &Cell, mut lines: mpsc::UnboundedReceiver<Value>, serve: impl Fn(Value) -> F)
where
    F: Future<Output = Value> + Send + 'static,
{
    let mut stop = None;
    while let Some(command) = lines.recv().await {
        if command["do"] == "stop" {
            stop = Some(command);
            break;
        }
        let answer = serve(command);
        tokio::spawn(async move { put(&answer.await) });
    }
    cell.shutdown().await;
    if let Some(command) = stop {
        put(&answer(&command, Ok(json!({}))));
    }
}

/// Serves one command after the other, until the input ends or a command says to stop; `quit`, where it is served, is the
/// last one, too.
pub(crate) async fn obey_in_turn(
    mut lines: mpsc::UnboundedReceiver<Value>,
    mut serve: impl AsyncFnMut(&Value) -> Result<Value>,
) {
    while let Some(command) = lines.recv().await {
        let outcome = if command["do"] == "stop" { Ok(json!({})) } else { serve(&command).await };
        put(&answer(&command, outcome));
        if command["do"] == "stop" || command["do"] == "quit" {
            break;
        }
    }
}

/// The line that answers a command: what came of it, or why nothing did.
pub(crate) fn answer(command: &Value, outcome: Result<Value>) -> Value {
    let mut answer = outcome.unwrap_or_else(|error| json!({"error": format!("{error:#}")}));
    answer["id"] = command["id"].clone();
    answer
}

/// A text that a command, or a configuration, must have.
pub(crate) fn text<'v>(value: &'v Value, field: &str) -> Result<&'v str> {
    value[field].as_str().with_context(|| format!("no {field}"))
}

/// The channel and the topic of a command.
pub(crate) fn route(command: &Value) -> Result<(&str, &str)> {
    Ok((text(command, "channel")?, text(command, "topic")?))
}

/// How long a command may take: what it says, or else so many seconds.
pub(crate) fn limit(command: &Value, otherwise: f64) -> Duration {
    Duration::from_secs_f64(command["timeout"].as_f64().unwrap_or(otherwise))
}

/// The lines of standard input; its end ends the channel.
pub(crate) fn lines() -> mpsc::UnboundedReceiver<Value> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let Ok(value) = serde_json::from_str(&line) else { continue };
            if sender.send(value).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Writes one line.
pub(crate) fn put(value: &Value) {
    let mut out = std::io::stdout().lock();
    // Whoever has closed the pipe does not want to know.
    _ = writeln!(out, "{value}").and_then(|()| out.flush());
}
