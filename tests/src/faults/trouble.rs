//! What goes wrong, and when: one trouble after the other, seeded.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::thread;
use std::time::Instant;

use anyhow::Result;
use fedcell_netsim::SimRng;

use super::network::Network;

/// How long the relay is stopped.
const STOPPED: Duration = Duration::from_secs(20);
/// How long a killed relay or a cut connection stays away, at most.
const AWAY: Duration = Duration::from_secs(3);
/// Between two troubles, at least and at most more: long enough for what was lost to be asked for again.
const QUIET: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));

/// Of ten troubles in a row, whatever their order, so many are stops and so many kills. The others are cuts.
const OF_TEN: (usize, usize) = (2, 4);

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The relay's process ends as by a power failure, and is started again.
    Kill,
    /// The relay's process does nothing for a while.
    Stop,
    /// The connections of this cell end, and it gets no new ones for a while.
    Cut {
        /// Which cell.
        cell: usize,
    },
}

/// A trouble that was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble {
    pub(super) kind: Kind,
    pub(super) at: Instant,
}

impl Trouble {
    /// Whether what goes between these cells has to do with it: all goes through the relay.
    pub(super) fn concerns(&self, cells: [usize; 2]) -> bool {
        match self.kind {
            Kind::Kill | Kind::Stop => true,
            Kind::Cut { cell } => cells.contains(&cell),
        }
    }
}

/// How often each kind was made.
pub(super) struct Tally<'a>(pub(super) &'a [Trouble]);

impl fmt::Display for Tally<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |is_it: fn(&Kind) -> bool| self.0.iter().filter(|trouble| is_it(&trouble.kind)).count();
        let kills = count(|kind| *kind == Kind::Kill);
        let stops = count(|kind| *kind == Kind::Stop);
        let cuts = self.0.len() - kills - stops;
        write!(f, "relay killed {kills} times, stopped for 20 s {stops} times, connections cut {cuts} times")
    }
}

/// Makes trouble until all is over; returns when every connection stands again.
pub(super) fn make(network: &Network<'_>, mut random: SimRng, over: &AtomicBool) -> Result<()> {
    let mut deck = Vec::new();
    while !over.load(Ordering::Acquire) {
        if deck.is_empty() {
            deck.extend(0..10);
        }
        let (stops, kills) = OF_TEN;
        let kind = match deck.swap_remove(random.below(deck.len())) {
            card if card < stops => Kind::Stop,
            card if card < stops + kills => Kind::Kill,
            _ => Kind::Cut { cell: random.below(network.cells()) },
        };
        network.make(kind, if kind == Kind::Stop { STOPPED } else { random.span(AWAY) })?;
        // The next one shall find connections that carry something.
        network.wait_children()?;
        thread::sleep(QUIET.0 + random.span(QUIET.1));
    }
    network.wait_children()
}
