//! What a cell counts for operators, by the `metrics` facade: nothing is kept here, and nothing is counted unless the
//! process has installed a recorder before it starts its cells.
//!
//! The pools that the network commands show say more about one cell. These numbers are for machines that watch many
//! processes: cells of one process count together, and no label bears what a peer has said.

pub use ::metrics::Counter;
use ::metrics::{Gauge, Label};
use fedcell_cell_proto::request::Reply;
use fedcell_cell_proto::stream::StreamEvent;
use fedcell_protocol_defs::cell::ReturnCode;

/// One number that a process shows, as Prometheus has it: base units, counters that end in `_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Whether it only grows.
    pub kind: Kind,
    /// What it says, and in which unit.
    pub help: &'static str,
}

/// What a number does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, from zero at the start of the process.
    Counter,
    /// It rises and falls.
    Gauge,
}

impl Metric {
    /// One that only grows.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, help }
    }

    /// One that rises and falls.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, help }
    }

    /// Tells the recorder of the process what this is.
    pub fn describe(&self) {
        match self.kind {
            Kind::Counter => ::metrics::describe_counter!(self.name, self.help),
            Kind::Gauge => ::metrics::describe_gauge!(self.name, self.help),
        }
    }

    /// The counter of this name, zero at first. To be kept: each call looks it up.
    pub fn count(&self) -> Counter {
        ::metrics::counter!(self.name)
    }

    /// The same, of those whose `label` is `value`.
    pub fn count_of(&self, label: &'static str, value: &'static str) -> Counter {
        ::metrics::counter!(self.name, vec![Label::from_static_parts(label, value)])
    }

    /// One of several parts whose sum is the gauge of this name.
    #[must_use]
    pub fn share(&self) -> Share {
        let gauge = ::metrics::gauge!(self.name);
        // So that it is shown before anything is added.
        gauge.increment(0.0);
        Share { gauge, size: 0 }
    }
}

/// What one of several holders adds to a gauge; taken away with this value.
#[derive(Debug)]
pub struct Share {
    gauge: Gauge,
    size: usize,
}

