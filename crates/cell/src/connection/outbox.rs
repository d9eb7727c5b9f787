//! The queue of frames that wait to leave on one connection: bounded in bytes, control before messages before bulk.
//!
//! Who may write is a thing that is handed around, the [`Pen`]: while the writer sleeps it lies here, and whoever queues a
//! frame takes it and writes at once. That saves the change to the writer's task for messages that come one by one.
//!
//! Bulk comes from two sides: chunks of this cell's own streams, which are made only when there is room for them, and
//! chunks that the cell passes on. They take turns, so that neither starves the other.

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
const BATCH_BYTES: usize = 64 * 1024;

/// Frames taken out for one write.
const BATCH_FRAMES: usize = 64;

/// Writes that follow each other as quickly as this are many small ones that could be one: those who queue frames leave
/// them to the writer, whose turn comes when they pause. What follows a single frame of the peer is no such write, however
/// quickly the peer answered: both talk in turns.
pub(super) const DENSE: Duration = Duration::from_micros(15);

/// Control frames that may wait. A peer that asks for heartbeats and takes no answer gets no more than these.
const CONTROL_FRAMES: usize = 1024;

/// Bytes of this cell's own streams that wait at most before no more chunks are made: enough for the next write to be
/// there while one is going on, little enough for many streams to take turns.
const STREAMS_AHEAD: usize = 1024 * 1024;

/// What kind of frame it is, which decides what it may overtake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Handshake and heartbeat: before everything else.
    Control,
    /// Messages, in the order in which they were sent.
    Message,
    /// Pieces of streams that are passed on, which carry their own order: after messages.
    Bulk,
    /// Pieces of this cell's own streams: after messages, taking turns with those that are passed on.
    Stream,
}

/// Bounds of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutboxLimits {
    /// From here on senders wait.
    pub(crate) soft: usize,
    /// The same for chunks of streams that are passed on.
    pub(crate) soft_bulk: usize,
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
    bulk: Queue,
    streams: Queue,
    /// Whose turn it is among the two kinds of bulk.
    is_turn_of_streams: bool,
    /// Somebody would have made a chunk and found no room.
    is_chunk_held: bool,
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
    /// A single frame of the peer has come, and nothing has left since.
    is_turn: bool,
    /// Frames came into an empty queue, and nobody has looked at the clock since.
    is_fresh: bool,
    /// The right to write, while nobody does.
    pen: Option<Pen>,
    /// How many chunks of either kind have to leave until somebody is told.
    awaited: Option<[u64; 2]>,
}

impl Queues {
    fn frames(&self) -> usize {
        self.control.len() + self.messages.len() + self.bulk.frames.len() + self.streams.frames.len()
    }

    /// How many chunks have come so far, of either kind.
    fn chunks(&self) -> [u64; 2] {
        [&self.bulk, &self.streams].map(|queue| queue.taken + queue.frames.len() as u64)
    }

    /// Whether so many of them have left, or are being written.
    fn have_left(&self, chunks: [u64; 2]) -> bool {
        self.bulk.taken >= chunks[0] && self.streams.taken >= chunks[1]
    }

    const fn has_room_for_chunk(&self) -> bool {
        self.is_closed || self.streams.bytes.saturating_add(self.held) < STREAMS_AHEAD
    }

    /// There is room again for a chunk that was held back.
    const fn is_chunk_due(&self) -> bool {
        self.is_chunk_held && self.has_room_for_chunk()
    }

    /// The next piece of bulk: of the two kinds in turn, if there are both.
    fn pop_bulk(&mut self) -> Option<EncodedFrame> {
        let is_turn_of_streams = self.is_turn_of_streams;
        self.is_turn_of_streams = !is_turn_of_streams;
        let (first, second) =
            if is_turn_of_streams { (&mut self.streams, &mut self.bulk) } else { (&mut self.bulk, &mut self.streams) };
        first.pop().or_else(|| second.pop())
    }
}

/// Frames with the sum of their sizes.
#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<EncodedFrame>,
    bytes: usize,
    /// Frames that have been taken out so far.
    taken: u64,
}

