//! Requests on their way to handlers: started in the order of their arrival, never waiting for each other.
//!
//! ```text
//!   reader of a neighbour ─► Lane ─► start in order ─► done at once: the next one
//!                                         └──────────► has to wait: a task of its own, the next one starts
//!
//!   few, and handlers were quick so far: the reader starts them itself      many, or not so: a task starts them
//! ```
//!
//! The requests of one neighbour share a lane. A lane has a task only while something is in it. How many handlers run at
//! a time is bounded for the whole cell, and so is what waits: while all lanes together hold more than they may, those
//! neighbours are read that have next to nothing in theirs.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::backlog::Backlog;

/// Requests started before other tasks of the thread get their turn.
const STARTS_PER_TURN: usize = 64;

/// Bytes in a lane up to which its neighbour is read whatever the other lanes hold, so that one who floods shuts out nobody.
pub(crate) const FAIR_SHARE: usize = 64 * 1024;

/// As many requests at most are started by who has read them. More are left to a task, beside which reading goes on.
const FEW: usize = 4;

/// A handler that takes longer than this until it answers or waits, holds up whoever started it. That is then a task, and
/// not the reader of the connection, until a number of requests have been quick.
const QUICK: Duration = Duration::from_micros(200);
const QUICK_AGAIN: u32 = 64;

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
    /// How many more requests have to be quick before a reader may start some.
    distrust: u32,
}

/// The requests of one neighbour.
#[derive(Debug)]
pub(crate) struct Lane<T> {
    limits: LaneLimits,
    state: Mutex<State<T>>,
    permits: Arc<Semaphore>,
    backlog: Arc<Backlog>,
    progress: Notify,
}

