//! What the column of ours does with streams: blobs, models, small streamed requests alone and beside a large one.

use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use bytes::{Buf as _, Bytes};
use fedcell_cell::proto::request::Body;
use fedcell_cell::{Cell, HandlerError, Request};
use fedcell_fobs::array::{Array, DType, Order};
use fedcell_fobs::{Blob, Map, Value as Fobs};
use fedcell_protocol_defs::cell::Channel;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::asking::{self, Echo};
use super::blobs::Blobs;
use super::now;

/// A channel that the reference streams, too.
const STREAMED: Channel<'static> = Channel::AUX_COMMUNICATION;
const SERVER: &str = "server";
/// Longest that a stream may stand still.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cell's streams, and what was made for them before the clock runs.
#[derive(Debug, Clone)]
pub struct Streams {
    cell: Cell,
    blobs: Arc<Blobs>,
    made: Arc<Mutex<Bytes>>,
    model: Arc<Mutex<Option<(String, Fobs)>>>,
}

impl Streams {
    /// Registers the handlers of the receiving side.
    pub fn new(cell: &Cell) -> Self {
        let blobs = Arc::new(Blobs::default());
        cell.handle(STREAMED, "echo", |request: Request| async move { request.body() });
        cell.handle(STREAMED, "sink", |request: Request| async move { said(request.payload().len()) });
        cell.handle(STREAMED, "model", |request: Request| async move {
            let value = super::models::received(&request).await.map_err(refusal)?;
            Ok::<_, HandlerError>(said(super::models::size(&value)))
        });
        let counter = Arc::clone(&blobs);
        cell.handle(STREAMED, "blob", move |request: Request| {
            counter.add(request.payload().len());
            core::future::ready(())
        });
        Self { cell: cell.clone(), blobs, made: Arc::default(), model: Arc::default() }
    }

    /// Forgets what has come.
    pub fn expect_blobs(&self) -> Value {
        self.blobs.reset();
        json!({})
    }

    /// What has come, once so many have.
    pub async fn await_blobs(&self, number: usize, timeout: usize) -> Value {
        self.blobs.wait(number as u64, Duration::from_secs(timeout as u64)).await
    }

    /// Makes bytes of that size.
    pub fn prepare(&self, size: usize) -> Bytes {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.len() != size {
            *made = Bytes::new();
            *made = Bytes::from(vec![0x5a; size]);
        }
        made.clone()
    }

    /// Blobs of that size in all, as so many streams at a time.
    ///
    /// # Errors
    ///
    /// If a stream fails.
    pub async fn push(&self, size: usize, streams: usize) -> anyhow::Result<Value> {
        let payload = self.prepare(size / streams);
        let mut sending = JoinSet::new();
        let started = now();
        for _ in 0..streams {
            sending.spawn(self.cell.fire(SERVER, STREAMED, "blob").payload(payload.clone()).send());
        }
        while let Some(sent) = sending.join_next().await {
            sent??;
        }
        Ok(json!({"started": started}))
    }

    /// A request with a dictionary of arrays or of byte strings; until the other end has all of it.
    ///
    /// # Errors
    ///
    /// If a stream fails.
    pub async fn model(&self, size: usize, items: usize, arrays: bool) -> anyhow::Result<Value> {
        let key = format!("{size} {items} {arrays}");
        let model = {
            let mut made = self.model.lock().unwrap_or_else(PoisonError::into_inner);
            match made.take().filter(|(of, _)| *of == key) {
                Some(same) => made.insert(same).1.clone(),
                None => made.insert((key, dictionary(size, items, arrays)?)).1.clone(),
            }
        };
        let started = Instant::now();
        let reply = self.cell.request(SERVER, STREAMED, "model").value(&model).timeout(PATIENCE).send().await?;
        let seconds = started.elapsed().as_secs_f64();
        let got = reply.success()?.bytes().try_get_u64().context("no size in the reply")?;
        ensure!(got == size as u64, "{got} of {size} bytes of the model arrived");
        Ok(json!({"seconds": seconds}))
    }

    /// Small streamed requests for as long as so many large ones are on their way.
    ///
    /// # Errors
    ///
    /// If a stream fails.
    pub async fn during_bulk(&self, size: usize, small: usize, streams: usize) -> anyhow::Result<Value> {
        let payload = self.prepare(size / streams);
        let mut transfers = JoinSet::new();
        for _ in 0..streams {
            let request = self.cell.request(SERVER, STREAMED, "sink").payload(payload.clone()).timeout(PATIENCE);
            transfers.spawn(async move { anyhow::Ok(request.send().await?.success().map(drop)?) });
        }
        let all = async move {
            while let Some(ended) = transfers.join_next().await {
                ended??;
            }
            Ok(())
        };
        asking::during(self, small, all).await
    }
}

impl Echo for Streams {
    async fn echo(&self, payload: Bytes) -> anyhow::Result<()> {
        let wanted = payload.len();
        let reply = self.cell.request(SERVER, STREAMED, "echo").payload(payload).timeout(PATIENCE).send().await?;
        let got = reply.success()?.payload().len();
        ensure!(got == wanted, "the echo of {wanted} bytes has {got}");
        Ok(())
    }
}

fn said(bytes: usize) -> Body {
    Body::bytes(Bytes::copy_from_slice(&(bytes as u64).to_be_bytes()))
}

fn refusal(error: impl core::fmt::Display) -> HandlerError {
    HandlerError::invalid_request(error.to_string())
}

fn dictionary(size: usize, items: usize, arrays: bool) -> anyhow::Result<Fobs> {
    let each = size / items;
    let mut map = Map::new();
    for index in 0..items {
        let data = Blob::from(vec![0x5a; each]);
        let value = if arrays {
            Fobs::Array(Box::new(Array::new(DType::parse(b"<f4")?, [each / 4], Order::C, data)?))
        } else {
            Fobs::Bytes(data)
        };
        map.insert(format!("layer{index}").as_str(), value);
    }
    Ok(map.into())
}
