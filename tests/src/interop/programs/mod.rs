//! Whole participants: server, relay and sites of both programs in one federation, with kits of either.
//!
//! Each row starts the real programs as processes, the reference's as its start scripts do and ours as `fedcell` roles,
//! over mutual TLS, and waits for what they say: that a participant proved itself, was given a token, and stays. Then all
//! are ended. Two rows are of the tools. One letter a program says who made it (`R` we, `P` the reference): the server, the relay, the site at the
//! server, the one behind the relay. `FEDCELL_ROWS=TEXT` runs only what has the text in its letters or its name.

mod doctor;
mod kits;
mod participant;
mod send;

use std::process::Command;

use super::Outcome;
use super::cell::process::Maker;
use super::verdict::{Report, Verdict};
use crate::reference::{self, Role};
use crate::{Options, binary};
use doctor::{doctor, doctor_behind_a_relay};
use kits::{Kits, ORGANIZATION};
use send::send;

pub(crate) use participant::Participant;

const JOB: &str = "0d3b5a3e-8f0a-4a53-9d9f-0c2b8f1d2e11";

/// One federation: whose kits, and who runs what.
struct Row {
    name: &'static str,
    kits: Kits,
    server: Maker,
    relay: Maker,
    /// Directly at the server, then behind the relay.
    sites: [Maker; 2],
}

const ROWS: [Row; 6] = [
    Row {
        name: "our kits, all of the reference",
        kits: Kits::Ours,
        server: Maker::Theirs,
        relay: Maker::Theirs,
        sites: [Maker::Theirs; 2],
    },
    Row {
        name: "its kits, our sites at its server and its relay",
        kits: Kits::Reference,
        server: Maker::Theirs,
        relay: Maker::Theirs,
        sites: [Maker::Ours; 2],
    },
    Row {
        name: "its kits, our sites behind our relay at its server",
        kits: Kits::Reference,
        server: Maker::Theirs,
        relay: Maker::Ours,
        sites: [Maker::Ours; 2],
    },
    Row {
        name: "our kits, its sites at our server and behind our relay",
        kits: Kits::Ours,
        server: Maker::Ours,
        relay: Maker::Ours,
        sites: [Maker::Theirs; 2],
    },
    Row {
        name: "its kits, its relay and sites of both at our server",
        kits: Kits::Reference,
        server: Maker::Ours,
        relay: Maker::Theirs,
        sites: [Maker::Theirs, Maker::Ours],
    },
    Row {
        name: "our kits of its project.yml, all of the reference",
        kits: Kits::OursOfItsProject,
        server: Maker::Theirs,
        relay: Maker::Theirs,
        sites: [Maker::Theirs; 2],
    },
];

/// What a row shows.
#[derive(Clone, Copy)]
enum Shown<'a> {
    Federation(&'a Row),
    Tool(fn() -> Outcome),
}

/// Rows of a quick run.
const QUICK: [usize; 2] = [1, 3];

impl Row {
    fn makers(&self) -> String {
        [self.server, self.relay].into_iter().chain(self.sites).map(Maker::letter).collect()
    }
}

/// Runs the rows.
///
/// # Errors
///
/// If a row failed, or our program cannot be built.
pub fn run(options: Options) -> Outcome {
    binary::fedcell()?;
    let report = Report::begin("programs");
    let rows = ROWS.iter().enumerate().filter(|(number, _)| !options.quick || QUICK.contains(number));
    let rows = rows.map(|(_, row)| (row.makers(), row.name, Shown::Federation(row)));
    let tools = [
        (String::from("PR"), "our doctor at its kits", Shown::Tool(doctor)),
        (String::from("PPR"), "our doctor behind its relay", Shown::Tool(doctor_behind_a_relay)),
        (String::from("PR"), "fedcell send to its cell: a stream, a file, a download, with bars", Shown::Tool(send)),
    ];
    let rows = rows.chain(tools).filter(|(makers, name, _)| report.wants(makers, name)).collect();
    report.run(1, rows, |(makers, name, shown)| {
        let outcome = || match shown {
            Shown::Federation(row) => federation(row),
            Shown::Tool(show) => show(),
        };
        vec![Verdict::of(&makers, name, outcome)]
    });
    report.end()
}

fn federation(row: &Row) -> Outcome {
    let folder = tempfile::tempdir()?;
    let kits = row.kits.make(folder.path())?;
    let start = |name: &'static str, maker: Maker, role: Role| {
        let kit = kits.join(name);
        let command = match maker {
            Maker::Ours => {
                let mut command = Command::new(binary::fedcell()?);
                let role_name = match role {
                    Role::Server => "server",
                    Role::Relay => "relay",
                    Role::Client => "site",
                };
                command.arg(role_name).arg("--kit").arg(&kit);
                if role != Role::Relay {
                    let workspace = folder.path().join(format!("{name}-work"));
                    command.args(["--job", JOB, "--sites", "2", "--workspace"]).arg(workspace);
                }
                if role != Role::Client {
                    command.args(["--listen", "127.0.0.1"]);
                }
                command
            }
            Maker::Theirs => reference::participant(role, &kit, name, ORGANIZATION),
        };
        Participant::start(name, command, folder.path())
    };
    let mut server = start("localhost", row.server, Role::Server)?;
    match row.server {
        Maker::Ours => server.says(&["\"event\":\"ready\""])?,
        Maker::Theirs => server.says(&["Server started"])?,
    }
    let mut relay = start("relay-1", row.relay, Role::Relay)?;
    match row.relay {
        Maker::Ours => relay.says(&["\"event\":\"ready\""])?,
        Maker::Theirs => relay.says(&["Successfully authenticated"])?,
    }
    let mut sites = Vec::new();
    for (name, maker) in ["site-1", "site-2"].into_iter().zip(row.sites) {
        sites.push((name, maker, start(name, maker, Role::Client)?));
    }
    for (name, maker, site) in &mut sites {
        match maker {
            Maker::Ours => site.says(&["\"event\":\"registered\"", name])?,
            Maker::Theirs => site.says(&["Successfully registered client", name])?,
        }
        match row.server {
            Maker::Ours => server.says(&["\"event\":\"joined\"", name])?,
            Maker::Theirs => server.says(&["New client", name])?,
        }
    }
    // Ours say goodbye at the end of their input.
    for (name, _, mut site) in sites.into_iter().filter(|(_, maker, _)| *maker == Maker::Ours) {
        site.end()?;
        match row.server {
            Maker::Ours => server.says(&["\"event\":\"left\"", name])?,
            Maker::Theirs => server.says(&["Client Name:", name])?,
        }
    }
    Ok(())
}
