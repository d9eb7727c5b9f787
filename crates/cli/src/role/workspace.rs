//! The folder of a role: made if there is none, and gone again if nothing was ever put into it.

use std::fs;
use std::path::PathBuf;

use clap::ArgMatches;
use fedcell_durable::Files;

use crate::exit::{Failure, Kind};

/// A folder that was there, or that this process has made.
pub(super) struct Workspace {
    pub(super) path: PathBuf,
    is_new: bool,
}

impl Workspace {
    /// The folder that the command line names, made if there is none.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be made, or is no folder.
    pub(super) fn open(arguments: &ArgMatches) -> Result<(Self, Files), Failure> {
        let path = arguments.get_one::<PathBuf>(super::WORKSPACE).cloned().unwrap_or_default();
        let is_new = !path.exists();
        let unusable = |error: fedcell_durable::Error| {
            let text = "the workspace cannot be used; name a folder that this user may write with --workspace";
            Failure::new(Kind::Configuration, error).context(text)
        };
        let files = Files::at(&path).map_err(unusable)?;
        Ok((Self { path, is_new }, files))
    }

    /// Takes back what is in a folder that this process has made, as long as nobody has been told of any of it.
    pub(super) fn discard(&self) {
        if self.is_new {
            // What cannot be removed is in nobody's way: a server that is started again goes on with it.
            _ = fs::remove_dir_all(&self.path);
        }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if self.is_new {
            // Nothing but an empty folder is removed.
            _ = fs::remove_dir(&self.path);
        }
    }
}
