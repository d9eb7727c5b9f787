//! `fedcell doctor` at kits of the reference.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use super::kits::{Kits, ORGANIZATION};
use super::participant::Participant;
use crate::binary;
use crate::reference::{self, Role};

/// Our doctor at kits of the reference: as they are, flawed, and with its server running.
pub(super) fn doctor() -> Result<()> {
    let (program, folder) = (binary::fedcell()?, tempfile::tempdir()?);
    let kits = Kits::Reference.make(folder.path())?;
    let check = |kit: &Path, more: &[&str], code: i32, expected: &str| -> Result<()> {
        let output = Command::new(program).arg("doctor").arg(kit).args(more).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let is_right = output.status.code() == Some(code) && said.contains(expected);
        ensure!(is_right, "{} {more:?}: {}, expected {code} and {expected:?}:\n{said}", kit.display(), output.status);
        Ok(())
    };
    let offline = ["--offline"];
    for name in ["localhost", "relay-1", "site-1", "site-2"] {
        check(&kits.join(name), &offline, 0, "believed and good for its role")?;
    }
    let site = kits.join("site-1");
    let quickly = ["--timeout", "10"];
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
