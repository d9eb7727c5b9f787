//! `fedcell doctor` at kits of the reference.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::kits::{Kits, ORGANIZATION};
use super::participant::Participant;
use crate::reference::{self, Role};
use crate::{binary, ports};

const QUICKLY: [&str; 2] = ["--timeout", "10"];

/// Has our doctor look at a kit: how it ends, and what it says among other things.
fn check(kit: &Path, more: &[&str], code: i32, expected: &str) -> Result<()> {
    let output = Command::new(binary::fedcell()?).arg("doctor").arg(kit).args(more).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let is_right = output.status.code() == Some(code) && said.contains(expected);
    ensure!(is_right, "{} {more:?}: {}, expected {code} and {expected:?}:\n{said}", kit.display(), output.status);
    Ok(())
}

/// Our doctor at kits of the reference: as they are, flawed, and with its server running.
pub(super) fn doctor() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let kits = Kits::Reference.make(folder.path())?;
    let offline = ["--offline"];
    for name in ["localhost", "relay-1", "site-1", "site-2"] {
        check(&kits.join(name), &offline, 0, "believed and good for its role")?;
    }
    let site = kits.join("site-1");
    let quickly = QUICKLY;
    check(&site, &quickly, 4, "nothing answers at localhost")?;

    let server = reference::participant(Role::Server, &kits.join("localhost"), "localhost", ORGANIZATION);
    let mut server = Participant::start("localhost", server, folder.path())?;
    server.says(&["Server started"])?;
    check(&site, &quickly, 0, "takes this kit, and the server has proved who it is")?;
    check(&kits.join("localhost"), &quickly, 3, "is taken by another process")?;
    check(&kits.join("site-2"), &quickly, 4, "nothing answers at localhost")?;

    // What is in the kit is changed step by step, each flaw behind the last one mended.
    let startup = site.join("startup");
    let config = startup.join("fed_client.json");
    let right = fs::read_to_string(&config)?;
    fs::write(&config, right.replace("\"identity\": \"localhost\"", "\"identity\": \"elsewhere\""))?;
    check(&site, &quickly, 4, "does not take this kit")?;
    fs::write(&config, &right)?;
    fs::copy(kits.join("site-2/startup/client.key"), startup.join("client.key"))?;
    check(&site, &offline, 3, "private key does not belong to the certificate")?;
    fs::copy(kits.join("site-2/startup/client.crt"), startup.join("client.crt"))?;
    check(&site, &offline, 3, "is not the name in the kit's configuration")?;
    Ok(())
}

/// Our doctor at the kit of a site behind a relay of the reference: whatever is away is named, and it alone. Twice, with
/// and without a word in the project on how the relay is protected.
pub(super) fn doctor_behind_a_relay() -> Result<()> {
    for kits in [Kits::Reference, Kits::ReferenceUnsaid] {
        let folder = tempfile::tempdir()?;
        let kits = kits.make(folder.path())?;
        let site = kits.join("site-2");
        let start = |role, name: &'static str, says: &str| -> Result<Participant> {
            let command = reference::participant(role, &kits.join(name), name, ORGANIZATION);
            let mut participant = Participant::start(name, command, folder.path())?;
            participant.says(&[says]).map(|()| participant)
        };
        let server = start(Role::Server, "localhost", "Server started")?;
        check(&site, &QUICKLY, 4, "nothing answers at localhost")?;
        let _relay = start(Role::Relay, "relay-1", "Successfully authenticated")?;
        check(&site, &QUICKLY, 0, "takes this kit, and the server has proved who it is")?;
        check(&kits.join("relay-1"), &QUICKLY, 3, "takes this kit, and the server has proved who it is")?;
        // While it runs, and is no worse for it.
        let client = start(Role::Client, "site-2", "Successfully registered client")?;
        check(&site, &QUICKLY, 0, "takes this kit, and the server has proved who it is")?;
        drop(client);

        let place = site.join("local/relay__resources.json");
        let right = fs::read_to_string(&place)?;
        let [port] = ports::free()?;
        let (before, after) = right.split_once("localhost:").context("no address of the relay")?;
        let rest = after.trim_start_matches(|character: char| character.is_ascii_digit());
        fs::write(&place, format!("{before}localhost:{port}{rest}"))?;
        check(&site, &QUICKLY, 4, &format!("nothing answers at localhost:{port}"))?;
        fs::write(&place, &right)?;
        drop(server);
        check(&site, &QUICKLY, 4, "takes this kit; the server has not proved who it is")?;
    }
    Ok(())
}
