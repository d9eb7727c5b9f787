//! What the tests here begin with: cells that meet in memory, a server without keys, its job, a model of one array.

use std::path::Path;
use std::time::Instant;

use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::security::SecurityMode;
use fedcell_cell::{Cell, PreparedCell};
use fedcell_client::communicator::Communicator;
use fedcell_client::outbox::{Outbox, OutboxLimits, RetryPolicy};
use fedcell_client::task_loop::{ResultStore, TaskLoop};
use fedcell_durable::Files;
use fedcell_fobs::array::Array;
use fedcell_fobs::typed::{Dxo, Shareable};
use fedcell_protocol_defs::federation::{DataKind, ShareableCode};
use fedcell_server::Model;
use fedcell_server::membership::{MembershipService, Registrar, RegistrarConfig};

pub(crate) const JOB: &str = "0d3b5a3e-8f0a-4a53-9d9f-0c2b8f1d2e11";
pub(crate) const PROJECT: &str = "project";

/// Where the server listens.
pub(crate) const HUB: &str = "memory://hub";

/// A cell at the top of the tree, connected or not.
pub(crate) async fn cell(network: &MemoryNetwork, name: &str) -> Cell {
    let builder = Cell::builder(name).security(SecurityMode::Clear).memory(network.clone());
    builder.root_url(HUB).start().await.unwrap()
}

/// The same once it is connected.
pub(crate) async fn connected(network: &MemoryNetwork, name: &str) -> Cell {
    let cell = cell(network, name).await;
    cell.ready().await;
    cell
}

/// A server without keys: its root cell, to be started, and its membership.
pub(crate) fn server(network: &MemoryNetwork) -> (PreparedCell, MembershipService) {
    let members = MembershipService::new(Registrar::new(RegistrarConfig::new(PROJECT), None).unwrap());
    let builder = Cell::builder("server").security(SecurityMode::Clear).memory(network.clone());
    let root = builder.root_url(HUB).build().unwrap();
    members.attach(&root).unwrap();
    (root, members)
}

/// The server's cell of the job, to be started, which is known to its membership.
pub(crate) fn job_cell(network: &MemoryNetwork, members: &MembershipService) -> PreparedCell {
    let builder = Cell::builder(format!("server.{JOB}")).security(SecurityMode::Clear).memory(network.clone());
    let job = builder.parent_url(HUB).build().unwrap();
    members.add_job(JOB, &job).unwrap();
    job
}

/// The job's loop of a site that keeps its results in that folder.
pub(crate) fn task_loop(communicator: &Communicator, folder: &Path) -> TaskLoop {
    let storage = Files::at(folder).unwrap();
    let outbox = Outbox::open(storage, OutboxLimits::default(), RetryPolicy::default(), Instant::now()).unwrap();
    TaskLoop::new(communicator.clone(), JOB, ResultStore::new(outbox))
}

pub(crate) fn model(values: &[f32]) -> Model {
    Model::new(vec![("w".into(), Array::from_elements([values.len()], values).unwrap())]).unwrap()
}

/// The numbers of a model that is sent.
pub(crate) fn weights(data: &Shareable) -> Vec<f32> {
    let dxo = data.clone().take_dxo().unwrap();
    dxo.data.as_map().and_then(|map| map.get("w")).and_then(|w| w.as_array()).unwrap().to_vec().unwrap()
}

/// A result that is a model.
pub(crate) fn result(values: &[f32]) -> Shareable {
    let mut result = Shareable::reply(ShareableCode::OK);
    result.set_dxo(Dxo::new(DataKind::WEIGHTS, model(values).to_map()));
    result
}
