//! The queue of frames that wait to leave on one connection: bounded in bytes, control before messages before bulk.
//!
//! Who may write is a thing that is handed around, the [`Pen`]: while the writer sleeps it lies here, and whoever queues a
//! frame takes it and writes at once. That saves the change to the writer's task for messages that come one by one.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Buf;
use fedcell_cell_proto::frame::EncodedFrame;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::budget::Budget;
use super::pen::{Pen, Wrote};
use crate::driver::Batch;

/// Bytes taken out of the queue for one write: enough to keep the system busy, little enough for a control frame not to
/// wait behind them. One frame is taken whole, whatever its size.
const BATCH_BYTES: usize = 256 * 1024;

/// Frames taken out for one write.
const BATCH_FRAMES: usize = 64;

/// Writes that follow each other as quickly as this are many small ones that could be one: those who queue frames leave
/// them to the writer, whose turn comes when they pause. One that sends and then waits for the answer never finds the
/// last write so short a time ago.
pub(super) const DENSE: Duration = Duration::from_micros(15);

/// Control frames that may wait. A peer that asks for heartbeats and takes no answer gets no more than these.
const CONTROL_FRAMES: usize = 1024;

/// What kind of frame it is, which decides what it may overtake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Handshake and heartbeat: before everything else.
    Control,
    /// Messages, in the order in which they were sent.
    Message,
    /// Pieces of streams, which carry their own order: after messages.
    Bulk,
}

/// Bounds of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutboxLimits {
    /// From here on senders wait.
    pub(crate) soft: usize,
    /// From here on frames are refused.
    pub(crate) hard: usize,
}

/// The queue refuses a frame, and gives it back.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It holds as many bytes as it may.
    Full(Box<EncodedFrame>),
    /// The connection is closing.
    Closed(Box<EncodedFrame>),
}

#[derive(Debug)]
struct Queues {
    control: VecDeque<EncodedFrame>,
    messages: VecDeque<EncodedFrame>,
    bulk: VecDeque<EncodedFrame>,
    /// Bytes queued or being written.
    bytes: usize,
    /// Bytes that wait in the node for this connection to settle.
    held: usize,
    /// Bytes of a frame that alone is larger than the queue: until it has left, others may wait behind it as if it were
    /// not there.
    oversize: usize,
    is_closed: bool,
    /// The writer sleeps until it is woken.
    is_writer_idle: bool,
    /// When bytes last left, or came into an empty queue.
    moved_at: Instant,
    /// Frames came into an empty queue, and nobody has looked at the clock since.
    is_fresh: bool,
    /// The right to write, while nobody does.
    pen: Option<Pen>,
}

impl Queues {
    fn frames(&self) -> usize {
        self.control.len() + self.messages.len() + self.bulk.len()
    }
}

/// What the writer is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Write the batch.
    Write,
    /// Nothing is queued: flush, then put the pen down.
    Idle,
    /// Nothing is queued and nothing more will come.
    Finish,
}

/// The queue of one connection.
#[derive(Debug)]
pub(crate) struct Outbox {
    limits: OutboxLimits,
    budget: Arc<Budget>,
    queues: Mutex<Queues>,
    filled: Notify,
    drained: Notify,
}

