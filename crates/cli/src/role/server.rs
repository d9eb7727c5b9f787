//! `fedcell server`: registration and one training job.

use core::time::Duration;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use clap::{Arg, ArgMatches, Command, value_parser};
use fedcell_auth::Nonce;
use fedcell_auth::identity::{Identity, ProjectRoot};
use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::proto::address::Fqcn;
use fedcell_cell::security::SecurityMode;
use fedcell_cell::{Cell, SystemRandom};
use fedcell_client::kit::Role;
use fedcell_durable::{Files, Storage as _};
use fedcell_protocol_defs::config::KitFile;
use fedcell_protocol_defs::federation::JobExitCode;
use fedcell_server::jobs::{Dispatcher, JobOrder, JobsEvent};
use fedcell_server::membership::{MembershipEvent, MembershipService, Registrar, RegistrarConfig, ServerKeys};
use fedcell_server::run::final_model_file;
use fedcell_server::tasks::TaskService;
use fedcell_server::{Controller as _, Ending, Model, Run, RunConfig, RunEvent};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use super::JOB;
use super::digits::Digits;
use super::tokens;
use super::workspace::Workspace;
use crate::exit::{Failure, Kind};
use crate::learning::digits::Image;
use crate::learning::network::Network;
use crate::probes::Probes;
use crate::{print, stop};

/// Name of the command.
pub(crate) const NAME: &str = "server";

/// What sites are told that the job is called.
const NAME_OF_JOB: &str = "digits";

/// Where a server keeps the id of the job that it has made.
const JOB_FILE: &str = "job.id";

/// Where the cell of the job meets the server's: in this process, out of reach for others on this machine.
const INSIDE: &str = "memory://jobs";

const ROUNDS: &str = "rounds";
const MIN_SITES: &str = "min-sites";
const ROUND_TIMEOUT: &str = "round-timeout";

/// How long the server waits at the end until every site has asked and left.
const FAREWELL: Duration = Duration::from_secs(20);

/// How soon a site that has nothing to do asks again.
const ASK_AGAIN: Duration = Duration::from_millis(200);

pub(crate) fn command() -> Command {
    let command = Command::new(NAME).about("Run the server of a project and one training job").long_about(
        "Run the server of a project and one training job.\n\nSites register with their certificates; the job trains a \
         network that reads digits by federated averaging, and ends when its rounds are over. Sites are told of the job \
         when they are there, and when they come later. A server that is started \
         again with its workspace goes on where it was. Prints one JSON object a line.",
    );
    super::job_arguments(
        command,
        Role::Server,
        "Id of the job; a new one, kept in the workspace, if not given",
        "Where the journal of the job and its models are",
    )
    .arg(
        Arg::new(ROUNDS)
            .long(ROUNDS)
            .value_name("N")
            .default_value("20")
            .value_parser(value_parser!(u32).range(1..=1000))
            .help("Rounds"),
    )
    .arg(
        Arg::new(MIN_SITES)
            .long(MIN_SITES)
            .value_name("N")
            .default_value("0")
            .value_parser(value_parser!(u16))
            .help("Fewest results of a round, 10 s after which it ends; 0 is all"),
    )
    .arg(
        Arg::new(ROUND_TIMEOUT)
            .long(ROUND_TIMEOUT)
            .value_name("SECONDS")
            .default_value("0")
            .value_parser(crate::seconds::any)
            .help("How long a round lasts at most; the job ends if too few results have come then; 0 is without end"),
    )
    .arg(super::listen_argument())
}

