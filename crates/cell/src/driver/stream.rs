//! One established connection as two halves that tasks can own: bytes in, slices out.

use core::future::poll_fn;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::TlsStream;
use tokio_util::io::poll_read_buf;

use super::batch::Batch;

/// Memory that the buffer of an idle connection may keep, so that small messages that come one by one need no allocation.
const IDLE_CAPACITY: usize = 4 * 1024;

/// Pieces handed to the system at once; twice the number of small frames in them.
const MAX_SLICES: usize = 128;

/// Bytes that are protected ahead of what the system has taken: half a chunk of a stream. All of it would leave with fewer
/// calls, and small frames beside eight streams would wait for three times as long in the median.
const PROTECTED_AHEAD: usize = 128 * 1024;

/// A connection that is ready for its first frame.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) reading: ReadHalf,
    pub(crate) writing: WriteHalf,
}

impl Link {
    pub(crate) fn clear(stream: TcpStream) -> Self {
        let (reading, writing) = stream.into_split();
        Self { reading: ReadHalf::Clear(reading), writing: WriteHalf::Clear(writing) }
    }

    pub(crate) fn protected(mut stream: TlsStream<TcpStream>) -> Self {
        match &mut stream {
            TlsStream::Client(stream) => stream.get_mut().1.set_buffer_limit(Some(PROTECTED_AHEAD)),
            TlsStream::Server(stream) => stream.get_mut().1.set_buffer_limit(Some(PROTECTED_AHEAD)),
        }
        let (reading, writing) = tokio::io::split(stream);
        Self { reading: ReadHalf::Protected(reading), writing: WriteHalf::Protected(writing) }
    }

    pub(crate) fn memory(stream: DuplexStream) -> Self {
        let (reading, writing) = tokio::io::split(stream);
        Self { reading: ReadHalf::Memory(reading), writing: WriteHalf::Memory(writing) }
    }
}

/// The half that a reader task owns.
#[derive(Debug)]
pub(crate) enum ReadHalf {
    Clear(OwnedReadHalf),
    Protected(tokio::io::ReadHalf<TlsStream<TcpStream>>),
    Memory(tokio::io::ReadHalf<DuplexStream>),
}

impl ReadHalf {
    /// Waits for bytes and appends them to `buffer`, after making room for `want` more; no more than `most`.
    ///
    /// Returns how many there were; 0 is the end of the stream. While it waits with nothing in `buffer`, the buffer has
    /// little memory: thousands of idle connections cost little. Dropping the future loses no bytes.
    pub(crate) async fn read(&mut self, buffer: &mut BytesMut, want: usize, most: usize) -> io::Result<usize> {
        poll_fn(|context| {
            buffer.reserve(want);
            let room = &mut (&mut *buffer).limit(most);
            let read = match self {
                Self::Clear(half) => poll_read_buf(Pin::new(half), context, room),
                Self::Protected(half) => poll_read_buf(Pin::new(half), context, room),
                Self::Memory(half) => poll_read_buf(Pin::new(half), context, room),
            };
            if read.is_pending() && buffer.is_empty() && buffer.capacity() > IDLE_CAPACITY {
                *buffer = BytesMut::new();
            }
            read
        })
        .await
    }
}

/// The half that a writer task owns.
#[derive(Debug)]
pub(crate) enum WriteHalf {
    Clear(OwnedWriteHalf),
    Protected(tokio::io::WriteHalf<TlsStream<TcpStream>>),
    Memory(tokio::io::WriteHalf<DuplexStream>),
}

impl WriteHalf {
    /// Writes some of the bytes in `frames` and takes them away; returns how many, once it could write at all.
    pub(crate) async fn write(&mut self, frames: &mut Batch) -> io::Result<usize> {
        poll_fn(|context| self.poll_write(context, frames)).await
    }

    /// As [`write`](Self::write), for those who do not wait.
    pub(crate) fn poll_write(&mut self, context: &mut Context<'_>, frames: &mut Batch) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let filled = frames.slices(&mut slices);
        let slices = slices.get(..filled).unwrap_or_default();
        let written = ready!(match self {
            Self::Clear(half) => Pin::new(half).poll_write_vectored(context, slices),
            Self::Protected(half) => Pin::new(half).poll_write_vectored(context, slices),
            Self::Memory(half) => Pin::new(half).poll_write_vectored(context, slices),
        })?;
        frames.advance(written);
        Poll::Ready(if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) })
    }

    /// Sends what the protection holds back.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|context| self.poll_flush(context)).await
    }

    /// As [`flush`](Self::flush), for those who do not wait.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Clear(_) => Poll::Ready(Ok(())),
            Self::Protected(half) => Pin::new(half).poll_flush(context),
            Self::Memory(half) => Pin::new(half).poll_flush(context),
        }
    }

    /// Says to the peer that nothing more will come.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(half) => half.shutdown().await,
            Self::Protected(half) => half.shutdown().await,
            Self::Memory(half) => half.shutdown().await,
        }
    }
}

/// An address as the reference writes it in the properties of a connection.
pub(super) fn shown(address: io::Result<SocketAddr>) -> String {
    address.map_or_else(|_| "N/A".to_owned(), |address| address.to_string())
}
