//! Who takes part, who is killed, and when: all from the seed.

use core::time::Duration;

use fedcell_netsim::SimRng;

use crate::site::Site;

/// Rounds of the job.
pub(crate) const ROUNDS: u32 = 5;

const MS: Duration = Duration::from_millis(1);

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    Server,
    Relay,
    Site(usize),
}

/// When a process dies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    /// After some time, and then so many turns of the scheduler, which are moments between any two of them.
    Later { after: Duration, turns: usize },
    /// When so many more results have reached the job, whatever it does with the last one, and then so many turns.
    Arrived { results: u64, turns: usize },
    /// After some time, at so many steps of its disk; each written byte is one.
    InWriting { after: Duration, steps: u64 },
}

/// A kill.
#[derive(Debug, Clone)]
pub(crate) struct Kill {
    /// Those that die together; the first one's disk decides when.
    pub(crate) victims: Vec<Victim>,
    pub(crate) moment: Moment,
    /// How long they are away.
    pub(crate) away: Duration,
    /// At how many steps of its disk the next process dies, if it does before it has well begun.
    pub(crate) again: Option<u64>,
    /// Whether the power fails too: what was not synced may be lost.
    pub(crate) power_fails: bool,
}

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// For each site whether it is behind the relay.
    pub(crate) behind_relay: Vec<bool>,
    pub(crate) kills: Vec<Kill>,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = SimRng::new(seed);
        let sites = 2 + rng.below(3);
        let behind_relay: Vec<bool> = (0..sites).map(|site| site > 0 && rng.chance(0.7)).collect();
        let kills = (0..=rng.below(5)).map(|_| kill(&mut rng, sites)).collect();
        Self { behind_relay, kills }
    }

    /// The sites.
    pub(crate) fn sites(&self, seed: u64) -> Vec<Site> {
        let sites = self.behind_relay.iter().enumerate();
        sites.map(|(number, behind_relay)| Site { number, behind_relay: *behind_relay, seed }).collect()
    }
}

fn kill(rng: &mut SimRng, sites: usize) -> Kill {
    let victim = |rng: &mut SimRng| match rng.below(5) {
        0 | 1 => Victim::Server,
        2 => Victim::Relay,
        _ => Victim::Site(rng.below(sites)),
    };
    let mut victims = vec![victim(rng)];
    if rng.chance(0.25) {
        let other = victim(rng);
        if !victims.contains(&other) {
            victims.push(other);
        }
    }
    let after = rng.span(2500 * MS);
    let moment = match rng.below(10) {
        0..=3 if victims[0] != Victim::Relay => Moment::InWriting { after, steps: rng.below(900) as u64 },
        0..=6 => Moment::Arrived { results: 1 + rng.below(4) as u64, turns: rng.below(40) },
        _ => Moment::Later { after, turns: rng.below(60) },
    };
    let again = rng.chance(0.25).then(|| rng.below(300) as u64);
    Kill { victims, moment, again, away: MS + rng.span(4000 * MS), power_fails: rng.chance(0.5) }
}
