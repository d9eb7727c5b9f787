//! Sites in a tree: a site that has the sites below it do its tasks, and a Communicator that changes its cell.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use fedcell_auth::CommonName;
use fedcell_auth::token::ClientCredential;
use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::{Cell, Request};
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_client::communicator::{ChildEvent, Communicator, Config, Pulled, Task, TaskError};
use fedcell_client::task_loop::{ExecuteError, Gather, LoopEvent, TaskLoop, blocking, gather};
use fedcell_durable::Files;
use fedcell_fobs::typed::{FobsType as _, Shareable};
use fedcell_protocol_defs::cell::{Channel, ReturnCode};
use fedcell_protocol_defs::federation::{AuthHeaderKey, AuxTopic};
use fedcell_server::tasks::TaskService;
use fedcell_server::{Run, RunConfig};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::hub::{self, JOB, PROJECT, connected, model, result, weights};

const ROUNDS: u32 = 2;

/// A site: its Communicator for the job, on a cell of its own as `NAME.JOB`.
struct Site {
    job: Communicator,
    folder: TempDir,
}

impl Site {
    async fn new(network: &MemoryNetwork, name: &str, parent: Option<&str>) -> Self {
        let mut config = Config::new(CommonName::parse(name).unwrap(), PROJECT);
        config.is_leaf = parent.is_some();
        if let Some(parent) = parent {
            config.fqsn = format!("{parent}.{name}");
            config.parent = Some(FqcnBuf::parse(parent).unwrap());
        }
        let communicator = Communicator::new(config);
        communicator.set_cell(connected(network, name).await);
        communicator.register(&CancellationToken::new()).await.unwrap();
        let job = communicator.for_job(JOB, connected(network, &format!("{name}.{JOB}")).await);
        Self { job, folder: tempfile::tempdir().unwrap() }
    }

    fn task_loop(&self) -> TaskLoop {
        hub::task_loop(&self.job, self.folder.path())
    }
}

/// The mean of what the children have.
fn mean(_: &Task, results: &BTreeMap<String, Shareable>) -> Result<Shareable, ExecuteError> {
    let all: Vec<Vec<f32>> = results.values().map(weights).collect();
    let count = f32::from(u8::try_from(all.len()).unwrap());
    let sum = |at: usize| all.iter().map(|weights| weights[at]).sum::<f32>();
    Ok(result(&(0..all[0].len()).map(|at| sum(at) / count).collect::<Vec<_>>()))
}

fn hand_on(site: &Site, children: &[&str], patience: Duration) -> Gather {
    gather(site.job.clone(), children.iter().copied(), patience, mean)
}

/// A server without keys and its job, whose only site is `middle`.
async fn serve(network: &MemoryNetwork, folder: &TempDir) -> (Cell, Cell, TaskService<Run>) {
    let (root, members) = hub::server(network);
    let job = hub::job_cell(network, &members);
    let mut config = RunConfig::new(JOB, vec!["middle".to_owned()], ROUNDS);
    config.ask_again = Duration::from_millis(50);
    let run = Run::open(config, model(&[0.0, 10.0]), Files::at(folder.path()).unwrap(), Instant::now()).unwrap();
    let (tasks, _) = TaskService::new(JOB, run);
    tasks.attach(&job, &members);
    (root.start().await.unwrap(), job.start().await.unwrap(), tasks)
}

#[tokio::test(start_paused = true)]
async fn a_site_has_its_children_do_the_tasks_of_a_job() {
    let (network, folder) = (MemoryNetwork::new(), tempfile::tempdir().unwrap());
    let (_root, _job, tasks) = serve(&network, &folder).await;
    let middle = Site::new(&network, "middle", None).await;
    let executor = hand_on(&middle, &["left", "right"], Duration::from_secs(60));
    let mut loops = vec![tokio::spawn(async move {
        middle.task_loop().executor("train", executor).run(&CancellationToken::new()).await.unwrap();
        // As long as the children ask.
        tokio::time::sleep(Duration::from_secs(10)).await;
        middle
    })];
    for (name, step) in [("left", 1.0_f32), ("right", 3.0)] {
        let site = Site::new(&network, name, Some("middle")).await;
        let executor = blocking(move |task: &Task, _| {
            Ok(result(&weights(&task.data).iter().map(|weight| weight + step).collect::<Vec<_>>()))
        });
        loops.push(tokio::spawn(async move {
            site.task_loop().executor("train", executor).run(&CancellationToken::new()).await.unwrap();
            site
        }));
    }
    tasks.ended().await.unwrap();
    for ended in loops {
        let site = ended.await.unwrap();
        assert_eq!(std::fs::read_dir(site.folder.path()).unwrap().count(), 0, "nothing waits on disk any more");
    }
    // Two rounds of the mean of 1 and 3.
    let learned = tasks.with(|run, _| Ok(run.model().clone())).unwrap();
    assert_eq!(learned, model(&[4.0, 14.0]));
}

fn task(id: &str) -> Task {
    Task::new("train", id, JOB, result(&[1.0]))
}

