//! How sites learn of jobs: told by the server, again when they come late, refused, stopped, and asked how they are.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use fedcell_auth::CommonName;
use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::security::SecurityMode;
use fedcell_cell::{Cell, Request};
use fedcell_cell_proto::request::{Body, Reply};
use fedcell_client::communicator::{Communicator, Config, Jobs as _};
use fedcell_client::jobs::{
    Job, JobAgent, JobCells, JobEnd, JobEvent, JobOrder as Ordered, Launched, Launcher, SiteRequest,
};
use fedcell_fobs::typed::{AdminMessage, Application, FobsType as _};
use fedcell_fobs::{Map, Value};
use fedcell_protocol_defs::cell::{Channel, ReturnCode};
use fedcell_protocol_defs::federation::{AdminMessageTopic, AuxTopic, JobExitCode};
use fedcell_server::jobs::{Dispatcher, JobOrder, JobsEvent};
use fedcell_server::membership::MembershipService;
use tokio_util::sync::CancellationToken;

use crate::hub::{self, HUB, JOB, PROJECT, connected};

struct Server {
    root: Cell,
    members: MembershipService,
    dispatcher: Dispatcher,
    _job: Cell,
}

impl Server {
    /// A server without keys, and the cell of the job, which says that it is up.
    async fn new(network: &MemoryNetwork) -> Self {
        let (root, members) = hub::server(network);
        let job = hub::job_cell(network, &members);
        job.handle(Channel::AUX_COMMUNICATION, AuxTopic::SYNC_RUNNER, |request: Request| async move {
            let up = fedcell_fobs::typed::Shareable::new().into_value();
            Reply::ok(request.body_of(&up).unwrap_or_else(|_| Body::none()))
        });
        let dispatcher = Dispatcher::new(&root, &members);
        let (root, job) = (root.start().await.unwrap(), job.start().await.unwrap());
        Self { root, members, dispatcher, _job: job }
    }

