//! One run: processes, kills, and what must hold at the end.

use core::time::Duration;

use fedcell_cell::Cell;
use fedcell_cell::driver::MemoryNetwork;
use fedcell_durable::{SimulatedDisk, Storage as _};
use fedcell_netsim::SimRng;
use fedcell_server::run::final_model_file;
use fedcell_server::{Ending, Model};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use crate::disk::{Disk, Mutation};
use crate::ledger::{Ledger, Summary};
use crate::plan::{Kill, Moment, Plan, ROUNDS, Victim};
use crate::server;
use crate::site::{self, Ended, Site};

/// How long a run may take, in virtual time.
const PATIENCE: Duration = Duration::from_secs(600);

/// How long a process may need until its disk stops; then it is killed wherever it is.
const UNTIL_STOPPED: Duration = Duration::from_secs(5);

/// Runs a seed with its kills and without, and compares.
///
/// # Errors
///
/// What is wrong.
pub(crate) fn run(seed: u64, mutation: Mutation) -> Result<Summary, String> {
    let plan = Plan::new(seed);
    let expected = server::undisturbed(&plan.sites(seed)).map_err(|error| error.to_string())?;
    let (found, summary) = in_virtual_time(seed, plan, mutation)?;
    let (found, expected) = (bits(&found), bits(&expected));
    if found == expected { Ok(summary) } else { Err(format!("another model: {found:x?} for {expected:x?}")) }
}

fn bits(model: &Model) -> Vec<u32> {
    let weights: Vec<f32> = model.get("w").and_then(|w| w.to_vec().ok()).unwrap_or_default();
    weights.iter().map(|weight| weight.to_bits()).collect()
}

fn in_virtual_time(seed: u64, plan: Plan, mutation: Mutation) -> Result<(Model, Summary), String> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // One thread at a time waits for a disk, so that the order of what happens follows from the seed.
    let runtime = runtime.enable_time().start_paused(true).max_blocking_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        let start = Instant::now();
        let mut world = World::new(seed, plan, mutation).await;
        let outcome = timeout(PATIENCE, world.play()).await;
        let mut summary = world.summary;
        summary.seconds = start.elapsed().as_secs();
        (summary.repeated, summary.done_again) = world.ledger.repetitions();
        let problems = world.ledger.problems();
        if !problems.is_empty() {
            return Err(problems.join("; "));
        }
        outcome.map_err(|_| "it does not end".to_owned())?;
        Ok((world.check()?, summary))
    })
}

struct World {
    network: MemoryNetwork,
    plan: Plan,
    mutation: Mutation,
    ledger: Ledger,
    summary: Summary,
    /// Decides what a loss of power leaves.
    rng: SimRng,
    names: Vec<String>,
    server_disk: SimulatedDisk,
    server: Option<server::Life>,
    relay: Option<Cell>,
    sites: Vec<Seat>,
}

/// A site, its disk and its process.
struct Seat {
    site: Site,
    disk: SimulatedDisk,
    life: Option<site::Life>,
    is_over: bool,
}

impl World {
    async fn new(seed: u64, plan: Plan, mutation: Mutation) -> Self {
        let seat = |site| Seat { site, disk: SimulatedDisk::new(), life: None, is_over: false };
        let sites: Vec<Seat> = plan.sites(seed).into_iter().map(seat).collect();
        let mut world = Self {
            network: MemoryNetwork::new(),
            mutation,
            ledger: Ledger::default(),
            summary: Summary::default(),
            rng: SimRng::new(!seed),
            names: sites.iter().map(|seat| seat.site.name()).collect(),
            server_disk: SimulatedDisk::new(),
            server: None,
            relay: None,
            sites,
            plan,
        };
        world.start(Victim::Server).await;
        world.start(Victim::Relay).await;
        for site in 0..world.sites.len() {
            world.start(Victim::Site(site)).await;
        }
        world
    }

    async fn start(&mut self, process: Victim) {
        match process {
            Victim::Server => {
                let disk = Disk::of_server(self.server_disk.clone(), self.mutation);
                self.server = server::start(&self.network, disk, &self.names, &self.ledger).await;
            }
            Victim::Relay => self.relay = Some(server::relay(&self.network).await),
            Victim::Site(number) => {
                let seat = &mut self.sites[number];
                let disk = Disk::of_site(seat.disk.clone());
                seat.life = seat.site.start(&self.network, disk, &self.ledger, self.mutation).await;
            }
        }
    }

