//! The cell's machine and everything that turns its crank.
//!
//! ```text
//!   reader ── handle_frame ──┐                        ┌─► Outbox of a connection ─► writer
//!   caller ── send_request ──┤                        │
//!   handler ─ send_reply ────┼─► Node, under a lock ──┼─► callers that wait for a reply
//!   timer ─── handle_timeout ┘    then drained        ├─► Lane of a neighbour ─► handlers
//!                                                     └─► sealing and opening, events
//! ```
//!
//! The node has no task of its own. Whoever has something for it takes the lock, calls one verb, drains what came of it
//! and lets go; no await happens under the lock. That saves two wake-ups per message against a task with a channel, and
//! a reader brings all frames of one read at a time. Frames are queued under the lock, so that they leave in the order
//! in which the node made them; they are written, callers woken and handlers started after it.

mod connection;
mod deliver;
mod state;
mod waiters;

use core::fmt;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fedcell_auth::UnixTime;
use fedcell_cell_proto::address::{Fqcn, FqcnBuf};
use fedcell_cell_proto::node::{ConnectionId, IncomingRequest, Node};
use fedcell_cell_proto::route::Neighbours as _;
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backbone::Backbone;
use crate::clock::Clock;
use crate::connection::{Budget, Outbox, Slabs, WriteTimes};
use crate::dispatch::{Idle, Lane};
use crate::download::Shared;
use crate::driver::{Admission, AdmissionLimits};
use crate::events::CellEvent;
use crate::limits::Limits;
use crate::metrics::{ConnectionMeters, RequestMeters};
use crate::network::Subnets;
use crate::random::SystemRandom;
use crate::sealing::Sealing;
use crate::stream::{BlobLimits, Desk, Handlers};

use self::state::{Core, Effects};
pub(crate) use self::waiters::Waiter;

/// Events that a slow reader may lag behind before it misses some.
const EVENT_BACKLOG: usize = 1024;

/// The endpoint of one cell. Clones are the same endpoint.
#[derive(Clone)]
pub(crate) struct Endpoint {
    inner: Arc<Inner>,
}

struct Inner {
    address: FqcnBuf,
    limits: Limits,
    clock: Clock,
    core: Mutex<Core>,
    handlers: Arc<Handlers>,
    admission: Admission,
    budget: Arc<Budget>,
    times: Arc<WriteTimes>,
    slabs: Slabs,
    subnets: Subnets,
    backbone: Arc<Backbone>,
    sealing: Sealing,
    downloads: Shared,
    timer: Notify,
    changed: Notify,
    events: broadcast::Sender<CellEvent>,
    connections: AtomicU64,
    meters: ConnectionMeters,
    requests: Arc<RequestMeters>,
    /// Handlers that will answer with a stream.
    replying: AtomicUsize,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Endpoint {
    pub(crate) fn new(node: Node, limits: Limits, backbone: Backbone, sealing: Sealing) -> Self {
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        let clock = Clock::start();
        let handlers = Arc::new(Handlers::default());
        let requests = Arc::new(RequestMeters::new());
        let blobs = BlobLimits { each: limits.blob_size, all: limits.blobs_total };
        let desk = Desk::new(limits.streams, first_stream(clock.now()), blobs);
        let inner = Inner {
            address: node.exchange().address().to_owned(),
            clock,
            core: Mutex::new(Core::new(node, desk, handlers.clone(), requests.clone(), &limits)),
            handlers,
            admission: Admission::new(AdmissionLimits {
                total: limits.unknown_peers,
                per_address: limits.unknown_peers_per_address,
            }),
            budget: Arc::new(Budget::new(limits.outgoing_total)),
            times: Arc::new(WriteTimes::new()),
            slabs: Slabs::new(),
            subnets: Subnets::default(),
            backbone: Arc::new(backbone),
            sealing,
            downloads: Shared::default(),
            timer: Notify::new(),
            changed: Notify::new(),
            events,
            connections: AtomicU64::new(1),
            meters: ConnectionMeters::new(),
            requests,
            replying: AtomicUsize::new(0),
            cancel: CancellationToken::new(),
            tasks: TaskTracker::new(),
            limits,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Whether `other` is a clone of this one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub(crate) fn address(&self) -> Fqcn<'_> {
        self.inner.address.as_fqcn()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.inner.clock.now()
    }

    /// The time by which certificates are judged.
    fn wall_clock(&self) -> UnixTime {
        self.inner.clock.wall()
    }

    pub(crate) fn admission(&self) -> &Admission {
        &self.inner.admission
    }

    /// Bytes that wait to leave, on all connections.
    pub(crate) fn outgoing_bytes(&self) -> usize {
        self.inner.budget.used()
    }

    /// Bytes that wait for handlers, of all neighbours.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.lock().waiting_bytes()
    }

    /// How long writes took.
    pub(crate) fn write_times(&self) -> &WriteTimes {
        &self.inner.times
    }

    /// The subnets that this cell watches.
    pub(crate) fn subnets(&self) -> &Subnets {
        &self.inner.subnets
    }

    /// Cancelled when the cell ends.
    pub(crate) fn cancel(&self) -> &CancellationToken {
        &self.inner.cancel
    }

    /// Runs `task` until it is done or the cell ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let cancel = self.inner.cancel.clone();
        self.inner.tasks.spawn(async move {
            cancel.run_until_cancelled(task).await;
        })
    }