    /// Waits until a site says that the job has its cell.
    async fn wait_started(&self, site: &str) {
        for _ in 0..1000 {
            let (status, _) = self.ask(site, "train.check_status").await;
            if status.as_str().is_some_and(|text| text.contains(r#""started""#)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{site} does not start the job");
    }

    /// Asks a site something as the root cell does; the reply's body and code.
    async fn ask(&self, site: &str, topic: &str) -> (Value, Option<String>) {
        let headers = Map::from([("job_id", JOB)]);
        let message = AdminMessage { id: "1".into(), topic: topic.into(), body: Value::Null, headers };
        let draft = self.root.request(site, Channel::CLIENT_MAIN, AdminMessageTopic::ADMIN);
        let reply = draft.value(&message.into_value()).send().await.unwrap();
        let reply = AdminMessage::from_value(reply.value().unwrap()).unwrap();
        (reply.body, reply.headers.get("_rtnCode").and_then(Value::as_str).map(str::to_owned))
    }
}

/// What a launcher does with a job.
#[derive(Clone, Copy)]
enum Does {
    WaitsForTheStop,
    Fails,
    Panics,
    NothingAtTheStop,
}

/// Takes jobs whose name is not `unwanted`, and notes their archives.
#[derive(Clone)]
struct Works {
    does: Does,
    archives: Arc<Mutex<Vec<String>>>,
}

impl Launcher for Works {
    fn accept(&self, order: &Ordered) -> Result<(), String> {
        let name = order.meta.get("name").and_then(Value::as_str).unwrap_or_default();
        if name == "unwanted" { Err("not this one".to_owned()) } else { Ok(()) }
    }

    fn launch(&self, job: Job) -> Launched {
        let (does, archives) = (self.does, Arc::clone(&self.archives));
        Box::pin(async move {
            if let Some(application) = &job.order.application {
                let text = format!("{} {}", application.name, application.archive.len());
                archives.lock().unwrap().push(text);
            }
            match does {
                Does::WaitsForTheStop => job.stop.cancelled().await,
                Does::Fails => {
                    // The stop that never comes gives the test time to look.
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    return JobEnd::Failed { code: JobExitCode::CONFIG_ERROR, reason: "no data".to_owned() };
                }
                Does::Panics => panic!("out of luck"),
                Does::NothingAtTheStop => core::future::pending().await,
            }
            JobEnd::Done
        })
    }
}

struct Site {
    communicator: Communicator,
    agent: JobAgent,
    cell: Cell,
    works: Works,
}

impl Site {
    async fn new(network: &MemoryNetwork, name: &str, does: Does) -> Self {
        let communicator = Communicator::new(Config::new(CommonName::parse(name).unwrap(), PROJECT));
        let cells = JobCells::new(network.clone(), name);
        let builder = Cell::builder(name).security(SecurityMode::Clear).root_url(HUB);
        let cell = cells.listen(builder).start().await.unwrap();
        let works = Works { does, archives: Arc::default() };
        let agent = JobAgent::new(communicator.clone(), cells, works.clone());
        agent.attach(&cell);
        communicator.set_cell(cell.clone());
        communicator.register(&CancellationToken::new()).await.unwrap();
        communicator.send_heartbeat(&[]).await.unwrap();
        Self { communicator, agent, cell, works }
    }

    fn running(&self) -> Vec<String> {
        self.agent.running()
    }
}

fn started(site: &str) -> JobsEvent {
    JobsEvent::Started { job: JOB.to_owned(), site: site.to_owned() }
}

fn ended(site: &str, code: JobExitCode, reason: &str) -> JobsEvent {
    JobsEvent::Ended { job: JOB.to_owned(), site: site.to_owned(), code, reason: reason.to_owned() }
}

#[tokio::test(start_paused = true)]
async fn sites_are_told_of_a_job_when_they_are_there_and_when_they_come() {
    let network = MemoryNetwork::new();
    let server = Server::new(&network).await;
    let mut events = server.dispatcher.events();
    let early = Site::new(&network, "early", Does::WaitsForTheStop).await;
    let mut order = JobOrder::new(JOB, "digits");
    order.sites = vec!["early".to_owned(), "late".to_owned()];
    order.application = Some(Application::new("app", vec![7; 100]));
    let dispatch = server.dispatcher.dispatch(order);
    assert_eq!(events.recv().await.unwrap(), started("early"));
    let late = Site::new(&network, "late", Does::WaitsForTheStop).await;
    // Not one of the job's.
    let other = Site::new(&network, "other", Does::WaitsForTheStop).await;
    assert_eq!(events.recv().await.unwrap(), started("late"));
    assert_eq!((early.running(), late.running(), other.running().len()), (vec![JOB.into()], vec![JOB.into()], 0));
    server.wait_started("early").await;
    // The job's own cell, below the site's, which answers sites further down.
    let job_cell = server.root.request(format!("early.{JOB}"), Channel::AUX_COMMUNICATION, AuxTopic::SYNC_RUNNER);
    let reply = job_cell.value(&fedcell_fobs::typed::Shareable::new().into_value()).send().await.unwrap();
    assert_eq!(reply.return_code(), ReturnCode::OK);
    assert_eq!(*early.works.archives.lock().unwrap(), ["app 100"]);

    // A site that registers again is told again, and goes on with what it does.
    early.communicator.register(&CancellationToken::new()).await.unwrap();
    early.communicator.send_heartbeat(&[]).await.unwrap();
    assert_eq!(events.recv().await.unwrap(), started("early"));
    assert_eq!(early.works.archives.lock().unwrap().len(), 1);
    // One whose process is another one begins again.
    late.cell.shutdown().await;
    drop(late);
    let late = Site::new(&network, "late", Does::WaitsForTheStop).await;
    assert_eq!(events.recv().await.unwrap(), started("late"));
    assert_eq!(late.running(), [JOB]);

    dispatch.recall().await;
    let mut ends = vec![events.recv().await.unwrap(), events.recv().await.unwrap()];
    ends.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(ends, [ended("early", JobExitCode::ABORTED, ""), ended("late", JobExitCode::ABORTED, "")]);
    assert_eq!((early.running().len(), late.running().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_site_says_how_it_is() {
    let network = MemoryNetwork::new();
    let server = Server::new(&network).await;
    let mut events = server.dispatcher.events();
    let site = Site::new(&network, "site-1", Does::WaitsForTheStop).await;
    let text = |answer: (Value, Option<String>)| (answer.0.as_str().unwrap_or_default().to_owned(), answer.1);
    let ok = Some("_ok".to_owned());
    let (idle, code) = text(server.ask("site-1", "train.check_status").await);
    assert_eq!((idle.as_str(), &code), (r#"{"client_name":"site-1","running_jobs":[]}"#, &ok));
    let _dispatch = server.dispatcher.dispatch(JobOrder::new(JOB, "digits"));
    assert_eq!(events.recv().await.unwrap(), started("site-1"));
    server.wait_started("site-1").await;
    let (busy, _) = text(server.ask("site-1", "train.check_status").await);
    let expected =
        format!(r#"{{"client_name":"site-1","running_jobs":[{{"app_name":"","job_id":"{JOB}","status":"started"}}]}}"#);
    assert_eq!(busy, expected);
    for (topic, part) in [
        ("sys.info", "cores"),
        ("sys.report_version", "fedcell"),
        ("sys.report_env", "site-1"),
        ("train.get_scopes", "scope_names"),
        ("info.show_stats", "{}"),
        ("train.abort_task", "stopped"),
    ] {
        let (body, code) = text(server.ask("site-1", topic).await);
        assert!(body.contains(part) && code.as_deref() != Some("_error"), "{topic}: {body}");
    }
    for topic in ["sys.shell", "what.is_this"] {
        assert_eq!(server.ask("site-1", topic).await.1.as_deref(), Some("_error"), "{topic}");
    }
    // Nobody but the server commands a site.
    let other = connected(&network, "site-2").await;
    let message = AdminMessage { id: "1".into(), topic: "train.abort".into(), body: Value::Null, headers: Map::new() };
    let draft = other.request("site-1", Channel::CLIENT_MAIN, AdminMessageTopic::ADMIN).value(&message.into_value());
    assert_eq!(draft.send().await.unwrap().return_code(), ReturnCode::INVALID_REQUEST);

    let mut own = site.agent.events();
    let (said, code) = text(server.ask("site-1", "train.abort").await);
    assert_eq!((said.as_str(), code), ("the job was stopped", ok));
    assert_eq!(own.recv().await.unwrap(), JobEvent::Ended { job: JOB.to_owned(), end: JobEnd::Aborted });
    let leaving = tokio::spawn({
        let agent = site.agent.clone();
        async move { agent.asked_to_leave().await }
    });
    server.ask("site-1", "train.shutdown").await;
    assert_eq!(leaving.await.unwrap(), SiteRequest::Shutdown);
}

async fn check_end(does: Does, code: JobExitCode, reason: &str) {
    let network = MemoryNetwork::new();
    let server = Server::new(&network).await;
    let mut events = server.dispatcher.events();
    let site = Site::new(&network, "site-1", does).await;
    let dispatch = server.dispatcher.dispatch(JobOrder::new(JOB, "digits"));
    assert_eq!(events.recv().await.unwrap(), started("site-1"));
    if code == JobExitCode::ABORTED {
        dispatch.recall().await;
    }
    let JobsEvent::Ended { code: found, reason: text, .. } = events.recv().await.unwrap() else {
        panic!("no end");
    };
    assert!(found == code && text.contains(reason), "{found:?} {text}");
    assert!(site.running().is_empty());
    // The heartbeat says so, too, and the site goes on.
    site.communicator.send_heartbeat(&site.running()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_server_hears_how_a_job_ends() {
    check_end(Does::Fails, JobExitCode::CONFIG_ERROR, "no data").await;
    check_end(Does::Panics, JobExitCode::EXCEPTION, "panic").await;
    // It is dropped after a while.
    check_end(Does::NothingAtTheStop, JobExitCode::ABORTED, "").await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_a_site_does_not_want_is_not_started() {
    let network = MemoryNetwork::new();
    let server = Server::new(&network).await;
    let mut events = server.dispatcher.events();
    let site = Site::new(&network, "site-1", Does::WaitsForTheStop).await;
    let _dispatch = server.dispatcher.dispatch(JobOrder::new(JOB, "unwanted"));
    let (job, name, reason) = (JOB.to_owned(), "site-1".to_owned(), "not this one".to_owned());
    assert_eq!(events.recv().await.unwrap(), JobsEvent::Refused { job, site: name, reason });
    assert!(site.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_ends_a_job_that_the_server_does_not_know() {
    let network = MemoryNetwork::new();
    let server = Server::new(&network).await;
    let mut events = server.dispatcher.events();
    let site = Site::new(&network, "site-1", Does::WaitsForTheStop).await;
    let dispatch = server.dispatcher.dispatch(JobOrder::new(JOB, "digits"));
    assert_eq!(events.recv().await.unwrap(), started("site-1"));
    drop(dispatch);
    server.members.with(|registrar| registrar.remove_job(JOB));
    let stop = CancellationToken::new();
    let beats = tokio::spawn({
        let (communicator, agent, stop) = (site.communicator.clone(), site.agent.clone(), stop.clone());
        async move { communicator.heartbeats(&agent, &stop).await }
    });
    assert_eq!(events.recv().await.unwrap(), ended("site-1", JobExitCode::ABORTED, ""));
    assert!(site.running().is_empty());
    stop.cancel();
    beats.await.unwrap().unwrap();
}
