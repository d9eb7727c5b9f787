//! Files to and from other cells, with a bar on a terminal.

use core::time::Duration;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fedcell_cell::download::Progress;
use fedcell_cell::proto::address::FqcnBuf;
use fedcell_cell::stream::{StreamError, StreamReader};
use serde_json::json;

use crate::connect::Connect;
use crate::exit::Failure;
use crate::{print, progress};

/// A file and where it goes.
#[derive(Debug)]
pub(crate) struct FilePlan {
    pub(crate) target: FqcnBuf,
    pub(crate) channel: String,
    pub(crate) topic: String,
    pub(crate) path: PathBuf,
    /// Until the connection stands, and without progress; how long the file takes is up to its size.
    pub(crate) limit: Duration,
    pub(crate) secure: bool,
    pub(crate) as_json: bool,
}

/// Streams a file to a cell and says how it went.
///
/// # Errors
///
/// [`Failure`] if it cannot be read or does not arrive.
pub(crate) async fn send_file(connect: &Connect, plan: FilePlan) -> Result<(), Failure> {
    let size = readable(&plan.path)
        .map_err(|error| Failure::local(error).context(format!("cannot read {}", plan.path.display())))?;
    let cell = connect.tool(plan.limit).await?;
    let bar = progress::bar(plan.path.display().to_string(), Some(size));
    let watched = bar.clone();
    let start = Instant::now();
    let draft = cell.send_file(&plan.target, &plan.channel, &plan.topic, &plan.path);
    let draft = draft.watch(move |progress| watched.set_position(progress.acknowledged));
    let outcome = if plan.secure { draft.sealed() } else { draft }.send().await;
    bar.finish_and_clear();
    cell.shutdown().await;
    let (bytes, seconds) = (outcome?, start.elapsed().as_secs_f64());
    if plan.as_json {
        return print::json(&json!({"target": plan.target.as_str(), "bytes": bytes, "seconds": seconds}));
    }
    print::line(&format!("{bytes} bytes in {seconds:.3} s"))
}

/// Fetches what a cell offers into a file and says how it went.
///
/// # Errors
///
/// [`Failure`] if nobody offers it, or it does not arrive.
pub(crate) async fn download(connect: &Connect, plan: FilePlan, reference: &str) -> Result<(), Failure> {
    let cell = connect.tool(plan.limit).await?;
    let bar = progress::bar(plan.path.display().to_string(), None);
    bar.enable_steady_tick(Duration::from_millis(200));
    let start = Instant::now();
    let watched = bar.clone();
    let watch = move |progress: Progress| watched.set_position(progress.bytes);
    let outcome = cell.downloads().fetch_file_watched(&plan.target, reference, &plan.path, watch).await;
    bar.finish_and_clear();
    cell.shutdown().await;
    outcome?;
    let (bytes, seconds) = (size(&plan.path), start.elapsed().as_secs_f64());
    if plan.as_json {
        return print::json(&json!({"target": plan.target.as_str(), "bytes": bytes, "seconds": seconds}));
    }
    print::line(&format!("{bytes} bytes in {seconds:.3} s"))
}

/// Size of a file that can be read: said before anything is asked of anybody.
fn readable(path: &Path) -> io::Result<u64> {
    let about = File::open(path)?.metadata()?;
    if about.is_file() { Ok(about.len()) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")) }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map(|about| about.len()).unwrap_or_default()
}

/// Keeps a streamed file in a folder and tells of it.
///
/// # Errors
///
/// [`StreamError`] for the sender, if the file cannot be kept.
pub(crate) async fn keep(stream: StreamReader, folder: PathBuf) -> Result<(), StreamError> {
    let origin = stream.origin().as_str().to_owned();
    match stream.into_file(&folder).await {
        Ok(path) => {
            let bytes = size(&path);
            // Whoever has closed standard output does not want to know.
            drop(print::json(&json!({"event": "file", "origin": origin, "path": path, "bytes": bytes})));
            Ok(())
        }
        Err(error) => {
            tracing::warn!(%origin, error = %Failure::from(error), "a file was not kept");
            Err(StreamError::refused("the file was not kept"))
        }
    }
}
