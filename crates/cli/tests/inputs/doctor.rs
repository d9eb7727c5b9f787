//! What the doctor says of a site behind a relay: whatever is away or wrong is one line, and nothing else is.

use std::path::Path;

use rcgen::date_time_ymd;

use crate::scene::{JOB, Running, Scene, words};
use crate::snapshot;

/// What the doctor finds wrong, or well, about the way to the server; and how it ends.
#[track_caller]
fn look(scene: &Scene, text: &mut String, name: &str, code: i32, kit: &Path) {
    let ended = scene.fedcell(&words("doctor _ --timeout 3", &[kit]));
    assert_eq!(ended.code, Some(code), "{name}\n{}{}", ended.out, ended.err);
    let wrong: Vec<&str> = ended.out.lines().filter(|line| line.starts_with("error")).collect();
    let shown = match wrong[..] {
        [] => ended.out.lines().last().expect("a line"),
        [only] => only,
        _ => panic!("{name}: more than one thing\n{}", ended.out),
    };
    *text += &format!("{name}\n  exit {code}\n  {}\n", scene.neutral(shown));
}

#[test]
fn behind_a_relay() {
    let scene = Scene::new(2);
    let mut text = String::new();
    let site = scene.kit("p", "site-3");
    look(&scene, &mut text, "no relay", 4, &site);
    let workspace = scene.path("server-work");
    let typed = format!("server --kit _ --job {JOB} --workspace _ --listen 127.0.0.1");
    let server = Running::start(&words(&typed, &[&scene.kit("p", "localhost"), &workspace]));
    let _relay = Running::start(&words("relay --kit _ --listen 127.0.0.1", &[&scene.kit("p", "relay-1")]));
    look(&scene, &mut text, "everything is there", 0, &site);
    let [_, _, relay, free] = scene.ports.map(|port| port.to_string());
    let place = "local/relay__resources.json";
    look(&scene, &mut text, "another port", 4, &scene.reworded("site-3", place, &relay, &free));
    let named = scene.reworded("site-3", place, "\"fqcn\": \"relay-1\"", "\"fqcn\": \"relay-9\"");
    look(&scene, &mut text, "another relay", 4, &named);
    look(&scene, &mut text, "another project of the same names", 4, &scene.kit("q", "site-3"));
    let expired = |params: &mut rcgen::CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let kit = scene.certified("site-3", "client.crt", expired);
    look(&scene, &mut text, "a certificate that has expired", 3, &kit);
    let client = "startup/fed_client.json";
    let elsewhere = scene.reworded("site-3", client, "\"identity\": \"localhost\"", "\"identity\": \"elsewhere\"");
    look(&scene, &mut text, "a server of another name", 4, &elsewhere);
    drop(server);
    look(&scene, &mut text, "no server behind the relay", 4, &site);
    snapshot::check("messages/doctor.txt", &text);
}