impl Share {
    /// From now on it is so much.
    pub fn set(&mut self, size: usize) {
        let before = core::mem::replace(&mut self.size, size);
        if size > before {
            self.gauge.increment(number(size - before));
        } else if size < before {
            self.gauge.decrement(number(before - size));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// A size as gauges have it; beyond 2^53 about.
#[expect(clippy::cast_precision_loss, reason = "no size of a process is as large")]
pub(crate) const fn number(size: usize) -> f64 {
    size as f64
}

const CONNECTIONS: Metric = Metric::gauge("fedcell_cell_connections", "Connections that stand now.");
const CONNECTIONS_TOTAL: Metric = Metric::counter(
    "fedcell_cell_connections_total",
    "Connections that were made, by side: dialled or accepted. Those that were dialled again count again.",
);
const CONNECTIONS_REFUSED: Metric = Metric::counter(
    "fedcell_cell_connections_refused_total",
    "Connections that ended before their peer was known, or by its fault.",
);
const DIALS_FAILED: Metric =
    Metric::counter("fedcell_cell_dials_failed_total", "Attempts to connect that have failed.");
const RECEIVED_FRAMES: Metric = Metric::counter("fedcell_cell_received_frames_total", "Frames that have come.");
const RECEIVED_BYTES: Metric =
    Metric::counter("fedcell_cell_received_bytes_total", "Bytes of the frames that have come, without TLS.");
const SENT_FRAMES: Metric =
    Metric::counter("fedcell_cell_sent_frames_total", "Frames that were taken out of their queue to be written.");
const SENT_BYTES: Metric =
    Metric::counter("fedcell_cell_sent_bytes_total", "Bytes of frames that were written, without TLS.");
const QUEUE_BYTES: Metric = Metric::gauge("fedcell_cell_queue_bytes", "Bytes that wait to leave, on all connections.");
const REQUESTS: Metric = Metric::counter(
    "fedcell_cell_requests_total",
    "Requests that were sent and have ended, by outcome: replied, timeout or failed. One to several cells counts for each.",
);
const HANDLED: Metric = Metric::counter(
    "fedcell_cell_handled_total",
    "Requests and messages that came and were dealt with, by outcome: ok, error, no_handler or refused.",
);
const STREAMS: Metric = Metric::gauge("fedcell_cell_streams", "Streams that are open now, in both directions.");
const STREAMS_ENDED: Metric = Metric::counter(
    "fedcell_cell_streams_total",
    "Streams that have ended, in both directions, by outcome: ok or failed.",
);

/// Every number that a cell shows.
pub const METRICS: &[Metric] = &[
    CONNECTIONS,
    CONNECTIONS_TOTAL,
    CONNECTIONS_REFUSED,
    DIALS_FAILED,
    RECEIVED_FRAMES,
    RECEIVED_BYTES,
    SENT_FRAMES,
    SENT_BYTES,
    QUEUE_BYTES,
    REQUESTS,
    HANDLED,
    STREAMS,
    STREAMS_ENDED,
];

/// The label of what something came to, in every metric that tells ends apart.
pub const OUTCOME: &str = "outcome";

/// What the endpoint counts of its connections.
#[derive(Debug)]
pub(crate) struct ConnectionMeters {
    pub(crate) dialled: Counter,
    pub(crate) accepted: Counter,
    pub(crate) refused: Counter,
    pub(crate) dials_failed: Counter,
    pub(crate) frames: Counter,
    pub(crate) bytes: Counter,
}

impl ConnectionMeters {
    pub(crate) fn new() -> Self {
        Self {
            dialled: CONNECTIONS_TOTAL.count_of("side", "dialled"),
            accepted: CONNECTIONS_TOTAL.count_of("side", "accepted"),
            refused: CONNECTIONS_REFUSED.count(),
            dials_failed: DIALS_FAILED.count(),
            frames: RECEIVED_FRAMES.count(),
            bytes: RECEIVED_BYTES.count(),
        }
    }

    /// A connection, for as long as it stands.
    pub(crate) fn connection(&self) -> Share {
        let mut share = CONNECTIONS.share();
        share.set(1);
        share
    }
}

/// What the queues of a cell count together.
#[derive(Debug)]
pub(crate) struct QueueMeters {
    pub(crate) waiting: Gauge,
    pub(crate) frames: Counter,
    pub(crate) bytes: Counter,
}

impl QueueMeters {
    pub(crate) fn new() -> Self {
        let waiting = ::metrics::gauge!(QUEUE_BYTES.name);
        waiting.increment(0.0);
        Self { waiting, frames: SENT_FRAMES.count(), bytes: SENT_BYTES.count() }
    }
}

/// How requests of this cell, and those of others to it, end.
#[derive(Debug)]
pub(crate) struct RequestMeters {
    pub(crate) replied: Counter,
    pub(crate) timeout: Counter,
    pub(crate) failed: Counter,
    pub(crate) ok: Counter,
    pub(crate) error: Counter,
    pub(crate) no_handler: Counter,
    pub(crate) refused: Counter,
}

impl RequestMeters {
    pub(crate) fn new() -> Self {
        let (sent, handled) =
            (|outcome| REQUESTS.count_of(OUTCOME, outcome), |outcome| HANDLED.count_of(OUTCOME, outcome));
        Self {
            replied: sent("replied"),
            timeout: sent("timeout"),
            failed: sent("failed"),
            ok: handled("ok"),
            error: handled("error"),
            no_handler: handled("no_handler"),
            refused: handled("refused"),
        }
    }

    /// A request of this cell to one target has ended, without a reply if there is a code.
    pub(crate) fn note_sent(&self, failed: Option<ReturnCode<'_>>) {
        match failed {
            None => self.replied.increment(1),
            Some(ReturnCode::TIMEOUT) => self.timeout.increment(1),
            Some(_) => self.failed.increment(1),
        }
    }

    /// A handler of this cell has answered.
    pub(crate) fn note_handled(&self, reply: &Reply) {
        if reply.code() == ReturnCode::OK { self.ok.increment(1) } else { self.error.increment(1) }
    }
}

/// What becomes of streams.
#[derive(Debug)]
pub(crate) struct StreamMeters {
    pub(crate) open: Share,
    pub(crate) ok: Counter,
    pub(crate) failed: Counter,
}

impl StreamMeters {
    pub(crate) fn new() -> Self {
        let ended = |outcome| STREAMS_ENDED.count_of(OUTCOME, outcome);
        Self { open: STREAMS.share(), ok: ended("ok"), failed: ended("failed") }
    }

    /// Counts what has ended.
    pub(crate) fn note(&self, event: &StreamEvent) {
        match event {
            StreamEvent::Whole { .. } | StreamEvent::Finished { .. } | StreamEvent::Sent { .. } => self.ok.increment(1),
            StreamEvent::Broken { .. } | StreamEvent::Failed { .. } => self.failed.increment(1),
            _ => {}
        }
    }
}
