//! The memory that large frames are read into, for all connections of a cell.
//!
//! A chunk of a stream is either handed on soon, to the next connection or to a reader, or kept until its blob is whole.
//! Chunks that are handed on go round in a few buffers, whose pages are there already. If all of those are held,
//! somebody keeps the chunks: the next ones are cut out of slabs, so large that the system gets them back when they are
//! not needed any more. Left to the allocator, freed blobs would stay with the process, once for each of its threads.
//!
//! A slab of which nothing is used any more is used again for a while: to have the system make and clear its pages takes
//! longer than to receive what they hold.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Largest frame that is read into such memory.
pub(super) const LARGEST: usize = 1024 * 1024 + 128 * 1024;
/// Buffers that go round.
const ROUND: usize = 32;
/// Size of a slab. Allocators hand sizes above 32 MiB through to the system; pages that are not written cost nothing.
const SLAB: usize = 33 * 1024 * 1024;
/// What was not used for this long, or up to twice as long, is given back.
const KEPT_FOR: Duration = Duration::from_secs(5);

/// The memory of large frames.
#[derive(Debug)]
pub(crate) struct Slabs {
    state: Mutex<State>,
    begun: Notify,
}

#[derive(Debug, Default)]
struct State {
    round: Vec<Piece>,
    /// What is left of the slab that is being cut.
    current: Option<Piece>,
    /// Slabs that have been cut up, the one that was first.
    spent: VecDeque<Piece>,
    sweep_at: Option<Instant>,
}

/// A handle to the end of memory of which frames may hold the rest.
#[derive(Debug)]
struct Piece {
    rest: BytesMut,
    /// It was used since the last sweep.
    is_used: bool,
}

impl Piece {
    fn new(size: usize) -> Self {
        Self { rest: BytesMut::with_capacity(size), is_used: true }
    }

    fn cut(&mut self, size: usize) -> BytesMut {
        self.is_used = true;
        let rest = self.rest.split_off(size);
        core::mem::replace(&mut self.rest, rest)
    }

    /// Whether nobody else needs it.
    fn is_free(&mut self, size: usize) -> bool {
        self.rest.try_reclaim(size)
    }
}

impl Slabs {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State::default()), begun: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty buffer with room for so many bytes, at most [`LARGEST`].
    pub(super) fn take(&self, size: usize) -> BytesMut {
        let size = size.min(LARGEST);
        let mut state = self.lock();
        if state.sweep_at.is_none() {
            state.sweep_at = Some(Instant::now() + KEPT_FOR);
            self.begun.notify_one();
        }
        state.take(size)
    }

    /// Gives memory back that nobody uses, whenever it is time; does not end.
    pub(crate) async fn sweep(&self) {
        loop {
            let at = self.lock().sweep_at;
            match at {
                None => self.begun.notified().await,
                Some(at) => {
                    sleep_until(at).await;
                    self.lock().sweep();
                }
            }
        }
    }
}

impl State {
    fn take(&mut self, size: usize) -> BytesMut {
        for piece in &mut self.round {
            if piece.is_free(LARGEST) {
                piece.is_used = true;
                // The handle stays at the beginning, where it finds all of the memory again.
                return piece.rest.split_off(0);
            }
        }
        if self.round.len() < ROUND {
            let mut piece = Piece::new(LARGEST);
            let buffer = piece.rest.split_off(0);
            self.round.push(piece);
            return buffer;
        }
        if let Some(current) = self.current.as_mut().filter(|current| current.rest.capacity() >= size) {
            return current.cut(size);
        }
        let free = self.spent.iter_mut().position(|piece| piece.is_free(SLAB));
        let mut next = free.and_then(|at| self.spent.remove(at)).unwrap_or_else(|| Piece::new(SLAB));
        let buffer = next.cut(size);
        self.spent.extend(self.current.replace(next));
        buffer
    }

    /// Gives back what is free and was not used since the last time.
    fn sweep(&mut self) {
        let is_kept = |piece: &mut Piece, size| core::mem::take(&mut piece.is_used) || !piece.is_free(size);
        self.round.retain_mut(|piece| is_kept(piece, LARGEST));
        self.spent.retain_mut(|piece| is_kept(piece, SLAB));
        if let Some(current) = &mut self.current
            && !is_kept(current, SLAB)
        {
            self.current = None;
        }
        let is_empty = self.round.is_empty() && self.spent.is_empty() && self.current.is_none();
        self.sweep_at = (!is_empty).then(|| Instant::now() + KEPT_FOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 512 * 1024;

    /// How many buffers go round, and how many slabs there are.
    #[track_caller]
    fn check(slabs: &Slabs, round: usize, cut: usize) {
        let state = slabs.lock();
        let found = (state.round.len(), state.spent.len() + usize::from(state.current.is_some()));
        assert_eq!(found, (round, cut));
    }

    fn frames(slabs: &Slabs, number: usize) -> Vec<BytesMut> {
        let filled = |value: usize| {
            let mut frame = slabs.take(FRAME);
            frame.resize(FRAME, u8::try_from(value % 251).unwrap());
            frame
        };
        (0..number).map(filled).collect()
    }

    #[test]
    fn what_is_handed_on_goes_round_and_what_is_kept_is_cut_from_slabs() {
        let slabs = Slabs::new();
        for _ in 0..100 {
            drop(frames(&slabs, 3));
        }
        check(&slabs, 3, 0);
        let kept = frames(&slabs, ROUND + 2 * (SLAB / FRAME) + 1);
        check(&slabs, ROUND, 3);
        for (value, frame) in kept.iter().enumerate() {
            assert!(frame.iter().all(|byte| usize::from(*byte) == value % 251), "frame {value} was written over");
        }
        // As much again, after the first was given up, needs no more than before.
        drop(kept);
        let again = frames(&slabs, ROUND + 2 * (SLAB / FRAME) + 1);
        check(&slabs, ROUND, 3);
        drop(again);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_uses_is_given_back_after_a_while() {
        let slabs = std::sync::Arc::new(Slabs::new());
        let sweeping = tokio::spawn({
            let slabs = slabs.clone();
            async move { slabs.sweep().await }
        });
        let mut kept = frames(&slabs, ROUND + 3 * (SLAB / FRAME));
        tokio::time::sleep(4 * KEPT_FOR).await;
        check(&slabs, ROUND, 3);
        // One frame keeps its slab, and no other.
        kept.drain(..kept.len() - 1);
        tokio::time::sleep(3 * KEPT_FOR).await;
        check(&slabs, 0, 1);
        drop(kept);
        tokio::time::sleep(3 * KEPT_FOR).await;
        check(&slabs, 0, 0);
        assert!(slabs.lock().sweep_at.is_none());
        // And it begins anew.
        drop(frames(&slabs, 1));
        check(&slabs, 1, 0);
        tokio::time::sleep(3 * KEPT_FOR).await;
        check(&slabs, 0, 0);
        sweeping.abort();
    }
}