impl<T: Waiting> Lane<T> {
    /// A lane whose handlers take their turns by `permits`, and whose requests count in `backlog` while they wait.
    pub(crate) fn new(limits: LaneLimits, permits: Arc<Semaphore>, backlog: Arc<Backlog>) -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, is_running: false, is_stuck: false, distrust: 1 };
        Self { limits, state: Mutex::new(state), permits, backlog, progress: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a request at the end; whether the lane can take it is asked before. Gives the lane if nobody starts what is in
    /// it: then the caller has to see to that.
    #[must_use = "nobody else starts what is in the lane"]
    pub(crate) fn push(self: &Arc<Self>, item: T) -> Option<Idle<T>> {
        let size = item.size();
        self.backlog.take(size);
        let mut state = self.lock();
        state.bytes += size;
        state.waiting.push_back(item);
        (!core::mem::replace(&mut state.is_running, true)).then(|| Idle(self.clone()))
    }

    #[cfg(test)]
    fn is_crowded(&self) -> bool {
        self.is_over(&self.lock())
    }

    fn is_over(&self, state: &State<T>) -> bool {
        let is_over_its_own = state.waiting.len() >= self.limits.requests || state.bytes >= self.limits.bytes;
        is_over_its_own || state.bytes >= FAIR_SHARE && self.backlog.is_full()
    }

    /// Whether the lane is crowded and its handlers have not kept up for as long as somebody was patient.
    pub(crate) fn is_refusing(&self) -> bool {
        let state = self.lock();
        state.is_stuck && self.is_over(&state)
    }

    /// Whether the lane is crowded and somebody still has the patience to wait for its handlers.
    fn is_room_wanted(&self) -> bool {
        let mut state = self.lock();
        let is_over = self.is_over(&state);
        state.is_stuck &= is_over;
        is_over && !state.is_stuck
    }

    /// Waits while the lane is crowded, until no request has been started for `patience`.
    pub(crate) async fn room(&self, patience: Duration) {
        while self.is_room_wanted() {
            let (progress, drained) = (self.progress.notified(), self.backlog.drained());
            tokio::pin!(progress, drained);
            progress.as_mut().enable();
            drained.as_mut().enable();
            // It may have come about before anybody was registered to be told.
            if !self.is_room_wanted() {
                return;
            }
            let moved = async {
                tokio::select! { () = progress => (), () = drained => () }
            };
            if timeout(patience, moved).await.is_err() {
                self.lock().is_stuck = true;
                return;
            }
        }
    }

    /// Forgets what waits.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.waiting.clear();
        self.backlog.give(core::mem::take(&mut state.bytes));
    }

    fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        let Some(item) = state.waiting.pop_front() else {
            state.is_running = false;
            state.waiting.shrink_to(STARTS_PER_TURN);
            return None;
        };
        let size = item.size();
        state.bytes = state.bytes.saturating_sub(size);
        state.is_stuck = false;
        drop(state);
        self.backlog.give(size);
        self.progress.notify_waiters();
        Some(item)
    }

    /// Whether the next request may be started by who has read it.
    fn may_start_here(&self) -> bool {
        let state = self.lock();
        state.distrust == 0 && state.waiting.len() <= FEW
    }

    fn is_distrusted(&self) -> bool {
        self.lock().distrust > 0
    }

    /// Notes how long a request took from its start until it was done or had to wait.
    fn note_start(&self, took: Duration) {
        let mut state = self.lock();
        state.distrust = if took > QUICK { QUICK_AGAIN } else { state.distrust.saturating_sub(1) };
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
            // Where nothing is to be learned, a clock that is asked for each message costs more than it is worth.
            let began = self.is_distrusted().then(Instant::now);
            let left = poll_fn(|context| Poll::Ready(item.take().and_then(|item| item.start(context)))).await;
            if let Some(began) = began {
                self.note_start(began.elapsed());
            }
            match left {
                None => spare = Some(permit),
                Some(work) => go_on(work, permit),
            }
            turns += 1;
            if turns % STARTS_PER_TURN == 0 {
                spare = None;
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Goes on with what has to wait, beside everything else.
fn go_on(work: Work, permit: OwnedSemaphorePermit) {
    tokio::spawn(async move {
        work.await;
        drop(permit);
    });
}

/// A lane with something in it that nobody starts yet.
#[derive(Debug)]
pub(crate) struct Idle<T>(Arc<Lane<T>>);

impl<T: Waiting> Idle<T> {
    /// Has a task start what is in the lane.
    pub(crate) fn start(self) {
        tokio::spawn(self.0.run());
    }

    /// Starts what is in the lane here and now, if it is little and handlers have been quick; leaves the rest to a task.
    /// That saves messages that come one by one the change to another task and back.
    pub(crate) fn start_here(self) {
        let lane = &self.0;
        // Work that has to wait goes to a task, whose first step tells it whom to wake.
        let mut context = Context::from_waker(Waker::noop());
        while lane.may_start_here()
            && let Ok(permit) = lane.permits.clone().try_acquire_owned()
        {
            let Some(item) = lane.pop() else { return };
            let began = Instant::now();
            let left = item.start(&mut context);
            lane.note_start(began.elapsed());
            if let Some(work) = left {
                go_on(work, permit);
            }
        }
        self.start();
    }
}

impl<T> Drop for Lane<T> {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.backlog.give(state.bytes);
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
        Arc::new(Lane::new(limits, Arc::new(Semaphore::new(permits)), Arc::new(Backlog::new(usize::MAX))))
    }

    fn push(lane: &Arc<Lane<Item>>, item: Item) {
        if let Some(idle) = lane.push(item) {
            idle.start();
        }
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
            push(&lane, Item { number, gate, started: started.clone(), finished: finished.clone() });
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
            push(&lane, Item { number, gate: Some(gate), started: started.clone(), finished: finished.clone() });
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
            push(&lane, Item { number, gate: Some(gate), started: started.clone(), finished: finished.clone() });
        }
        until(&started, 1).await;
        assert!(!lane.is_refusing());
        lane.room(Duration::from_secs(5)).await;
        assert!(lane.is_refusing());
        drop(gates);
        until(&finished, 5).await;
        assert!(!lane.is_refusing());
    }

    struct Heavy;

    impl Waiting for Heavy {
        fn size(&self) -> usize {
            FAIR_SHARE
        }

        fn start(self, _context: &mut Context<'_>) -> Option<Work> {
            None
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lanes_share_one_bound_and_each_keeps_its_fair_share() {
        let (permits, backlog) = (Arc::new(Semaphore::new(0)), Arc::new(Backlog::new(2 * FAIR_SHARE)));
        let limits = LaneLimits { requests: 100, bytes: usize::MAX };
        let lane = || Arc::new(Lane::new(limits, permits.clone(), backlog.clone()));
        let (full, other) = (lane(), lane());
        for _ in 0..2 {
            assert!(!full.is_crowded());
            full.push(Heavy).into_iter().for_each(Idle::start);
        }
        assert!(full.is_crowded() && !other.is_crowded());
        other.push(Heavy).into_iter().for_each(Idle::start);
        assert!(other.is_crowded());
        assert_eq!(backlog.used(), 3 * FAIR_SHARE);
        // Whose turn it is decides the order of the lanes; that there is room again, all lanes hear.
        let (waiting, drained) = (other.clone(), full.clone());
        let waited = tokio::spawn(async move { waiting.room(Duration::from_secs(60)).await });
        tokio::task::yield_now().await;
        drained.clear();
        waited.await.unwrap();
        assert!(!other.is_crowded() && !other.is_refusing());
        drop((full, other, drained));
        permits.close();
        while Arc::strong_count(&backlog) > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(backlog.used(), 0);
    }

    #[tokio::test]
    async fn readers_start_few_requests_as_long_as_they_are_quick() {
        let (started, finished): (Log, Log) = Default::default();
        let lane = lane(10);
        let item = |number, gate| Item { number, gate, started: started.clone(), finished: finished.clone() };
        // The first ones are left to a task: nothing is known of the handlers.
        let idle = lane.push(item(1, None)).unwrap();
        idle.start_here();
        assert!(started.lock().unwrap().is_empty());
        until(&finished, 1).await;
        while lane.lock().is_running {
            tokio::task::yield_now().await;
        }
        let (open, gate) = oneshot::channel();
        let idle = lane.push(item(2, Some(gate))).unwrap();
        assert!(lane.push(item(3, None)).is_none());
        idle.start_here();
        assert_eq!((started.lock().unwrap().clone(), finished.lock().unwrap().clone()), (vec![1, 2, 3], vec![1, 3]));
        drop(open);
        until(&finished, 3).await;
        // More than a few are left to a task again, and so is whatever follows a slow one.
        let idle = lane.push(item(4, None)).unwrap();
        for number in 5..10 {
            assert!(lane.push(item(number, None)).is_none());
        }
        idle.start_here();
        assert_eq!(started.lock().unwrap().len(), 3);
        until(&finished, 9).await;
        lane.note_start(QUICK * 2);
        lane.push(item(10, None)).unwrap().start_here();
        assert_eq!(started.lock().unwrap().len(), 9);
        until(&finished, 10).await;
    }

    #[tokio::test]
    async fn an_empty_lane_has_no_task() {
        let (started, finished): (Log, Log) = Default::default();
        let lane = lane(1);
        push(&lane, Item { number: 1, gate: None, started: started.clone(), finished: finished.clone() });
        until(&finished, 1).await;
        while lane.lock().is_running {
            tokio::task::yield_now().await;
        }
        assert_eq!(Arc::strong_count(&lane), 1);
        push(&lane, Item { number: 2, gate: None, started, finished: finished.clone() });
        until(&finished, 2).await;
    }
}
