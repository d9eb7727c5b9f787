//! Writing a stream: pieces without a copy, or as an [`AsyncWrite`].

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use fedcell_cell_proto::address::FqcnBuf;
use fedcell_cell_proto::headers::HeaderValue;
use fedcell_cell_proto::message::Payload;
use fedcell_cell_proto::stream::{OpenStream, StreamError, StreamId};
use fedcell_protocol_defs::stream::HeaderKey;
use tokio::io::AsyncWrite;

use super::outlet::Outlet;
use crate::endpoint::Endpoint;
use crate::error::RequestError;
use crate::request::Target;

/// Bytes of small writes that are collected before they are given to the stream.
const BUFFER: usize = 256 * 1024;

/// A stream to another cell, not opened yet.
#[must_use = "nothing is sent before the stream is opened and written to"]
pub struct StreamDraft {
    endpoint: Endpoint,
    target: Result<FqcnBuf, RequestError>,
    stream: OpenStream,
}

impl StreamDraft {
    pub(crate) fn new(endpoint: Endpoint, target: impl Target, channel: &str, topic: &str) -> Self {
        let target = target.address().map_err(RequestError::Target);
        Self { endpoint, target, stream: OpenStream::new(channel, topic) }
    }

    /// Sets a header of the application; the reader sees it.
    pub fn header<'v>(mut self, key: impl AsRef<str>, value: impl Into<HeaderValue<'v>>) -> Self {
        self.stream.headers.insert(key, value);
        self
    }

    /// Declares the size in bytes.
    pub const fn size(mut self, bytes: u64) -> Self {
        self.stream.size = Some(bytes);
        self
    }

    /// Says whether chunks are kept and sent again until the receiver has acknowledged them: the stream then outlives
    /// lost connections. Default no.
    pub const fn reliable(mut self, reliable: bool) -> Self {
        self.stream.reliable = reliable;
        self
    }

    /// Says that failures are not worth a warning; cells on the way report them back.
    pub const fn optional(mut self) -> Self {
        self.stream.optional = true;
        self
    }

    /// Seals every chunk from end to end.
    pub const fn sealed(mut self) -> Self {
        self.stream.secure = true;
        self
    }

    /// Says that the stream is a file of this name.
    pub fn file_name(self, name: &str) -> Self {
        self.header(HeaderKey::FILE_NAME, name)
    }

    /// Sets how many bytes a chunk has. Default 256 KiB.
    pub const fn chunk_size(mut self, bytes: usize) -> Self {
        self.stream.chunk_size = Some(bytes);
        self
    }

    /// Sets how many bytes may be on their way without an acknowledgement. Default 64 MiB.
    pub const fn window(mut self, bytes: u64) -> Self {
        self.stream.window = Some(bytes);
        self
    }

    /// Opens the stream. Nothing is sent before something is written.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the target is no address or too many streams are open.
    pub fn open(self) -> Result<StreamWriter, RequestError> {
        StreamWriter::open(self.endpoint, self.target?, self.stream)
    }
}

impl fmt::Debug for StreamDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamDraft")
            .field("target", &self.target)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// How far a stream has come, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Written to the stream.
    pub written: u64,
    /// Taken by the reader at the other end, as far as it has said so.
    pub acknowledged: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// All has been given to the stream.
    Finished,
    /// The stream has ended.
    Ended,
}

/// A stream to another cell.
///
/// Writing waits while the reader at the other end, or the connection on the way, takes no more. The stream ends with
/// [`finish`](Self::finish) or a shutdown of the writer; dropped before, it is cancelled and the reader is told.
pub struct StreamWriter {
    endpoint: Endpoint,
    target: FqcnBuf,
    id: StreamId,
    outlet: Arc<Outlet>,
    /// Small writes.
    buffer: BytesMut,
    given: u64,
    stage: Stage,
}

