//! A server of ours beside a server of the reference, both secure: registrations, heartbeats, rounds, memory.
//!
//! ```text
//!   this process: a crowd of sites behind relays ──mTLS──► server          of each maker in turn, a new one each time
//!   a process of the maker's own clients, in sequence ───────►
//! ```

mod crowd;
mod rounds;
mod scene;
mod wire;

use core::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::awake::Awake;
use super::cell::speed::mebibytes;
use super::figures::{Aim, Measure, Report, Summary};
use super::{memory, processor, wants_rows};
use crate::Options;
use crate::interop::cell::process::{CLIENT_ARGUMENT, Kind, Maker, Process};
use crowd::{Crowd, Outstanding, site_name};
use scene::{PROJECT, SERVER, Scene};

/// In the order of the table.
const MAKERS: [Maker; 2] = [Maker::Ours, Maker::Theirs];

/// What each connection of the crowd has on its way.
const REGISTRATIONS_AT_A_TIME: Outstanding = Outstanding(8);
const HEARTBEATS_AT_A_TIME: Outstanding = Outstanding(64);

const READY: Duration = Duration::from_secs(60);

/// How much is done.
#[derive(Debug, Clone, Copy)]
struct Effort {
    repetitions: usize,
    /// Sites of the crowd.
    sites: usize,
    /// Registrations in sequence.
    sequence: usize,
    /// Seconds of heartbeats, about.
    seconds: f64,
}

/// What the runs of one maker gave.
#[derive(Debug, Default)]
struct Figures {
    registrations: Vec<f64>,
    registration_times: Vec<Vec<f64>>,
    registrations_at_once: Vec<f64>,
    registration_costs: Vec<f64>,
    heartbeats: Vec<f64>,
    heartbeats_at_once: Vec<f64>,
    heartbeat_costs: Vec<f64>,
    idle: Vec<f64>,
    idle_program: Vec<f64>,
    idle_own: Vec<f64>,
    each_of_few: Vec<f64>,
    each_of_many: Vec<f64>,
    after: Vec<f64>,
}

/// Runs the whole comparison, or the half of it that `FEDCELL_BENCH_ROWS` names: `members` or `rounds`.
///
/// # Errors
///
/// If a server or client of either maker cannot be started or fails; never because one is slow.
pub fn run(options: Options) -> super::Outcome {
    let effort = if options.quick {
        Effort { repetitions: 1, sites: 200, sequence: 10, seconds: 0.5 }
    } else {
        Effort { repetitions: 2, sites: 1000, sequence: 30, seconds: 1.0 }
    };
    let mut report = Report::new("federation", &["ours", "reference"], options);
    let scene = Scene::provision(effort.sites)?;
    let mut figures = [Figures::default(), Figures::default()];
    let awake = Awake::keep();
    if let Err(error) = &awake {
        report.note(format!("cores may sleep in all rows, they cannot be kept from it here: {error}"));
    }
    let repetitions = if wants_rows("members") { effort.repetitions } else { 0 };
    for repetition in 0..repetitions {
        for turn in 0..MAKERS.len() {
            let at = (turn + repetition) % MAKERS.len();
            let maker = MAKERS[at];
            figures[at].take(&scene, maker, effort).with_context(|| format!("server {}", maker.letter()))?;
        }
    }
    if wants_rows("members") {
        tell(&mut report, &figures, effort);
    }
    if wants_rows("rounds") {
        rounds::measure(&mut report, &scene, options.quick)?;
    }
    report.finish()
}

impl Figures {
    /// One run of each measurement.
    fn take(&mut self, scene: &Scene, maker: Maker, effort: Effort) -> Result<()> {
        self.few(scene, maker)?;
        let server = scene.serve(maker)?;
        let before = memory::of(server.id())?.resident;
        let mut crowd = Crowd::connect(server.port, &scene.crowd(), effort.sites)?;
        let spent = processor::spent(server.id())?;
        let took = crowd.register(REGISTRATIONS_AT_A_TIME)?;
        self.registrations_at_once.push(rate(effort.sites, took));
        self.registration_costs.push(cost(processor::spent(server.id())? - spent, effort.sites) * 1e3);
        self.each_of_many.push(each(before, memory::of(server.id())?.resident, effort.sites));

        let trial = 50;
        let took = crowd.beat(trial, HEARTBEATS_AT_A_TIME)?.as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let count = (trial as f64 * effort.seconds / took) as usize;
        let count = count.clamp(trial, 200_000);
        let spent = processor::spent(server.id())?;
        let took = crowd.beat(count, HEARTBEATS_AT_A_TIME)?;
        let count = count * crowd.connections();
        self.heartbeats_at_once.push(rate(count, took));
        self.heartbeat_costs.push(cost(processor::spent(server.id())? - spent, count) * 1e6);
        self.after.push(mebibytes(memory::of(server.id())?.resident));
        drop((crowd, server));
        self.in_sequence(scene, maker, effort)
    }

    /// Memory of a server that nobody knows, and with a hundred sites.
    fn few(&mut self, scene: &Scene, maker: Maker) -> Result<()> {
        let server = scene.serve(maker)?;
        self.idle.push(mebibytes(server.idle.resident));
        self.idle_own.push(mebibytes(server.idle.anonymous));
        // The reference's server is its program.
        let program = if maker == Maker::Ours { scene.serve_program()?.idle } else { server.idle };
        self.idle_program.push(mebibytes(program.resident));
        let before = memory::of(server.id())?.resident;
        let mut crowd = Crowd::connect(server.port, &scene.crowd(), crowd::PER_RELAY)?;
        crowd.register(REGISTRATIONS_AT_A_TIME)?;
        self.each_of_few.push(each(before, memory::of(server.id())?.resident, crowd::PER_RELAY));
        Ok(())
    }

