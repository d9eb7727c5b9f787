//! Puts kits on disk: all of them, or nothing.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use fedcell_protocol_defs::config::KitFolder;
use serde_json::{Map, json};

use super::authority::Authority;
use super::kit::{Access, Kit};

/// Folder of kits in that of the project. The reference counts up from it with every change.
const KITS: &str = "prod_00";

/// A folder that is removed again unless it is kept.
struct Unfinished<'a>(Option<&'a Path>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(folder) = self.0 {
            // The reason of the failure counts, not that of this one.
            _ = fs::remove_dir_all(folder);
        }
    }
}

/// Writes `kits` into a new folder of the project's name in `output`; returns where they are.
///
/// # Errors
///
/// There is something of that name already, or the disk refuses; nothing is left behind then.
pub(crate) fn write(output: &Path, project: &str, authority: &Authority, kits: &[Kit]) -> Result<PathBuf> {
    let target = output.join(project);
    if fs::symlink_metadata(&target).is_ok() {
        bail!("{} is there already: remove it, or choose another folder or project name", target.display());
    }
    fs::create_dir_all(output).with_context(|| format!("cannot make {}", output.display()))?;
    let staging = output.join(format!(".{project}.unfinished-{}", std::process::id()));
    let new = New { staging: &staging, target: &target };
    new.folder(Path::new(""))?;
    let mut unfinished = Unfinished(Some(&staging));
    new.fill(authority, kits)?;
    let unsafe_disk = || format!("cannot have the disk keep {}", target.display());
    sync_folders(&staging).with_context(unsafe_disk)?;
    // Only an empty folder could be replaced by this, and nobody's work is in one.
    fs::rename(&staging, &target)
        .with_context(|| format!("cannot rename {} to {}", staging.display(), target.display()))?;
    unfinished.0 = None;
    sync(output).with_context(unsafe_disk)?;
    Ok(target.join(KITS))
}

/// Has the disk keep the names of all files below a folder.
fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync(folder)
}

fn sync(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// A folder under the name that it has until it is complete.
struct New<'a> {
    staging: &'a Path,
    /// Where it will be: what errors call it.
    target: &'a Path,
}

impl New<'_> {
    fn fill(&self, authority: &Authority, kits: &[Kit]) -> Result<()> {
        let all = Path::new(KITS);
        self.folder(all)?;
        for kit in kits {
            let own = all.join(&kit.name);
            self.folder(&own)?;
            for part in [KitFolder::STARTUP.as_str(), KitFolder::LOCAL.as_str(), "transfer"] {
                self.folder(&own.join(part))?;
            }
            for part in &kit.files {
                let folder = part.folder.map_or_else(|| own.clone(), |folder| own.join(folder.as_str()));
                self.file(&folder.join(part.name), &part.bytes, part.access)?;
            }
        }
        let state = Path::new("state");
        self.folder(state)?;
        // What the reference keeps to add participants later.
        let mut certificates = Map::new();
        certificates.insert("root_cert".to_owned(), json!(authority.own.certificate));
        certificates.insert("root_pri_key".to_owned(), json!(authority.own.key));
        for kit in kits {
            certificates.insert(kit.name.clone(), json!({"cert": kit.pair.certificate, "pri_key": kit.pair.key}));
        }
        self.file(&state.join("cert.json"), json!(certificates).to_string().as_bytes(), Access::Secret)
    }

    fn folder(&self, path: &Path) -> Result<()> {
        let made = DirBuilder::new().mode(0o755).create(self.staging.join(path));
        made.with_context(|| format!("cannot make {}", self.target.join(path).display()))
    }

    fn file(&self, path: &Path, bytes: &[u8], access: Access) -> Result<()> {
        let mode = match access {
            Access::Public => 0o644,
            Access::Secret => 0o600,
            Access::Program => 0o755,
        };
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(self.staging.join(path))?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().with_context(|| format!("cannot write {}", self.target.join(path).display()))
    }
}
