//! Sites in a tree: a site of one maker asks a site of the other one for tasks, and brings it results.
//!
//! The Communicator of the reference is its own, in `tests/reference/children.py`; ours is the client's. Both are cells of
//! one job below a server of ours without keys.

use core::time::Duration;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use fedcell_auth::CommonName;
use fedcell_auth::token::ClientCredential;
use fedcell_cell::Cell;
use fedcell_cell::proto::address::FqcnBuf;
use fedcell_cell::security::SecurityMode;
use fedcell_client::communicator::{ChildEvent, Communicator, Config, Pulled, Task};
use fedcell_fobs::Map;
use fedcell_fobs::array::Array;
use fedcell_fobs::typed::{Dxo, Shareable};
use fedcell_protocol_defs::cell::ReturnCode;
use fedcell_protocol_defs::federation::{DataKind, ShareableCode, SpecialTaskName};
use fedcell_server::membership::{MembershipService, Registrar, RegistrarConfig};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::Outcome;
use super::cell::process::{Kind, Maker, Process};
use super::verdict::{Report, Verdict};
use crate::Options;

const JOB: &str = "0d3b5a3e-8f0a-4a53-9d9f-0c2b8f1d2e11";

/// Until a program of the reference stands, on a machine that is busy.
const START_LIMIT: Duration = Duration::from_secs(120);

/// For everything that follows.
const LIMIT: Duration = Duration::from_secs(60);

type Row = (&'static str, fn(&Network, &Path) -> Result<()>);

const ROWS: &[Row] = &[
    ("a site of ours below a site of the reference", ours_below_theirs),
    ("a site of the reference below a site of ours", theirs_below_ours),
];

/// Runs all rows, prints a line for each, and fails if one failed.
///
/// # Errors
///
/// If a row failed.
pub fn run(_: Options) -> Outcome {
    let report = Report::begin("children");
    let rows = ROWS.iter().filter(|(name, _)| report.wants("", name)).collect();
    // The reference is imported once, by a process that listens in here.
    let folder = tempfile::tempdir()?;
    report.run(1, rows, |(name, row)| {
        let run = || row(&Network::start()?, folder.path());
        vec![Verdict::of("server R", name, run)]
    });
    report.end()
}

/// A server of ours, and the runtime of everything that is ours.
struct Network {
    runtime: Runtime,
    /// Lives as long as this.
    _root: Cell,
    url: String,
}

impl Network {
    fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (root, url) = runtime.block_on(async {
            let builder = Cell::builder("server").security(SecurityMode::Clear);
            let root = builder.root_url("tcp://127.0.0.1:0").build()?;
            let registrar = Registrar::new(RegistrarConfig::new("project"), None)?;
            MembershipService::new(registrar).attach(&root)?;
            let root = root.start().await?;
            let bound = root.connectors().into_iter().find_map(|connector| connector.bound.map(|_| connector.url));
            anyhow::Ok((root, bound.context("the server listens nowhere")?))
        })?;
        Ok(Self { runtime, _root: root, url })
    }

    /// A Communicator of the job, on a cell of its own.
    fn site(&self, name: &str, parent: Option<&str>) -> Result<Communicator> {
        self.runtime.block_on(async {
            let name = CommonName::parse(name)?;
            let mut config = Config::new(name.clone(), "project");
            config.parent = parent.map(FqcnBuf::parse).transpose()?;
            let builder = Cell::builder(format!("{}.{JOB}", name.as_str())).security(SecurityMode::Clear);
            let cell = builder.root_url(&self.url).start().await?;
            timeout(LIMIT, cell.ready()).await?;
            let site = Communicator::new(config);
            site.set_auth(&ClientCredential::handed_down(name, JOB, "NA")?, "NA");
            Ok(site.for_job(JOB, cell))
        })
    }

    /// A site of the reference.
    fn reference(&self, role: &str, name: &str, parent: Option<&str>, folder: &Path) -> Result<Process> {
        let config = json!({"role": role, "name": name, "parent": parent, "job": JOB, "url": self.url});
        let process = Process::start_kind(Kind::Children, Maker::Theirs, &config, &folder.join("site.log"))?;
        process.event("ready", START_LIMIT)?;
        Ok(process)
    }
}