impl Queue {
    fn push(&mut self, frame: EncodedFrame, size: usize) {
        self.bytes += size;
        self.frames.push_back(frame);
    }

    fn pop(&mut self) -> Option<EncodedFrame> {
        let frame = self.frames.pop_front()?;
        self.bytes = self.bytes.saturating_sub(frame.remaining());
        self.taken += 1;
        Some(frame)
    }

    fn clear(&mut self) {
        *self = Self::default();
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
            bulk: Queue::default(),
            streams: Queue::default(),
            is_turn_of_streams: false,
            is_chunk_held: false,
            bytes: 0,
            held: 0,
            oversize: 0,
            is_closed: false,
            is_writer_idle: false,
            moved_at: Instant::now(),
            is_turn: false,
            is_fresh: false,
            pen: None,
            awaited: None,
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
            Class::Message | Class::Bulk | Class::Stream => {
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
        match class {
            Class::Control => queues.control.push_back(frame),
            Class::Message => queues.messages.push_back(frame),
            Class::Bulk => queues.bulk.push(frame, size),
            Class::Stream => queues.streams.push(frame, size),
        }
        Ok(match class {
            Class::Bulk => self.is_over(&queues),
            Class::Control | Class::Message => self.is_over_by_messages(&queues),
            // There was room for it.
            Class::Stream => false,
        })
    }

    /// Sees to it that what was queued leaves: at once if the connection takes it, otherwise by the writer. To be called
    /// after [`push`](Self::push), with nothing locked. Who has others `waiting` leaves chunks to the writer: to write one
    /// takes longer than most of what the others do.
    pub(crate) fn flush(&self, waiting: bool) {
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
        let is_turn = queues.is_turn && frames == 1;
        let has_time = !waiting || queues.streams.frames.is_empty();
        let is_lone = has_time && queues.is_writer_idle && (is_turn || !pen.has_just_written(now));
        // The writer has been told already then, but a sender that never pauses may keep it from its turn.
        let is_overdue = frames >= BATCH_FRAMES;
        if (is_lone || is_overdue)
            && let Some(mut pen) = queues.pen.take()
        {
            if pen.batch.is_empty() {
                self.fill(&mut queues, &mut pen.batch);
            }
            queues.is_turn = false;
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
        let is_more = !wrote.is_done || queues.is_closed || queues.frames() > 0 || queues.is_chunk_due();
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
        if queues.is_closed || queues.frames() > 0 || queues.is_chunk_due() {
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

    /// So many frames of the peer have been read at once. What is an answer to a single one, or comes of it, need not wait for
    /// others to go with.
    pub(crate) fn note_read(&self, frames: usize) {
        self.lock().is_turn = frames == 1;
    }

    /// Says how many bytes wait elsewhere for this connection. Whether the queue is crowded now.
    pub(crate) fn hold(&self, bytes: usize) -> bool {
        let mut queues = self.lock();
        let before = core::mem::replace(&mut queues.held, bytes);
        self.budget.take(bytes.saturating_sub(before));
        self.budget.give(before.saturating_sub(bytes));
        let is_crowded = !queues.is_closed && self.is_over(&queues);
        drop(queues);
        if before > 0 && !is_crowded {
            self.drained.notify_waiters();
        }
        is_crowded
    }

    const fn is_over(&self, queues: &Queues) -> bool {
        self.is_over_by_messages(queues) || queues.bulk.bytes > self.limits.soft_bulk
    }

    /// The same without chunks, of which some always wait on a busy connection.
    const fn is_over_by_messages(&self, queues: &Queues) -> bool {
        let chunks = queues.bulk.bytes.saturating_add(queues.streams.bytes);
        queues.bytes.saturating_add(queues.held).saturating_sub(chunks) > self.limits.soft
    }

    /// Whether a chunk of this cell's own streams is welcome. If not, [`take_chunk_due`](Self::take_chunk_due) says once
    /// when one is.
    pub(crate) fn has_room_for_chunk(&self) -> bool {
        let mut queues = self.lock();
        let has_room = queues.has_room_for_chunk();
        queues.is_chunk_held |= !has_room;
        has_room
    }

    /// Whether there is room again for a chunk that was held back. Says so once.
    pub(super) fn take_chunk_due(&self) -> bool {
        let mut queues = self.lock();
        let is_due = queues.is_chunk_due();
        queues.is_chunk_held &= !is_due;
        is_due
    }

    /// Whether senders ought to wait.
    pub(crate) fn is_crowded(&self) -> bool {
        let queues = self.lock();
        self.is_over(&queues) && !queues.is_closed
    }

    /// Whether a peer gets more than it takes, apart from chunks of streams.
    pub(crate) fn is_flooded(&self) -> bool {
        let queues = self.lock();
        self.is_over_by_messages(&queues) && !queues.is_closed
    }

    /// Waits until senders need not wait, or the connection is closed.
    pub(crate) async fn room(&self) {
        self.wait_while(Self::is_crowded).await;
    }

    /// Waits until the queue is not [flooded](Self::is_flooded) any more.
    pub(crate) async fn room_for_messages(&self) {
        self.wait_while(Self::is_flooded).await;
    }

    /// Waits until the chunks that are queued now have left, or the connection is closed. What is queued after that
    /// overtakes none of them.
    pub(crate) async fn chunks_left(&self) {
        let chunks = self.lock().chunks();
        self.wait_while(|outbox| {
            let mut queues = outbox.lock();
            let is_awaited = !queues.is_closed && !queues.have_left(chunks);
            if is_awaited {
                queues.awaited = Some(chunks);
            }
            is_awaited
        })
        .await;
    }

    async fn wait_while(&self, is_full: impl Fn(&Self) -> bool) {
        loop {
            let drained = self.drained.notified();
            tokio::pin!(drained);
            drained.as_mut().enable();
            if !is_full(self) {
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
            queues.control.clear();
            queues.messages.clear();
            queues.bulk.clear();
            queues.streams.clear();
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
        let was_crowded = self.is_over(&queues);
        if self.fill(&mut queues, batch) > 0 {
            if was_crowded && !self.is_over(&queues) {
                self.drained.notify_waiters();
            }
            Next::Write
        } else if queues.is_closed {
            Next::Finish
        } else {
            Next::Idle
        }
    }

    /// Moves what is to leave next into the empty `batch`; how many frames.
    fn fill(&self, queues: &mut Queues, batch: &mut Batch) -> usize {
        let frames = take(queues, batch);
        self.budget.meters().frames.increment(frames as u64);
        frames
    }

    /// `count` bytes have left. Whether there is room now for those who wait for some, or what is awaited has left.
    fn took(&self, queues: &mut Queues, count: usize) -> bool {
        let (was_crowded, was_flooded) = (self.is_over(queues), self.is_over_by_messages(queues));
        let before = queues.bytes;
        queues.bytes = before.saturating_sub(count);
        self.budget.give(before - queues.bytes);
        self.budget.meters().bytes.increment(count as u64);
        if queues.bytes <= self.limits.hard {
            queues.oversize = 0;
        }
        let have_left = queues.awaited.is_some_and(|chunks| queues.have_left(chunks));
        if have_left {
            queues.awaited = None;
        }
        have_left || was_crowded && !self.is_over(queues) || was_flooded && !self.is_over_by_messages(queues)
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
    while bytes < BATCH_BYTES && frames < BATCH_FRAMES {
        let small = queues.control.pop_front().or_else(|| queues.messages.pop_front());
        let Some(frame) = small.or_else(|| queues.pop_bulk()) else { break };
        bytes = bytes.saturating_add(frame.remaining());
        frames += 1;
        batch.push(frame);
    }
    let Queues { control, messages, .. } = queues;
    for queue in [control, messages] {
        if queue.capacity() > BATCH_FRAMES && queue.is_empty() {
            queue.shrink_to(BATCH_FRAMES);
        }
    }
    frames
}
