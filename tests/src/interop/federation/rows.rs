//! The rows: what is unusual about a client, and what the server must show.

use anyhow::{Result, bail, ensure};
use fedcell_protocol_defs::cell::ReturnCode;
use fedcell_protocol_defs::federation::RunStatus;
use serde_json::json;

use super::parts::{Client, Fared, Server, start_relay};
use super::project::{Kits, Project};
use crate::interop::cell::kits::{Kits as Pairs, flawed};
use crate::interop::cell::process::Maker;

/// Heartbeats after which a client counts as living.
const HEARTBEATS: usize = 2;

/// Challenges in vain after which a client counts as turned away.
const ATTEMPTS: usize = 3;

/// The server's words.
const WRONG_PROJECT: &str = "Requested task does not match the current server task";
const DISABLED: &str = "is disabled";

/// What a client does, and what it must come to.
#[derive(Debug)]
pub(super) struct Row {
    /// For the table.
    pub(super) name: &'static str,
    /// The kit that it has.
    site: Site,
    /// What is wrong with its kit.
    flaw: Flaw,
    /// What happens.
    course: Course,
    /// Whether a quick look has it.
    quick: bool,
}

/// Where a client is.
#[derive(Debug, Clone, Copy)]
enum Site {
    /// `site-1`, which dials the server.
    Direct,
    /// `site-2`, behind a relay of that maker.
    Behind(Maker),
}

impl Site {
    const fn name(self) -> &'static str {
        match self {
            Self::Direct => "site-1",
            Self::Behind(_) => "site-2",
        }
    }

    const fn fqcn(self) -> &'static str {
        match self {
            Self::Direct => "site-1",
            Self::Behind(_) => "relay-1.site-2",
        }
    }
}

/// What is wrong with a kit.
#[derive(Debug, Clone, Copy)]
enum Flaw {
    Nothing,
    /// It expects a server of another name.
    ServerIdentity,
    /// It is of another project.
    Project,
    /// Its certificate is another site's.
    OtherCertificate,
    /// Its certificate is of an authority that the server does not believe.
    ForeignCertificate,
}

/// What happens to the client.
#[derive(Debug, Clone, Copy)]
enum Course {
    /// It registers, is listed, sends heartbeats, and takes its leave.
    Member,
    /// It is told why not, and is never listed. The reference's words contain the first text, ours the second.
    Refused(&'static str, &'static str),
    /// It gets no connection, and the server never hears of it.
    TurnedAway,
    /// It is barred, then let in again.
    Barred,
    /// It is barred while it is a member: its heartbeats are refused.
    BarredLater,
    /// The server is not there at first.
    Waits,
    /// The server has a job, starts it at the client, and gets its results.
    Job,
    /// The server is killed and started again: the client is listed again, by its heartbeats or a new registration.
    Survives,
}

const ROW: Row = Row { name: "", site: Site::Direct, flaw: Flaw::Nothing, course: Course::Member, quick: false };

