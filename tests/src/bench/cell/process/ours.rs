//! The column of ours: a cell of this workspace, used as an application would use it.

use core::time::Duration;
use std::sync::Arc;

use anyhow::bail;
use bytes::{Buf, Bytes};
use fedcell_cell::proto::message::Payload;
use fedcell_cell::proto::request::Body;
use fedcell_cell::security::{Credentials, SecurityMode};
use fedcell_cell::{Cell, ConnectorUse, Request};
use fedcell_protocol_defs::cell::Channel;
use fedcell_protocol_defs::stream;
use serde_json::{Value, json};

use super::asking::{self, Echo};
use super::count::Count;
use super::streams::Streams;
use super::{Config, Obey, now, number};

/// The channel of all requests: one that the reference sends plainly, too.
const PLAIN: Channel<'static> = Channel::SERVER_MAIN;
const SERVER: &str = "server";
/// Longest wait for a reply.
const PATIENCE: Duration = Duration::from_secs(60);
/// Size of the pieces of a large payload.
const CHUNK: usize = stream::Defaults::CHUNK_SIZE;

/// A cell and what its handlers count.
#[derive(Debug, Clone)]
pub struct Peer {
    cell: Cell,
    count: Arc<Count>,
    streams: Streams,
}

impl Peer {
    /// Starts a cell as the configuration says and waits until its backbone stands.
    ///
    /// # Errors
    ///
    /// If its credentials cannot be read or its address is taken.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let mut builder = Cell::builder(&config.name).security(SecurityMode::Clear);
        if let Some(kit) = &config.kit {
            builder = builder.security(SecurityMode::Mtls).credentials(Credentials::from_kit(kit)?);
        }
        if let Some(listen) = &config.listen {
            builder = if config.relay { builder.listen_internal(listen) } else { builder.root_url(listen) };
        }
        if let Some(dial) = &config.dial {
            builder = if config.parent { builder.parent_url(dial) } else { builder.root_url(dial) };
        }
        let cell = builder.start().await?;
        let count = Arc::new(Count::default());
        register(&cell, &count);
        let streams = Streams::new(&cell);
        cell.ready().await;
        Ok(Self { cell, count, streams })
    }

    /// Where it listens.
    pub fn url(&self) -> Option<String> {
        let is_listener =
            |purpose: &ConnectorUse| matches!(purpose, ConnectorUse::ExternalListener | ConnectorUse::InternalListener);
        self.cell.connectors().into_iter().find(|connector| is_listener(&connector.purpose)).map(|found| found.url)
    }

    async fn one_way(&self, size: usize, count: usize) -> anyhow::Result<Value> {
        let mut message = vec![0; size];
        let started = now();
        for sequence in 0..count as u64 {
            message[..8].copy_from_slice(&sequence.to_be_bytes());
            self.cell.fire(SERVER, PLAIN, "count").direct().payload(Bytes::copy_from_slice(&message)).send().await?;
        }
        Ok(json!({"started": started}))
    }

    async fn blocked(&self, handlers: usize, milliseconds: u64) -> anyhow::Result<Value> {
        for _ in 0..handlers {
            let payload = Bytes::copy_from_slice(&milliseconds.to_be_bytes());
            self.cell.fire(SERVER, PLAIN, "block").direct().payload(payload).send().await?;
        }
        Ok(json!({"nanoseconds": asking::round_trips(self, 64, 1, Duration::ZERO).await?}))
    }

    /// Small requests for as long as a large stream is on its way.
    async fn during_bulk(&self, size: usize) -> anyhow::Result<Value> {
        let chunk = Bytes::from(vec![0; CHUNK]);
        let payload: Payload = (0..size.div_ceil(CHUNK)).map(|_| chunk.clone()).collect();
        let request = self.cell.request(SERVER, PLAIN, "take").streamed().payload(payload).timeout(PATIENCE);
        asking::during(self, 64, async move { Ok(request.send().await?.success().map(drop)?) }).await
    }
}

impl Echo for Peer {
    async fn echo(&self, payload: Bytes) -> anyhow::Result<()> {
        let wanted = payload.len();
        let reply = self.cell.request(SERVER, PLAIN, "echo").direct().payload(payload).timeout(PATIENCE).send().await?;
        let got = reply.success()?.payload().len();
        anyhow::ensure!(got == wanted, "the echo of {wanted} bytes has {got}");
        Ok(())
    }
}

impl Obey for Peer {
    async fn obey(&mut self, name: &str, arguments: &Value) -> anyhow::Result<Value> {
        let size = || number(arguments, "size");
        let count = || number(arguments, "count");
        let streamed = arguments["streamed"] == true;
        let pause = if arguments["pauses"] == true { asking::PAUSE } else { Duration::ZERO };
        let streams = self.streams.clone();
        match name {
            "prepare" => {
                streams.prepare(size()?);
                Ok(json!({}))
            }
            "push" => streams.push(size()?, number(arguments, "streams")?).await,
            "expect_blobs" => Ok(streams.expect_blobs()),
            "await_blobs" => Ok(streams.await_blobs(number(arguments, "number")?, number(arguments, "timeout")?).await),
            "model" => streams.model(size()?, number(arguments, "items")?, arguments["arrays"] == true).await,
            "round_trip" if streamed => {
                Ok(json!({"nanoseconds": asking::round_trips(&streams, size()?, count()?, pause).await?}))
            }
            "outstanding" if streamed => {
                asking::outstanding(&streams, size()?, count()?, number(arguments, "outstanding")?).await
            }
            "during_bulk" if streamed => {
                streams.during_bulk(size()?, number(arguments, "small")?, number(arguments, "streams")?).await
            }
            "round_trip" => Ok(json!({"nanoseconds": asking::round_trips(self, size()?, count()?, pause).await?})),
            "outstanding" => asking::outstanding(self, size()?, count()?, number(arguments, "outstanding")?).await,
            "expect" => {
                self.count.expect(count()? as u64);
                Ok(json!({}))
            }
            "counted" => Ok(self.count.counted(Duration::from_secs(number(arguments, "timeout")? as u64)).await),
            "one_way" => self.one_way(size()?, count()?).await,
            "blocked" => self.blocked(number(arguments, "handlers")?, number(arguments, "milliseconds")? as u64).await,
            "during_bulk" => self.during_bulk(size()?).await,
            other => bail!("our column knows no {other:?}"),
        }
    }
}

fn register(cell: &Cell, count: &Arc<Count>) {
    cell.handle(PLAIN, "echo", |request: Request| async move { request.body() });
    let counter = Arc::clone(count);
    cell.handle(PLAIN, "count", move |request: Request| {
        let sequence = request.bytes().try_get_u64().unwrap_or_default();
        counter.add(sequence);
        core::future::ready(())
    });
    cell.handle(PLAIN, "block", |request: Request| async move {
        let milliseconds = request.bytes().try_get_u64().unwrap_or_default();
        // What blocks a thread has one, as the documentation of handlers says.
        let blocking = tokio::task::spawn_blocking(move || std::thread::sleep(Duration::from_millis(milliseconds)));
        drop(blocking.await);
    });
    cell.handle(PLAIN, "take", |_: Request| async { Body::none() });
}