fn numbers(data: &Shareable) -> Result<Vec<f32>> {
    let dxo = data.clone().take_dxo()?;
    let array = dxo.data.as_map().and_then(|map| map.get("w")).and_then(|w| w.as_array()).context("no array")?;
    Ok(array.to_vec()?)
}

fn data(numbers: &[f32]) -> Result<Shareable> {
    let mut data = Shareable::reply(ShareableCode::OK);
    let array = Array::from_elements([numbers.len()], numbers)?;
    data.set_dxo(Dxo::new(DataKind::WEIGHTS, Map::from([("w", array)])));
    Ok(data)
}

fn ours_below_theirs(network: &Network, folder: &Path) -> Result<()> {
    let mut parent = network.reference("parent", "site-1", None, folder)?;
    let child = network.site("site-2", Some("site-1"))?;
    let pull = |last| network.runtime.block_on(child.pull_task(JOB, last));
    ensure!(matches!(pull(None)?, Pulled::TryAgain { .. }), "a task before there is one");
    parent.call("offer", json!({"task": "one", "numbers": [1.5, 2.5], "ready": false}))?;
    ensure!(matches!(pull(None)?, Pulled::TryAgain { .. }), "a task before the parent is ready");
    parent.call("offer", json!({"task": "one", "numbers": [1.5, 2.5]}))?;
    let Pulled::Task(task) = pull(None)? else { anyhow::bail!("no task") };
    ensure!((task.name.as_str(), task.id.as_str()) == ("train", "one"), "the task is {} {}", task.name, task.id);
    ensure!(numbers(&task.data)? == [1.5, 2.5], "the numbers are {:?}", numbers(&task.data)?);
    ensure!(matches!(pull(Some("one"))?, Pulled::TryAgain { .. }), "the same task twice");
    network.runtime.block_on(child.submit_update(JOB, task.answer(data(&[7.0, 8.0])?)))?;
    let seen = parent.call("results", json!({"count": 2}))?["seen"].take();
    let expected = json!([
        {"event": "_task_assignment_sent", "peer": "site-2"},
        {"event": "_task_result_received", "peer": "site-2", "task": "one", "numbers": [7.0, 8.0]},
    ]);
    ensure!(seen == expected, "the parent has seen {seen}");
    parent.stop(LIMIT)
}

fn theirs_below_ours(network: &Network, folder: &Path) -> Result<()> {
    let parent = network.site("site-1", None)?;
    let mut child = network.reference("child", "site-2", Some("site-1"), folder)?;
    let try_again = |answer: &Value| answer["name"] == SpecialTaskName::TRY_AGAIN.as_str();
    let early = child.call("pull", json!({}))?;
    ensure!(try_again(&early), "before there is a task: {early}");
    let mut offer = parent.offer(Arc::new(Task::new("train", "one", JOB, data(&[1.5, 2.5])?)));
    let mut next = || network.runtime.block_on(async { timeout(LIMIT, offer.next()).await });
    let pulled = child.call("pull", json!({}))?;
    let found = (&pulled["name"], &pulled["task"], &pulled["numbers"]);
    ensure!(found == (&json!("train"), &json!("one"), &json!([1.5, 2.5])), "the child has got {pulled}");
    ensure!(next()? == Some(ChildEvent::Taken { child: "site-2".to_owned() }), "nobody has taken the task");
    let again = child.call("pull", json!({}))?;
    ensure!(try_again(&again), "the same task twice: {again}");
    let submitted = child.call("submit", json!({"numbers": [7.0, 8.0]}))?;
    ensure!(submitted["code"] == ReturnCode::OK.as_str(), "the result was answered {submitted}");
    let Some(ChildEvent::Result { child: name, result }) = next()? else { anyhow::bail!("no result") };
    ensure!(name == "site-2" && numbers(&result)? == [7.0, 8.0], "{name} has brought {:?}", numbers(&result)?);
    child.stop(LIMIT)
}
