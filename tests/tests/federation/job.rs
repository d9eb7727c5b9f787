//! A whole job over cells: sites register, ask for tasks, train, submit; the server averages.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use fedcell_auth::CommonName;
use fedcell_cell::driver::MemoryNetwork;
use fedcell_client::communicator::{Communicator, Config, Task};
use fedcell_client::outbox::{Outbox, OutboxLimits, RetryPolicy};
use fedcell_client::task_loop::{ExecuteError, LoopEvent, ResultStore, TaskLoop, blocking};
use fedcell_durable::Files;
use fedcell_fobs::typed::Shareable;
use fedcell_server::controller::{Receipt, Step};
use fedcell_server::tasks::TaskService;
use fedcell_server::{Controller, Run, RunConfig, RunEvent};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::hub::{self, JOB, PROJECT, connected, model, result, weights};

const ROUNDS: u32 = 3;

/// Every round adds the site's number to each weight.
fn train(number: f32) -> impl Fn(&Task, &CancellationToken) -> Result<Shareable, ExecuteError> {
    move |task, _| Ok(result(&weights(&task.data).iter().map(|weight| weight + number).collect::<Vec<_>>()))
}

struct Site {
    communicator: Communicator,
    folder: TempDir,
}

impl Site {
    async fn new(network: &MemoryNetwork, name: &str) -> Self {
        let communicator = Communicator::new(Config::new(CommonName::parse(name).unwrap(), PROJECT));
        communicator.set_cell(connected(network, name).await);
        communicator.register(&CancellationToken::new()).await.unwrap();
        Self { communicator, folder: tempfile::tempdir().unwrap() }
    }

    fn task_loop(&self) -> TaskLoop {
        hub::task_loop(&self.communicator, self.folder.path())
    }
}

#[tokio::test]
async fn three_sites_and_one_that_fails_at_first_make_a_model() {
    let network = MemoryNetwork::new();
    let (root, members) = hub::server(&network);
    let names: Vec<String> = (1..=3).map(|number| format!("site-{number}")).collect();

    let job_cell = hub::job_cell(&network, &members);
    let folder = tempfile::tempdir().unwrap();
    let mut config = RunConfig::new(JOB, names.clone(), ROUNDS);
    config.ask_again = Duration::from_millis(10);
    config.round.min_responses = 2;
    let run = Run::open(config, model(&[0.0, 10.0]), Files::at(folder.path()).unwrap(), Instant::now()).unwrap();
    let (tasks, mut reports) = TaskService::new(JOB, run);
    tasks.attach(&job_cell, &members);
    let _cells = (root.start().await.unwrap(), job_cell.start().await.unwrap());

    let mut loops = Vec::new();
    let failures = Arc::new(AtomicU32::new(0));
    for (name, number) in names.iter().zip([1.0_f32, 2.0, 3.0]) {
        let site = Site::new(&network, name).await;
        let (failures, work) = (Arc::clone(&failures), train(number));
        let is_clumsy = number > 2.5;
        let executor = blocking(move |task, stop| {
            assert!(!(is_clumsy && failures.fetch_add(1, Ordering::SeqCst) == 0), "stumbled");
            work(task, stop)
        });
        loops.push(tokio::spawn(async move {
            site.task_loop().executor("train", executor).run(&CancellationToken::new()).await.unwrap();
            site
        }));
    }
    tokio::time::timeout(Duration::from_secs(60), tasks.ended()).await.expect("the job does not end").unwrap();
    let mut sites = Vec::new();
    for task_loop in loops {
        sites.push(task_loop.await.unwrap());
    }

    // The first round has the mean of 1 and 2, the others that of 1, 2 and 3.
    let expected = 1.5 + 2.0 * 2.0;
    tasks
        .with(|run, _| {
            assert_eq!(run.model(), &model(&[expected, 10.0 + expected]));
            Ok(())
        })
        .unwrap();
    let mut rejected = 0;
    while let Ok(event) = reports.try_recv() {
        rejected += usize::from(matches!(event, RunEvent::Refused { .. }));
    }
    assert_eq!(rejected, 1);
    for site in sites {
        assert_eq!(std::fs::read_dir(site.folder.path()).unwrap().count(), 0, "nothing waits on disk any more");
    }
}

