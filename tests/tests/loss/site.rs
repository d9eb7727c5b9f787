//! One life of a site: a cell, a registration, a task loop over an outbox.

use core::time::Duration;
use std::sync::Arc;

use fedcell_auth::CommonName;
use fedcell_cell::Cell;
use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::security::SecurityMode;
use fedcell_client::communicator::{Communicator, Config, Task};
use fedcell_client::outbox::{Outbox, OutboxLimits, RetryPolicy};
use fedcell_client::task_loop::{ExecuteError, Executing, Executor, LoopEvent, Outcome, ResultStore, TaskLoop};
use fedcell_fobs::array::Array;
use fedcell_fobs::typed::{Dxo, Shareable};
use fedcell_netsim::SimRng;
use fedcell_protocol_defs::federation::{DataKind, MetaKey, ShareableCode};
use fedcell_server::Model;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::disk::{Disk, Mutation};
use crate::ledger::Ledger;
use crate::server::{HUB, JOB, PROJECT, RELAY_HUB};

/// What a site is.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) number: usize,
    pub(crate) behind_relay: bool,
    pub(crate) seed: u64,
}

/// How a life has ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The server has said that the run is over.
    Well,
    /// The disk has stopped.
    Stopped,
}

/// A site that runs.
pub(crate) struct Life {
    cell: Cell,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    pub(crate) ended: watch::Receiver<Option<Ended>>,
}

impl Site {
    pub(crate) fn name(&self) -> String {
        format!("site-{}", self.number)
    }

    /// Starts the site on its disk. None if the disk stops before it runs.
    pub(crate) async fn start(
        &self,
        network: &MemoryNetwork,
        disk: Disk,
        ledger: &Ledger,
        mutation: Mutation,
    ) -> Option<Life> {
        let limits = OutboxLimits::default();
        let now = tokio::time::Instant::now().into_std();
        let outbox = Outbox::open(disk.clone(), limits, RetryPolicy::default(), now).ok()?;
        disk.forget_if(mutation);
        let cell = if self.behind_relay {
            Cell::builder(format!("relay-1.{}", self.name())).parent_url(RELAY_HUB)
        } else {
            Cell::builder(self.name()).root_url(HUB)
        };
        let cell = cell.security(SecurityMode::Clear).memory(network.clone()).start().await.expect("a cell starts");
        let communicator = Communicator::new(Config::new(CommonName::parse(&self.name()).expect("a name"), PROJECT));
        communicator.set_cell(cell.clone());
        let work = Work { site: self.clone(), ledger: ledger.clone() };
        let task_loop = TaskLoop::new(communicator.clone(), JOB, ResultStore::new(outbox)).executor("train", work);
        let mut events = task_loop.events();
        let (sender, ended) = watch::channel(None);
        let watching = {
            let (ledger, number) = (ledger.clone(), self.number);
            tokio::spawn(async move {
                while let Ok(event) = events.recv().await {
                    match event {
                        LoopEvent::Done { id, outcome: Outcome::Result, .. } => ledger.submitted(number, &id),
                        LoopEvent::Done { id, outcome, .. } => {
                            ledger.problem(format!("site {number} could not do {id}: {outcome:?}"));
                        }
                        _ => {}
                    }
                }
            })
        };
        let running = tokio::spawn(async move {
            let stop = CancellationToken::new();
            if communicator.register(&stop).await.is_err() {
                return;
            }
            let ended = tokio::select! {
                ended = task_loop.run(&stop) => if ended.is_ok() { Ended::Well } else { Ended::Stopped },
                _ = communicator.heartbeats(&(), &stop) => return,
            };
            if ended == Ended::Well {
                // As a role does; a server that is away forgets the site by itself.
                _ = tokio::time::timeout(Duration::from_secs(2), communicator.quit()).await;
            }
            sender.send_replace(Some(ended));
        });
        Some(Life { cell, tasks: vec![watching, running], ended })
    }
}

impl Life {
    /// The process is gone.
    pub(crate) async fn kill(self) {
        self.cell.kill();
        for task in self.tasks {
            task.abort();
            // It was aborted, or has ended before.
            _ = task.await;
        }
    }
}

/// Trains, which takes its time and follows from site, round and model.
struct Work {
    site: Site,
    ledger: Ledger,
}

impl Executor for Work {
    fn execute(&self, task: Arc<Task>, _: CancellationToken) -> Executing {
        let (site, ledger) = (self.site.clone(), self.ledger.clone());
        Box::pin(async move {
            ledger.started(site.number, &task.id);
            tokio::time::sleep(site.rng(&task.id).span(Duration::from_millis(400))).await;
            site.train(&task.id, &task.data).map_err(|error| ExecuteError::failed(error.to_string()))
        })
    }

    fn is_repeatable(&self) -> bool {
        true
    }
}

impl Site {
    /// What is random about a task of this site.
    fn rng(&self, task: &str) -> SimRng {
        SimRng::new(task.bytes().fold(self.seed, |sum, byte| sum * 31 % 1_000_003 + u64::from(byte)))
    }

    /// The result of a task: a function of the task, the site and the seed.
    pub(crate) fn train(&self, task: &str, data: &Shareable) -> Result<Shareable, fedcell_fobs::Error> {
        let mut rng = self.rng(task).split();
        let dxo = data.clone().take_dxo()?;
        let array = dxo.data.as_map().and_then(|map| map.get("w")).and_then(|w| w.as_array());
        let before: Vec<f32> = array.and_then(|w| w.to_vec().ok()).expect("the model has this array");
        #[expect(clippy::cast_possible_truncation, reason = "some number")]
        let after: Vec<f32> = before.iter().map(|w| w * 0.9 + (rng.unit() as f32) / 7.0).collect();
        let array = Array::from_elements([after.len()], &after).expect("it has a shape");
        let model = Model::new(vec![("w".into(), array)]).expect("a model");
        let mut dxo = Dxo::new(DataKind::WEIGHTS, model.to_map());
        let steps = i64::try_from(self.number + 1).expect("there are few sites") * 7;
        dxo.meta.insert(MetaKey::NUM_STEPS_CURRENT_ROUND.as_str(), steps);
        let mut result = Shareable::reply(ShareableCode::OK);
        result.set_dxo(dxo);
        Ok(result)
    }
}
