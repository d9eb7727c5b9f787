//! The bare column: the same number of bytes over tokio's TCP, cut by a length, and nothing else.
//!
//! A frame is a 16-byte prefix, filler as long as the headers of a cell's message, and the payload. The prefix holds the
//! length where a cell's frame has it, and in its reserved byte whether an answer is wanted.

use core::fmt;
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::blobs::Blobs;
use super::count::Count;
use super::{Config, Obey, nanoseconds_since, now, number};
use crate::bench::cell::kit;

const PREFIX: usize = 16;
const KIND: usize = 7;
const ANSWERED: u8 = 0;
const COUNTED: u8 = 1;
/// Kept until it is whole.
const BLOB: u8 = 2;
/// What a read may take and a write gathers.
const BATCH: usize = 64 << 10;
/// What a blob is kept in: pieces of this size, that of a cell's chunks.
const PIECE: usize = 1 << 20;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection, encrypted or not.
type Stream = Box<dyn Duplex>;

/// What has come.
#[derive(Debug, Clone, Default)]
struct Arrivals {
    messages: Arc<Count>,
    blobs: Arc<Blobs>,
}

/// A server, a forwarder or a client.
pub struct Peer {
    arrivals: Arrivals,
    stream: Option<Stream>,
    overhead: (usize, usize),
    /// Bytes made before the clock runs.
    made: Bytes,
}

impl fmt::Debug for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Peer").field("arrivals", &self.arrivals).finish_non_exhaustive()
    }
}

impl Peer {
    /// Listens or dials as the configuration says; who does both forwards.
    ///
    /// # Errors
    ///
    /// If the address is taken, or nobody listens there.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let arrivals = Arrivals::default();
        let overhead = (config.request_overhead.max(PREFIX), config.reply_overhead.max(PREFIX));
        let mut peer = Self { arrivals: arrivals.clone(), stream: None, overhead, made: Bytes::new() };
        let kit = config.kit.as_deref().map(Path::new);
        let upstream = match config.dial.as_deref() {
            Some(url) => Some(Upstream {
                address: address(url).to_owned(),
                tls: kit.map(kit::tls_client).transpose()?,
                name: if config.parent { "relay-1" } else { "server" },
            }),
            None => None,
        };
        match (&config.listen, upstream) {
            (Some(listen), upstream) => {
                let listener = TcpListener::bind(address(listen)).await?;
                let tls = kit.map(kit::tls_server).transpose()?;
                tokio::spawn(accept(listener, tls, upstream, arrivals, overhead));
            }
            (None, Some(upstream)) => peer.stream = Some(upstream.connect().await?),
            (None, None) => bail!("a peer listens or dials"),
        }
        Ok(peer)
    }

    fn stream(&mut self) -> anyhow::Result<&mut Stream> {
        self.stream.as_mut().context("only a client sends")
    }

    /// So many blobs, one after the other on the one connection.
    async fn push(&mut self, size: usize, streams: usize) -> anyhow::Result<Value> {
        let each = self.bulk(size / streams);
        let stream = self.stream()?;
        let started = now();
        for _ in 0..streams {
            let mut head = frame(PREFIX, BLOB);
            head[..4].copy_from_slice(&u32::try_from(PREFIX + each.len())?.to_be_bytes());
            stream.write_all(&head).await?;
            stream.write_all(&each).await?;
        }
        stream.flush().await?;
        Ok(json!({"started": started}))
    }

    fn bulk(&mut self, size: usize) -> Bytes {
        if self.made.len() != size {
            self.made = Bytes::from(vec![0x5a; size]);
        }
        self.made.clone()
    }

    async fn round_trip(&mut self, size: usize, count: usize) -> anyhow::Result<Value> {
        let (request, reply) = (frame(self.overhead.0 + size, ANSWERED), self.overhead.1 + size);
        let stream = self.stream()?;
        let mut received = vec![0; reply];
        let mut nanoseconds = Vec::with_capacity(count);
        for _ in 0..count {
            let started = Instant::now();
            stream.write_all(&request).await?;
            stream.read_exact(&mut received).await?;
            nanoseconds.push(nanoseconds_since(started));
        }
        Ok(json!({"nanoseconds": nanoseconds}))
    }

    async fn outstanding(&mut self, size: usize, count: usize, outstanding: usize) -> anyhow::Result<Value> {
        let (request, reply) = (frame(self.overhead.0 + size, ANSWERED), self.overhead.1 + size);
        let stream = self.stream()?;
        let (mut sent, mut done, mut rest) = (0, 0, 0);
        let mut received = vec![0; BATCH];
        let mut batch = BytesMut::new();
        let started = Instant::now();
        while done < count {
            while sent < count && sent - done < outstanding {
                batch.put_slice(&request);
                sent += 1;
            }
            stream.write_all_buf(&mut batch).await?;
            rest += stream.read(&mut received).await?;
            done += rest / reply;
            rest %= reply;
        }
        Ok(json!({"seconds": started.elapsed().as_secs_f64(), "done": count}))
    }

    async fn one_way(&mut self, size: usize, count: usize) -> anyhow::Result<Value> {
        let overhead = self.overhead.0;
        let mut message = frame(overhead + size, COUNTED);
        let stream = self.stream()?;
        let mut batch = BytesMut::new();
        let started = now();
        for sequence in 0..count as u64 {
            message[overhead..overhead + 8].copy_from_slice(&sequence.to_be_bytes());
            batch.put_slice(&message);
            if batch.len() >= BATCH {
                stream.write_all_buf(&mut batch).await?;
            }
        }
        stream.write_all_buf(&mut batch).await?;
        Ok(json!({"started": started}))
    }
}

