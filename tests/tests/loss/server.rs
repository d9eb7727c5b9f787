//! One life of the coordinator: membership, the cell of the job, the run on its disk. And of a relay.

use core::time::Duration;
use std::time::Instant;

use fedcell_cell::Cell;
use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::security::SecurityMode;
use fedcell_durable::SimulatedDisk;
use fedcell_fobs::array::Array;
use fedcell_fobs::typed::Shareable;
use fedcell_server::controller::{Controller, Receipt, Step};
use fedcell_server::membership::{MembershipService, Registrar, RegistrarConfig};
use fedcell_server::tasks::TaskService;
use fedcell_server::{Model, Run, RunConfig, RunError, RunEvent};

use crate::disk::Disk;
use crate::ledger::Ledger;
use crate::plan::ROUNDS;
use crate::site::Site;

pub(crate) const JOB: &str = "0d3b5a3e-8f0a-4a53-9d9f-0c2b8f1d2e11";
pub(crate) const PROJECT: &str = "project";
pub(crate) const HUB: &str = "memory://hub";
pub(crate) const RELAY_HUB: &str = "memory://relay";

/// A coordinator that runs.
pub(crate) struct Life {
    cells: Vec<Cell>,
    counting: tokio::task::JoinHandle<()>,
    pub(crate) tasks: TaskService<Watched>,
}

/// A run, and what it says to results.
pub(crate) struct Watched {
    run: Run<Disk>,
    ledger: Ledger,
}

impl Controller for Watched {
    type Event = RunEvent;
    type Error = RunError;

    fn task_for(&mut self, site: &str, now: Instant) -> Result<Step, RunError> {
        self.run.task_for(site, now)
    }

    fn result(&mut self, site: &str, result: Shareable, now: Instant) -> Result<Receipt, RunError> {
        let receipt = self.run.result(site, result, now);
        self.ledger.arrived(receipt.as_ref().ok().copied());
        receipt
    }

    fn lost(&mut self, site: &str, now: Instant) -> Result<(), RunError> {
        self.run.lost(site, now)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.run.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), RunError> {
        self.run.handle_timeout(now)
    }

    fn poll_event(&mut self) -> Option<RunEvent> {
        self.run.poll_event()
    }

    fn is_ended(&self) -> bool {
        self.run.is_ended()
    }
}

fn initial() -> Model {
    let array = Array::from_elements([5], &[0.1_f32, -0.7, 3.25, 1e-3, -2.5]).expect("it has a shape");
    Model::new(vec![("w".into(), array)]).expect("a model")
}

fn config(sites: &[String]) -> RunConfig {
    let mut config = RunConfig::new(JOB, sites.to_vec(), ROUNDS);
    config.ask_again = Duration::from_secs(2);
    config
}

/// Opens the run that a disk holds.
pub(crate) fn open(disk: Disk, sites: &[String]) -> Result<Run<Disk>, RunError> {
    Run::open(config(sites), initial(), disk, tokio::time::Instant::now().into_std())
}

/// The model at the end of a run in which nothing happens but the training.
pub(crate) fn undisturbed(sites: &[Site]) -> Result<Model, RunError> {
    let names: Vec<String> = sites.iter().map(Site::name).collect();
    let disk = Disk::of_site(SimulatedDisk::new());
    let (mut run, now) = (open(disk, &names)?, tokio::time::Instant::now().into_std());
    while !run.is_ended() {
        for site in sites {
            if let Step::Task(task) = run.task_for(&site.name(), now)? {
                let mut result = site.train(&task.id, &task.data).expect("a task of this run");
                result.set_cookie_jar(task.data.cookie_jar().expect("every task has one").clone());
                run.result(&site.name(), result, now)?;
            }
        }
    }
    Ok(run.model().clone())
}

/// Starts the coordinator on its disk. None if the disk stops before it runs.
pub(crate) async fn start(network: &MemoryNetwork, disk: Disk, sites: &[String], ledger: &Ledger) -> Option<Life> {
    let members = MembershipService::new(Registrar::new(RegistrarConfig::new(PROJECT), None).expect("no keys"));
    let root = Cell::builder("server").root_url(HUB).security(SecurityMode::Clear).memory(network.clone());
    let root = root.build().expect("it makes sense");
    members.attach(&root).expect("there is nothing to sign");
    let root = root.start().await.expect("the name is free");
    let job = Cell::builder(format!("server.{JOB}")).parent_url(HUB).security(SecurityMode::Clear);
    let job = job.memory(network.clone()).build().expect("it makes sense");
    members.add_job(JOB, &job).expect("the first job");
    let sites = sites.to_vec();
    let opened = tokio::task::spawn_blocking(move || open(disk, &sites)).await.expect("no panic");
    let Ok(run) = opened else {
        root.kill();
        // What listens for it ends, too, before the next one starts.
        tokio::task::yield_now().await;
        return None;
    };
    let (tasks, mut reports) = TaskService::new(JOB, Watched { run, ledger: ledger.clone() });
    tasks.attach(&job, &members);
    let job = job.start().await.expect("a cell starts");
    let ledger = ledger.clone();
    let counting = tokio::spawn(async move {
        while let Ok(event) = reports.recv().await {
            match event {
                RunEvent::Counted { round, site, .. } => ledger.counted(round, &site),
                RunEvent::Refused { round, site, reason } => {
                    ledger.problem(format!("the result of {site} in round {round} is refused: {reason}"));
                }
                _ => {}
            }
        }
    });
    Some(Life { cells: vec![job, root], counting, tasks })
}

impl Life {
    /// The process is gone.
    pub(crate) async fn kill(self) {
        for cell in self.cells {
            cell.kill();
        }
        // What it has counted is seen; nothing is sent any more.
        tokio::task::yield_now().await;
        self.counting.abort();
        _ = self.counting.await;
    }
}

/// Starts a relay.
pub(crate) async fn relay(network: &MemoryNetwork) -> Cell {
    let cell = Cell::builder("relay-1").root_url(HUB).listen_internal(RELAY_HUB).security(SecurityMode::Clear);
    cell.memory(network.clone()).start().await.expect("the name is free")
}