/// Runs the server until the job has ended.
///
/// # Errors
///
/// [`Failure`] if it cannot start, or the job fails.
pub(crate) async fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let kit = super::kit(arguments, Role::Server)?;
    let digits = Digits::read(arguments);
    let min_sites = arguments.get_one::<u16>(MIN_SITES).copied().unwrap_or_default();
    if min_sites > digits.sites {
        let text = format!("--min-sites {min_sites}: the job has {} sites, see --sites", digits.sites);
        return Err(Failure::text(Kind::Usage, text));
    }
    let (url, _) = super::listener(&kit, arguments)?;
    let probes = Probes::start(arguments).await?;
    let network = MemoryNetwork::new();
    let root = super::builder(&kit, arguments)?.memory(network.clone()).listen_internal(INSIDE).root_url(&url);
    let root = root.build()?;

    let project = kit.project.clone().unwrap_or_default();
    let configuration = |error: anyhow::Error| Failure::new(Kind::Configuration, error);
    let identity = Identity::load(&kit.file(KitFile::SERVER_CERT), &kit.file(KitFile::SERVER_PRIVATE_KEY));
    let server = Arc::new(identity.map_err(|error| configuration(error.into()))?);
    let keys = ServerKeys {
        identity: Arc::clone(&server),
        root: ProjectRoot::load(&kit.file(KitFile::ROOT_CERT)).map_err(|error| configuration(error.into()))?,
    };
    let registrar =
        Registrar::new(RegistrarConfig::new(project), Some(keys)).map_err(|error| configuration(error.into()))?;
    let members = MembershipService::new(registrar);
    let events = members.events();
    let (workspace, mut files) = Workspace::open(arguments)?;
    tokens::keep(&members, &workspace.path, &server, root.now())?;
    members.attach(&root).map_err(|error| configuration(error.into()))?;

    let job = job_id(arguments.get_one::<String>(JOB), &mut files).map_err(configuration)?;
    let mut config = RunConfig::new(&job, digits.site_names(), arguments.get_one(ROUNDS).copied().unwrap_or(20));
    config.round.min_responses = usize::from(min_sites);
    config.round.timeout = arguments.get_one::<Duration>(ROUND_TIMEOUT).copied().filter(|limit| !limit.is_zero());
    config.ask_again = ASK_AGAIN;
    let initial = Network::new(digits.seed).to_model().map_err(Failure::local)?;
    let run = Run::open(config, initial, files, Instant::now()).map_err(|error| configuration(error.into()))?;
    let held_out = digits.split().held_out;
    let dispatcher = Dispatcher::new(&root, &members);
    let jobs = dispatcher.events();
    let (tasks, reports) = TaskService::new(&job, run);
    let job_cell = Cell::builder(format!("{}.{job}", Fqcn::SERVER)).security(SecurityMode::Clear);
    let job_cell = job_cell.memory(network).parent_url(INSIDE).build()?;
    // Known before anybody is heard: a site that says it runs a job that is not is told to end it.
    members.add_job(&job, &job_cell).map_err(|error| configuration(error.into()))?;
    tasks.attach(&job_cell, &members);
    // From here on it answers.
    let root = root.start().await.inspect_err(|_| workspace.discard())?;
    let job_cell = job_cell.start().await?;
    job_cell.ready().await;
    tasks.with(|run, _| Ok(report_start(&url, run, &held_out))).map_err(Failure::local)??;
    probes.watch(|| Ok(()));
    let mut order = JobOrder::new(&job, NAME_OF_JOB);
    order.sites = digits.site_names();
    // Until the very end: a site that comes late is told, and learns that it is over.
    let _dispatch = dispatcher.dispatch(order);

    let outcome = tokio::select! {
        outcome = serve(&tasks, reports, events, jobs, &held_out) => outcome,
        reason = stop::requested() => reason.map(|reason| tracing::info!(reason, "stopping")).map(|()| false),
        () = root.ended() => Err(Failure::text(Kind::Network, "the cell of the server has ended")),
    };
    let outcome = match outcome {
        Ok(true) => {
            let has_failed = tasks.with(|run, _| Ok(run.ending())).ok().flatten() == Some(Ending::TooFewResults);
            if !has_failed {
                print::json(&json!({"event": "model", "path": workspace.path.join(final_model_file())}))?;
            }
            farewell(&members, dispatcher.events(), &digits).await;
            let text = "the job has ended early: a round had fewer results than it needs; see the events before this, \
                        or lower --min-sites";
            if has_failed { Err(Failure::text(Kind::Local, text)) } else { Ok(()) }
        }
        Ok(false) => Ok(()),
        Err(failure) => Err(failure),
    };
    job_cell.shutdown().await;
    root.shutdown().await;
    outcome
}

fn report_start(url: &str, run: &Run, held_out: &[Image]) -> Result<(), Failure> {
    let accuracy = evaluation(run.model(), held_out)?;
    let round = run.round().map(|(round, _)| round);
    print::json(&json!({
        "event": "ready", "url": url, "pid": std::process::id(), "round": round, "accuracy": accuracy.0,
        "loss": accuracy.1,
    }))
}

fn evaluation(model: &Model, held_out: &[Image]) -> Result<(f64, f64), Failure> {
    let evaluation = Network::from_model(model).map_err(Failure::local)?.evaluate(held_out);
    Ok((evaluation.accuracy, evaluation.loss))
}

