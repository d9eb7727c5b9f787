//! Reading a stream: as chunks without a copy, or as an [`AsyncRead`].

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use fedcell_cell_proto::address::Fqcn;
use fedcell_cell_proto::headers::HeaderMap;
use fedcell_cell_proto::message::Payload;
use fedcell_cell_proto::request::RequestId;
use fedcell_cell_proto::stream::{IncomingId, StreamError, StreamHead};
use fedcell_protocol_defs::stream::HeaderKey;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use super::inlet::Inlet;
use crate::endpoint::Endpoint;

/// Bytes that a reader takes before it says so to the machine, unless it has taken all there is.
const REPORT: usize = 256 * 1024;

/// Where a reader reads from, before it knows its cell.
#[derive(Debug)]
pub(crate) struct Source {
    /// None for a stream that was there at once.
    pub(crate) id: Option<IncomingId>,
    pub(crate) head: Arc<StreamHead>,
    pub(crate) inlet: Arc<Inlet>,
    /// The request whose reply it is.
    pub(crate) call: Option<RequestId>,
}

impl Source {
    pub(super) fn whole(head: StreamHead, payload: &Payload) -> Self {
        Self { id: None, head: Arc::new(head), inlet: Arc::new(Inlet::whole(payload)), call: None }
    }

    pub(super) fn open(id: IncomingId, head: StreamHead, call: Option<RequestId>) -> Self {
        Self { id: Some(id), head: Arc::new(head), inlet: Arc::default(), call }
    }
}

/// A stream that another cell sends.
///
/// What it has not read holds up its own sender only: after a window of bytes the sender waits. Dropped before its end, it
/// tells the sender so.
pub struct StreamReader {
    endpoint: Endpoint,
    source: Source,
    /// The piece that is being read byte by byte.
    piece: Bytes,
    /// Taken and not reported.
    unreported: usize,
    received: u64,
    is_ended: bool,
}

impl StreamReader {
    pub(crate) const fn new(endpoint: Endpoint, source: Source) -> Self {
        Self { endpoint, source, piece: Bytes::new(), unreported: 0, received: 0, is_ended: false }
    }

    /// The cell that sends it.
    #[must_use]
    pub fn origin(&self) -> Fqcn<'_> {
        self.source.head.origin()
    }

    /// The application's channel.
    #[must_use]
    pub fn channel(&self) -> &str {
        self.source.head.channel()
    }

    /// The application's topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.source.head.topic()
    }

    /// The headers of the first chunk, those of the application among them.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.source.head.headers()
    }

    /// All that the sender says of the stream.
    #[must_use]
    pub fn head(&self) -> &StreamHead {
        &self.source.head
    }

    pub(crate) fn shared_head(&self) -> Arc<StreamHead> {
        self.source.head.clone()
    }

    /// Its size in bytes, if the sender declares one.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.source.head.size()
    }

    /// The name of the file that it is, if the sender gives one. It comes from the network: a name, not a path to trust.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.headers().text(HeaderKey::FILE_NAME).ok().flatten()
    }

    /// How many bytes have been read.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// The next piece of the stream, as it was received; none at the end.
    ///
    /// # Errors
    ///
    /// [`StreamError`] if the stream breaks off.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, StreamError> {
        poll_fn(|context| self.poll_chunk(context)).await
    }

    /// As [`chunk`](Self::chunk).
    ///
    /// # Errors
    ///
    /// [`StreamError`] if the stream breaks off.
    pub fn poll_chunk(&mut self, context: &Context<'_>) -> Poll<Result<Option<Bytes>, StreamError>> {
        if !self.piece.is_empty() {
            return Poll::Ready(Ok(Some(core::mem::take(&mut self.piece))));
        }
        if self.is_ended {
            return Poll::Ready(Ok(None));
        }
        if self.unreported >= REPORT || self.unreported > 0 && !self.source.inlet.has_unread() {
            self.report();
        }
        let next = ready!(self.source.inlet.poll(context));
        match &next {
            Ok(Some(piece)) => {
                self.unreported += piece.len();
                self.received += piece.len() as u64;
            }
            Ok(None) | Err(_) => self.is_ended = true,
        }
        Poll::Ready(next)
    }

    /// Does not take the rest, and says why to the sender.
    pub fn refuse(mut self, why: &str) {
        self.end(why);
    }

    /// Says that what was taken has been taken: the sender may send as much again.
    fn report(&mut self) {
        let taken = core::mem::take(&mut self.unreported);
        if let Some(id) = self.source.id {
            self.endpoint.drive(|core, now| core.desk.consumed(now, id, taken));
        }
    }

    fn end(&mut self, why: &str) {
        if core::mem::replace(&mut self.is_ended, true) {
            return;
        }
        let (id, call) = (self.source.id, self.source.call.take());
        self.endpoint.drive(|core, now| {
            if let Some(call) = call {
                core.desk.give_up(now, &call);
            }
            if let Some(id) = id {
                core.desk.refuse(now, id, &StreamError::refused(why));
            }
        });
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.end("the reader has left");
    }
}

impl AsyncBufRead for StreamReader {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.piece.is_empty()
            && let Some(piece) = ready!(this.poll_chunk(context)).map_err(io::Error::other)?
        {
            this.piece = piece;
        }
        Poll::Ready(Ok(&this.piece))
    }

    fn consume(self: Pin<&mut Self>, count: usize) {
        let piece = &mut self.get_mut().piece;
        piece.advance(count.min(piece.len()));
    }
}

impl AsyncRead for StreamReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = ready!(self.as_mut().poll_fill_buf(context))?;
        let count = piece.len().min(buffer.remaining());
        buffer.put_slice(piece.get(..count).unwrap_or_default());
        self.consume(count);
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReader")
            .field("origin", &self.origin().as_str())
            .field("channel", &self.channel())
            .field("topic", &self.topic())
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}
