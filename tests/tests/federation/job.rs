//! A whole job over cells: sites register, ask for tasks, train, submit; the server averages.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use fedcell_auth::CommonName;
use fedcell_cell::driver::MemoryNetwork;
use fedcell_client::communicator::{Communicator, Config, Task};
use fedcell_client::task_loop::{ExecuteError, TaskLoop, blocking};
use fedcell_durable::Files;
use fedcell_fobs::typed::Shareable;
use fedcell_server::tasks::TaskService;
use fedcell_server::{Run, RunConfig, RunEvent};
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
