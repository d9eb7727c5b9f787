//! A job of our server: two rounds of averaging, which every site is told of with the application of the reference's.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use fedcell_auth::Nonce;
use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::security::SecurityMode;
use fedcell_cell::{Cell, CellBuilder, PreparedCell, SystemRandom};
use fedcell_durable::Files;
use fedcell_fobs::array::Array;
use fedcell_fobs::typed::Application;
use fedcell_protocol_defs::federation::RunStatus;
use fedcell_server::jobs::{Dispatch, Dispatcher, JobOrder};
use fedcell_server::membership::MembershipService;
use fedcell_server::tasks::TaskService;
use fedcell_server::{Model, Run, RunConfig};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::MODEL;

/// Where the server's cells of jobs meet its root cell.
const MEETING: &str = "memory://jobs-of-the-server";

/// What the reference's persistor begins with, if it is given nothing.
const BEGINNING: [f32; 9] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];

/// The jobs of a server.
pub(super) struct Jobs {
    network: MemoryNetwork,
    dispatcher: Dispatcher,
    members: MembershipService,
}

/// A job under way.
pub(super) struct Running {
    tasks: TaskService<Run>,
    cell: Cell,
    _dispatch: Dispatch,
    _journal: TempDir,
}

/// Has the root cell that is being built take cells of jobs.
pub(super) fn listen(root: CellBuilder, network: &MemoryNetwork) -> CellBuilder {
    root.memory(network.clone()).listen_internal(MEETING)
}

impl Jobs {
    pub(super) fn new(root: &PreparedCell, members: &MembershipService, network: MemoryNetwork) -> Self {
        Self { network, dispatcher: Dispatcher::new(root, members), members: members.clone() }
    }

    /// Starts a job for the members of now, with the application beside this archive of a job.
    pub(super) async fn submit(&self, archive: &Path) -> Result<Running> {
        let application = std::fs::read(archive.with_file_name("app.zip")).context("no application")?;
        let id = Nonce::random(&mut SystemRandom::new()).as_str().to_owned();
        let builder = Cell::builder(format!("server.{id}")).security(SecurityMode::Clear).memory(self.network.clone());
        let cell = builder.parent_url(MEETING).build()?;
        self.members.add_job(&id, &cell)?;
        let sites = self.members.with(|registrar| registrar.sites().map(|site| site.name.clone()).collect());
        let journal = tempfile::tempdir()?;
        let model = Model::new(vec![(MODEL.into(), Array::from_elements([3, 3], &BEGINNING)?)])?;
        let run = Run::open(RunConfig::new(&id, sites, 2), model, Files::at(journal.path())?, Instant::now())?;
        let (tasks, _) = TaskService::new(&id, run);
        tasks.attach(&cell, &self.members);
        let cell = cell.start().await?;
        cell.ready().await;
        let mut order = JobOrder::new(&id, "job");
        order.application = Some(Application::new("app", application));
        Ok(Running { tasks, cell, _dispatch: self.dispatcher.dispatch(order), _journal: journal })
    }
}

impl Running {
    /// Waits until it has ended, and says how.
    pub(super) async fn ended(&self) -> Result<Value> {
        self.tasks.ended().await?;
        let numbers = self.tasks.with(|run, _| Ok(run.model().get(MODEL).map(Array::to_vec::<f32>)))?;
        let numbers = numbers.context("the model has lost its array")??;
        let rows: Vec<_> = numbers.chunks(3).collect();
        Ok(json!({"status": RunStatus::FINISHED_COMPLETED.as_str(), "model": rows}))
    }

    pub(super) fn id(&self) -> &str {
        self.cell.address().leaf()
    }
}
