//! The guide for operators: every command of its pages is run, and its tables are what the program shows.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ask::fetch;
use crate::probes::families;
use crate::scene::{Running, Scene};

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide").join(name);
    fs::read_to_string(path).expect("a page")
}

/// Commands in the blocks for a shell, each on one line.
fn commands(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("\n```")).map(|(block, _)| block);
    let lines = blocks.map(|block| block.replace("\\\n", " "));
    lines.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// The folder in which an operator types them, and what runs there.
struct Desk {
    folder: PathBuf,
    /// What the guide says, and what it is here.
    places: Vec<(&'static str, String)>,
    running: Vec<Running>,
}

impl Desk {
    /// Types a command, and gives what it has said if it has ended.
    fn run(&mut self, scene: &Scene, typed: &str) -> String {
        let here = self.places.iter().fold(typed.to_owned(), |typed, (there, here)| typed.replace(there, here));
        let words: Vec<OsString> = here.split_whitespace().skip(1).map(OsString::from).collect();
        match here.split_whitespace().collect::<Vec<_>>()[..] {
            ["curl", url] => {
                let (status, body) = fetch(url);
                assert_eq!(status, 200, "{typed}: {body}");
                body
            }
            ["fedcell", role @ ("server" | "relay" | "site" | "cell"), ..] => {
                let mut running = Running::begin_in(&self.folder, &words);
                running.event(if role == "site" { "registered" } else { "ready" });
                self.running.push(running);
                String::new()
            }
            ["fedcell", command, ..] => {
                let ended = scene.run_in(&self.folder, Command::new(env!("CARGO_BIN_EXE_fedcell")).args(&words));
                assert_eq!(ended.code, Some(0), "{typed}: {}{}", ended.out, ended.err);
                if command == "provision" {
                    self.hand_out();
                }
                ended.out
            }
            _ => panic!("{typed}: the test does not know this command"),
        }
    }

    /// Each kit goes to its machine.
    fn hand_out(&self) {
        for kit in fs::read_dir(self.folder.join("proj/prod_00")).expect("kits") {
            let kit = kit.expect("a kit");
            fs::rename(kit.path(), self.folder.join(kit.file_name())).expect("a move");
        }
    }
}

#[test]
fn every_command_of_the_guide_works() {
    let scene = Scene::new(0);
    let [server, admin, relay, free] = scene.ports;
    let folder = scene.path("desk");
    fs::create_dir(&folder).expect("a folder");
    let host = "localhost".to_owned();
    let places = vec![
        ("fl.example.com --port 8002", format!("{host} --port {server} --admin-port {admin}")),
        ("fl.example.com", host.clone()),
        ("relay.hospital.lan:8102", format!("{host}:{relay}")),
        ("127.0.0.1:8004", format!("127.0.0.1:{free}")),
        ("127.0.0.1:9464", format!("127.0.0.1:{}", free_port())),
    ];
    let mut desk = Desk { folder, places, running: Vec::new() };
    let mut said = |name: &str, least: usize| {
        let typed = commands(&page(name));
        assert!(typed.len() >= least, "{name}: {typed:?}");
        typed.iter().map(|typed| (typed.clone(), desk.run(&scene, typed))).collect::<Vec<_>>()
    };
    said("relay.md", 6);
    let answers = said("metrics.md", 8);
    let of = |part: &str| &answers.iter().rev().find(|(typed, _)| typed.contains(part)).expect("a command").1;
    assert!(of("/metrics").contains("\nfedcell_client_registered 1\n"), "{}", of("/metrics"));
    assert_eq!(of("/readyz"), "ready\n");
    assert!(
        of("--pool").lines().any(|line| line.starts_with("req:demo:hello") && line.ends_with("20")),
        "{}",
        of("--pool")
    );
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn the_tables_of_the_guide_are_what_is_shown() {
    let page = page("metrics.md");
    let written: Vec<&str> = page.lines().filter(|line| line.starts_with("| `fedcell_")).collect();
    let mut shown: Vec<String> = families().into_iter().collect();
    let mut written: Vec<String> = written.into_iter().map(str::to_owned).collect();
    shown.sort();
    written.sort();
    assert_eq!(written, shown);
}
