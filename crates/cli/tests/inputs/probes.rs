//! `--metrics`: real requests to running processes, and what is said of addresses that will not do.

use core::time::Duration;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::time::Instant;

use crate::ask::{fetch, send};
use crate::scene::{JOB, Running, Scene, words};

/// How soon a process knows that something is missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a process that was started with `--metrics 127.0.0.1:0` serves its probes.
struct Watched {
    running: Running,
    base: String,
}

impl Watched {
    fn start(typed: &str, with: &[&Path]) -> Self {
        let mut running = Running::begin(&words(&format!("{typed} --metrics 127.0.0.1:0"), with));
        let url = running.event("metrics")["url"].as_str().expect("a URL").to_owned();
        let base = url.strip_suffix("/metrics").expect("the path").to_owned();
        assert!(base.starts_with("http://127.0.0.1:") && !base.ends_with(":0"), "{base}");
        Self { running, base }
    }

    fn ask(&self, path: &str) -> (u16, String) {
        fetch(&format!("{}{path}", self.base))
    }

    /// The value of one line of `/metrics`.
    fn number(&self, line: &str) -> f64 {
        let (_, text) = self.ask("/metrics");
        let found = text.lines().find_map(|shown| shown.strip_prefix(line)?.strip_prefix(' '));
        found.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{line} is not in\n{text}"))
    }

    /// Asks until it is not ready, for this reason.
    fn becomes_unready(&self, reason: &str) {
        let (expected, began) = ((503, format!("not ready: {reason}\n")), Instant::now());
        while self.ask("/readyz") != expected {
            assert!(began.elapsed() < PATIENCE, "{:?}", self.ask("/readyz"));
        }
    }

    #[track_caller]
    fn check(&self, path: &str, status: u16, body: &str) {
        assert_eq!(self.ask(path), (status, format!("{body}\n")), "{path}");
    }
}

/// A federation of one server, a relay and a site behind it, each watched.
struct Federation {
    server: Watched,
    relay: Watched,
    site: Watched,
    scene: Scene,
}

impl Federation {
    fn start() -> Self {
        let scene = Scene::new(2);
        let (server, relay, site) = (scene.kit("p", "localhost"), scene.kit("p", "relay-1"), scene.kit("p", "site-3"));
        let (server_work, site_work) = (scene.path("server-work"), scene.path("site-work"));
        let typed = format!("server --kit _ --job {JOB} --workspace _ --sites 4 --listen 127.0.0.1");
        let mut server = Watched::start(&typed, &[&server, &server_work]);
        server.running.event("ready");
        let mut relay = Watched::start("relay --kit _ --listen 127.0.0.1", &[&relay]);
        relay.running.event("ready");
        let mut site = Watched::start("site --kit _ --workspace _ --sites 4", &[&site, &site_work]);
        site.running.event("registered");
        Self { server, relay, site, scene }
    }
}

/// What `/metrics` of all roles says of its numbers, as the guide's tables have it.
pub(crate) fn families() -> BTreeSet<String> {
    let Federation { server, relay, mut site, scene: _scene } = Federation::start();
    // Its job has begun then.
    site.running.event("started");
    let mut rows = BTreeSet::new();
    for watched in [&server, &relay, &site] {
        let (status, text) = watched.ask("/metrics");
        assert_eq!(status, 200);
        let after =
            |mark: &str| text.lines().filter_map(|line| line.strip_prefix(mark)?.split_once(' ')).collect::<Vec<_>>();
        let (helps, kinds) = (after("# HELP "), after("# TYPE "));
        for (name, kind) in kinds {
            let help = helps.iter().find(|(helped, _)| *helped == name).map(|(_, help)| *help);
            rows.insert(format!("| `{name}` | {kind} | {} |", help.expect("each is described")));
        }
    }
    rows
}

#[test]
fn a_federation_is_watched() {
    let Federation { mut server, relay, mut site, scene } = Federation::start();
    // The site's task is there when it has begun it.
    site.running.event("started");
    for watched in [&server, &relay, &site] {
        watched.check("/livez", 200, "alive");
        watched.check("/readyz", 200, "ready");
        watched.check("/", 404, "there are /metrics, /livez and /readyz");
        assert!(watched.number("fedcell_cell_received_bytes_total") > 1000.0);
        assert!(watched.number("fedcell_cell_sent_frames_total") > 0.0);
        assert_eq!(watched.number("fedcell_cell_dials_failed_total"), 0.0);
    }
    server.running.event("counted");
    assert_eq!(server.number("fedcell_server_sites"), 1.0);
    assert_eq!(server.number("fedcell_server_registrations_total{outcome=\"admitted\"}"), 2.0);
    assert_eq!(server.number("fedcell_server_results_total{outcome=\"counted\"}"), 1.0);
    assert_eq!(relay.number("fedcell_client_registered"), 1.0);
    assert_eq!(site.number("fedcell_client_registrations_total{outcome=\"ok\"}"), 1.0);
    site.running.event("acknowledged");
    assert_eq!(site.number("fedcell_client_acknowledged_total"), 1.0);
    assert_eq!(site.number("fedcell_client_outbox_results"), 0.0);

    let address = server.base.strip_prefix("http://").expect("a URL").to_owned();
    let check = |request: &str, first: &str| {
        let answer = send(&address, request.as_bytes());
        assert_eq!(answer.lines().next(), Some(first), "{request:?}");
    };
    check("HEAD /livez HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK");
    check("DELETE /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed");
    check("hello\r\n\r\n", "HTTP/1.1 400 Bad Request");
    check(&format!("GET /{} HTTP/1.1\r\n", "a".repeat(8 * 1024)), "HTTP/1.1 400 Bad Request");

    // Without their server the others say so, and live on.
    drop(server);
    relay.becomes_unready("there is no connection to its server or relay");
    relay.check("/livez", 200, "alive");
    drop((relay, site, scene));
}

#[test]
fn a_bare_cell_is_watched() {
    let cell = "cell --fqcn server --root-url tcp://127.0.0.1:0 --security clear";
    let mut server = Watched::start(cell, &[]);
    server.running.event("ready");
    server.check("/readyz", 200, "ready");
    // Nobody listens where this one dials.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let lonely = Watched::start(&format!("cell --fqcn site-1 --root-url tcp://{port} --security clear"), &[]);
    lonely.becomes_unready("a connection is missing");
    lonely.check("/livez", 200, "alive");
}