    /// Waits until no task of the cell is left; to be called after [`stop`](Self::stop).
    pub(crate) async fn finished(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Ends everything at once: tasks, waiting callers, handlers.
    pub(crate) fn stop(&self) {
        self.inner.cancel.cancel();
        self.inner.backbone.remove(|_| true);
        self.inner.handlers.clear();
        self.drive(|core, _| core.abandon());
    }

    /// Waits until no handler runs and none waits.
    pub(crate) async fn idle(&self) {
        let permits = self.lock().permits().clone();
        let all = u32::try_from(self.inner.limits.handlers).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        drop(permits.acquire_many(all).await);
    }

    /// Closes the connections that `choose` picks by the name of their peer, once what is queued has left.
    pub(crate) fn close_connections(&self, choose: impl Fn(Option<&FqcnBuf>) -> bool) {
        self.lock().close(choose);
    }

    /// Waits until there is no connection.
    pub(crate) async fn connections_gone(&self) {
        self.until(|endpoint| endpoint.lock().entries.is_empty()).await;
    }

    pub(crate) fn backbone(&self) -> &Arc<Backbone> {
        &self.inner.backbone
    }

    pub(crate) fn sealing(&self) -> &Sealing {
        &self.inner.sealing
    }

    /// A connection or neighbour has come or gone.
    fn note_change(&self) {
        self.inner.changed.notify_waiters();
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<CellEvent> {
        self.inner.events.subscribe()
    }

    pub(crate) fn tell(&self, event: CellEvent) {
        match event {
            CellEvent::DialFailed { .. } => self.inner.meters.dials_failed.increment(1),
            CellEvent::ConnectionRefused { .. } => self.inner.meters.refused.increment(1),
            _ => {}
        }
        // Nobody has to listen.
        let _ = self.inner.events.send(event);
    }

    /// What is offered and fetched.
    pub(crate) fn downloads(&self) -> &Shared {
        &self.inner.downloads
    }

    /// Who handles what.
    pub(crate) fn handlers(&self) -> &Handlers {
        &self.inner.handlers
    }

    fn next_connection(&self) -> ConnectionId {
        ConnectionId::new(self.inner.connections.fetch_add(1, Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.inner.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the node without changing it.
    pub(crate) fn inspect<T>(&self, look: impl FnOnce(&Node) -> T) -> T {
        look(&self.lock().node)
    }

    /// Calls a verb of the node and deals with what comes of it. Gives the queues that are crowded now.
    pub(crate) fn drive<T>(&self, verb: impl FnOnce(&mut Core, UnixTime) -> T) -> (T, Vec<Arc<Outbox>>) {
        let (result, left) = self.drive_and(verb, IdleLane::start);
        (result, left.crowded)
    }

    /// As [`drive`](Self::drive); `start` sees to it that what is in a lane gets started.
    fn drive_and<T>(&self, verb: impl FnOnce(&mut Core, UnixTime) -> T, start: impl FnMut(IdleLane)) -> (T, Left) {
        let now = self.now();
        let mut effects = Effects::default();
        let (result, is_due_earlier) = {
            let mut core = self.lock();
            let result = verb(&mut core, now);
            core.drain(now, &mut effects);
            (result, core.rearm())
        };
        if is_due_earlier {
            self.inner.timer.notify_one();
        }
        let concerns_others = effects.concern_others();
        core::mem::take(&mut effects.filled).flush(concerns_others);
        let crowded = core::mem::take(&mut effects.crowded);
        self.deliver(effects, start);
        (result, Left { crowded, concerns_others })
    }

    /// The task that does what is due: calls the node when its time comes, gives memory back.
    pub(crate) async fn drive_timer(self) {
        tokio::select! {
            () = self.drive_deadlines() => {}
            () = self.inner.slabs.sweep() => {}
        }
    }

    async fn drive_deadlines(&self) {
        loop {
            let armed = self.lock().armed();
            let rearmed = self.inner.timer.notified();
            match armed {
                None => rearmed.await,
                Some(deadline) => tokio::select! {
                    () = rearmed => {}
                    () = sleep_until(self.inner.clock.instant(deadline)) => {
                        self.drive(|core, now| {
                            core.disarm();
                            core.handle_timeout(now);
                        });
                    }
                },
            }
        }
    }

    /// Waits until the streams of this cell have left, those among them that are replies still being made, and the chunks
    /// that it has to pass on: other messages overtake them.
    ///
    /// Handlers, and streams to where there is no way, are waited for as long as [`Limits::drain`] says. Another stream ends
    /// by itself when its target takes nothing any more, and so does a connection.
    pub(crate) async fn drained(&self) {
        let limit = self.inner.limits.drain;
        let is_done = |endpoint: &Self| {
            endpoint.inner.replying.load(Ordering::Acquire) == 0 && !endpoint.lock().desk.is_sending()
        };
        while timeout(limit, self.until(is_done)).await.is_err() && self.lock().is_sending_somewhere() {}
        let outboxes: Vec<Arc<Outbox>> = self.lock().entries.values().map(|entry| entry.outbox.clone()).collect();
        for outbox in outboxes {
            while timeout(limit, outbox.chunks_left()).await.is_err() && outbox.idle() < limit {}
        }
    }

    /// Looks at the streams.
    pub(crate) fn inspect_streams<T>(&self, look: impl FnOnce(&Desk) -> T) -> T {
        look(&self.lock().desk)
    }

    /// Whether that cell is a neighbour to which messages are routed.
    pub(crate) fn is_connected(&self, peer: Fqcn<'_>) -> bool {
        self.inspect(|node| node.exchange().is_neighbour(peer))
    }

    /// Waits until `look` says yes; it is asked again whenever a neighbour comes or goes.
    pub(crate) async fn until(&self, look: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if look(self) {
                return;
            }
            changed.await;
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("address", &self.inner.address).finish_non_exhaustive()
    }
}

/// The number before that of the first stream: as in the reference, the time in microseconds, here with up to a second
/// of chance, so that two cells of one name do not agree.
fn first_stream(now: UnixTime) -> i64 {
    let since_epoch = now.saturating_since(UnixTime::since_epoch(Duration::ZERO));
    let micros = since_epoch.as_micros().saturating_add(SystemRandom::new().micros());
    i64::try_from(micros).unwrap_or_default()
}

/// What a verb leaves to whoever called it.
struct Left {
    /// Queues that are crowded now.
    crowded: Vec<Arc<Outbox>>,
    /// Callers were woken or handlers started.
    concerns_others: bool,
}

/// What waits in a lane.
pub(crate) type RequestLane = Lane<deliver::Arrived>;

/// A lane with something in it that nobody starts yet.
type IdleLane = Idle<deliver::Arrived>;

/// A request that is to be handled, as the node gives it.
pub(crate) type Incoming = Box<IncomingRequest>;