impl Outbox {
    pub(crate) fn new(limits: OutboxLimits, budget: Arc<Budget>) -> Self {
        let queues = Queues {
            control: VecDeque::new(),
            messages: VecDeque::new(),
            bulk: VecDeque::new(),
            bytes: 0,
            held: 0,
            oversize: 0,
            is_closed: false,
            is_writer_idle: false,
            moved_at: Instant::now(),
            is_fresh: false,
            pen: None,
        };
        Self { limits, budget, queues: Mutex::new(queues), filled: Notify::new(), drained: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a frame; it never waits. A frame larger than the whole queue is taken by an empty one, and so is any frame
    /// while the connections of the cell together have more to send than they may. Whether the queue is crowded now. The
    /// frame leaves after the next [`flush`](Self::flush).
    pub(crate) fn push(&self, class: Class, frame: EncodedFrame) -> Result<bool, Refused> {
        let size = frame.remaining();
        let mut queues = self.lock();
        if queues.is_closed {
            return Err(Refused::Closed(Box::new(frame)));
        }
        let is_full = match class {
            Class::Control => queues.control.len() >= CONTROL_FRAMES,
            Class::Message | Class::Bulk => {
                let most = self.limits.hard.saturating_add(queues.oversize);
                queues.bytes != 0 && (queues.bytes.saturating_add(size) > most || !self.budget.has_room(size))
            }
        };
        if is_full {
            return Err(Refused::Full(Box::new(frame)));
        }
        if queues.bytes == 0 {
            queues.is_fresh = true;
            queues.oversize = if size > self.limits.hard { size } else { 0 };
        }
        queues.bytes += size;
        self.budget.take(size);
        let is_crowded = queues.bytes.saturating_add(queues.held) > self.limits.soft;
        match class {
            Class::Control => queues.control.push_back(frame),
            Class::Message => queues.messages.push_back(frame),
            Class::Bulk => queues.bulk.push_back(frame),
        }
        Ok(is_crowded)
    }

    /// Sees to it that what was queued leaves: at once if the connection takes it, otherwise by the writer. To be called
    /// after [`push`](Self::push), with nothing locked.
    pub(crate) fn flush(&self) {
        let now = Instant::now();
        let mut queues = self.lock();
        if core::mem::take(&mut queues.is_fresh) {
            queues.moved_at = now;
        }
        let frames = queues.frames();
        if frames == 0 || queues.is_closed {
            return;
        }
        // Whoever has the pen looks here again before putting it down.
        let Some(pen) = &queues.pen else { return };
        let is_lone = queues.is_writer_idle && !pen.has_just_written(now);
        // The writer has been told already then, but a sender that never pauses may keep it from its turn.
        let is_overdue = frames >= BATCH_FRAMES;
        if (is_lone || is_overdue)
            && let Some(mut pen) = queues.pen.take()
        {
            if pen.batch.is_empty() {
                take(&mut queues, &mut pen.batch);
            }
            drop(queues);
            let wrote = pen.try_write();
            let now = pen.note_written(now);
            self.give_back(pen, wrote, now);
            return;
        }
        let wake = core::mem::take(&mut queues.is_writer_idle);
        drop(queues);
        if wake {
            self.filled.notify_one();
        }
    }

    /// After somebody else than the writer has written: puts the pen back, and wakes the writer if something is left.
    fn give_back(&self, pen: Pen, wrote: Wrote, now: Instant) {
        let mut queues = self.lock();
        queues.pen = Some(pen);
        if wrote.bytes > 0 {
            queues.moved_at = now;
        }
        let freed = self.took(&mut queues, wrote.bytes);
        let is_more = !wrote.is_done || queues.is_closed || queues.frames() > 0;
        let wake = is_more && core::mem::take(&mut queues.is_writer_idle);
        drop(queues);
        if freed {
            self.drained.notify_waiters();
        }
        if wake {
            self.filled.notify_one();
        }
    }

    /// Takes the pen, if it lies there.
    pub(super) fn take_pen(&self) -> Option<Pen> {
        let mut queues = self.lock();
        let pen = queues.pen.take();
        // Whoever has it wakes the writer, if something is left to do then.
        queues.is_writer_idle = pen.is_none();
        pen
    }

    /// Puts the pen down and lets the writer sleep, unless there is something to write: then it keeps the pen.
    pub(super) fn put_pen(&self, pen: Pen) -> Option<Pen> {
        let mut queues = self.lock();
        if queues.is_closed || queues.frames() > 0 {
            return Some(pen);
        }
        queues.pen = Some(pen);
        queues.is_writer_idle = true;
        None
    }

    /// Takes the pen away for good: the connection is gone.
    pub(crate) fn break_pen(&self) {
        drop(self.lock().pen.take());
    }

    /// Says how many bytes wait elsewhere for this connection. Whether the queue is crowded now.
    pub(crate) fn hold(&self, bytes: usize) -> bool {
        let mut queues = self.lock();
        let before = core::mem::replace(&mut queues.held, bytes);
        self.budget.take(bytes.saturating_sub(before));
        self.budget.give(before.saturating_sub(bytes));
        let is_crowded = !queues.is_closed && queues.bytes.saturating_add(bytes) > self.limits.soft;
        drop(queues);
        if before > 0 && !is_crowded {
            self.drained.notify_waiters();
        }
        is_crowded
    }

    /// Whether senders ought to wait.
    pub(crate) fn is_crowded(&self) -> bool {
        let queues = self.lock();
        queues.bytes.saturating_add(queues.held) > self.limits.soft && !queues.is_closed
    }

    /// Waits until senders need not wait, or the connection is closed.
    pub(crate) async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            if !self.is_crowded() {
                return;
            }
            drained.await;
        }
    }