    /// All kills, and then the rest of the job.
    async fn play(&mut self) {
        for kill in self.plan.kills.clone() {
            if self.is_over().await {
                break;
            }
            self.await_moment(&kill).await;
            let mut died = Vec::new();
            for victim in &kill.victims {
                if self.kill(*victim, kill.power_fails).await {
                    died.push(*victim);
                }
            }
            sleep(kill.away).await;
            for victim in died {
                if let Some(steps) = kill.again {
                    self.stumble(victim, steps).await;
                }
                self.start(victim).await;
            }
        }
        while !self.is_over().await {
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// A start that gets no further than so many steps of its disk.
    async fn stumble(&mut self, victim: Victim, steps: u64) {
        match victim {
            Victim::Server => self.server_disk.stop_after(steps),
            Victim::Site(number) => self.sites[number].disk.stop_after(steps),
            Victim::Relay => return,
        }
        self.start(victim).await;
        sleep(Duration::from_millis(steps)).await;
        self.kill(victim, true).await;
    }

    /// Whether all sites have been told that the run is over.
    async fn is_over(&mut self) -> bool {
        for seat in &mut self.sites {
            let ended = seat.life.as_ref().and_then(|life| *life.ended.borrow());
            if ended == Some(Ended::Well)
                && let Some(life) = seat.life.take()
            {
                seat.is_over = true;
                life.kill().await;
            }
        }
        self.sites.iter().all(|seat| seat.is_over)
    }

    async fn await_moment(&mut self, kill: &Kill) {
        match kill.moment {
            Moment::Later { after, turns } => {
                sleep(after).await;
                for _ in 0..turns {
                    yield_now().await;
                }
            }
            Moment::Arrived { results, turns } => {
                let all = self.ledger.results() + results;
                _ = timeout(UNTIL_STOPPED, self.ledger.until_arrived(all)).await;
                for _ in 0..turns {
                    yield_now().await;
                }
            }
            Moment::InWriting { after, steps } => {
                sleep(after).await;
                let stopped = match kill.victims[0] {
                    Victim::Relay => return,
                    Victim::Server => {
                        let Some(life) = &self.server else { return };
                        let tasks = life.tasks.clone();
                        self.server_disk.stop_after(steps);
                        timeout(UNTIL_STOPPED, async move {
                            while tasks.ended().await.is_ok() {
                                sleep(UNTIL_STOPPED).await;
                            }
                        })
                        .await
                    }
                    Victim::Site(number) => {
                        let seat = &self.sites[number];
                        let Some(life) = &seat.life else { return };
                        let mut ended = life.ended.clone();
                        seat.disk.stop_after(steps);
                        let stopped = async move { drop(ended.wait_for(|ended| *ended == Some(Ended::Stopped)).await) };
                        timeout(UNTIL_STOPPED, stopped).await
                    }
                };
                self.summary.in_writing += u64::from(stopped.is_ok());
            }
        }
    }

    /// Whether there was something to kill.
    async fn kill(&mut self, victim: Victim, power_fails: bool) -> bool {
        let rng = &mut self.rng;
        let mut choice = |most: usize| if power_fails { rng.below(most + 1) } else { most };
        match victim {
            Victim::Server => {
                // From here on it writes nothing, whatever of it still runs.
                self.server_disk.stop_after(0);
                if let Some(life) = self.server.take() {
                    life.kill().await;
                }
                self.server_disk = self.server_disk.crash(&mut choice);
                self.summary.servers += 1;
                self.summary.power_losses += u64::from(power_fails);
            }
            Victim::Relay => {
                let Some(cell) = self.relay.take() else { return false };
                cell.kill();
                self.summary.relays += 1;
            }
            Victim::Site(number) => {
                let seat = &mut self.sites[number];
                let has_ended = seat.life.as_ref().is_some_and(|life| *life.ended.borrow() == Some(Ended::Well));
                if seat.is_over || has_ended {
                    // As a process does that is told that there is nothing more to do.
                    seat.disk.stop_after(u64::MAX);
                    return false;
                }
                seat.disk.stop_after(0);
                if let Some(life) = seat.life.take() {
                    life.kill().await;
                }
                seat.disk = seat.disk.crash(&mut choice);
                self.summary.sites += 1;
                self.summary.power_losses += u64::from(power_fails);
            }
        }
        self.summary.kills += 1;
        true
    }

    /// What must hold when all have ended. The model.
    fn check(&mut self) -> Result<Model, String> {
        let disk = Disk::of_server(self.server_disk.crash(|all| all), Mutation::None);
        let run = server::open(disk.clone(), &self.names).map_err(|error| error.to_string())?;
        if run.ending() != Some(Ending::AllRounds) {
            return Err(format!("it ended with {:?} in round {:?}", run.ending(), run.round()));
        }
        let mut rounds = 0..ROUNDS;
        for closing in run.closings() {
            let mut counted: Vec<_> = closing.counted.iter().map(|(site, _)| site.clone()).collect();
            counted.sort_unstable();
            if Some(closing.round) != rounds.next() || counted != self.names {
                return Err(format!("round {} counts {counted:?}", closing.round));
            }
        }
        if !rounds.is_empty() {
            return Err(format!("{} rounds were never closed", rounds.len()));
        }
        for seat in &self.sites {
            let left = seat.disk.crash(|all| all).names().map_err(|error| error.to_string())?;
            if !left.is_empty() {
                return Err(format!("{} leaves {left:?}", seat.site.name()));
            }
        }
        let left = disk.below.names().map_err(|error| error.to_string())?;
        if left.iter().any(|name| name.ends_with(".unfinished")) {
            return Err(format!("the server leaves {left:?}"));
        }
        Model::load(&disk, &final_model_file()).map_err(|error| error.to_string())
    }
}
