//! The certificates of the rows: one project, and whatever a peer may wrongly hold instead.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tempfile::TempDir;

use crate::reference;

/// A folder with the kits of all participants, removed at the end.
#[derive(Debug)]
pub(crate) struct Kits {
    folder: TempDir,
}

/// Kits that a peer should be turned away with; the names say why.
pub(crate) mod flawed {
    /// Signed by an authority that nobody here believes.
    pub(crate) const FOREIGN: &str = "foreign";
    /// Was good until ten days ago.
    pub(crate) const EXPIRED: &str = "expired";
    /// Holds the root certificate and no pair.
    pub(crate) const BARE: &str = "bare";
    /// A good pair, but believes another authority than the peer's.
    pub(crate) const DISTRUSTING: &str = "distrusting";
    /// A server's pair in the name of somebody else.
    pub(crate) const OTHER_SERVER: &str = "other-server";
    /// A server's pair that has run out.
    pub(crate) const EXPIRED_SERVER: &str = "expired-server";
}

impl Kits {
    /// Has the reference's provisioning functions make the kits, in a new folder below the system's temporary one.
    pub(crate) fn make() -> Result<Self> {
        let folder = TempDir::with_prefix("fedcell-interop-")?;
        let both = json!(["client", "server"]);
        let client = json!(["client"]);
        let server = json!(["server"]);
        let wanted = json!([
            {"folder": "server", "name": "server", "files": server},
            {"folder": "site-1", "name": "site-1", "files": client},
            {"folder": "site-2", "name": "site-2", "files": client},
            {"folder": "relay-1", "name": "relay-1", "files": both},
            // 2.9 lets a relay listen with the pair that it dials with.
            {"folder": "relay-2", "name": "relay-2", "files": client},
            {"folder": flawed::FOREIGN, "name": "site-1", "files": client, "ca": "foreign", "trusts": "project"},
            {"folder": flawed::EXPIRED, "name": "site-1", "files": client, "expired": true},
            {"folder": flawed::BARE, "name": "site-1", "files": []},
            {"folder": flawed::DISTRUSTING, "name": "site-1", "files": client, "trusts": "foreign"},
            {"folder": flawed::OTHER_SERVER, "name": "mallory", "files": server},
            {"folder": flawed::EXPIRED_SERVER, "name": "server", "files": server, "expired": true},
        ]);
        let mut child = reference::script("kits.py").arg(folder.path()).stdin(Stdio::piped()).spawn()?;
        child.stdin.take().context("no pipe to the kit maker")?.write_all(wanted.to_string().as_bytes())?;
        let status = child.wait()?;
        ensure!(status.success(), "the kit maker ended with {status}");
        Ok(Self { folder })
    }

    /// Folder of one kit.
    pub(crate) fn of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Folder for logs.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }
}