const ROWS: &[Row] = &[
    Row { name: "a client registers, lives and leaves", quick: true, ..ROW },
    Row { name: "the same behind a relay of the reference", site: Site::Behind(Maker::Theirs), ..ROW },
    Row { name: "the same behind a relay of ours", site: Site::Behind(Maker::Ours), quick: true, ..ROW },
    Row {
        // Its own cell looks at the server's certificate before it registers.
        name: "it expects a server of another name",
        flaw: Flaw::ServerIdentity,
        course: Course::TurnedAway,
        ..ROW
    },
    Row {
        name: "it expects a server of another name, behind a relay of ours",
        // The relay has the right name, so the challenge shows the server's.
        site: Site::Behind(Maker::Ours),
        flaw: Flaw::ServerIdentity,
        course: Course::Refused("expected server identity is 'elsewhere'", "has not proved to be `elsewhere`"),
        quick: true,
    },
    Row {
        name: "it is of another project",
        flaw: Flaw::Project,
        course: Course::Refused(WRONG_PROJECT, WRONG_PROJECT),
        ..ROW
    },
    Row { name: "it has another site's certificate", flaw: Flaw::OtherCertificate, course: Course::TurnedAway, ..ROW },
    Row {
        name: "it has another site's certificate, behind a relay of the reference",
        site: Site::Behind(Maker::Theirs),
        flaw: Flaw::OtherCertificate,
        course: Course::TurnedAway,
        ..ROW
    },
    Row {
        name: "it has another site's certificate, behind a relay of ours",
        site: Site::Behind(Maker::Ours),
        flaw: Flaw::OtherCertificate,
        course: Course::TurnedAway,
        ..ROW
    },
    Row {
        name: "it has a certificate of another authority",
        flaw: Flaw::ForeignCertificate,
        course: Course::TurnedAway,
        ..ROW
    },
    Row { name: "it is told of a job, and does it", course: Course::Job, quick: true, ..ROW },
    Row {
        name: "it is told of a job, and does it, behind a relay of ours",
        site: Site::Behind(Maker::Ours),
        course: Course::Job,
        ..ROW
    },
    Row { name: "it is barred, and let in again", course: Course::Barred, ..ROW },
    Row { name: "it is barred while it is a member, and let in again", course: Course::BarredLater, ..ROW },
    Row { name: "there is no server yet", course: Course::Waits, ..ROW },
    Row { name: "the server is killed and comes back", course: Course::Survives, ..ROW },
    Row {
        name: "the server is killed and comes back, behind a relay of ours",
        site: Site::Behind(Maker::Ours),
        course: Course::Survives,
        ..ROW
    },
];

/// The rows, fewer of them for a quick look.
pub(super) fn rows(quick: bool) -> Vec<&'static Row> {
    ROWS.iter().filter(|row| row.quick || !quick).collect()
}

impl Row {
    /// Whether the row is one for a server of that maker.
    ///
    /// Not with ours: what a client does whose token is no good any more. Our server lets none of its messages through,
    /// as a token alone makes nobody a member again; the reference's client then sends heartbeats for ever. And what
    /// survives a restart is up to the program that keeps our server's records.
    pub(super) const fn is_for(&self, server: Maker) -> bool {
        matches!(server, Maker::Theirs) || !matches!(self.course, Course::BarredLater | Course::Survives)
    }

