//! What a node is told to do with downloads: offer, fetch, tell how an offer went.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use fedcell_cell::Cell;
use fedcell_cell::download::Offer;
use fedcell_cell::proto::cause::with_causes;
use fedcell_cell::proto::download::source::{Outcome, Receivers, Verdict};
use fedcell_fobs::{Map, Text, Value as Fobs};
use serde_json::{Value, json};

use super::commands::LIMIT;
use super::content;
use crate::remote::{limit, text};

/// The downloads of a cell, and what it offers.
#[derive(Debug, Clone)]
pub(super) struct Store {
    cell: Cell,
    folder: Arc<tempfile::TempDir>,
    offers: Arc<Mutex<BTreeMap<String, Arc<Offer>>>>,
}

impl Store {
    pub(super) fn new(cell: Cell, scratch: Option<&str>) -> Result<Self> {
        let above = scratch.map_or_else(std::env::temp_dir, PathBuf::from);
        let folder = Arc::new(tempfile::TempDir::with_prefix_in("fedcell-node-", above)?);
        Ok(Self { cell, folder, offers: Arc::default() })
    }

    /// Offers a `file`, `arrays`, arrays in `npy` files or `raw` bytes.
    pub(super) fn offer(&self, command: &Value) -> Result<Value> {
        let downloads = self.cell.downloads();
        let receivers = usize::try_from(command["receivers"].as_u64().unwrap_or(1))?;
        let mut terms = downloads.terms(Receivers::Count(receivers));
        terms.timeout = limit(command, LIMIT);
        let payload = &command["payload"];
        let (offer, sent) = if command["kind"] == "npy" {
            let (files, sent) = content::array_files(payload, self.folder.path())?;
            (downloads.offer_arrays(files, terms)?, sent)
        } else if command["kind"] == "arrays" {
            let arrays = content::arrays(payload)?;
            let sent = content::tree(&Fobs::Map(arrays.iter().cloned().collect::<Map>()));
            let named = arrays.into_iter().filter_map(|(name, value)| match value {
                Fobs::Array(array) => Some((Text::from(name.as_str()?), *array)),
                _ => None,
            });
            (downloads.offer_arrays(named.collect::<Vec<_>>(), terms)?, sent)
        } else {
            let size = usize::try_from(payload["random"].as_u64().context("no size")?)?;
            let data = content::content(size)?;
            let sent = content::told([&data]);
            if command["kind"] == "file" {
                let path = self.folder.path().join(format!("offer-{}", self.offers().len()));
                std::fs::write(&path, &data)?;
                (downloads.offer_file(&path, terms)?, sent)
            } else {
                (downloads.offer_bytes(data, terms)?, sent)
            }
        };
        let reference = offer.ref_ids().first().context("an offer without a reference")?.as_str().to_owned();
        self.offers().insert(reference.clone(), Arc::new(offer));
        Ok(json!({"fqcn": self.cell.address().as_str(), "ref": reference, "sent": sent}))
    }

    /// How an offer went, seen from here.
    pub(super) async fn outcome(&self, command: &Value) -> Result<Value> {
        let reference = text(command, "ref")?;
        let offer = self.offers().get(reference).cloned().context("no such offer")?;
        let outcome = tokio::time::timeout(limit(command, LIMIT), offer.outcome()).await;
        let given = offer.bytes_given();
        let Ok(Some(outcome)) = outcome else { return Ok(json!({"outcome": null, "given": given})) };
        self.offers().remove(reference);
        Ok(json!({"outcome": word(&outcome), "receivers": receivers(&outcome), "given": given}))
    }

    /// Downloads an offer.
    pub(super) async fn fetch(&self, command: &Value) -> Result<Value> {
        let (source, reference) = (text(command, "fqcn")?, text(command, "ref")?);
        let downloads = self.cell.downloads();
        let start = Instant::now();
        let fetching = async {
            Ok::<_, fedcell_cell::download::FetchError>(match command["kind"].as_str() {
                Some("arrays") => {
                    let arrays = downloads.fetch_arrays(source, reference).await?;
                    let named = arrays.into_iter().map(|(name, array)| (name, Fobs::Array(Box::new(array))));
                    content::tree(&Fobs::Map(named.collect()))
                }
                Some("file") => {
                    let path = self.folder.path().join(format!("fetched-{reference}"));
                    downloads.fetch_file(source, reference, &path).await?;
                    let told = content::told_file(&path);
                    drop(std::fs::remove_file(&path));
                    told.unwrap_or_default()
                }
                // The reference's own producer of the rows makes byte strings.
                _ => {
                    let pieces = downloads.fetch_pieces(source, reference).await?;
                    let blobs = pieces.iter().filter_map(Fobs::as_blob);
                    content::told(blobs.flat_map(fedcell_fobs::Blob::segments))
                }
            })
        };
        let outcome = match tokio::time::timeout(limit(command, LIMIT), fetching).await {
            Ok(outcome) => outcome.map_err(|error| with_causes(&error)),
            Err(_) => bail!("not done within {:?}", limit(command, LIMIT)),
        };
        let seconds = start.elapsed().as_secs_f64();
        Ok(match outcome {
            Ok(got) => json!({"got": got, "failure": null, "seconds": seconds}),
            Err(failure) => json!({"failure": failure, "seconds": seconds}),
        })
    }

    /// The folder for files.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Offers that are not settled.
    pub(super) fn open(&self) -> usize {
        self.cell.downloads().open_offers()
    }

    fn offers(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Offer>>> {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reference's word for an outcome.
fn word(outcome: &Outcome) -> &'static str {
    match outcome.verdict {
        Verdict::Completed => "completed",
        Verdict::Failed => "failed",
        _ => "aborted",
    }
}

fn receivers(outcome: &Outcome) -> Value {
    let all = outcome.objects.iter().flat_map(|object| object.receivers.iter());
    let status = |done: bool| if done { "success" } else { "failed" };
    let told = all.map(|(name, done)| (name.as_str().to_owned(), json!(status(*done))));
    told.collect::<serde_json::Map<_, _>>().into()
}
