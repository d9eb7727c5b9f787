//! The networks of the rows: who sits where, over what, and how large a chunk is. Data only.

use serde_json::{Value, json};

use crate::interop::cell::plan::{CHAIN, PAIR, Security, Shape};
use crate::interop::cell::process::Maker;

/// What lies below the connection of the leaf; all other connections are as it says without a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// Plain TCP.
    Clear,
    /// TLS with certificates on both sides.
    Mtls,
    /// Plain TCP through a proxy that changes the order of stream frames and repeats some.
    Shuffled,
}

impl Link {
    /// For the tables.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Mtls => "mtls",
            Self::Shuffled => "shuffled",
        }
    }

    /// How the cells protect their connections.
    pub(super) const fn security(self) -> Security {
        match self {
            Self::Mtls => Security::Mtls,
            Self::Clear | Self::Shuffled => Security::Clear,
        }
    }
}

/// How large chunk and window are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    /// For the tables.
    pub(super) name: &'static str,
    /// Bytes of a chunk.
    pub(super) chunk: u64,
    /// Bytes that may be on the way.
    pub(super) window: u64,
    /// Bytes between two acknowledgements.
    pub(super) ack_interval: u64,
}

/// Chunks and a window that small transfers fill.
pub(super) const SMALL: Scale = Scale { name: "small", chunk: 64 << 10, window: 1 << 20, ack_interval: 256 << 10 };

/// What the reference has without settings.
pub(super) const USUAL: Scale = Scale { name: "usual", chunk: 1 << 20, window: 64 << 20, ack_interval: 16 << 20 };

/// The same, for one model of two gibibytes.
pub(super) const HUGE: Scale = Scale { name: "huge", ..USUAL };

impl Scale {
    /// The settings of a cell.
    pub(super) fn settings(self) -> Value {
        json!({
            "streaming_chunk_size": self.chunk,
            "streaming_window_size": self.window,
            "streaming_ack_interval": self.ack_interval,
            // Rows shall not wait long for what a proxy has lost.
            "streaming_retry_wait": 2.0,
        })
    }

    /// Sizes on both sides of every limit.
    pub(super) fn sizes(self) -> Vec<u64> {
        let Self { chunk, window, .. } = self;
        vec![
            0,
            1,
            chunk - 1,
            chunk,
            chunk + 1,
            2 * chunk,
            window - 1,
            window,
            window + chunk,
            window + chunk + 1,
            3 * window + 7,
        ]
    }
}

/// A network to be built.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Its shape.
    pub(super) shape: &'static Shape,
    /// Who sits where.
    pub(super) members: &'static str,
    /// What its connections are.
    pub(super) link: Link,
    /// How large its chunks are.
    pub(super) scale: Scale,
}

impl Plan {
    /// For the tables.
    pub(super) fn name(&self) -> String {
        format!("{:<5} {:<3} {:<8} {:<5}", self.shape.name, self.members, self.link.word(), self.scale.name)
    }

    /// Who made the cell of a seat.
    pub(super) fn maker(&self, seat: usize) -> Maker {
        if self.members.as_bytes().get(seat) == Some(&b'R') { Maker::Ours } else { Maker::Theirs }
    }

    /// Whether its rows are of small transfers.
    pub(super) fn is_small(&self) -> bool {
        self.scale == SMALL
    }

    /// Whether no cell is the reference's.
    pub(super) fn is_ours(&self) -> bool {
        !self.members.contains('P')
    }
}

/// The networks, those of the reference alone first: a row that fails there says nothing about us.
pub(super) fn plans(quick: bool) -> Vec<Plan> {
    let plan = |shape, members, link, scale| Plan { shape, members, link, scale };
    if quick {
        return vec![
            plan(&PAIR, "RP", Link::Mtls, SMALL),
            plan(&PAIR, "PR", Link::Shuffled, SMALL),
            plan(&PAIR, "RR", Link::Shuffled, SMALL),
            plan(&CHAIN, "PRP", Link::Clear, SMALL),
            plan(&CHAIN, "RPR", Link::Shuffled, SMALL),
        ];
    }
    let mut plans = Vec::new();
    for link in [Link::Clear, Link::Mtls, Link::Shuffled] {
        for members in ["PP", "RP", "PR", "RR"] {
            plans.push(plan(&PAIR, members, link, SMALL));
        }
        for members in ["PPP", "PRP", "RPR", "PPR", "RPP", "RRP", "PRR", "RRR"] {
            plans.push(plan(&CHAIN, members, link, SMALL));
        }
    }
    let usual: [(&'static Shape, &[&'static str], Link); 4] = [
        (&PAIR, &["PP", "RP", "PR", "RR"], Link::Clear),
        (&CHAIN, &["PRP", "RPR"], Link::Clear),
        (&PAIR, &["RP", "PR"], Link::Mtls),
        (&CHAIN, &["PRP", "RPR"], Link::Mtls),
    ];
    for (shape, all, link) in usual {
        plans.extend(all.iter().map(|members| plan(shape, members, link, USUAL)));
    }
    plans.push(plan(&PAIR, "PR", Link::Clear, HUGE));
    plans
}