impl StreamWriter {
    pub(crate) fn open(endpoint: Endpoint, target: FqcnBuf, stream: OpenStream) -> Result<Self, RequestError> {
        let (opened, _) = endpoint.drive(|core, now| core.desk.open(now, &target, stream));
        let (id, outlet) = match opened {
            Ok(opened) => opened,
            Err(error) => return Err(RequestError::Stream { target, error }),
        };
        Ok(Self { endpoint, target, id, outlet, buffer: BytesMut::new(), given: 0, stage: Stage::Open })
    }

    /// Where the stream goes.
    #[must_use]
    pub const fn target(&self) -> &FqcnBuf {
        &self.target
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress { written: self.given + self.buffer.len() as u64, acknowledged: self.outlet.acknowledged() }
    }

    /// Writes a piece of any size without copying it.
    ///
    /// # Errors
    ///
    /// [`StreamError`] if the stream has failed.
    ///
    /// # Cancel safety
    ///
    /// A dropped future has written all of the piece or nothing of it.
    pub async fn send(&mut self, piece: Bytes) -> Result<(), StreamError> {
        poll_fn(|context| self.poll_drain(context)).await?;
        poll_fn(|context| self.poll_room(context)).await?;
        self.give(piece);
        Ok(())
    }

    /// Ends the stream and waits until all of it has left or, if it is reliable, has been acknowledged. Gives its size
    /// in bytes.
    ///
    /// # Errors
    ///
    /// [`StreamError`] if the stream has failed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the stream, unless all of it had been given to the stream.
    pub async fn finish(mut self) -> Result<u64, StreamError> {
        poll_fn(|context| self.poll_finish(context)).await
    }

    /// Gives the stream up and says why to the reader.
    pub fn cancel(mut self, why: &str) {
        self.end(why);
    }

    fn end(&mut self, why: &str) {
        if self.stage == Stage::Open {
            let id = self.id;
            self.endpoint.drive(|core, _| core.desk.cancel(id, why));
        }
        self.stage = Stage::Ended;
    }

    /// Waits until the stream takes more.
    fn poll_room(&mut self, context: &Context<'_>) -> Poll<Result<(), StreamError>> {
        // First: the machine may make room between the question and the wait.
        if let Poll::Ready(end) = self.outlet.poll_end(context) {
            self.stage = Stage::Ended;
            let early = || StreamError::refused("the stream has ended");
            return Poll::Ready(Err(end.err().unwrap_or_else(early)));
        }
        let id = self.id;
        let (room, _) = self.endpoint.drive(|core, _| core.desk.room(id));
        if room > 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn give(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        self.given += piece.len() as u64;
        let id = self.id;
        self.endpoint.drive(|core, now| core.desk.offer(now, id, &Payload::from(piece)));
    }

    /// Gives small writes to the stream.
    fn poll_drain(&mut self, context: &Context<'_>) -> Poll<Result<(), StreamError>> {
        if !self.buffer.is_empty() {
            ready!(self.poll_room(context))?;
            let piece = self.buffer.split().freeze();
            self.give(piece);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_finish(&mut self, context: &Context<'_>) -> Poll<Result<u64, StreamError>> {
        if self.stage == Stage::Open {
            ready!(self.poll_drain(context))?;
            self.stage = Stage::Finished;
            let id = self.id;
            self.endpoint.drive(|core, now| core.desk.finish(now, id));
        }
        let end = ready!(self.outlet.poll_end(context));
        self.stage = Stage::Ended;
        Poll::Ready(end)
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.end("the writer has left");
    }
}

impl AsyncWrite for StreamWriter {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.buffer.len() >= BUFFER {
            ready!(this.poll_drain(context)).map_err(io::Error::other)?;
        }
        let count = bytes.len().min(BUFFER - this.buffer.len());
        this.buffer.reserve(count);
        this.buffer.extend_from_slice(bytes.get(..count).unwrap_or_default());
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_drain(context).map_err(io::Error::other)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_finish(context).map_ok(drop).map_err(io::Error::other)
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter")
            .field("target", &self.target)
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}
