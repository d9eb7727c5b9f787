//! Many connections of one process to one server: each under a name of its own, through the handshake, then silent.

use core::time::Duration;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use fedcell_protocol_defs::frame::PrefixLayout;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::kit;
use crate::raw::hello;

/// Longest that one connection may take to be open.
const PATIENCE: Duration = Duration::from_secs(20);
/// Handshakes under way at a time.
const AT_A_TIME: usize = 32;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Open connections; they end with it.
pub struct Swarm {
    runtime: tokio::runtime::Runtime,
    streams: Vec<Box<dyn Duplex>>,
    /// Time from the first to the last handshake.
    pub took: Duration,
    /// Why no more were opened, if fewer than wanted.
    pub stopped: Option<String>,
}

impl core::fmt::Debug for Swarm {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Swarm").field("open", &self.open_count()).finish_non_exhaustive()
    }
}

impl Swarm {
    /// Opens up to `wanted` connections to a server, as `ROOT.s1`, `ROOT.s2`, … until one fails or `limit` is over.
    ///
    /// # Errors
    ///
    /// If the kit cannot be read.
    pub fn open(url: &str, wanted: usize, kit: Option<&Path>, limit: Duration) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let connector = kit.map(kit::tls_client).transpose()?;
        let address = url.split_once("://").map_or(url, |(_, address)| address).to_owned();
        let (streams, took, stopped) = runtime.block_on(async {
            let started = Instant::now();
            let (mut streams, mut stopped, mut begun) = (Vec::with_capacity(wanted), None, 0);
            let mut opening = JoinSet::new();
            loop {
                while begun < wanted && opening.len() < AT_A_TIME && stopped.is_none() {
                    let (address, connector) = (address.clone(), connector.clone());
                    opening.spawn(async move {
                        let name = format!("site-1.s{begun}");
                        let open = open(&address, &name, connector);
                        tokio::time::timeout(PATIENCE, open).await.context("no answer in time").flatten()
                    });
                    begun += 1;
                }
                match opening.join_next().await {
                    None => break,
                    Some(Ok(Ok(stream))) => streams.push(stream),
                    Some(Ok(Err(error))) => stopped = Some(format!("{error:#}")),
                    Some(Err(error)) => stopped = Some(error.to_string()),
                }
                if started.elapsed() > limit {
                    stopped.get_or_insert_with(|| format!("{limit:?} were over"));
                }
            }
            (streams, started.elapsed(), stopped)
        });
        Ok(Self { runtime, streams, took, stopped })
    }

    /// Number of open connections.
    pub fn open_count(&self) -> usize {
        self.streams.len()
    }

    /// How many of them the server has closed by now.
    pub fn closed(&mut self) -> usize {
        let Self { runtime, streams, .. } = self;
        runtime.block_on(async {
            let mut closed = 0;
            for stream in streams {
                let mut byte = [0];
                let read = tokio::time::timeout(Duration::ZERO, stream.read(&mut byte)).await;
                closed += usize::from(matches!(read, Ok(Ok(0) | Err(_))));
            }
            closed
        })
    }
}

async fn open(
    address: &str,
    name: &str,
    connector: Option<tokio_rustls::TlsConnector>,
) -> anyhow::Result<Box<dyn Duplex>> {
    let stream = TcpStream::connect(address).await.context("cannot connect")?;
    stream.set_nodelay(true)?;
    let mut stream: Box<dyn Duplex> = match connector {
        None => Box::new(stream),
        Some(connector) => Box::new(connector.connect("server".try_into()?, stream).await.context("no TLS session")?),
    };
    stream.write_all(&hello(name)).await?;
    stream.flush().await?;
    let mut prefix = [0; PrefixLayout::SIZE];
    stream.read_exact(&mut prefix).await.context("no answer to HELLO")?;
    let length = u32::from_be_bytes([prefix[0], prefix[1], prefix[2], prefix[3]]) as usize;
    if !(PrefixLayout::SIZE..1 << 16).contains(&length) {
        bail!("the answer to HELLO has {length} bytes");
    }
    let mut rest = vec![0; length - PrefixLayout::SIZE];
    stream.read_exact(&mut rest).await?;
    Ok(stream)
}
