//! One job with its kills.

use core::time::Duration;
use std::collections::BTreeMap;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::kits::Kits;
use super::plan::{Kill, Plan, Victim};
use super::process::Process;
use super::{SITES, check};

/// How long a job may take.
const PATIENCE: Duration = Duration::from_secs(120);

const PAUSE: Duration = Duration::from_millis(5);

/// What became of a job.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) seconds: f64,
    /// SHA-256 of the model's file.
    pub(super) model: String,
    /// Results that counted.
    pub(super) counted: usize,
    /// Who was killed, and when.
    pub(super) killed: Vec<(Victim, Duration)>,
}

/// The processes of a job.
struct Job<'a> {
    program: &'a Path,
    kits: &'a Kits,
    seed: u64,
    folder: &'a Path,
    running: BTreeMap<Victim, Process>,
    /// What the lives of a process have said that are over.
    said: BTreeMap<Victim, Vec<Value>>,
    /// Who is to be started again, and when.
    away: Vec<(Victim, Instant)>,
    killed: Vec<(Victim, Duration)>,
}

/// Runs a job to its end and looks at what it has left.
pub(super) fn run(program: &Path, kits: &Kits, seed: u64, plan: &Plan) -> Result<Course> {
    let folder = tempfile::tempdir()?;
    let (running, said) = (BTreeMap::new(), BTreeMap::new());
    let mut job =
        Job { program, kits, seed, folder: folder.path(), running, said, away: Vec::new(), killed: Vec::new() };
    let start = Instant::now();
    let played = job.play(plan, start).and_then(|()| {
        let seconds = start.elapsed().as_secs_f64();
        let (model, counted) = check::all(job.folder, &job.said)?;
        Ok(Course { seconds, model, counted, killed: job.killed.clone() })
    });
    if played.is_err() {
        // For whoever wants to see why.
        drop(job);
        let kept = folder.keep();
        return played.with_context(|| format!("logs in {}", kept.display()));
    }
    played
}

impl Job<'_> {
    fn start(&mut self, victim: Victim) -> Result<()> {
        let command = self.kits.command(self.program, victim, self.seed, self.folder);
        let process = Process::start(command, &self.folder.join(format!("{victim}.log")))?;
        self.running.insert(victim, process);
        Ok(())
    }

    fn play(&mut self, plan: &Plan, start: Instant) -> Result<()> {
        self.start(Victim::Server)?;
        self.start(Victim::Relay)?;
        for site in 0..SITES.len() {
            self.start(Victim::Site(site))?;
        }
        let mut kills = plan.kills.iter().peekable();
        loop {
            while let Some(kill) = kills.next_if(|kill| start.elapsed() >= kill.at) {
                self.kill(kill, start)?;
            }
            let now = Instant::now();
            let (due, away) = self.away.drain(..).partition(|(_, at)| *at <= now);
            self.away = away;
            for (victim, _) in due {
                self.start(victim)?;
            }
            self.look_for_ends()?;
            let is_over = self.running.keys().all(|victim| *victim == Victim::Relay) && self.away.is_empty();
            if is_over {
                return self.end_relay();
            }
            if start.elapsed() > PATIENCE {
                let waiting: Vec<_> = self.running.keys().map(ToString::to_string).collect();
                bail!("after {} s it still goes on: {}", PATIENCE.as_secs(), waiting.join(", "));
            }
            thread::sleep(PAUSE);
        }
    }

    fn kill(&mut self, kill: &Kill, start: Instant) -> Result<()> {
        let victim = kill.victim;
        // Away already, or done.
        let Some(process) = self.running.get(&victim) else { return Ok(()) };
        if process.lines().iter().any(|line| is_last(victim, line)) {
            return Ok(());
        }
        let Some(process) = self.running.remove(&victim) else { return Ok(()) };
        let Some(lines) = process.kill()? else { bail!("{victim} had ended by itself") };
        self.killed.push((victim, start.elapsed()));
        let is_done = lines.iter().any(|line| is_last(victim, line));
        self.said.entry(victim).or_default().extend(lines);
        // A site that was told of the end in its last moment is not asked for any more.
        if !is_done {
            self.away.push((victim, Instant::now() + kill.away));
        }
        Ok(())
    }

    /// Those that have ended have done so because the job is over.
    fn look_for_ends(&mut self) -> Result<()> {
        let mut ended = Vec::new();
        for (victim, process) in &mut self.running {
            if let Some(code) = process.ended()? {
                ensure!(code == 0 && *victim != Victim::Relay, "{victim} ended with code {code}");
                ended.push(*victim);
            }
        }
        for victim in ended {
            if let Some(process) = self.running.remove(&victim) {
                self.said.entry(victim).or_default().extend(process.lines());
            }
        }
        Ok(())
    }

    fn end_relay(&mut self) -> Result<()> {
        let Some(mut relay) = self.running.remove(&Victim::Relay) else { return Ok(()) };
        let code = relay.end().context("the relay")?;
        ensure!(code == 0, "the relay ended with code {code}");
        Ok(())
    }
}

/// Whether a process says with this line that it is about to end.
fn is_last(victim: Victim, line: &Value) -> bool {
    matches!(victim, Victim::Site(_)) && line["event"] == "ended"
}
