//! A folder of the file system.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Operation};
use crate::storage::Storage;

/// A folder of the file system. Files in it are readable by their owner only.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
    /// Files that are being written, so that each is opened once.
    open: HashMap<String, File>,
}

impl Files {
    /// Takes a folder, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be made.
    pub fn at(folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let folder = folder.into();
        let failed = |source| Error::io(Operation::Folder, &folder.display().to_string())(source);
        if !folder.is_dir() {
            make(&folder).map_err(failed)?;
        }
        Ok(Self { folder, open: HashMap::new() })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    fn writer(&mut self, name: &str) -> io::Result<&mut File> {
        if !self.open.contains_key(name) {
            let mut options = OpenOptions::new();
            options.append(true).create(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file = options.open(self.folder.join(name))?;
            self.open.insert(name.to_owned(), file);
        }
        self.open.get_mut(name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Makes a folder for its owner only, those above it first if there are none, and syncs the one above each, which holds
/// its name.
fn make(folder: &Path) -> io::Result<()> {
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if !above.is_dir() {
        make(above)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        // Somebody else was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    File::open(above)?.sync_all()
}

impl Storage for Files {
    type Reader = BufReader<File>;

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // A name that is no text is none of ours.
            if let Ok(name) = entry.file_name().into_string()
                && entry.file_type()?.is_file()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn length(&self, name: &str) -> io::Result<Option<u64>> {
        match fs::metadata(self.folder.join(name)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn reader(&self, name: &str) -> io::Result<Self::Reader> {
        Ok(BufReader::with_capacity(64 * 1024, File::open(self.folder.join(name))?))
    }

    fn append(&mut self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let file = self.writer(name)?;
        parts.iter().try_for_each(|part| file.write_all(part))
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        self.writer(name)?.set_len(length)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.writer(name)?.sync_data()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.open.remove(from);
        self.open.remove(to);
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.remove(name);
        fs::remove_file(self.folder.join(name))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}
