//! One stream of the simulation: what is in it, and what became of it at either end.

use std::collections::VecDeque;

use bytes::Bytes;
use fedcell_cell_proto::stream::{OpenStream, StreamError, StreamHead};

/// The header that tells the reader what to expect.
const KEY: &str = "key";
/// The channel on which somebody reads.
pub(super) const READ: &str = "simulated";
/// A channel on which nobody does.
pub(super) const NOBODY: &str = "nobody";

/// What a stream is to be.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// From which all its bytes follow. No two streams have the same.
    pub(super) key: i64,
    /// The number of the cell that is to have it.
    pub(super) to: usize,
    pub(super) size: usize,
    pub(super) is_reliable: bool,
    pub(super) is_optional: bool,
    /// Whether its size is told.
    pub(super) is_sized: bool,
    /// Whether somebody reads at the other end.
    pub(super) is_read: bool,
    /// The writer gives it up after so many bytes.
    pub(super) cancelled_at: Option<usize>,
    /// The reader refuses it after so many bytes.
    pub(super) refused_at: Option<usize>,
    pub(super) chunk_size: usize,
    pub(super) window: u64,
    pub(super) ack_interval: u64,
}

impl Plan {
    pub(super) fn open(&self) -> OpenStream {
        let mut open = OpenStream::new(if self.is_read { READ } else { NOBODY }, "flow");
        open.headers.insert(KEY, self.key);
        (open.reliable, open.optional) = (self.is_reliable, self.is_optional);
        open.size = self.is_sized.then_some(self.size as u64);
        (open.chunk_size, open.window) = (Some(self.chunk_size), Some(self.window));
        open.ack_interval = Some(self.ack_interval);
        open
    }

    /// Bytes of the stream from here on.
    pub(super) fn data(&self, from: usize, len: usize) -> Bytes {
        let end = from.saturating_add(len).min(self.size);
        (from..end).map(|at| byte(self.key, at)).collect()
    }

    /// The most that may be on its way, and the most that may wait at its receiver: the window, a chunk beyond it, and
    /// the last chunk.
    pub(super) fn most_waiting(&self) -> u64 {
        self.window + 2 * self.chunk_size as u64
    }
}

/// The byte of a stream at a place.
fn byte(key: i64, at: usize) -> u8 {
    let mixed = (key.cast_unsigned() ^ at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56).to_le_bytes()[0]
}

/// The key of a stream that comes.
pub(super) fn key(head: &StreamHead) -> i64 {
    head.headers().integer(KEY).unwrap().expect("all streams have a key")
}

/// The end of a stream where it is written.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) plan: Plan,
    pub(super) given: usize,
}

/// The end of a stream where it is read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) plan: Plan,
    pub(super) got: usize,
    /// Pieces that the reader has not taken.
    pub(super) waiting: VecDeque<usize>,
}

impl Reading {
    /// Holds what has come against what was sent.
    pub(super) fn take(&mut self, data: &[u8]) {
        assert!(!data.is_empty(), "an empty piece is given to the reader");
        let expected = self.plan.data(self.got, data.len());
        assert!(data == expected, "other data came: {} bytes at {} of {:?}", data.len(), self.got, self.plan);
        self.got += data.len();
        self.waiting.push_back(data.len());
    }
}

/// How a stream ended for its writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Sent,
    Failed,
    Cancelled,
    /// The cell of the writer crashed.
    Crashed,
}

/// What became of a stream.
#[derive(Debug, Default)]
pub(super) struct Fate {
    pub(super) outcome: Option<Outcome>,
    /// What the writer heard of a failure, in time or late.
    pub(super) told: Option<StreamError>,
    /// The reader had all of it.
    pub(super) was_read: bool,
    /// The reader had some of it and was told that it failed.
    pub(super) broken: Option<StreamError>,
    /// The cell of the reader crashed while the stream was under way.
    pub(super) lost_reader: bool,
}
