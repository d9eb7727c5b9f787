//! Roles without a kit: the command line says what one would, and a job comes to its end.

use std::path::PathBuf;

use crate::scene::{JOB, Running, Scene, words};

#[test]
fn a_job_ends_well_without_any_kit() {
    let scene = Scene::new(1);
    let certificates = |name: &str| scene.kit("p", name).join("startup");
    let [server, _, relay, _] = scene.ports;
    let start = |typed: &str, with: &[PathBuf]| {
        Running::begin(&words(typed, &with.iter().map(PathBuf::as_path).collect::<Vec<_>>()))
    };
    let mut coordinator = start(
        &format!(
            "server --credentials _ --name localhost --project p --listen 127.0.0.1:{server} --workspace _ --job {JOB} \
             --sites 2 --rounds 2"
        ),
        &[certificates("localhost"), scene.path("work-of-server")],
    );
    coordinator.event("ready");
    let mut between = start(
        &format!(
            "relay --credentials _ --name relay-1 --project p --url tcp://localhost:{server} \
             --listen tcp://127.0.0.1:{relay}"
        ),
        &[certificates("relay-1")],
    );
    between.event("ready");
    let direct = start(
        &format!(
            "site --credentials _ --name site-1 --project p --url tcp://localhost:{server} --workspace _ --sites 2"
        ),
        &[certificates("site-1"), scene.path("work-1")],
    );
    let behind = start(
        &format!(
            "site --credentials _ --name site-2 --project p --url tcp://localhost:{relay} --parent relay-1 \
             --server-identity localhost --workspace _ --sites 2"
        ),
        &[certificates("site-2"), scene.path("work-2")],
    );
    for (site, fqcn) in [(direct, "site-1"), (behind, "relay-1.site-2")] {
        let (said, code) = site.rest();
        assert_eq!(code, Some(0), "{said:#?}");
        assert!(said.iter().any(|line| line["event"] == "registered" && line["fqcn"] == fqcn), "{said:#?}");
    }
    let (said, code) = coordinator.rest();
    assert_eq!(code, Some(0), "{said:#?}");
    assert_eq!(said.iter().filter(|line| line["event"] == "counted").count(), 4);
}