    /// The maker's own clients at its own server.
    fn in_sequence(&mut self, scene: &Scene, maker: Maker, effort: Effort) -> Result<()> {
        let server = scene.serve(maker)?;
        let config = json!({
            "role": "sequence", "name": "clients", "url": server.url(), "identity": SERVER, "project": PROJECT,
            "crowd": scene.crowd(),
        });
        let log = scene.file("clients.log");
        let mut clients = match maker {
            Maker::Ours => Process::start_own(CLIENT_ARGUMENT, "our clients".to_owned(), &config, &log)?,
            Maker::Theirs => Process::start_kind(Kind::Federation, maker, &config, &log)?,
        };
        clients.event("ready", READY)?;
        // The first warms up: code is read, and the reference's drivers are loaded.
        let mut register = |from: usize, to: usize| -> Result<Vec<f64>> {
            let names: Vec<String> = (from..to).map(site_name).collect();
            let done = clients.call("registrations", json!({"names": names, "timeout": 120}))?;
            Ok(done["seconds"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect())
        };
        register(0, 2)?;
        let seconds = register(2, effort.sequence + 2)?;
        #[expect(clippy::cast_precision_loss)]
        let count = seconds.len() as f64;
        self.registrations.push(count / seconds.iter().sum::<f64>());
        self.registration_times.push(seconds.iter().map(|seconds| seconds * 1e3).collect());

        let mut beat = |name: usize, count: usize| -> Result<f64> {
            let command = json!({"name": site_name(name), "count": count, "timeout": 120});
            let done = clients.call("heartbeats", command)?;
            let (done, seconds) = (done["done"].as_f64(), done["seconds"].as_f64());
            done.zip(seconds).map(|(done, seconds)| done / seconds).context("no rate")
        };
        let trial = beat(effort.sequence + 2, 100)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let count = ((trial * effort.seconds) as usize).max(100);
        self.heartbeats.push(beat(effort.sequence + 3, count)?);
        Ok(())
    }
}

fn tell(report: &mut Report, figures: &[Figures; 2], effort: Effort) {
    let of = |pick: fn(&Figures) -> &Vec<f64>| figures.iter().map(|of| Summary::of_runs(pick(of))).collect::<Vec<_>>();
    let aim = |times| [Aim::Better("reference", times)];
    let name = "registrations in sequence, the maker's own client";
    report.add(Measure::more(name, "/s", &aim(5.0)), of(|of| &of.registrations));
    let times = figures.iter().map(|of| Summary::of_samples(&of.registration_times)).collect();
    report.add(Measure::less("time of such a registration, connection and all", "ms", &[]), times);
    let name = format!("registrations of {} sites at once, one generator", effort.sites);
    report.add(Measure::more(name, "/s", &aim(5.0)), of(|of| &of.registrations_at_once));
    let name = "processor time of the server for each of them";
    report.add(Measure::less(name, "ms", &[]), of(|of| &of.registration_costs));
    let name = "heartbeats in sequence, the maker's own cell";
    report.add(Measure::more(name, "/s", &aim(20.0)), of(|of| &of.heartbeats));
    let name = format!("heartbeats of {} sites with many outstanding, one generator", effort.sites);
    report.add(Measure::more(name, "/s", &aim(20.0)), of(|of| &of.heartbeats_at_once));
    let name = "processor time of the server for each of them";
    report.add(Measure::less(name, "µs", &[]), of(|of| &of.heartbeat_costs));
    report.add(Measure::less("memory of an idle server (RSS)", "MiB", &aim(10.0)), of(|of| &of.idle));
    let name = "of it, heap and stacks: what is no part of a file";
    report.add(Measure::less(name, "MiB", &aim(10.0)), of(|of| &of.idle_own));
    let name = "memory of an idle `fedcell server` with its job (RSS); of the reference's, without one";
    report.add(Measure::less(name, "MiB", &aim(10.0)), of(|of| &of.idle_program));
    report.add(Measure::less("memory of each of 100 registered sites", "KiB", &[]), of(|of| &of.each_of_few));
    let name = format!("memory of each of {} registered sites", effort.sites);
    report.add(Measure::less(name, "KiB", &[]), of(|of| &of.each_of_many));
    let name = format!("memory of the server with {} sites after their heartbeats", effort.sites);
    report.add(Measure::less(name, "MiB", &aim(10.0)), of(|of| &of.after));
    report.note("mutual TLS, RSA-2048, kits that the reference provisioned; a new server for every run");
    report.note("the generator's sites are behind relays, a hundred each: a connection a relay, no memory of a connection a site");
}

fn rate(count: usize, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss)]
    let count = count as f64;
    count / took.as_secs_f64()
}

/// Seconds of each.
fn cost(spent: Duration, count: usize) -> f64 {
    rate(count, spent).recip()
}

fn each(before: u64, after: u64, count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss)]
    let (bytes, count) = (after.saturating_sub(before) as f64, count as f64);
    bytes / 1024.0 / count
}
