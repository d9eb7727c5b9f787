//! A whole job over cells: sites register, ask for tasks, train, submit; the server averages.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use fedcell_auth::CommonName;
use fedcell_cell::Cell;
use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::security::SecurityMode;
use fedcell_client::communicator::{Communicator, Config, Task};
use fedcell_client::outbox::{Outbox, OutboxLimits, RetryPolicy};
use fedcell_client::task_loop::{ExecuteError, ResultStore, TaskLoop, blocking};
use fedcell_durable::Files;
use fedcell_fobs::array::Array;
use fedcell_fobs::typed::{Dxo, Shareable};
use fedcell_protocol_defs::federation::{DataKind, ShareableCode};
use fedcell_server::membership::{MembershipService, Registrar, RegistrarConfig};
use fedcell_server::tasks::TaskService;
use fedcell_server::{Model, Run, RunConfig, RunEvent};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const JOB: &str = "0d3b5a3e-8f0a-4a53-9d9f-0c2b8f1d2e11";
const ROUNDS: u32 = 3;

fn model(values: &[f32]) -> Model {
    Model::new(vec![("w".into(), Array::from_elements([values.len()], values).unwrap())]).unwrap()
}

async fn start(network: &MemoryNetwork, name: &str) -> Cell {
    let builder = Cell::builder(name).security(SecurityMode::Clear).memory(network.clone());
    builder.root_url("memory://hub").start().await.unwrap()
}

/// Every round adds the site's number to each weight.
fn train(number: f32) -> impl Fn(&Task, &CancellationToken) -> Result<Shareable, ExecuteError> {
    move |task, _| {
        let bad = |error: fedcell_fobs::Error| ExecuteError::failed(error.to_string());
        let dxo = task.data.clone().take_dxo().map_err(bad)?;
        let weights = dxo.data.as_map().and_then(|map| map.get("w")).and_then(|w| w.as_array()).unwrap();
        let trained: Vec<f32> = weights.to_vec::<f32>().unwrap().iter().map(|w| w + number).collect();
        let mut result = Shareable::reply(ShareableCode::OK);
        result.set_dxo(Dxo::new(DataKind::WEIGHTS, model(&trained).to_map()));
        Ok(result)
    }
}

struct Site {
    communicator: Communicator,
    folder: TempDir,
}

impl Site {
    async fn new(network: &MemoryNetwork, name: &str) -> Self {
        let communicator = Communicator::new(Config::new(CommonName::parse(name).unwrap(), "project"));
        communicator.set_cell(start(network, name).await);
        communicator.register(&CancellationToken::new()).await.unwrap();
        Self { communicator, folder: tempfile::tempdir().unwrap() }
    }

    fn task_loop(&self) -> TaskLoop {
        let storage = Files::at(self.folder.path()).unwrap();
        let outbox = Outbox::open(storage, OutboxLimits::default(), RetryPolicy::default(), Instant::now()).unwrap();
        TaskLoop::new(self.communicator.clone(), JOB, ResultStore::new(outbox))
    }
}

#[tokio::test]
async fn three_sites_and_one_that_fails_at_first_make_a_model() {
    let network = MemoryNetwork::new();
    let members = MembershipService::new(Registrar::new(RegistrarConfig::new("project"), None).unwrap());
    let root = start(&network, "server").await;
    members.attach(&root).unwrap();
    let names: Vec<String> = (1..=3).map(|number| format!("site-{number}")).collect();

    let builder = Cell::builder(format!("server.{JOB}")).security(SecurityMode::Clear).memory(network.clone());
    let job_cell = builder.parent_url("memory://hub").start().await.unwrap();
    members.add_job(JOB, &job_cell).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = RunConfig::new(JOB, names.clone(), ROUNDS);
    config.ask_again = Duration::from_millis(10);
    config.round.min_responses = 2;
    let run = Run::open(config, model(&[0.0, 10.0]), Files::at(folder.path()).unwrap(), Instant::now()).unwrap();
    let (tasks, mut reports) = TaskService::new(JOB, run);
    tasks.attach(&job_cell, &members);

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
