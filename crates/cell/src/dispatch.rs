//! Requests on their way to handlers: started in the order of their arrival, never waiting for each other.
//!
//! ```text
//!   reader of a neighbour ─► Lane ─► start in order ─► done at once: the next one
//!                                         └──────────► has to wait: a task of its own, the next one starts
//! ```
//!
//! The requests of one neighbour share a lane. A lane has a task only while something is in it. How many handlers run at
//! a time is bounded for the whole cell.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

/// Requests started before other tasks of the thread get their turn.
const STARTS_PER_TURN: usize = 64;

/// The work of one request, from its handler to its reply.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What can wait in a lane.
pub(crate) trait Waiting: Send + 'static {
    /// Bytes that it holds.
    fn size(&self) -> usize;

    /// Starts the work and lets it go on until it has to wait; gives what is left of it then.
    fn start(self, context: &mut Context<'_>) -> Option<Work>;
}

/// Bounds of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LaneLimits {
    pub(crate) requests: usize,
    pub(crate) bytes: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    bytes: usize,
    is_running: bool,
    /// Nothing was started for a while although the lane was crowded.
    is_stuck: bool,
}

/// The requests of one neighbour.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    limits: LaneLimits,
    state: Mutex<State<T>>,
    permits: Arc<Semaphore>,
    progress: Notify,
}