    /// Runs the row with a server and a client of these makers.
    pub(super) fn run(&self, project: &Project, server: Maker, maker: Maker) -> Result<()> {
        let kits = project.kits()?;
        let serve = || Server::start(server, &kits);
        let (name, fqcn) = (self.site.name(), self.site.fqcn());
        self.flaw.apply(name, &kits)?;
        let flawed = matches!(self.flaw, Flaw::OtherCertificate | Flaw::ForeignCertificate);
        let start = || Client::start(maker, name, &kits, flawed);
        if let Course::Waits = self.course {
            let mut client = start()?;
            client.wait_attempts(1)?;
            let mut server = serve()?;
            client.registered()?;
            return lives_and_leaves(&mut server, &mut client, name, fqcn);
        }
        let mut server = serve()?;
        if let Course::Barred = self.course {
            server.bar(name, true)?;
        }
        let _relay = match self.site {
            Site::Direct => None,
            Site::Behind(maker) => Some(start_relay(maker, &kits)?),
        };
        let mut client = start()?;
        match self.course {
            Course::Member | Course::Waits => {
                client.registered()?;
                lives_and_leaves(&mut server, &mut client, name, fqcn)
            }
            Course::Job => {
                client.registered()?;
                server.wait_client(name, true)?;
                let (status, model) = server.job(&kits)?;
                ensure!(status == RunStatus::FINISHED_COMPLETED.as_str(), "the job ended as {status}");
                let expected = json!([[3.0, 4.0, 5.0], [6.0, 7.0, 8.0], [9.0, 10.0, 11.0]]);
                ensure!(model == expected, "the job made {model}");
                lives_and_leaves(&mut server, &mut client, name, fqcn)
            }
            Course::Refused(theirs, ours) => {
                refused(&mut server, &client, if maker == Maker::Theirs { theirs } else { ours })
            }
            Course::TurnedAway => {
                client.wait_attempts(ATTEMPTS)?;
                ensure!(server.calls("challenge", fqcn)?.is_empty(), "its challenge has reached the server");
                nobody(&mut server)
            }
            Course::Barred => {
                refused(&mut server, &client, DISABLED)?;
                drop(client);
                server.bar(name, false)?;
                let mut client = start()?;
                client.registered()?;
                lives_and_leaves(&mut server, &mut client, name, fqcn)
            }
            Course::BarredLater => {
                client.registered()?;
                server.wait_client(name, true)?;
                server.bar(name, true)?;
                server.wait_calls("heartbeat", fqcn, 1, ReturnCode::UNAUTHENTICATED.as_str())?;
                if maker == Maker::Theirs {
                    nobody(&mut server)?;
                    server.bar(name, false)?;
                    return lives_and_leaves(&mut server, &mut client, name, fqcn);
                }
                // Ours asks for another token, and takes no for an answer.
                refused(&mut server, &client, DISABLED)?;
                server.bar(name, false)?;
                drop(client);
                let mut client = start()?;
                client.registered()?;
                lives_and_leaves(&mut server, &mut client, name, fqcn)
            }
            Course::Survives => {
                client.registered()?;
                server.wait_client(name, true)?;
                server.kill()?;
                let mut server = serve()?;
                lives_and_leaves(&mut server, &mut client, name, fqcn)?;
                // Ours may: behind a relay that stands, a server that answers nothing for long may have forgotten it.
                let again = !server.calls("register", fqcn)?.is_empty();
                ensure!(maker == Maker::Ours || !again, "it has registered once more");
                Ok(())
            }
        }
    }
}

impl Flaw {
    fn apply(self, name: &str, kits: &Kits) -> Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::ServerIdentity => kits.change_client(name, |server| server["identity"] = json!("elsewhere")),
            Self::Project => kits.change_client(name, |server| server["name"] = json!("another")),
            Self::OtherCertificate => {
                let other = if name == "site-1" { "site-2" } else { "site-1" };
                kits.change_pair(name, &kits.of(other).join("startup"))
            }
            Self::ForeignCertificate => kits.change_pair(name, &Pairs::make()?.of(flawed::FOREIGN)),
        }
    }
}

/// The server lists it under its address, answers its heartbeats, and forgets it when it leaves.
fn lives_and_leaves(server: &mut Server, client: &mut Client, name: &str, fqcn: &str) -> Result<()> {
    server.wait_client(name, true)?;
    let before = server.calls("heartbeat", fqcn)?.iter().filter(|call| call["code"] == ReturnCode::OK.as_str()).count();
    server.wait_calls("heartbeat", fqcn, before + HEARTBEATS, ReturnCode::OK.as_str())?;
    let clients = server.clients()?;
    let expected = json!([{"name": name, "fqcn": fqcn, "fqsn": name, "is_leaf": true}]);
    ensure!(clients == expected, "the server lists {clients}");
    client.quit()?;
    server.wait_client(name, false)?;
    server.wait_calls("quit", fqcn, 1, ReturnCode::OK.as_str())
}

fn refused(server: &mut Server, client: &Client, text: &str) -> Result<()> {
    match client.fared()? {
        Fared::Registered => bail!("it was registered"),
        Fared::Refused(reason) => ensure!(reason.contains(text), "refused with {reason:?}, not with {text:?}"),
    }
    nobody(server)
}

fn nobody(server: &mut Server) -> Result<()> {
    let clients = server.clients()?;
    ensure!(clients == json!([]), "the server lists {clients}");
    Ok(())
}
