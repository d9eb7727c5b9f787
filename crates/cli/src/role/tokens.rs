//! The server's tokens over its restart: in a folder of the workspace that nobody else can read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use fedcell_auth::UnixTime;
use fedcell_auth::identity::Identity;
use fedcell_durable::Files;
use fedcell_server::membership::MembershipService;

use crate::exit::{Failure, Kind};

/// Folder in the workspace.
const FOLDER: &str = "members";

/// What others may not do with the folder and what is in it.
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;

/// Takes back the tokens that an earlier process has issued, and has those kept that come.
pub(super) fn keep(
    members: &MembershipService,
    workspace: &Path,
    server: &Identity,
    now: UnixTime,
) -> Result<(), Failure> {
    let folder = workspace.join(FOLDER);
    let keep = || {
        make_private(&folder).with_context(|| format!("cannot keep {} from others", folder.display()))?;
        let certificate = server.chain().leaf().fingerprint();
        Ok::<_, anyhow::Error>(members.keep_tokens_on(Files::at(&folder)?, *certificate.as_bytes(), now)?)
    };
    let taken =
        keep().map_err(|error| Failure::new(Kind::Configuration, error).context("the tokens cannot be kept"))?;
    tracing::info!(taken, "tokens of an earlier process");
    Ok(())
}

/// Takes what others may do with the folder away from them. What they could write is not believed.
fn make_private(folder: &Path) -> std::io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let mode = |path: &Path| Ok::<_, std::io::Error>(fs::symlink_metadata(path)?.permissions().mode());
    let is_open = mode(folder)? & OTHERS_WRITE != 0;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let mode = mode(&path)?;
        let is_file = fs::symlink_metadata(&path)?.is_file();
        if is_file && (is_open || mode & OTHERS_WRITE != 0) {
            tracing::warn!(path = %path.display(), "others could write to it, so it is removed");
            fs::remove_file(&path)?;
        } else if is_file && mode & OTHERS != 0 {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(folder_mode: u32, file_mode: u32, is_believed: bool) {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("members");
        let file = folder.join("tokens");
        fs::create_dir(&folder).unwrap();
        fs::write(&file, "x").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(file_mode)).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(folder_mode)).unwrap();
        make_private(&folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(file.exists(), is_believed);
        assert!(!is_believed || mode(&file) == 0o600);
    }

    #[test]
    fn nobody_else_reads_it_and_what_others_could_write_is_not_believed() {
        check(0o700, 0o600, true);
        check(0o755, 0o644, true);
        check(0o700, 0o666, false);
        check(0o777, 0o600, false);
    }
}
