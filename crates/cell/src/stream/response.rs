//! A reply that its caller reads as it comes.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use bytes::Bytes;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::headers::HeaderMap;
use fedcell_cell_proto::message::Message;
use fedcell_cell_proto::stream::StreamError;
use fedcell_protocol_defs::cell::{HeaderKey, PayloadEncoding, ReturnCode};
use tokio::io::{AsyncRead, ReadBuf};

use super::reader::StreamReader;
use crate::error::RequestError;

/// The reply to a request, while it comes. Dropped before its end, it tells the sender that the rest is not wanted.
///
/// No limit for blobs applies to it: it holds no more than a window of bytes.
#[derive(Debug)]
pub struct ResponseReader {
    target: FqcnBuf,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Stream(StreamReader),
    /// The reply was one message.
    Message(Message),
}

impl ResponseReader {
    pub(crate) const fn stream(target: FqcnBuf, reader: StreamReader) -> Self {
        Self { target, body: Body::Stream(reader) }
    }

    pub(crate) const fn message(target: FqcnBuf, message: Message) -> Self {
        Self { target, body: Body::Message(message) }
    }

    /// The cell that answers.
    #[must_use]
    pub fn target(&self) -> Fqcn<'_> {
        self.target.as_fqcn()
    }

    /// All headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        match &self.body {
            Body::Stream(reader) => reader.headers(),
            Body::Message(message) => &message.headers,
        }
    }

    /// How the target says it went; absent means ok.
    #[must_use]
    pub fn return_code(&self) -> ReturnCode<'_> {
        self.headers().text(HeaderKey::RETURN_CODE).ok().flatten().map_or(ReturnCode::OK, ReturnCode::new)
    }

    /// The text with which the target explains its return code.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.headers().text(HeaderKey::ERROR).ok().flatten()
    }

    /// How the whole payload is encoded, if the target says so.
    #[must_use]
    pub fn encoding(&self) -> Option<PayloadEncoding<'_>> {
        match &self.body {
            Body::Stream(reader) => reader.head().encoding(),
            Body::Message(message) => {
                message.headers.text(HeaderKey::PAYLOAD_ENCODING).ok().flatten().map(PayloadEncoding::new)
            }
        }
    }

    /// The size of the whole payload in bytes, if the target declares one.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match &self.body {
            Body::Stream(reader) => reader.size(),
            Body::Message(message) => Some(message.payload.len() as u64),
        }
    }

    /// The next piece of the payload, as it was received; none at the end.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the reply breaks off, or if nothing more of it comes for as long as the request's timeout.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost by dropping the future.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RequestError> {
        let broken = match &mut self.body {
            Body::Stream(reader) => match reader.chunk().await {
                Ok(chunk) => return Ok(chunk),
                Err(error) => error,
            },
            Body::Message(message) => {
                let payload = core::mem::take(&mut message.payload).into_bytes();
                return Ok(Some(payload).filter(|payload| !payload.is_empty()));
            }
        };
        Err(self.failed(broken))
    }

    fn failed(&self, error: StreamError) -> RequestError {
        RequestError::Stream { target: self.target.clone(), error }
    }
}

impl AsyncRead for ResponseReader {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().body {
            Body::Stream(reader) => Pin::new(reader).poll_read(context, buffer),
            Body::Message(message) => {
                let mut payload = core::mem::take(&mut message.payload).into_bytes();
                let now = payload.split_to(payload.len().min(buffer.remaining()));
                buffer.put_slice(&now);
                message.payload = payload.into();
                Poll::Ready(Ok(()))
            }
        }
    }
}
