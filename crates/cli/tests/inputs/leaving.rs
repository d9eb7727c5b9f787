//! A site that leaves: its results are there before its goodbye, however slow the way. A relay and a site are processes;
//! the server, which looks at what it gets, and the slow way between relay and server are of this test.

use core::convert::Infallible;
use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use fedcell_auth::identity::{Identity, ProjectRoot};
use fedcell_cell::Cell;
use fedcell_cell::driver::MemoryNetwork;
use fedcell_cell::security::SecurityMode;
use fedcell_client::communicator::Pulled;
use fedcell_client::{Communicator, Kit};
use fedcell_fobs::array::Array;
use fedcell_fobs::typed::{Dxo, Shareable};
use fedcell_fobs::{Blob, Value};
use fedcell_protocol_defs::config::KitFile;
use fedcell_protocol_defs::federation::{DataKind, ShareableCode};
use fedcell_server::controller::{Receipt, Step, Task};
use fedcell_server::jobs::{Dispatch, Dispatcher, JobOrder};
use fedcell_server::membership::{MembershipEvent, MembershipService, Registrar, RegistrarConfig, ServerKeys};
use fedcell_server::tasks::TaskService;
use fedcell_server::{Controller, Model};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use crate::scene::{JOB, Running, Scene, words};

/// The site, behind the relay.
const SITE: &str = "site-3";

/// What a result carries back: several pieces of a download, and some seconds on the slow way.
const BURDEN: usize = 4 << 20;

/// Bytes that the slow way lets through in a second, and at a time.
const RATE: f64 = 2.0 * 1024.0 * 1024.0;
const STEP: u16 = 32 << 10;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(100);

const COOKIE: &str = "burden";

/// Has a site bring back unchanged what it was given, once for each of its tasks.
struct Burdens {
    model: Model,
    tasks: usize,
    reports: Vec<bool>,
    brought: usize,
}

fn burden() -> Vec<u8> {
    (0..BURDEN).map(|at| (at % 251).to_le_bytes()[0]).collect()
}

impl Controller for Burdens {
    type Event = bool;
    type Error = Infallible;

    fn task_for(&mut self, _: &str, _: Instant) -> Result<Step, Infallible> {
        if self.is_ended() {
            return Ok(Step::End);
        }
        let mut data = Shareable::new();
        data.set_dxo(Dxo::new(DataKind::WEIGHTS, self.model.to_map()));
        data.add_cookie(COOKIE, Blob::from(burden()));
        Ok(Step::Task(Task::new("train", format!("task-{}", self.brought), data)))
    }

    fn result(&mut self, _: &str, result: Shareable, _: Instant) -> Result<Receipt, Infallible> {
        let brought = result.cookie(COOKIE).and_then(Value::as_blob).map(Blob::to_bytes);
        let is_whole = result.return_code() == ShareableCode::OK && brought.is_some_and(|brought| brought == burden());
        self.reports.push(is_whole);
        self.brought += 1;
        Ok(Receipt::Counted)
    }

    fn lost(&mut self, _: &str, _: Instant) -> Result<(), Infallible> {
        Ok(())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn handle_timeout(&mut self, _: Instant) -> Result<(), Infallible> {
        Ok(())
    }

    fn poll_event(&mut self) -> Option<bool> {
        self.reports.pop()
    }

    fn is_ended(&self) -> bool {
        self.brought >= self.tasks
    }
}

/// A server over TLS, with the kit of the scene, and what it reports.
struct Server {
    reports: broadcast::Receiver<bool>,
    members: broadcast::Receiver<MembershipEvent>,
    cells: [Cell; 2],
    _dispatch: Dispatch,
}

impl Server {
    async fn start(scene: &Scene, tasks: usize) -> Self {
        let kit = Kit::open(scene.kit("p", "localhost")).expect("a kit");
        let identity = Identity::load(&kit.file(KitFile::SERVER_CERT), &kit.file(KitFile::SERVER_PRIVATE_KEY));
        let root = ProjectRoot::load(&kit.file(KitFile::ROOT_CERT)).expect("a root");
        let keys = ServerKeys { identity: Arc::new(identity.expect("an identity")), root };
        let registrar = Registrar::new(RegistrarConfig::new("p"), Some(keys)).expect("a registrar");
        let members = MembershipService::new(registrar);
        let network = MemoryNetwork::new();
        let root = kit.cell().expect("a cell").root_url(format!("tcp://127.0.0.1:{}", scene.ports[0]));
        let root = root.memory(network.clone()).listen_internal("memory://jobs").build().expect("a root cell");
        members.attach(&root).expect("members");
        let dispatcher = Dispatcher::new(&root, &members);
        let job = Cell::builder(format!("server.{JOB}")).security(SecurityMode::Clear).memory(network);
        let job = job.parent_url("memory://jobs").build().expect("a cell of the job");
        members.add_job(JOB, &job).expect("the job is known");
        let model = [("hidden.weight", vec![64, 32]), ("hidden.bias", vec![32]), ("output.weight", vec![32, 10])];
        let model = model.into_iter().chain([("output.bias", vec![10])]).map(|(name, shape)| {
            let weights = vec![0.0_f32; shape.iter().product()];
            (name.to_owned(), Array::from_elements(shape, &weights).expect("an array"))
        });
        let model = Model::new(model.collect()).expect("a model");
        let (service, reports) = TaskService::new(JOB, Burdens { model, tasks, reports: Vec::new(), brought: 0 });
        service.attach(&job, &members);
        let told = members.events();
        let cells = [root.start().await.expect("a start"), job.start().await.expect("a start")];
        let mut order = JobOrder::new(JOB, "burdens");
        order.sites = vec![SITE.to_owned()];
        Self { reports, members: told, cells, _dispatch: dispatcher.dispatch(order) }
    }