impl Obey for Peer {
    async fn obey(&mut self, name: &str, arguments: &Value) -> anyhow::Result<Value> {
        match name {
            "round_trip" => self.round_trip(number(arguments, "size")?, number(arguments, "count")?).await,
            "outstanding" => {
                let count = number(arguments, "count")?;
                self.outstanding(number(arguments, "size")?, count, number(arguments, "outstanding")?).await
            }
            "prepare" => {
                self.bulk(number(arguments, "size")?);
                Ok(json!({}))
            }
            "push" => self.push(number(arguments, "size")?, number(arguments, "streams")?).await,
            "expect_blobs" => {
                self.arrivals.blobs.reset();
                Ok(json!({}))
            }
            "await_blobs" => {
                let timeout = Duration::from_secs(number(arguments, "timeout")? as u64);
                Ok(self.arrivals.blobs.wait(number(arguments, "number")? as u64, timeout).await)
            }
            "expect" => {
                self.arrivals.messages.expect(number(arguments, "count")? as u64);
                Ok(json!({}))
            }
            "counted" => {
                Ok(self.arrivals.messages.counted(Duration::from_secs(number(arguments, "timeout")? as u64)).await)
            }
            "one_way" => self.one_way(number(arguments, "size")?, number(arguments, "count")?).await,
            other => bail!("the bare column knows no {other:?}"),
        }
    }
}

/// The host and port of `tcp://HOST:PORT`.
fn address(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, address)| address)
}

fn frame(length: usize, kind: u8) -> Vec<u8> {
    let mut frame = vec![0; length];
    let declared = u32::try_from(length).unwrap_or(u32::MAX);
    frame[..4].copy_from_slice(&declared.to_be_bytes());
    frame[KIND] = kind;
    frame
}

/// Whom a forwarder or a client dials.
#[derive(Clone)]
struct Upstream {
    address: String,
    tls: Option<TlsConnector>,
    /// Whose certificate it has.
    name: &'static str,
}

impl Upstream {
    async fn connect(&self) -> anyhow::Result<Stream> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            Some(tls) => Ok(Box::new(tls.connect(self.name.try_into()?, stream).await?)),
            None => Ok(Box::new(stream)),
        }
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    upstream: Option<Upstream>,
    arrivals: Arrivals,
    overhead: (usize, usize),
) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (tls, upstream, arrivals) = (tls.clone(), upstream.clone(), arrivals.clone());
        tokio::spawn(async move {
            let stream: Stream = match tls {
                Some(tls) => Box::new(tls.accept(stream).await?),
                None => Box::new(stream),
            };
            match upstream {
                Some(upstream) => forward(stream, upstream).await,
                None => answer(stream, arrivals, overhead).await,
            }
        });
    }
}

async fn forward(mut stream: Stream, upstream: Upstream) -> anyhow::Result<()> {
    let mut upstream = upstream.connect().await?;
    tokio::io::copy_bidirectional_with_sizes(&mut stream, &mut upstream, BATCH, BATCH).await?;
    Ok(())
}

async fn answer(mut stream: Stream, arrivals: Arrivals, overhead: (usize, usize)) -> anyhow::Result<()> {
    let mut received = BytesMut::new();
    let mut replies = BytesMut::new();
    loop {
        received.reserve(1024.max(received.capacity().min(BATCH)));
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
        while received.len() >= PREFIX {
            let mut head = &received[..4];
            let length = (head.get_u32() as usize).max(PREFIX);
            if received[KIND] == BLOB {
                received.advance(PREFIX);
                blob(&mut stream, &mut received, length - PREFIX, &arrivals.blobs).await?;
                continue;
            }
            if received.len() < length {
                received.reserve(length - received.len());
                break;
            }
            let whole = received.split_to(length);
            if whole[KIND] == COUNTED {
                let mut number = &whole[overhead.0..];
                arrivals.messages.add(number.try_get_u64().unwrap_or_default());
            } else {
                let reply = frame((length + overhead.1 - overhead.0).max(PREFIX), ANSWERED);
                replies.put_slice(&reply);
            }
        }
        stream.write_all_buf(&mut replies).await?;
    }
}

/// Keeps what comes in pieces until it is whole.
async fn blob(stream: &mut Stream, first: &mut BytesMut, size: usize, blobs: &Blobs) -> std::io::Result<()> {
    let mut kept = vec![first.split_to(size.min(first.len()))];
    let mut left = size - kept[0].len();
    while left > 0 {
        let mut piece = BytesMut::with_capacity(PIECE.min(left));
        while piece.len() < PIECE.min(left) {
            let room = PIECE.min(left) - piece.len();
            if stream.take(room as u64).read_buf(&mut piece).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        left -= piece.len();
        kept.push(piece);
    }
    blobs.add(kept.iter().map(BytesMut::len).sum());
    Ok(())
}
