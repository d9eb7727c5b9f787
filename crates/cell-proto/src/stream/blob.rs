//! A stream that is collected in memory: the body of a request or a reply.

use super::{StreamError, StreamHead};
use crate::frame::Payload;

/// A stream that is being collected, as the segments that were received: nothing is copied.
#[derive(Debug)]
pub struct Blob {
    declared: Option<u64>,
    limit: u64,
    payload: Payload,
    len: u64,
}

impl Blob {
    /// Whether the declared size of a stream is one that may be collected.
    ///
    /// # Errors
    ///
    /// [`StreamError::TooLarge`] if not.
    pub fn check_declared(head: &StreamHead, limit: u64) -> Result<(), StreamError> {
        match head.size() {
            Some(size) if size > limit => Err(StreamError::TooLarge { size, limit }),
            _ => Ok(()),
        }
    }

    /// Nothing yet of a stream that may have so many bytes. A declared size reserves nothing.
    ///
    /// # Errors
    ///
    /// As [`check_declared`](Self::check_declared).
    pub fn new(head: &StreamHead, limit: u64) -> Result<Self, StreamError> {
        Self::check_declared(head, limit)?;
        Ok(Self { declared: head.size(), limit, payload: Payload::empty(), len: 0 })
    }

    /// The next piece.
    ///
    /// # Errors
    ///
    /// [`StreamError::SizeMismatch`] if it goes beyond the declared size, [`StreamError::TooLarge`] if beyond the limit.
    pub fn push(&mut self, piece: &Payload) -> Result<(), StreamError> {
        let actual = self.len + piece.len() as u64;
        if let Some(declared) = self.declared.filter(|declared| actual > *declared) {
            return Err(StreamError::SizeMismatch { declared, actual });
        }
        if actual > self.limit {
            return Err(StreamError::TooLarge { size: actual, limit: self.limit });
        }
        self.len = actual;
        for segment in piece.segments() {
            self.payload.push(segment.clone());
        }
        Ok(())
    }

    /// Bytes that have been collected.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has been collected.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All pieces, when the stream is at its end.
    ///
    /// # Errors
    ///
    /// [`StreamError::SizeMismatch`] if it is shorter than declared.
    pub fn finish(self) -> Result<Payload, StreamError> {
        match self.declared {
            Some(declared) if declared != self.len => Err(StreamError::SizeMismatch { declared, actual: self.len }),
            _ => Ok(self.payload),
        }
    }

    /// A stream that came in one piece, checked in the same way.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push) and [`finish`](Self::finish).
    pub fn whole(head: &StreamHead, payload: Payload, limit: u64) -> Result<Payload, StreamError> {
        let actual = payload.len() as u64;
        if let Some(declared) = head.size().filter(|declared| actual != *declared) {
            return Err(StreamError::SizeMismatch { declared, actual });
        }
        if actual > limit {
            return Err(StreamError::TooLarge { size: actual, limit });
        }
        Ok(payload)
    }
}