impl<T: Waiting> Lane<T> {
    /// A lane whose handlers take their turns by `permits`.
    pub(crate) fn new(limits: LaneLimits, permits: Arc<Semaphore>) -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, is_running: false, is_stuck: false };
        Self { limits, state: Mutex::new(state), permits, progress: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a request at the end; whether the lane can take it is asked before.
    pub(crate) fn push(self: &Arc<Self>, item: T) {
        let mut state = self.lock();
        state.bytes += item.size();
        state.waiting.push_back(item);
        if !core::mem::replace(&mut state.is_running, true) {
            drop(state);
            tokio::spawn(self.clone().run());
        }
    }

    #[cfg(test)]
    fn is_crowded(&self) -> bool {
        self.is_over(&self.lock())
    }

    fn is_over(&self, state: &State<T>) -> bool {
        state.waiting.len() >= self.limits.requests || state.bytes >= self.limits.bytes
    }

    /// Whether the lane is crowded and its handlers have not kept up for as long as somebody was patient.
    pub(crate) fn is_refusing(&self) -> bool {
        let state = self.lock();
        state.is_stuck && self.is_over(&state)
    }

    /// Waits while the lane is crowded, until no request has been started for `patience`.
    pub(crate) async fn room(&self, patience: Duration) {
        loop {
            let progress = self.progress.notified();
            tokio::pin!(progress);
            progress.as_mut().enable();
            {
                let mut state = self.lock();
                if !self.is_over(&state) {
                    state.is_stuck = false;
                    return;
                }
                if state.is_stuck {
                    return;
                }
            }
            if timeout(patience, progress).await.is_err() {
                self.lock().is_stuck = true;
                return;
            }
        }
    }

    /// Forgets what waits.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.waiting.clear();
        state.bytes = 0;
    }

    fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        let Some(item) = state.waiting.pop_front() else {
            state.is_running = false;
            state.waiting.shrink_to(STARTS_PER_TURN);
            return None;
        };
        state.bytes = state.bytes.saturating_sub(item.size());
        state.is_stuck = false;
        drop(state);
        self.progress.notify_waiters();
        Some(item)
    }

    async fn run(self: Arc<Self>) {
        let mut turns = 0;
        let mut spare = None;
        loop {
            // The permit comes first: what waits for one still counts as waiting. That of work which was done at once
            // serves for the next.
            let permit = match spare.take() {
                Some(permit) => permit,
                None => match self.permits.clone().acquire_owned().await {
                    Ok(permit) => permit,
                    Err(_) => {
                        self.clear();
                        return;
                    }
                },
            };
            let Some(item) = self.pop() else { return };
            let mut item = Some(item);
            let left = poll_fn(|context| Poll::Ready(item.take().and_then(|item| item.start(context)))).await;
            match left {
                None => spare = Some(permit),
                Some(work) => drop(tokio::spawn(async move {
                    work.await;
                    drop(permit);
                })),
            }
            turns += 1;
            if turns % STARTS_PER_TURN == 0 {
                spare = None;
                tokio::task::yield_now().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::oneshot;

    use super::*;

    type Log = Arc<Mutex<Vec<u32>>>;

    struct Item {
        number: u32,
        gate: Option<oneshot::Receiver<()>>,
        started: Log,
        finished: Log,
    }

    impl Waiting for Item {
        fn size(&self) -> usize {
            1
        }

        fn start(self, context: &mut Context<'_>) -> Option<Work> {
            let mut work: Work = Box::pin(async move {
                self.started.lock().unwrap().push(self.number);
                if let Some(gate) = self.gate {
                    let _ = gate.await;
                }
                self.finished.lock().unwrap().push(self.number);
            });
            work.as_mut().poll(context).is_pending().then_some(work)
        }
    }

    fn lane(permits: usize) -> Arc<Lane<Item>> {
        let limits = LaneLimits { requests: 3, bytes: 100 };
        Arc::new(Lane::new(limits, Arc::new(Semaphore::new(permits))))
    }

    async fn until(log: &Log, count: usize) {
        while log.lock().unwrap().len() < count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn handlers_start_in_order_and_blocked_ones_hold_nobody_up() {
        let (started, finished): (Log, Log) = Default::default();
        let lane = lane(1000);
        let mut gates = Vec::new();
        for number in 0..300 {
            let gate = (number < 100).then(|| {
                let (open, gate) = oneshot::channel();
                gates.push(open);
                gate
            });
            lane.push(Item { number, gate, started: started.clone(), finished: finished.clone() });
        }
        until(&finished, 200).await;
        assert_eq!(*started.lock().unwrap(), (0..300).collect::<Vec<_>>());
        assert_eq!(*finished.lock().unwrap(), (100..300).collect::<Vec<_>>());
        drop(gates);
        until(&finished, 300).await;
    }

    #[tokio::test]
    async fn no_more_handlers_run_than_permitted() {
        let (started, finished): (Log, Log) = Default::default();
        let lane = lane(2);
        let mut gates = Vec::new();
        for number in 0..5 {
            let (open, gate) = oneshot::channel();
            gates.push(open);
            lane.push(Item { number, gate: Some(gate), started: started.clone(), finished: finished.clone() });
        }
        until(&started, 2).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*started.lock().unwrap(), [0, 1]);
        assert!(lane.is_crowded());
        drop(gates.remove(1));
        lane.room(Duration::from_secs(60)).await;
        until(&started, 3).await;
        assert_eq!(*finished.lock().unwrap(), [1]);
        assert!(!lane.is_crowded());
    }

    #[tokio::test(start_paused = true)]
    async fn patience_with_handlers_that_never_end_is_limited() {
        let (started, finished): (Log, Log) = Default::default();
        let lane = lane(1);
        let mut gates = Vec::new();
        for number in 0..5 {
            let (open, gate) = oneshot::channel();
            gates.push(open);
            lane.push(Item { number, gate: Some(gate), started: started.clone(), finished: finished.clone() });
        }
        until(&started, 1).await;
        assert!(!lane.is_refusing());
        lane.room(Duration::from_secs(5)).await;
        assert!(lane.is_refusing());
        drop(gates);
        until(&finished, 5).await;
        assert!(!lane.is_refusing());
    }

    #[tokio::test]
    async fn an_empty_lane_has_no_task() {
        let (started, finished): (Log, Log) = Default::default();
        let lane = lane(1);
        lane.push(Item { number: 1, gate: None, started: started.clone(), finished: finished.clone() });
        until(&finished, 1).await;
        while lane.lock().is_running {
            tokio::task::yield_now().await;
        }
        assert_eq!(Arc::strong_count(&lane), 1);
        lane.push(Item { number: 2, gate: None, started, finished: finished.clone() });
        until(&finished, 2).await;
    }
}
