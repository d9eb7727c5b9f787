//! The right to write on a connection: the half that writes, and the frames that are on their way through it.

use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use tokio::time::Instant;

use super::outbox::DENSE;
use super::times::WriteTimes;
use crate::driver::{Batch, TransportKind, WriteHalf};

/// Where the times of writes go.
#[derive(Debug, Clone)]
pub(crate) struct Timed {
    pub(crate) times: Arc<WriteTimes>,
    pub(crate) transport: TransportKind,
}

/// Whoever has it may write; there is one for each connection.
#[derive(Debug)]
pub(crate) struct Pen {
    pub(super) writing: WriteHalf,
    /// Taken out of the queue; the first frame may be partly written.
    pub(super) batch: Batch,
    /// When somebody last wrote.
    wrote_at: Option<Instant>,
    timed: Timed,
}

/// What came of writing without waiting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wrote {
    pub(super) bytes: usize,
    /// Nothing is left in the batch, nor in what protects the connection.
    pub(super) is_done: bool,
}

impl Pen {
    pub(super) fn new(writing: WriteHalf, timed: Timed) -> Self {
        Self { writing, batch: Batch::default(), wrote_at: None, timed }
    }

    /// Whether the last write is so short a time ago that frames had better gather.
    pub(super) fn has_just_written(&self, now: Instant) -> bool {
        self.wrote_at.is_some_and(|at| now.saturating_duration_since(at) < DENSE)
    }

    /// A batch has been written; gives when.
    pub(super) fn note_written(&mut self, began: Instant) -> Instant {
        let ended = Instant::now();
        self.timed.times.record(self.timed.transport, ended.saturating_duration_since(began));
        self.wrote_at = Some(ended);
        ended
    }

    /// Writes what the connection takes now. What goes wrong is left to the writer, which will meet it again.
    pub(super) fn try_write(&mut self) -> Wrote {
        let mut context = Context::from_waker(Waker::noop());
        let mut bytes = 0;
        while !self.batch.is_empty() {
            match self.writing.poll_write(&mut context, &mut self.batch) {
                Poll::Ready(Ok(count)) => bytes += count,
                Poll::Ready(Err(_)) | Poll::Pending => return Wrote { bytes, is_done: false },
            }
        }
        self.batch.shrink();
        Wrote { bytes, is_done: matches!(self.writing.poll_flush(&mut context), Poll::Ready(Ok(()))) }
    }
}
