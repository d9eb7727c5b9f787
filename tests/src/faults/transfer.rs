//! One transfer: a blob or a byte stream that is sent reliably, or a download; either way, between all pairs of cells.

use core::fmt;
use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use super::TRANSFER_LIMIT;
use super::network::{CELLS, Network};
use super::trouble::Trouble;

const CHANNEL: &str = "aux_communication";

/// How it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A blob by a reliable stream.
    Blob,
    /// A byte stream, reliable.
    Stream,
    /// Bytes that the receiver pulls.
    Raw,
    /// Arrays that the receiver pulls.
    Arrays,
}

/// One transfer.
#[derive(Debug, Clone)]
pub(super) struct Transfer {
    /// How it is done.
    pub(super) kind: Kind,
    /// Which cell sends.
    from: usize,
    /// Which cell receives.
    to: usize,
    /// Bytes.
    pub(super) size: u64,
    /// Topic of its stream, its own.
    pub(super) topic: String,
}

/// How it went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    /// How long it took.
    pub(super) seconds: f64,
    /// Bytes that the source of a download gave away.
    pub(super) given: u64,
    /// Troubles between its ends that began while it was on its way.
    pub(super) met: usize,
}

impl Transfer {
    /// The transfer of that number.
    pub(super) fn new(index: usize) -> Self {
        const PAIRS: [(usize, usize); 6] = [(0, 1), (1, 0), (2, 0), (0, 2), (1, 2), (2, 1)];
        // Each kind between each pair, in any 24 in a row.
        let kind = [Kind::Blob, Kind::Raw, Kind::Stream, Kind::Arrays][(index / PAIRS.len() + index) % 4];
        let (from, to) = PAIRS[index % PAIRS.len()];
        let size = (16 << 20) + (index as u64 % 7) * (5 << 20) + index as u64 * 4;
        Self { kind, from, to, size, topic: format!("transfer-{index}") }
    }

    /// Does it.
    pub(super) fn run(&self, network: &Network<'_>) -> Result<Done> {
        let limit = TRANSFER_LIMIT.as_secs_f64();
        let start;
        let mut given = 0;
        let (kind, way) = match self.kind {
            Kind::Blob => ("blob", false),
            Kind::Stream => ("stream", false),
            Kind::Raw => ("raw", true),
            Kind::Arrays => ("arrays", true),
        };
        if way {
            let payload = match self.kind {
                Kind::Arrays => json!({"arrays": {"count": 16, "elements": self.size / 64, "dtype": "<f4"}}),
                _ => json!({"random": self.size}),
            };
            let offer = json!({"kind": kind, "payload": payload, "timeout": limit});
            let offer = network.call(self.from, "offer", offer)?;
            let fetch = json!({"kind": kind, "fqcn": CELLS[self.from], "ref": offer["ref"], "timeout": limit});
            start = Instant::now();
            let fetched = network.call(self.to, "fetch", fetch)?;
            ensure!(fetched["failure"].is_null(), "{}", fetched["failure"]);
            ensure!(fetched["got"] == offer["sent"], "got {}, offered {}", fetched["got"], offer["sent"]);
            let outcome = network.call(self.from, "outcome", json!({"ref": offer["ref"], "timeout": limit}))?;
            ensure!(outcome["outcome"] == "completed", "the offer ended as {outcome}");
            given = outcome["given"].as_u64().unwrap_or(u64::MAX);
        } else {
            network.call(self.to, "take", json!({"kind": kind, "channel": CHANNEL, "topic": self.topic}))?;
            let command = json!({
                "kind": kind, "target": CELLS[self.to], "channel": CHANNEL, "topic": self.topic, "size": self.size,
                "reliable": true, "timeout": limit,
            });
            start = Instant::now();
            let sent = network.call(self.from, "send", command)?;
            ensure!(sent["failure"].is_null(), "{}", sent["failure"]);
            let command = json!({"channel": CHANNEL, "topic": self.topic, "count": 1, "timeout": limit});
            let taken = network.call(self.to, "taken", command)?["taken"].take();
            let count = taken.as_array().map_or(0, Vec::len);
            ensure!(count == 1, "{count} transfers have come");
            for field in ["len", "sha256"] {
                let (sent, got) = (&sent["sent"][field], &taken[0][field]);
                ensure!(sent == got, "{field} is {got}, sent was {sent}");
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let concerns = |trouble: &Trouble| trouble.at >= start && trouble.concerns([self.from, self.to]);
        let met = network.troubles().iter().filter(|trouble| concerns(trouble)).count();
        Ok(Done { seconds, given, met })
    }

    /// Whether the receiver pulls.
    pub(super) fn is_download(&self) -> bool {
        matches!(self.kind, Kind::Raw | Kind::Arrays)
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, from, to, size, topic, .. } = self;
        write!(f, "{topic:<13} {kind:?} of {} MiB, {} to {}", size >> 20, CELLS[*from], CELLS[*to])
    }
}
