//! Who is killed when: from the seed.

use core::fmt;
use core::time::Duration;

use fedcell_netsim::SimRng;

use super::SITES;

/// How long a killed process is away, at most.
const AWAY: Duration = Duration::from_millis(1500);

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Victim {
    Server,
    Relay,
    Site(usize),
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Relay => "relay-1",
            Self::Site(number) => SITES[*number],
        })
    }
}

/// One kill of one process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kill {
    pub(super) victim: Victim,
    /// After the start of the job.
    pub(super) at: Duration,
    pub(super) away: Duration,
}

/// All kills of a run, first to last.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) kills: Vec<Kill>,
}

impl Plan {
    /// One to three moments within the time that an undisturbed job takes; at some of them two processes die at once.
    pub(super) fn new(rng: &mut SimRng, seconds: f64) -> Self {
        let mut kills = Vec::new();
        for number in 0..=rng.below(3) {
            // The first comes while the job surely goes on.
            let part = if number == 0 { 0.05 + 0.75 * rng.unit() } else { 1.2 * rng.unit() };
            let at = Duration::from_secs_f64(seconds * part);
            let victim = victim(rng);
            kills.push(Kill { victim, at, away: rng.span(AWAY) });
            let other = self::victim(rng);
            if rng.chance(0.3) && other != victim {
                kills.push(Kill { victim: other, at, away: rng.span(AWAY) });
            }
        }
        kills.sort_by_key(|kill| kill.at);
        Self { kills }
    }
}

fn victim(rng: &mut SimRng) -> Victim {
    match rng.below(6) {
        0 | 1 => Victim::Server,
        2 | 3 => Victim::Relay,
        _ => Victim::Site(rng.below(SITES.len())),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, kill) in self.kills.iter().enumerate() {
            let (between, at, away) = (if number == 0 { "" } else { ", " }, kill.at, kill.away);
            write!(f, "{between}{} at {:.2} s for {:.2} s", kill.victim, at.as_secs_f64(), away.as_secs_f64())?;
        }
        Ok(())
    }
}
