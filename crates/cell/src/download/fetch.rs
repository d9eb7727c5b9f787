//! Fetching what a value refers to, and single objects.

use core::pin::Pin;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::download::consumer::ConsumerConfig;
use fedcell_cell_proto::headers::HeaderMap;
use fedcell_fobs::array::Array;
use fedcell_fobs::{Blob, DownloadRef, Error, ErrorKind, Text, Value};
use fedcell_protocol_defs::cell::HeaderKey;
use fedcell_protocol_defs::fobs::DatumObjectType;
use tokio::task::JoinSet;

use super::error::FetchError;
use super::pull::{self, Wanted};
use super::service::Downloads;
use super::sink::{Arrays, Disk, Sink, ToFile, Values, Whole};
use super::spill::{Kept, Spill, SpillFile};
use crate::error::BodyError;
use crate::request::Target;

/// How far a download is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The cell that has the object.
    pub source: FqcnBuf,
    /// The object.
    pub ref_id: Text,
    /// Bytes that have arrived and been used.
    pub bytes: u64,
    /// Pieces that have.
    pub pieces: u64,
}

type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// A value with everything that it refers to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fetched {
    /// The value. Arrays that are on disk are references to this cell in it.
    pub value: Value,
    /// Those arrays.
    pub spill: Spill,
}

/// Fetches what a value refers to, when it is awaited. Dropped in the middle, it tells the sources.
#[must_use = "nothing is fetched before it is awaited"]
pub struct Fetch {
    downloads: Downloads,
    value: Result<Value, BodyError>,
    /// The cell whose objects are fetched sealed: that which sent the value sealed itself.
    sealed_by: Option<FqcnBuf>,
    is_passed_through: bool,
    config: ConsumerConfig,
    progress: Option<OnProgress>,
}

impl Fetch {
    pub(crate) fn new(downloads: Downloads, value: Result<Value, BodyError>) -> Self {
        let config = downloads.shared().config().consumer;
        Self { downloads, value, sealed_by: None, is_passed_through: false, config, progress: None }
    }

    /// For a value that came in a message with these headers.
    pub(crate) fn of_message(
        downloads: Downloads,
        value: Result<Value, BodyError>,
        headers: &HeaderMap,
        words: Option<(&str, &str)>,
    ) -> Self {
        let is_set = |key| headers.flag(key).ok().flatten().unwrap_or(false);
        let origin = headers.text(HeaderKey::ORIGIN).ok().flatten();
        // A sealed hop does not show that a source elsewhere can seal: only the sender of the message has.
        let sealed_by = origin.filter(|_| is_set(HeaderKey::SECURE)).and_then(|origin| FqcnBuf::parse(origin).ok());
        let opted = words.is_some_and(|(channel, topic)| downloads.shared().passes_through(channel, topic));
        let is_passed_through = opted || is_set(HeaderKey::PASS_THROUGH);
        Self { sealed_by, is_passed_through, ..Self::new(downloads, value) }
    }

    /// Calls this after each piece.
    pub fn progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// Sets the patience with the sources.
    pub fn config(mut self, config: ConsumerConfig) -> Self {
        self.config = config;
        self
    }

    /// Fetches even what the message says is to be handed on untouched.
    pub const fn eagerly(mut self) -> Self {
        self.is_passed_through = false;
        self
    }

    /// Fetches, and puts arrays of `above` bytes and more into a file in this folder instead of into memory. They go there
    /// while they arrive if their sender set them aside, as it does from ten mebibytes on.
    ///
    /// # Errors
    ///
    /// [`FetchError`] says what failed; nothing is left on disk.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the downloads and tells their sources.
    pub async fn spill(self, folder: impl AsRef<Path>, above: u64) -> Result<Fetched, FetchError> {
        let disk = Disk::new(SpillFile::create(folder.as_ref())?, above.max(1));
        let (value, kept) = self.run(Some(disk)).await?;
        Ok(Fetched { value, spill: Spill::new(kept) })
    }

    async fn run(self, disk: Option<Disk>) -> Result<(Value, Arc<Kept>), FetchError> {
        let mut value = self.value?;
        let shared = self.downloads.shared();
        let own = self.downloads.batch_of_arrays();
        let mut kept = Kept { source: Arc::clone(&own), arrays: HashMap::new() };
        if self.is_passed_through {
            return Ok((value, Arc::new(kept)));
        }
        let mut batches: HashMap<Arc<DownloadRef>, HashSet<Text>> = HashMap::new();
        value.for_each_remote(&mut |it| {
            batches.entry(it.source.clone()).or_default().insert(it.item.clone());
        });
        if batches.is_empty() {
            return Ok((value, Arc::new(kept)));
        }
        if let Some(other) = batches.keys().find(|it| it.dot != DatumObjectType::NUMPY_DOWNLOAD.get()) {
            return Err(FetchError::Kind { dot: other.dot });
        }
        let mut fetched: HashMap<Arc<DownloadRef>, Arrays> = HashMap::new();
        let mut waiting = batches.into_iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < shared.config().concurrency.max(1)
                && let Some((batch, items)) = waiting.next()
            {
                let source = FqcnBuf::parse(batch.fqcn.as_str());
                let source = source.map_err(|_| FetchError::Source(batch.fqcn.as_str().to_owned()))?;
                let secure = self.sealed_by.as_ref() == Some(&source);
                let wanted = Wanted { source, ref_id: batch.ref_id.clone(), secure };
                let sink = Arrays { wanted: Some(items), disk: disk.clone(), ..Arrays::default() };
                let (downloads, config) = (self.downloads.clone(), self.config.clone());
                let progress = self.progress.clone();
                running.spawn(async move {
                    let arrays = pull::run(downloads, wanted, config, sink, told(progress)).await;
                    arrays.map(|arrays| (batch, arrays))
                });
            }
            match running.join_next().await {
                None => break,
                Some(Ok(outcome)) => {
                    let (batch, arrays) = outcome?;
                    fetched.insert(batch, arrays);
                }
                Some(Err(_)) => return Err(FetchError::Cancelled),
            }
        }
        put_in_place(&mut value, fetched, &mut kept)?;
        let kept = Arc::new(kept);
        if !kept.arrays.is_empty() {
            shared.keep(&kept);
        }
        Ok((value, kept))
    }
}