/// The server may stop a job and have it started again while the process of the site goes on.
#[tokio::test]
async fn a_task_that_was_left_in_the_middle_is_done_by_the_next_loop_of_the_process() {
    let network = MemoryNetwork::new();
    let (root, members) = hub::server(&network);
    let job_cell = hub::job_cell(&network, &members);
    let folder = tempfile::tempdir().unwrap();
    let mut config = RunConfig::new(JOB, vec!["site-1".to_owned()], 1);
    config.ask_again = Duration::from_millis(10);
    let run = Run::open(config, model(&[0.0]), Files::at(folder.path()).unwrap(), Instant::now()).unwrap();
    let (tasks, _reports) = TaskService::new(JOB, run);
    tasks.attach(&job_cell, &members);
    let _cells = (root.start().await.unwrap(), job_cell.start().await.unwrap());

    let site = Site::new(&network, "site-1").await;
    let storage = Files::at(site.folder.path()).unwrap();
    let outbox = Outbox::open(storage, OutboxLimits::default(), RetryPolicy::default(), Instant::now()).unwrap();
    let store = ResultStore::new(outbox);
    let hangs = async |_, stop: CancellationToken| {
        stop.cancelled().await;
        Err(ExecuteError::failed("stopped"))
    };
    let first = TaskLoop::new(site.communicator.clone(), JOB, store.clone()).executor("train", hangs);
    let (mut events, stop) = (first.events(), CancellationToken::new());
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { first.run(&stop).await }
    });
    assert!(matches!(events.recv().await.unwrap(), LoopEvent::Started { .. }));
    stop.cancel();
    running.await.unwrap().unwrap();

    let executor = blocking(train(1.0)).repeatable();
    let second = TaskLoop::new(site.communicator.clone(), JOB, store).executor("train", executor);
    let running = tokio::spawn(async move { second.run(&CancellationToken::new()).await });
    tokio::time::timeout(Duration::from_secs(60), tasks.ended()).await.expect("the job does not end").unwrap();
    running.await.unwrap().unwrap();
}

/// Fails when its time comes, which then is over for ever. Counts how often it is looked at.
struct Fails {
    due: Instant,
    looks: Arc<AtomicU32>,
}

impl Controller for Fails {
    type Event = ();
    type Error = std::io::Error;

    fn task_for(&mut self, _: &str, _: Instant) -> Result<Step, Self::Error> {
        Ok(Step::Wait(Duration::ZERO))
    }

    fn result(&mut self, _: &str, _: Shareable, _: Instant) -> Result<Receipt, Self::Error> {
        Ok(Receipt::Unknown)
    }

    fn lost(&mut self, _: &str, _: Instant) -> Result<(), Self::Error> {
        Ok(())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        Some(self.due)
    }

    fn handle_timeout(&mut self, _: Instant) -> Result<(), Self::Error> {
        Err(std::io::Error::other("the disk is full"))
    }

    fn poll_event(&mut self) -> Option<()> {
        None
    }

    fn is_ended(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_workflow_that_has_failed_is_not_called_again_and_again() {
    let network = MemoryNetwork::new();
    let (_root, members) = hub::server(&network);
    let job_cell = hub::job_cell(&network, &members);
    let looks = Arc::new(AtomicU32::new(0));
    let (tasks, _reports) = TaskService::new(JOB, Fails { due: Instant::now(), looks: Arc::clone(&looks) });
    tasks.attach(&job_cell, &members);
    tasks.ended().await.unwrap_err();
    // Whoever turns in a circle gets on with each of these.
    for _ in 0..100 {
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    }
    assert!(looks.load(Ordering::SeqCst) < 10, "{looks:?} looks");
}
