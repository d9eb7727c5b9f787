//! One connection of a crowd: a relay's, over which many sites speak, each under its own address.

use core::time::Duration;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use bytes::BytesMut;
use fedcell_auth::UnixTime;
use fedcell_cell::fobs_body;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::frame::{FrameDecoder, FrameLimits};
use fedcell_cell_proto::headers::{HeaderLimits, HeaderMap};
use fedcell_cell_proto::message::{Message, RequestHead};
use fedcell_fobs::Value;
use fedcell_protocol_defs::cell::{Channel, HeaderKey};
use fedcell_protocol_defs::frame::{FrameType, PrefixLayout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::bench::cell::kit;
use crate::raw::hello;

/// Longest that an answer may take; a benchmark ends, however slow a column is.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open connection, beyond the handshake.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TlsStream<TcpStream>,
    decoder: FrameDecoder,
    received: BytesMut,
    waiting: BytesMut,
}

/// The moment, as messages bear it.
pub(super) fn now() -> UnixTime {
    UnixTime::since_epoch(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

impl Wire {
    /// Connects as `name` with the kit of that name, with mutual TLS.
    pub(super) async fn open(server: &str, port: u16, name: &str, kit: &Path) -> Result<Self> {
        let stream = TcpStream::connect((server, port)).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let stream = kit::tls_client(kit)?.connect(server.to_owned().try_into()?, stream).await.context("no TLS")?;
        let mut decoder = FrameDecoder::new(FrameLimits::default());
        decoder.open();
        let mut wire = Self { stream, decoder, received: BytesMut::new(), waiting: BytesMut::new() };
        wire.stream.write_all(&hello(name)).await?;
        wire.stream.flush().await?;
        let mut prefix = [0; PrefixLayout::SIZE];
        wire.stream.read_exact(&mut prefix).await.context("no answer to HELLO")?;
        let length = u32::from_be_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]) as usize;
        ensure!((PrefixLayout::SIZE..1 << 16).contains(&length), "the answer to HELLO has {length} bytes");
        let mut rest = vec![0; length - PrefixLayout::SIZE];
        wire.stream.read_exact(&mut rest).await?;
        Ok(wire)
    }

    /// Puts bytes behind those that wait for [`flush`](Self::flush).
    pub(super) fn put(&mut self, frame: &[u8]) {
        self.waiting.extend_from_slice(frame);
    }

    /// Writes what waits.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.stream.write_all_buf(&mut self.waiting).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> Result<Message> {
        loop {
            while let Some(frame) = self.decoder.decode(&mut self.received)? {
                if frame.prefix.frame_type == FrameType::DATA {
                    return Ok(Message::decode(frame, &HeaderLimits::default())?);
                }
            }
            self.received.reserve(64 << 10);
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.received)).await;
            ensure!(read.context("no answer in time")?? > 0, "the server has closed the connection");
        }
    }
}

/// A request of the site `origin`, over the connection of the relay above it, to the server.
pub(super) fn request(
    origin: &FqcnBuf,
    topic: &str,
    id: usize,
    headers: HeaderMap,
    body: Option<&Value>,
) -> Result<Vec<u8>> {
    let id = id.to_string();
    let head = RequestHead {
        origin: origin.as_fqcn(),
        destination: Fqcn::SERVER,
        next_hop: Fqcn::SERVER,
        channel: Channel::SERVER_MAIN.as_str(),
        topic,
        ids: Some(&id),
        is_secure: false,
        is_optional: true,
    };
    let body = fobs_body(body.unwrap_or(&Value::Null))?;
    let encoding = body.encoding();
    let mut message = Message::request(headers, &head, body.into_payload(), now());
    message.finish(encoding, now());
    Ok(message.encode(1, 1)?.into_bytes().to_vec())
}

/// The request that a reply answers.
pub(super) fn id_of(reply: &Message) -> Result<usize> {
    let ids = reply.headers.texts(HeaderKey::REQ_ID)?.context("a reply without a request")?;
    ids.iter().next().context("a reply without a request")?.parse().context("a reply to another request")
}

/// The object in a reply.
pub(super) fn value_of(reply: &Message) -> Result<Value> {
    let segments: Vec<_> = reply.payload.segments().cloned().collect();
    Ok(fedcell_fobs::decode(&segments)?)
}

/// Fails unless a reply says ok.
pub(super) fn check(reply: &Message) -> Result<()> {
    let text = |key: HeaderKey<'_>| reply.headers.text(key).ok().flatten().unwrap_or_default();
    let code = text(HeaderKey::RETURN_CODE);
    ensure!(code == "ok", "answered {code:?}: {}", text(HeaderKey::ERROR));
    Ok(())
}