    /// How long no byte has left.
    pub(crate) fn idle(&self) -> Duration {
        self.lock().moved_at.elapsed()
    }

    /// Bytes that have not left yet.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Takes no more frames; with `discard`, forgets those that wait as well. The writer then finishes.
    pub(crate) fn close(&self, discard: bool) {
        let mut queues = self.lock();
        queues.is_closed = true;
        if discard {
            let Queues { control, messages, bulk, .. } = &mut *queues;
            for queue in [control, messages, bulk] {
                queue.clear();
            }
            self.budget.give(core::mem::take(&mut queues.bytes));
        }
        queues.is_writer_idle = false;
        drop(queues);
        self.filled.notify_one();
        self.drained.notify_waiters();
    }

    /// Moves what is to leave next into the empty `batch`.
    pub(super) fn next(&self, batch: &mut Batch) -> Next {
        let mut queues = self.lock();
        if take(&mut queues, batch) > 0 {
            Next::Write
        } else if queues.is_closed {
            Next::Finish
        } else {
            Next::Idle
        }
    }

    /// `count` bytes have left. Whether there is room now for those who wait for some.
    fn took(&self, queues: &mut Queues, count: usize) -> bool {
        let before = queues.bytes;
        queues.bytes = before.saturating_sub(count);
        self.budget.give(before - queues.bytes);
        if queues.bytes <= self.limits.hard {
            queues.oversize = 0;
        }
        before > self.limits.soft && queues.bytes <= self.limits.soft
    }

    /// `count` bytes have left.
    pub(super) fn written(&self, count: usize) {
        let mut queues = self.lock();
        queues.moved_at = Instant::now();
        let freed = self.took(&mut queues, count);
        drop(queues);
        if freed {
            self.drained.notify_waiters();
        }
    }

    /// Waits until something is queued or the queue is closed.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let queues = self.queues.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.budget.give(queues.bytes.saturating_add(queues.held));
    }
}

/// Moves what is to leave next into the empty `batch`; how many frames.
fn take(queues: &mut Queues, batch: &mut Batch) -> usize {
    let mut bytes = 0_usize;
    let mut frames = 0;
    let Queues { control, messages, bulk, .. } = queues;
    'full: for queue in [control, messages, bulk] {
        while let Some(frame) = queue.pop_front() {
            bytes = bytes.saturating_add(frame.remaining());
            frames += 1;
            batch.push(frame);
            if bytes >= BATCH_BYTES || frames >= BATCH_FRAMES {
                break 'full;
            }
        }
        if queue.capacity() > BATCH_FRAMES && queue.is_empty() {
            queue.shrink_to(BATCH_FRAMES);
        }
    }
    frames
}
