//! Rounds a second of a job whose training costs nothing: ours over sockets, the reference in its simulator.

use core::time::Duration;
use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::crowd::site_name;
use super::scene::{PROJECT, SERVER, Scene};
use crate::bench::figures::{Measure, Report, Summary};
use crate::interop::cell::process::{CLIENT_ARGUMENT, Process};
use crate::reference;

/// Processes among which our sites are.
const PROCESSES: usize = 4;

/// Until all sites of a process have registered.
const PATIENCE: Duration = Duration::from_secs(120);

/// Measures both where both can be measured.
pub(super) fn measure(report: &mut Report, scene: &Scene, quick: bool) -> Result<()> {
    let (few, many) = (8, 100);
    let (rounds, theirs) = if quick { (6, 3) } else { (20, 6) };
    let of_few = [ours(scene, few, rounds)?, simulator(scene, few, theirs)?];
    let name = format!("rounds of {few} sites, 9 values; the reference in its simulator, a process a site");
    report.add(Measure::more(name, "/s", &[]), of_few.iter().map(|rates| Summary::of_runs(rates)).collect());
    let name = format!("rounds of {many} sites in {PROCESSES} processes, 9 values");
    report.add(Measure::more(name, "/s", &[]), vec![Summary::of_runs(&ours(scene, many, rounds)?), None]);
    report.note(format!(
        "rounds: ours over mutual TLS, every result on disk at the site before it leaves and at the server before it is \
         answered, sites without a task ask again after 20 ms; the reference's simulator has clear connections and nothing \
         on disk, and its sites ask every two seconds. With {many} sites it takes turns: each turn of a site takes seconds"
    ));
    Ok(())
}

/// Rounds a second of each round but the first.
fn ours(scene: &Scene, sites: usize, rounds: usize) -> Result<Vec<f64>> {
    let names: Vec<String> = (0..sites).map(site_name).collect();
    let mut server = scene.serve_job(&names, rounds + 1)?;
    let (url, folder) = (server.url(), scene.file(&format!("outboxes-{sites}")));
    fs::create_dir_all(&folder)?;
    let mut running = Vec::new();
    for names in names.chunks(sites.div_ceil(PROCESSES)) {
        let config = json!({
            "role": "sites", "names": names, "url": url, "identity": SERVER, "project": PROJECT, "crowd": scene.crowd(),
            "folder": folder,
        });
        let log = scene.file("sites.log");
        running.push(Process::start_own(CLIENT_ARGUMENT, "our sites".to_owned(), &config, &log)?);
    }
    for process in &running {
        process.event("ready", PATIENCE)?;
    }
    let server = server.ours().context("a job of ours is on a server of ours")?;
    let done = server.call("finish", json!({"timeout": 80}))?;
    rates(&done)
}

/// Rounds a second of each round but the first, in the reference's simulator with a process a site.
fn simulator(scene: &Scene, sites: usize, rounds: usize) -> Result<Vec<f64>> {
    let folder = scene.file("simulator");
    fs::create_dir_all(&folder)?;
    let mut command = reference::script("bench_rounds.py");
    let (sites, rounds) = (sites.to_string(), (rounds + 1).to_string());
    command.args([&sites, &rounds, &sites]).arg(&folder).stderr(Stdio::null());
    let output = command.output().context("the simulator does not start")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let done: Value = serde_json::from_str(text.trim()).with_context(|| format!("the simulator said {text:?}"))?;
    rates(&done)
}

fn rates(done: &Value) -> Result<Vec<f64>> {
    let seconds = done["seconds"].as_array().into_iter().flatten().filter_map(Value::as_f64);
    let rates: Vec<f64> = seconds.map(|seconds| 1.0 / seconds).collect();
    ensure!(!rates.is_empty(), "no rounds: {done}");
    Ok(rates)
}
