//! Threads for what takes a processor for long: as many at a time as there are processors, each with one piece after another.
//!
//! A thread takes the next piece itself, so that a crowd of requests needs no more threads than a few do, nor a change of
//! threads between two pieces.

use core::fmt;
use core::panic::AssertUnwindSafe;
use std::collections::VecDeque;
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::refusal::Refusal;

type Piece = Box<dyn FnOnce() + Send>;

/// The threads and what waits for them. Clones are the same threads.
#[derive(Clone)]
pub(super) struct Apart(Arc<Mutex<Queue>>);

struct Queue {
    waiting: VecDeque<Piece>,
    /// Threads at work, and how many there may be.
    working: usize,
    most: usize,
}

impl Apart {
    /// As many threads as there are processors, none of which has been started.
    pub(super) fn new() -> Self {
        let most = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Mutex::new(Queue { waiting: VecDeque::new(), working: 0, most })))
    }

    /// Does a piece of work on a thread that may block, in turn. One whose future is dropped before its turn is not done.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if the work has panicked.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let (sender, done) = oneshot::channel();
        let needs_thread = self.lock().push(Box::new(move || {
            if !sender.is_closed() {
                // Who has asked may have gone meanwhile.
                _ = sender.send(work());
            }
        }));
        if needs_thread {
            let apart = self.clone();
            tokio::task::spawn_blocking(move || apart.work());
        }
        done.await.map_err(|_| Refusal::again("the server could not do this now"))
    }

    /// One thread, until nothing waits.
    fn work(&self) {
        while let Some(piece) = self.next() {
            // Its future learns of a panic from its channel; the pieces behind it are others'.
            _ = catch_unwind(AssertUnwindSafe(piece));
        }
    }

    fn next(&self) -> Option<Piece> {
        self.lock().pop()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Whether one more thread is to be started, which counts as working already.
    fn push(&mut self, piece: Piece) -> bool {
        self.waiting.push_back(piece);
        let needs_thread = self.working < self.most;
        self.working += usize::from(needs_thread);
        needs_thread
    }

    /// The next piece; without one the thread that asks works no more.
    fn pop(&mut self) -> Option<Piece> {
        let piece = self.waiting.pop_front();
        self.working -= usize::from(piece.is_none());
        piece
    }
}

impl fmt::Debug for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queue = self.lock();
        f.debug_struct("Apart").field("working", &queue.working).field("waiting", &queue.waiting.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn all_is_done_by_few_threads_and_a_panic_is_its_own() {
        let (apart, busy, most) = (Apart::new(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut asked = JoinSet::new();
        for number in 0..100 {
            let (apart, busy, most) = (apart.clone(), Arc::clone(&busy), Arc::clone(&most));
            asked.spawn(async move {
                let work = move || {
                    most.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    busy.fetch_sub(1, Ordering::SeqCst);
                    assert_ne!(number % 10, 3, "one in ten panics");
                    number
                };
                (number, apart.run(work).await)
            });
        }
        for (number, done) in asked.join_all().await {
            assert_eq!(done.ok(), (number % 10 != 3).then_some(number));
        }
        let processors = std::thread::available_parallelism().unwrap().get();
        assert!(most.load(Ordering::SeqCst) <= processors, "{most:?} at a time");
        let queue = apart.lock();
        assert!(queue.waiting.is_empty() && queue.working <= processors);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_begun() {
        let apart = Apart::new();
        // As many as there may be are busy until they are let go.
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let processors = std::thread::available_parallelism().unwrap().get();
        let mut busy = JoinSet::new();
        for _ in 0..processors {
            let (apart, held) = (apart.clone(), Arc::clone(&held));
            busy.spawn(async move { apart.run(move || held.lock().unwrap().recv().is_err()).await });
        }
        while apart.lock().working < processors {
            tokio::task::yield_now().await;
        }
        let begun = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&begun);
        let dropped = tokio::spawn({
            let apart = apart.clone();
            async move { apart.run(move || seen.fetch_add(1, Ordering::SeqCst)).await }
        });
        while apart.lock().waiting.is_empty() {
            tokio::task::yield_now().await;
        }
        dropped.abort();
        assert!(dropped.await.unwrap_err().is_cancelled());
        drop(release);
        assert!(busy.join_all().await.into_iter().all(|done| done.is_ok_and(|is_released| is_released)));
        while apart.lock().working > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(begun.load(Ordering::SeqCst), 0);
    }
}
