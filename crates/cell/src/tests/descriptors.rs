//! A cell that runs out of file descriptors: in a process of its own, whose limit is low.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use tokio::net::TcpStream;

use super::*;

/// Set in the process with the low limit.
const INNER: &str = "FEDCELL_TEST_FEW_DESCRIPTORS";

/// Descriptors that the process may have open; a runtime and a listener need about ten.
const LIMIT: usize = 40;

/// Ends the process, however the test ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// The same test once more, in a shell that has lowered its limit.
    fn start(test: &str) -> Self {
        let shell = format!("ulimit -n {LIMIT} && exec \"$0\" --exact {test} --nocapture");
        let mut command = Command::new("sh");
        command.arg("-c").arg(shell).arg(std::env::current_exe().unwrap()).env(INNER, "1");
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }
}

/// The number behind this word in what the other process prints.
fn told(lines: &mut impl Iterator<Item = std::io::Result<String>>, word: &str) -> u64 {
    let number = lines.find_map(|line| line.unwrap().split_once(word).map(|(_, number)| number.trim().to_owned()));
    number.unwrap_or_else(|| panic!("the server did not say its {word}")).parse().unwrap()
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

/// The server of the low limit: says its port, serves until its input ends, and says how many peers gave way.
async fn serve() {
    let server = server().await;
    let port = server.connectors().into_iter().find_map(|info| info.bound).unwrap().port();
    say(&format!("port={port}"));
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    say(&format!("evicted={}", server.unknown_peers().1));
}

#[tokio::test]
async fn a_listener_without_descriptors_makes_room_and_goes_on() {
    if std::env::var_os(INNER).is_some() {
        return serve().await;
    }
    let name = "tests::descriptors::a_listener_without_descriptors_makes_room_and_goes_on";
    let mut process = Server::start(name);
    let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
    let port = u16::try_from(told(&mut lines, "port=")).unwrap();
    let site = |name: &str| {
        let url = format!("tcp://127.0.0.1:{port}");
        Cell::builder(name).security(SecurityMode::Clear).root_url(url).start()
    };
    let early = site("site-1").await.unwrap();
    tokio::time::timeout(PATIENCE, early.ready()).await.expect("the first site does not get in");
    // The system accepts them; the server has no descriptors for half of them.
    let mut silent = Vec::new();
    for _ in 0..2 * LIMIT {
        silent.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    let late = site("site-2").await.unwrap();
    tokio::time::timeout(PATIENCE, late.ready()).await.expect("the late site does not get in");
    for site in [&early, &late] {
        let draft = site.request("server", "test", "echo").payload(b"still here".to_vec()).timeout(PATIENCE);
        assert_eq!(draft.send().await.unwrap().bytes(), "still here");
    }
    drop(process.0.stdin.take());
    // There are fewer of them than may be unknown at a time: only a lack of descriptors makes one give way.
    assert!(told(&mut lines, "evicted=") > 0, "the descriptors did not run out");
    drop(silent);
    assert!(process.0.wait().unwrap().success());
}
