//! The bare column: the same number of bytes over tokio's TCP, cut by a length, and nothing else.
//!
//! A frame is a 16-byte prefix, filler as long as the headers of a cell's message, and the payload. The prefix holds the
//! length where a cell's frame has it, and in its reserved byte whether an answer is wanted.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use bytes::{Buf, BufMut, BytesMut};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::count::Count;
use super::{Config, Obey, nanoseconds_since, now, number};

const PREFIX: usize = 16;
const KIND: usize = 7;
const ANSWERED: u8 = 0;
const COUNTED: u8 = 1;
/// What a read may take and a write gathers.
const BATCH: usize = 64 << 10;

/// A server, a forwarder or a client.
#[derive(Debug)]
pub struct Peer {
    count: Arc<Count>,
    stream: Option<TcpStream>,
    overhead: (usize, usize),
}

impl Peer {
    /// Listens or dials as the configuration says; who does both forwards.
    ///
    /// # Errors
    ///
    /// If the address is taken, or nobody listens there.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let count = Arc::new(Count::default());
        let overhead = (config.request_overhead.max(PREFIX), config.reply_overhead.max(PREFIX));
        let mut peer = Self { count, stream: None, overhead };
        let upstream = config.dial.as_deref().map(address);
        match (&config.listen, upstream) {
            (Some(listen), upstream) => {
                let listener = TcpListener::bind(address(listen)).await?;
                tokio::spawn(accept(listener, upstream.map(str::to_owned), Arc::clone(&peer.count), overhead));
            }
            (None, Some(upstream)) => {
                let stream = TcpStream::connect(upstream).await?;
                stream.set_nodelay(true)?;
                peer.stream = Some(stream);
            }
            (None, None) => bail!("a peer listens or dials"),
        }
        Ok(peer)
    }

    fn stream(&mut self) -> anyhow::Result<&mut TcpStream> {
        self.stream.as_mut().context("only a client sends")
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
            "expect" => {
                self.count.expect(number(arguments, "count")? as u64);
                Ok(json!({}))
            }
            "counted" => Ok(self.count.counted(Duration::from_secs(number(arguments, "timeout")? as u64)).await),
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

async fn accept(listener: TcpListener, upstream: Option<String>, count: Arc<Count>, overhead: (usize, usize)) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        match upstream.clone() {
            Some(upstream) => drop(tokio::spawn(forward(stream, upstream))),
            None => drop(tokio::spawn(answer(stream, Arc::clone(&count), overhead))),
        }
    }
}

async fn forward(mut stream: TcpStream, upstream: String) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(upstream).await?;
    upstream.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut stream, &mut upstream).await?;
    Ok(())
}

async fn answer(mut stream: TcpStream, count: Arc<Count>, overhead: (usize, usize)) -> std::io::Result<()> {
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
            if received.len() < length {
                received.reserve(length - received.len());
                break;
            }
            let whole = received.split_to(length);
            if whole[KIND] == COUNTED {
                let mut number = &whole[overhead.0..];
                count.add(number.try_get_u64().unwrap_or_default());
            } else {
                let reply = frame((length + overhead.1 - overhead.0).max(PREFIX), ANSWERED);
                replies.put_slice(&reply);
            }
        }
        stream.write_all_buf(&mut replies).await?;
    }
}