/// Reports what happens until the job has ended. Whether it ended as it should.
async fn serve(
    tasks: &TaskService<Run>,
    mut reports: tokio::sync::broadcast::Receiver<RunEvent>,
    mut members: tokio::sync::broadcast::Receiver<MembershipEvent>,
    mut jobs: tokio::sync::broadcast::Receiver<JobsEvent>,
    held_out: &[Image],
) -> Result<bool, Failure> {
    loop {
        tokio::select! {
            biased;
            event = reports.recv() => match event {
                Ok(RunEvent::RoundClosed { round, counted, .. }) => {
                    let model = tasks.with(|run, _| Ok(run.model().clone())).map_err(Failure::local)?;
                    let (accuracy, loss) = evaluation(&model, held_out)?;
                    print::json(&json!({
                        "event": "round", "round": round, "counted": counted, "accuracy": accuracy, "loss": loss,
                    }))?;
                }
                Ok(RunEvent::Counted { round, site, weight }) => {
                    print::json(&json!({"event": "counted", "round": round, "site": site, "weight": weight}))?;
                }
                Ok(RunEvent::Refused { round, site, reason }) => {
                    print::json(&json!({"event": "refused", "round": round, "site": site, "reason": reason}))?;
                }
                Ok(RunEvent::Ended { reason }) => {
                    print::json(&json!({"event": "ended", "reason": format!("{reason:?}")}))?;
                    tasks.ended().await.map_err(Failure::local)?;
                    return Ok(true);
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(false),
            },
            event = members.recv() => if let Ok(event) = event {
                report_member(&event)?;
            },
            event = jobs.recv() => if let Ok(event) = event {
                report_job(&event)?;
                // Whoever stopped the job there, the site will not answer in this round.
                if let JobsEvent::Ended { site, code, .. } = event && code != JobExitCode::SUCCESS {
                    tasks.with(|run, now| run.lost(&site, now)).map_err(Failure::local)?;
                }
            },
            outcome = tasks.ended() => {
                outcome.map_err(Failure::local)?;
                // The reports of the end are in the queue still; a resumed run that was over has none.
                if reports.is_empty() {
                    return Ok(true);
                }
            }
        }
    }
}

fn report_member(event: &MembershipEvent) -> Result<(), Failure> {
    let (what, name) = match event {
        MembershipEvent::Joined { name } => ("joined", name),
        MembershipEvent::Left { name } => ("left", name),
        MembershipEvent::Dead { name } => ("dead", name),
        MembershipEvent::Revived { name } => ("revived", name),
        _ => return Ok(()),
    };
    print::json(&json!({"event": what, "name": name}))
}

fn report_job(event: &JobsEvent) -> Result<(), Failure> {
    match event {
        JobsEvent::Started { site, .. } => print::json(&json!({"event": "job", "name": site})),
        JobsEvent::Refused { site, reason, .. } => {
            print::json(&json!({"event": "job-refused", "name": site, "reason": reason}))
        }
        JobsEvent::Ended { site, code, reason, .. } => {
            print::json(&json!({"event": "job-ended", "name": site, "code": code.get(), "reason": reason}))
        }
        _ => Ok(()),
    }
}

/// The id of the job: as given, or as kept from the last time, or a new one.
fn job_id(given: Option<&String>, files: &mut Files) -> anyhow::Result<String> {
    if let Some(given) = given {
        return Ok(given.clone());
    }
    if files.length(JOB_FILE)?.is_some() {
        let mut kept = String::new();
        files
            .reader(JOB_FILE)?
            .read_to_string(&mut kept)
            .context("the id of the job in the workspace does not read")?;
        return Ok(kept);
    }
    let id = Nonce::random(&mut SystemRandom::new()).as_str().to_owned();
    fedcell_durable::replace_file(files, JOB_FILE, &[id.as_bytes()])?;
    Ok(id)
}

/// Waits until the sites that are here have been told that it is over: they have left, or ended the job.
async fn farewell(members: &MembershipService, mut jobs: tokio::sync::broadcast::Receiver<JobsEvent>, digits: &Digits) {
    let mut sites: BTreeSet<String> = digits.site_names().into_iter().collect();
    let all_left = async {
        let mut events = members.events();
        while members.with(|registrar| registrar.sites().any(|member| sites.contains(&member.name))) {
            tokio::select! {
                event = jobs.recv() => if let Ok(JobsEvent::Ended { site, .. }) = event {
                    sites.remove(&site);
                },
                event = events.recv() => if event.is_err() { return },
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
        }
    };
    // A site that is away learns it when it asks another time.
    _ = tokio::time::timeout(FAREWELL, all_left).await;
}
