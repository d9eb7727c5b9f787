//! The job of the roles: a network that learns to read digits, and which images a site has.

use clap::{Arg, ArgMatches, Command, value_parser};
use fedcell_client::communicator::Task;
use fedcell_client::task_loop::ExecuteError;
use fedcell_fobs::typed::{Dxo, Shareable};
use fedcell_protocol_defs::federation::{DataKind, MetaKey, ShareableCode, WorkflowHeader};
use fedcell_server::Model;

use crate::learning::digits::{self, Image};
use crate::learning::network::{Network, Training};
use crate::learning::shares::{Split, split};

const SITES: &str = "sites";
const SEED: &str = "seed";
const ALPHA: &str = "alpha";

/// What all participants of the job agree on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digits {
    pub(crate) sites: u16,
    pub(crate) seed: u64,
    pub(crate) alpha: f64,
}

pub(super) fn arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new(SITES)
                .long(SITES)
                .value_name("N")
                .default_value("4")
                .value_parser(value_parser!(u16).range(1..=50))
                .help("Sites of the job, site-1 to site-N"),
        )
        .arg(
            Arg::new(SEED)
                .long(SEED)
                .value_name("N")
                .default_value("1")
                .value_parser(value_parser!(u64))
                .help("What decides shares, weights and order"),
        )
        .arg(
            Arg::new(ALPHA)
                .long(ALPHA)
                .value_name("N")
                .default_value("0.3")
                .value_parser(alpha)
                .help("How alike the shares are: 0.1 is hardly, 100 is very"),
        )
}

impl Digits {
    pub(super) fn read(arguments: &ArgMatches) -> Self {
        Self {
            sites: arguments.get_one(SITES).copied().unwrap_or(4),
            seed: arguments.get_one(SEED).copied().unwrap_or(1),
            alpha: arguments.get_one(ALPHA).copied().unwrap_or(0.3),
        }
    }

    pub(crate) fn site_names(&self) -> Vec<String> {
        (1..=self.sites).map(|number| format!("site-{number}")).collect()
    }

    pub(crate) fn split(&self) -> Split {
        split(digits::all(), usize::from(self.sites), self.alpha, self.seed)
    }
}

fn alpha(text: &str) -> Result<f64, &'static str> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or("expected a number above 0")
}

/// Trains the network of a task on a site's images: a function of the task, the site and the seed.
pub(crate) fn train(task: &Shareable, share: &[Image], seed: u64, site: usize) -> anyhow::Result<Shareable> {
    let round = task.header(WorkflowHeader::CURRENT_ROUND.as_str()).and_then(fedcell_fobs::Value::as_u64);
    let data = task.clone().take_dxo()?.data;
    let map = data.as_map().cloned().unwrap_or_default();
    let mut network = Network::from_model(&Model::from_map(map)?)?;
    let before = network.evaluate(share);
    let steps = network.train(share, Training::default(), seed, &[3, round.unwrap_or_default(), site as u64]);
    let mut dxo = Dxo::new(DataKind::WEIGHTS, network.to_model()?.to_map());
    dxo.meta.insert(MetaKey::NUM_STEPS_CURRENT_ROUND.as_str(), i64::try_from(steps)?);
    dxo.meta.insert(MetaKey::INITIAL_METRICS.as_str(), before.accuracy);
    let mut result = Shareable::reply(ShareableCode::OK);
    result.set_dxo(dxo);
    Ok(result)
}

/// The same as an executor does it.
pub(super) fn execute(task: &Task, share: &[Image], seed: u64, site: usize) -> Result<Shareable, ExecuteError> {
    train(&task.data, share, seed, site).map_err(|error| ExecuteError::failed(format!("{error:#}")))
}
