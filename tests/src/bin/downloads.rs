//! A model that comes from a cell of the reference, is fetched, and goes back by download references: is it the same, and
//! how much memory did this process need?
//!
//! ```text
//! downloads PYTHON ARRAYS MIB [--spill FOLDER]
//! ```

use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use fedcell_cell::security::SecurityMode;
use fedcell_cell::{Cell, HandlerError, Request};
use fedcell_cell_proto::request::Body;

/// Arrays of this many bytes and more go to disk.
const ABOVE: u64 = 1 << 20;

#[expect(clippy::print_stdout, reason = "what it measured is what the command is for")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (python, arrays, mebibytes, folder) = match arguments.as_slice() {
        [python, arrays, mebibytes] => (python, arrays, mebibytes, None),
        [python, arrays, mebibytes, flag, folder] if flag == "--spill" => {
            (python, arrays, mebibytes, Some(folder.clone()))
        }
        _ => bail!("usage: downloads PYTHON ARRAYS MIB [--spill FOLDER]"),
    };
    let server = Cell::builder("server").security(SecurityMode::Clear).root_url("tcp://127.0.0.1:0").start().await?;
    let url = server.connectors().first().context("the server listens nowhere")?.url.clone();
    let before = peak()?;
    server.handle("download", "model", move |request: Request| {
        let folder = folder.clone();
        async move { answer(request, folder).await }
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/reference/download_peer.py");
    let peer = std::process::Command::new(python)
        .args([script, &url, arrays, mebibytes])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let output = tokio::task::spawn_blocking(move || peer.wait_with_output()).await??;
    let told = String::from_utf8(output.stdout)?;
    let after = peak()?;
    let payload = arrays.parse::<f64>()? * mebibytes.parse::<f64>()?;
    let open = server.downloads().open_offers();
    println!("{}", told.trim());
    println!(
        "payload {payload:.0} MiB, peak {after} MiB (before {before} MiB), ratio {:.3}, open offers {open}",
        after as f64 / payload
    );
    let told: serde_json::Value = serde_json::from_str(told.trim())?;
    ensure!(told["equal"] == true, "what came back is not what was sent");
    server.shutdown().await;
    Ok(())
}

async fn answer(request: Request, folder: Option<String>) -> Result<Body, HandlerError> {
    match folder {
        None => {
            let value = request.fetch().await?;
            Ok(request.body_of(&value)?)
        }
        Some(folder) => {
            let fetched = request.fetch().spill(folder, ABOVE).await?;
            Ok(request.body_of(&fetched.value)?)
        }
    }
}

/// The most memory that this process has had, in mebibytes.
fn peak() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM")).context("the system does not say")?;
    let kibibytes: u64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kibibytes / 1024)
}