/// Puts arrays in the place of references; those on disk become references to what is kept here.
fn put_in_place(
    value: &mut Value,
    mut fetched: HashMap<Arc<DownloadRef>, Arrays>,
    kept: &mut Kept,
) -> Result<(), FetchError> {
    let mut missing = None;
    // Batches may use the same item ids: here each array gets one of its own.
    let mut names: HashMap<(Arc<DownloadRef>, Text), Text> = HashMap::new();
    for (batch, arrays) in &mut fetched {
        for (item, array) in arrays.spilled.drain() {
            let name = Text::from(format!("T{}", kept.arrays.len()));
            kept.arrays.insert(name.clone(), array);
            names.insert((batch.clone(), item), name);
        }
    }
    let own = kept.source.clone();
    value.for_each_remote_mut(&mut |reference| {
        if let Some(name) = names.get(&(reference.source.clone(), reference.item.clone())) {
            *reference = own.item(name.clone());
        }
    });
    value
        .resolve_some(&mut |reference| {
            if *reference.source == *own {
                return Ok(None);
            }
            let array = fetched.get(&reference.source).and_then(|arrays| arrays.memory.get(&reference.item));
            match array {
                Some(array) => Ok(Some(array.clone())),
                None => {
                    missing = Some(reference.item.clone());
                    Err(Error::from(ErrorKind::MissingDownload(reference.item.clone())))
                }
            }
        })
        .map_err(|error| match missing.take() {
            Some(item) => FetchError::Missing { item },
            None => FetchError::Body(BodyError::Fobs(error)),
        })
}

impl IntoFuture for Fetch {
    type Output = Result<Value, FetchError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok(self.run(None).await?.0) })
    }
}

impl core::fmt::Debug for Fetch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Fetch").field("is_passed_through", &self.is_passed_through).finish_non_exhaustive()
    }
}

fn told(progress: Option<OnProgress>) -> impl Fn(Progress) + Send {
    move |now| {
        if let Some(progress) = &progress {
            progress(now);
        }
    }
}

impl Downloads {
    /// Fetches a batch of arrays by item id, all that it has.
    ///
    /// # Errors
    ///
    /// [`FetchError`] says what failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the download and tells its source.
    pub async fn fetch_arrays(
        &self,
        source: impl Target,
        ref_id: impl Into<Text>,
    ) -> Result<HashMap<Text, Array>, FetchError> {
        Ok(self.fetch_with(source, ref_id, Arrays::default(), |_| ()).await?.memory)
    }

    /// Fetches a long byte string into memory.
    ///
    /// # Errors
    ///
    /// [`FetchError`] says what failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the download and tells its source.
    pub async fn fetch_bytes(&self, source: impl Target, ref_id: impl Into<Text>) -> Result<Blob, FetchError> {
        let Whole(pieces) = self.fetch_with(source, ref_id, Whole::default(), |_| ()).await?;
        Ok(Blob::from_segments(pieces.iter().flat_map(|piece| piece.segments().iter().cloned()).collect()))
    }

    /// Fetches a file. It has this name only when it is complete and on disk.
    ///
    /// # Errors
    ///
    /// [`FetchError`] says what failed; nothing is left on disk.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the download and tells its source.
    pub async fn fetch_file(
        &self,
        source: impl Target,
        ref_id: impl Into<Text>,
        path: impl Into<PathBuf>,
    ) -> Result<(), FetchError> {
        self.fetch_file_watched(source, ref_id, path, |_| ()).await
    }

    /// Fetches a file as [`fetch_file`](Self::fetch_file) does, and calls this after each piece.
    ///
    /// # Errors
    ///
    /// [`FetchError`] says what failed; nothing is left on disk.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the download and tells its source.
    pub async fn fetch_file_watched(
        &self,
        source: impl Target,
        ref_id: impl Into<Text>,
        path: impl Into<PathBuf>,
        progress: impl Fn(Progress) + Send,
    ) -> Result<(), FetchError> {
        let file = ToFile::create(path.into())?;
        self.fetch_with(source, ref_id, file, progress).await.map(drop)
    }

    /// Fetches what an application's own producer makes: the content of each piece, in order.
    ///
    /// # Errors
    ///
    /// [`FetchError`] says what failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the download and tells its source.
    pub async fn fetch_pieces(&self, source: impl Target, ref_id: impl Into<Text>) -> Result<Vec<Value>, FetchError> {
        Ok(self.fetch_with(source, ref_id, Values::default(), |_| ()).await?.0)
    }

    async fn fetch_with<S: Sink>(
        &self,
        source: impl Target,
        ref_id: impl Into<Text>,
        sink: S,
        progress: impl Fn(Progress) + Send,
    ) -> Result<S, FetchError> {
        let source = source.address().map_err(|error| FetchError::Source(error.to_string()))?;
        let wanted = Wanted { source, ref_id: ref_id.into(), secure: false };
        pull::run(self.clone(), wanted, self.shared().config().consumer, sink, progress).await
    }
}