    /// Waits until so many results have come, each whole, and the site has left.
    async fn has_all(&mut self, results: usize) {
        for _ in 0..results {
            let is_whole = self.reports.recv().await.expect("a report");
            assert!(is_whole, "a result has come that is not what the site was given");
        }
        let left = MembershipEvent::Left { name: SITE.to_owned() };
        while self.members.recv().await.expect("an event") != left {}
    }

    async fn end(self) {
        for cell in self.cells {
            cell.shutdown().await;
        }
    }
}

/// A way to the server that takes its time, up and down: the port at which it begins, and how many bytes have gone up.
fn slow_way(server: u16) -> (u16, watch::Receiver<usize>) {
    let (up, gone) = watch::channel(0);
    let (up, down) = (Arc::new(up), Arc::new(watch::Sender::new(0)));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let Ok(far) = TcpStream::connect(("127.0.0.1", server)) else { continue };
            for (from, to, count) in [(&near, &far, &up), (&far, &near, &down)] {
                let (from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                let count = Arc::clone(count);
                thread::spawn(move || pass(from, to, &count));
            }
        }
    });
    (port, gone)
}

fn pass(mut from: TcpStream, mut to: TcpStream, count: &watch::Sender<usize>) {
    let mut piece = vec![0; usize::from(STEP)];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
        count.send_modify(|count| *count += length);
        let length = u16::try_from(length).unwrap_or(STEP);
        thread::sleep(Duration::from_secs_f64(f64::from(length) / RATE));
    }
    // Whichever side has ended, the other hears of it.
    _ = to.shutdown(std::net::Shutdown::Both);
}

/// A server, and a relay whose way to it is slow.
async fn network(scene: &Scene, tasks: usize) -> (Server, Running, watch::Receiver<usize>) {
    let server = Server::start(scene, tasks).await;
    let (port, gone) = slow_way(scene.ports[0]);
    let from = scene.ports[0].to_string();
    let kit = scene.reworded("relay-1", "startup/fed_relay.json", &from, &port.to_string());
    let relay = Running::begin(&words("relay --kit _ --listen 127.0.0.1", &[&kit]));
    (server, relay, gone)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_result_of_a_site_is_there_when_its_process_ends() {
    let scene = Scene::new(2);
    let (mut server, _relay, _) = network(&scene, 2).await;
    let (kit, workspace) = (scene.kit("p", SITE), scene.path("work/site"));
    let site =
        Running::begin(&words(&format!("site --kit _ --job {JOB} --workspace _ --sites 3"), &[&kit, &workspace]));
    let ended = tokio::task::spawn_blocking(move || site.rest());
    tokio::time::timeout(PATIENCE, server.has_all(2)).await.expect("all results, and the goodbye");
    let (lines, code) = ended.await.expect("an end");
    assert_eq!(code, Some(0), "{lines:#?}");
    let acknowledged: Vec<_> = lines.iter().filter(|line| line["event"] == "acknowledged").collect();
    assert!(acknowledged.iter().all(|line| line["bytes"].as_u64() > Some(BURDEN as u64)), "{acknowledged:?}");
    assert_eq!(acknowledged.len(), 2);
    assert!(!workspace.exists(), "something waits on disk");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goodbye_does_not_overtake_a_result() {
    let scene = Scene::new(2);
    let (mut server, _relay, mut gone) = network(&scene, 1).await;
    let kit = Kit::open(scene.kit("p", SITE)).expect("a kit");
    let mut config = kit.config().expect("a configuration");
    config.task_timeout = PATIENCE;
    let communicator = Communicator::new(config);
    let cell = kit.cell().expect("a cell").start().await.expect("a start");
    communicator.set_cell(cell.clone());
    communicator.register(&CancellationToken::new()).await.expect("a registration");
    let Ok(Pulled::Task(task)) = communicator.pull_task(JOB, None).await else { panic!("no task") };
    let result = task.answer(Shareable::reply(ShareableCode::OK));
    let (submits, leaves) = (communicator.clone(), communicator.clone());
    let submitted = async move { submits.submit_update(JOB, result).await };
    let before = *gone.borrow();
    let left = async move {
        // The result is on its way, and far from there.
        gone.wait_for(|gone| *gone > before + BURDEN / 8).await.expect("the way");
        leaves.quit().await.expect("a goodbye");
        cell.shutdown().await;
    };
    let all = async { tokio::join!(biased; submitted, left, server.has_all(1)) };
    let (submitted, (), ()) = tokio::time::timeout(PATIENCE, all).await.expect("the result, and the goodbye");
    submitted.expect("the server has it");
    server.end().await;
}
