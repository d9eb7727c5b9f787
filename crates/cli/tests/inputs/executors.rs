//! Executors that fail, panic, hang or return what is no number: sites of the client library at a server process, beside a
//! site process that does its work.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use fedcell_client::communicator::Task;
use fedcell_client::outbox::{Outbox, OutboxLimits, RetryPolicy};
use fedcell_client::task_loop::{ExecuteError, Executor, LoopEvent, Outcome, ResultStore, blocking};
use fedcell_client::{Communicator, Kit, TaskLoop};
use fedcell_durable::Files;
use fedcell_fobs::array::Array;
use fedcell_fobs::typed::{Dxo, Shareable};
use fedcell_protocol_defs::federation::{DataKind, ShareableCode};
use fedcell_server::Model;
use fedcell_server::run::final_model_file;
use tokio_util::sync::CancellationToken;

use crate::scene::{JOB, Running, Scene, words};
use crate::snapshot;

/// How long an executor that never ends may take.
const SHORT: Duration = Duration::from_secs(2);

/// The same for one that ends, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);

/// Runs a site of the library until the server says that the run is over; what its tasks came to.
async fn site(scene: &Scene, name: &str, patience: Duration, executor: impl Executor) -> Vec<String> {
    let kit = Kit::open(scene.kit("p", name)).expect("a kit");
    let communicator = Communicator::new(kit.config().expect("a configuration"));
    let cell = kit.cell().expect("a cell").start().await.expect("a start");
    communicator.set_cell(cell.clone());
    let stop = CancellationToken::new();
    communicator.register(&stop).await.expect("a registration");

    let folder = tempfile::tempdir().expect("a folder");
    let files = Files::at(folder.path()).expect("a folder");
    let outbox =
        Outbox::open(files, OutboxLimits::default(), RetryPolicy::default(), Instant::now()).expect("an outbox");
    let task_loop = TaskLoop::new(communicator.clone(), JOB, ResultStore::new(outbox));
    let task_loop = task_loop.executor("train", executor).patience(patience);
    let mut events = task_loop.events();
    task_loop.run(&stop).await.expect("the loop ends with the run");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "{name}: something waits on disk");
    communicator.quit().await.expect("a goodbye");
    cell.shutdown().await;
    let mut outcomes = Vec::new();
    while let Ok(event) = events.try_recv() {
        match event {
            LoopEvent::Done { outcome: Outcome::Result, .. } => outcomes.push("has a result".to_owned()),
            LoopEvent::Done { outcome: Outcome::Failed { reason }, .. } => outcomes.push(reason),
            _ => {}
        }
    }
    outcomes
}