#[tokio::test(start_paused = true)]
async fn a_child_gets_what_is_on_offer_and_nothing_else() {
    let network = MemoryNetwork::new();
    let _root = hub::server(&network).0.start().await.unwrap();
    let middle = Site::new(&network, "middle", None).await;
    let child = Site::new(&network, "child", Some("middle")).await;
    let try_again = |pulled: Result<Pulled, TaskError>| assert!(matches!(pulled, Ok(Pulled::TryAgain { .. })));
    child.job.sync_runner(JOB).await.unwrap();
    child.job.send_job_heartbeat(JOB).await.unwrap();
    try_again(child.job.pull_task(JOB, None).await);
    assert!(!child.job.check_task(JOB, "one").await.unwrap());

    let mut offer = middle.job.offer(task("one").into());
    let Ok(Pulled::Task(pulled)) = child.job.pull_task(JOB, Some("none")).await else { panic!("no task") };
    assert_eq!((pulled.name.as_str(), pulled.id.as_str(), weights(&pulled.data)), ("train", "one", vec![1.0]));
    assert_eq!(offer.next().await, Some(ChildEvent::Taken { child: "child".to_owned() }));
    // Once for each child.
    try_again(child.job.pull_task(JOB, Some("one")).await);
    assert!(child.job.check_task(JOB, "one").await.unwrap());
    assert!(!child.job.check_task(JOB, "two").await.unwrap());

    child.job.submit_update(JOB, pulled.answer(result(&[5.0]))).await.unwrap();
    let Some(ChildEvent::Result { child: name, result: brought }) = offer.next().await else { panic!("no result") };
    assert_eq!((name.as_str(), weights(&brought)), ("child", vec![5.0]));
    // One of another task is taken and goes nowhere.
    child.job.submit_update(JOB, task("zero").answer(result(&[9.0]))).await.unwrap();

    // The next offer takes the place of the one before; with the last one there is nothing any more.
    let next = middle.job.offer(task("two").into());
    assert_eq!(offer.next().await, None);
    drop(offer);
    assert!(child.job.check_task(JOB, "two").await.unwrap());
    drop(next);
    try_again(child.job.pull_task(JOB, None).await);
}

#[tokio::test(start_paused = true)]
async fn a_task_without_children_fails_in_time() {
    let (network, folder) = (MemoryNetwork::new(), tempfile::tempdir().unwrap());
    let (_root, _job, tasks) = serve(&network, &folder).await;
    let middle = Site::new(&network, "middle", None).await;
    let executor = hand_on(&middle, &["left"], Duration::from_secs(30));
    let task_loop = middle.task_loop().executor("train", executor);
    let mut events = task_loop.events();
    let run = tokio::spawn(async move { task_loop.run(&CancellationToken::new()).await.map(|()| middle) });
    let failed = loop {
        if let LoopEvent::Done { outcome, took, .. } = events.recv().await.unwrap() {
            break (format!("{outcome:?}"), took);
        }
    };
    assert!(failed.0.contains("none of left has brought a result within 30 s"), "{failed:?}");
    assert!(failed.1 >= Duration::from_secs(30) && failed.1 < Duration::from_secs(40), "{failed:?}");
    drop(tasks);
    run.abort();
}

#[tokio::test(start_paused = true)]
async fn a_stranger_in_the_context_gets_nothing() {
    let network = MemoryNetwork::new();
    let _root = hub::server(&network).0.start().await.unwrap();
    let middle = Site::new(&network, "middle", None).await;
    let _offer = middle.job.offer(task("one").into());
    let other = connected(&network, "other").await;
    let mut body = Shareable::new();
    body.set_peer_context(Config::new(CommonName::parse("child").unwrap(), PROJECT).context(JOB));
    for body in [body, Shareable::new()] {
        let target = format!("middle.{JOB}");
        let draft = other.request(target, Channel::SERVER_COMMAND, "get_task").value(&body.into_value());
        let reply = draft.send().await.unwrap();
        assert_eq!(reply.return_code(), ReturnCode::INVALID_REQUEST);
    }
    // Nor does a stranger end the run.
    let draft = other.request(format!("middle.{JOB}"), Channel::AUX_COMMUNICATION, AuxTopic::END_RUN);
    let reply = draft.value(&Shareable::new().into_value()).send().await.unwrap();
    assert_eq!(reply.return_code(), ReturnCode::INVALID_REQUEST);
    let run_over = tokio::time::timeout(Duration::from_secs(5), middle.job.run_over()).await;
    assert!(run_over.is_err(), "a stranger has ended the run");
}

#[tokio::test(start_paused = true)]
async fn another_cell_of_the_same_name_shows_the_credential_too() {
    let network = MemoryNetwork::new();
    let root = connected(&network, "server").await;
    root.handle("app", "who", |request: Request| async move {
        let name = request.headers().text(AuthHeaderKey::CLIENT_NAME).ok().flatten().unwrap_or("nobody").to_owned();
        Reply::ok(Body::bytes(name.into_bytes()))
    });
    let name = CommonName::parse("site-1").unwrap();
    let communicator = Communicator::new(Config::new(name.clone(), PROJECT));
    communicator.set_auth(&ClientCredential::handed_down(name, JOB, "NA").unwrap(), "NA");
    for _ in 0..2 {
        let own = connected(&network, "site-1").await;
        communicator.set_cell(own.clone());
        // Once more changes nothing.
        communicator.set_cell(own.clone());
        own.ready().await;
        let reply = own.request("server", "app", "who").send().await.unwrap();
        assert_eq!(reply.bytes(), "site-1");
        own.shutdown().await;
    }
}
