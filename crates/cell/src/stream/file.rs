//! Files as streams: read piece by piece, and written beside their place until they are whole.

use core::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};

use bytes::BytesMut;
use fedcell_cell_proto::headers::HeaderValue;
use fedcell_cell_proto::stream::StreamError;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::reader::StreamReader;
use super::writer::{Progress, StreamDraft};
use crate::error::RequestError;
use crate::unfinished::Unfinished;

/// Bytes that are read from a file at a time.
const PIECE: usize = 1 << 20;
/// Longest name of a file that is taken, in bytes: what file systems have.
const LONGEST_NAME: usize = 255;

/// Why a file was not sent, or not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file cannot be read or written here.
    #[error("cannot use {}", .path.display())]
    Local {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The sender's name for it is none that a folder may hold: it is empty, too long, hidden, or leads elsewhere.
    #[error("{name:?} is no name for a file in a folder: the sender shall give one without a path")]
    Name {
        /// The name.
        name: String,
    },
    /// The stream could not be opened.
    #[error("the file cannot be sent")]
    Open(#[from] RequestError),
    /// The stream broke off.
    #[error("the file did not come through")]
    Stream(#[from] StreamError),
    /// Fewer or more bytes came than the sender had said.
    #[error("{received} bytes of the file came, the sender had said {declared}")]
    Size {
        /// What the sender had said.
        declared: u64,
        /// What came.
        received: u64,
    },
}

/// A file on its way to another cell, not opened yet.
#[must_use = "nothing is sent before `send`"]
pub struct FileDraft {
    stream: StreamDraft,
    path: PathBuf,
    watch: Box<dyn FnMut(Progress) + Send>,
}

impl FileDraft {
    pub(crate) fn new(stream: StreamDraft, path: &Path) -> Self {
        Self { stream: stream.reliable(true), path: path.to_owned(), watch: Box::new(|_| ()) }
    }

    /// Sets a header of the application; the reader sees it.
    pub fn header<'v>(mut self, key: impl AsRef<str>, value: impl Into<HeaderValue<'v>>) -> Self {
        self.stream = self.stream.header(key, value);
        self
    }

    /// Says whether chunks are sent again until they have arrived. Default yes.
    pub fn reliable(mut self, reliable: bool) -> Self {
        self.stream = self.stream.reliable(reliable);
        self
    }

    /// Seals every chunk from end to end.
    pub fn sealed(mut self) -> Self {
        self.stream = self.stream.sealed();
        self
    }

    /// Is called after each piece with how far the file has come.
    pub fn watch(mut self, watch: impl FnMut(Progress) + Send + 'static) -> Self {
        self.watch = Box::new(watch);
        self
    }

    /// Sends the file under the last part of its path as its name; returns its size in bytes when all of it has arrived
    /// or, if it is not reliable, has left.
    ///
    /// # Errors
    ///
    /// [`FileError`] if the file cannot be read or the stream breaks off.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the stream; the receiver keeps nothing of it.
    pub async fn send(mut self) -> Result<u64, FileError> {
        let local = |source| FileError::Local { path: self.path.clone(), source };
        let mut file = File::open(&self.path).await.map_err(local)?;
        file.set_max_buf_size(PIECE);
        let about = file.metadata().await.map_err(local)?;
        if !about.is_file() {
            return Err(local(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")));
        }
        let size = about.len();
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut stream = self.stream.size(size).file_name(&name).open()?;
        loop {
            let mut piece = BytesMut::with_capacity(PIECE);
            while piece.len() < PIECE && file.read_buf(&mut piece).await.map_err(local)? > 0 {}
            if piece.is_empty() {
                break;
            }
            stream.send(piece.freeze()).await?;
            (self.watch)(stream.progress());
        }
        Ok(stream.finish().await?)
    }
}

impl fmt::Debug for FileDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileDraft").field("stream", &self.stream).field("path", &self.path).finish_non_exhaustive()
    }
}

impl StreamReader {
    /// Writes the stream to a file in `folder`, under the name that the sender gives. Until it is whole and safe on the
    /// disk it has another name, which begins with a dot; a file that is there already is replaced in one step.
    ///
    /// # Errors
    ///
    /// [`FileError`] if the name is none, the file cannot be written, or the stream breaks off; then nothing is left of it,
    /// and the sender is told.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future removes what has been written, unless it is whole and about to get its name.
    pub async fn into_file(mut self, folder: impl AsRef<Path>) -> Result<PathBuf, FileError> {
        let name = self.file_name().unwrap_or_default().to_owned();
        if !is_plain(&name) {
            self.refuse("its name is none for a file in a folder");
            return Err(FileError::Name { name });
        }
        let place = folder.as_ref().join(&name);
        let local = |source| FileError::Local { path: place.clone(), source };
        let unfinished = Unfinished::beside(place.clone()).map_err(local)?;
        if let Err(error) = self.fill(unfinished.path()).await {
            self.refuse("the receiver cannot keep it");
            return Err(error);
        }
        let finished = tokio::task::spawn_blocking(move || unfinished.finish()).await;
        finished.map_err(io::Error::other).and_then(|finished| finished).map_err(local)?;
        Ok(place)
    }

    async fn fill(&mut self, path: &Path) -> Result<(), FileError> {
        let local = |source| FileError::Local { path: path.to_owned(), source };
        let mut file = File::create_new(path).await.map_err(local)?;
        while let Some(piece) = self.chunk().await? {
            file.write_all(&piece).await.map_err(local)?;
        }
        if let Some(declared) = self.size().filter(|declared| *declared != self.received()) {
            return Err(FileError::Size { declared, received: self.received() });
        }
        file.flush().await.map_err(local)?;
        file.sync_all().await.map_err(local)
    }
}

/// Whether a name stands for a file in a folder and nothing else, whatever the system.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let is_one = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    is_one && name.len() <= LONGEST_NAME && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: bool) {
        assert_eq!(is_plain(name), expected, "{name:?}");
    }

    #[test]
    fn names() {
        check("model.bin", true);
        check("Modell 3 (neu).pt", true);
        check(&"x".repeat(LONGEST_NAME), true);
        check(&"x".repeat(LONGEST_NAME + 1), false);
        for wrong in
            ["", ".", "..", "/etc/passwd", "../x", "a/b", "a/", "a\\b", "C:x", ".hidden", "a\0b", "./a", "a/../b"]
        {
            check(wrong, false);
        }
    }
}
