//! What goes wrong, and when: one trouble after the other, seeded.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::thread;

use anyhow::Result;
use fedcell_netsim::SimRng;

use super::network::Network;

/// How long the relay is stopped.
const STOPPED: Duration = Duration::from_secs(20);
/// How long a killed relay or a cut connection stays away, at most.
const AWAY: Duration = Duration::from_secs(3);
/// Between two troubles, at most; at least a second, so that there is something to break.
const QUIET: Duration = Duration::from_secs(4);

/// How often each trouble was made.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    kills: usize,
    stops: usize,
    cuts: usize,
}

impl fmt::Display for Troubles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, stops, cuts } = self;
        write!(f, "relay killed {kills} times, stopped for 20 s {stops} times, connections cut {cuts} times")
    }
}

/// Makes trouble until all is over; returns when every connection stands again.
pub(super) fn make(network: &Network<'_>, mut random: SimRng, over: &AtomicBool) -> Result<Troubles> {
    let mut made = Troubles::default();
    while !over.load(Ordering::Acquire) {
        let away = random.span(AWAY);
        match random.below(10) {
            0 => {
                network.stop_relay(STOPPED)?;
                made.stops += 1;
            }
            1..=4 => {
                network.kill_relay(away)?;
                made.kills += 1;
            }
            _ => {
                network.cut(&mut random, away)?;
                made.cuts += 1;
            }
        }
        // The next one shall find connections that carry something.
        network.wait_children()?;
        thread::sleep(Duration::from_secs(1) + random.span(QUIET));
    }
    network.wait_children()?;
    Ok(made)
}