/// The model of the task with this in place of each first weight.
fn spoiled(task: &Task, with: f32) -> Shareable {
    let data = task.data.clone().take_dxo().expect("data").data;
    let model = Model::from_map(data.as_map().cloned().expect("a model")).expect("a model");
    let spoil = |(name, array): (&str, &Array)| {
        let mut weights = array.to_vec::<f32>().expect("weights");
        weights[0] = with;
        (name.to_owned(), Array::from_elements(array.shape().to_vec(), &weights).expect("an array"))
    };
    let mut result = Shareable::reply(ShareableCode::OK);
    let spoiled = Model::new(model.iter().map(spoil).collect()).expect("a model");
    result.set_dxo(Dxo::new(DataKind::WEIGHTS, spoiled.to_map()));
    result
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_executor_spoils_no_model() {
    let scene = Scene::new(7);
    let (kit, workspace) = (scene.kit("p", "localhost"), scene.path("work/server"));
    let shared = "--sites 7 --seed 3";
    let typed = format!(
        "server --kit _ --job {JOB} --workspace _ --listen 127.0.0.1 --rounds 1 --min-sites 1 --round-timeout 90 {shared}"
    );
    let server = Running::start(&words(&typed, &[&kit, &workspace]));

    // A computation that nobody can stop, until the test is over.
    let (release, held) = channel::<()>();
    let held: Arc<Mutex<Receiver<()>>> = Arc::new(Mutex::new(held));
    let endless = blocking(move |_, _| {
        _ = held.lock().map(|held| held.recv());
        Err(ExecuteError::failed("released"))
    });
    let (fails, panics, hangs, blocks, nan, infinite) = tokio::join!(
        site(&scene, "site-2", LONG, blocking(|_, _| Err(ExecuteError::failed("the images cannot be read")))),
        site(&scene, "site-3", LONG, blocking(|_, _| panic!("index out of bounds"))),
        site(&scene, "site-4", SHORT, async |_, _| core::future::pending().await),
        site(&scene, "site-5", SHORT, endless),
        site(&scene, "site-6", LONG, blocking(|task, _| Ok(spoiled(task, f32::NAN)))),
        site_process_then(
            &scene,
            shared,
            site(&scene, "site-7", LONG, blocking(|task, _| Ok(spoiled(task, f32::INFINITY))))
        ),
    );
    drop(release);
    let (lines, code) = server.rest();
    assert_eq!(code, Some(0), "{lines:#?}");

    let mut text = String::new();
    let faults = [fails, panics, hangs, blocks, nan, infinite];
    let what = ["fails", "panics", "hangs", "computes for ever", "gives NaN", "gives infinity"];
    let said: BTreeMap<_, _> = lines.iter().map(|line| (line["site"].as_str().unwrap_or_default(), line)).collect();
    for ((number, outcomes), what) in (2..).zip(&faults).zip(what) {
        assert_eq!(outcomes.len(), 1, "{what}: {outcomes:?}");
        let server = &said[format!("site-{number}").as_str()];
        writeln!(text, "an executor that {what}\n  site:   {}\n  server: {server}", outcomes[0]).expect("a text");
    }
    snapshot::check("messages/executors.txt", &text);

    // What the one good site gave is the model, and nothing else got into it.
    assert_eq!(said["site-1"]["event"], "counted");
    let round = lines.iter().find(|line| line["event"] == "round").expect("a round");
    assert_eq!(round["counted"], 1);
    let model = Model::load(&Files::at(&workspace).expect("a folder"), &final_model_file()).expect("the model");
    let weights = model.iter().flat_map(|(_, array)| array.to_vec::<f32>().expect("weights"));
    assert!(weights.into_iter().all(f32::is_finite), "something that is no number is in the model");
}

/// Runs `site-1` as a process beside another site; its exit code must be 0.
async fn site_process_then<T>(scene: &Scene, shared: &str, other: impl Future<Output = T>) -> T {
    let typed = format!("site --kit _ --job {JOB} --workspace _ {shared}");
    let (kit, workspace) = (scene.kit("p", "site-1"), scene.path("work/site-1"));
    let arguments = words(&typed, &[&kit, &workspace]);
    let scene: &Path = &scene.path("work");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_fedcell"));
    let command = command.args(arguments).current_dir(scene).kill_on_drop(true);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("the site starts");
    let input = child.stdin.take();
    let (other, status) = tokio::join!(other, child.wait());
    drop(input);
    assert!(status.expect("an end").success());
    other
}

#[test]
fn a_site_that_never_comes_ends_the_job_at_the_deadline_of_the_round() {
    let scene = Scene::new(2);
    let (kit, workspace) = (scene.kit("p", "localhost"), scene.path("work/server"));
    let shared = "--sites 2 --seed 3";
    let typed =
        format!("server --kit _ --job {JOB} --workspace _ --listen 127.0.0.1 --rounds 1 --round-timeout 8 {shared}");
    let arguments = words(&typed, &[&kit, &workspace]);
    let mut text = String::new();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| scene.fedcell(&arguments));
        let typed = format!("site --kit _ --job {JOB} --workspace _ --wait 60 {shared}");
        let (kit, workspace) = (scene.kit("p", "site-1"), scene.path("work/site-1"));
        let site = scene.fedcell(&words(&typed, &[&kit, &workspace]));
        assert_eq!((site.code, site.err.as_str()), (Some(0), ""), "{}", site.out);
        let server = server.join().expect("the server ends");
        assert_eq!(server.code, Some(1), "{}{}", server.out, server.err);
        writeln!(text, "a round with too few results\n  exit 1\n  {}", server.err.trim_end()).expect("a text");
    });
    snapshot::check("messages/rounds.txt", &text);
}
