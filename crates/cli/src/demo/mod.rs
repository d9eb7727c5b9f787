//! `fedcell demo`: a whole federation on this machine, from certificates to a trained model.

mod plan;
mod processes;
mod progress;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use fedcell_server::run::final_model_file;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};

use crate::chart::{self, Curve};
use crate::exit::{Failure, Kind};
use crate::{print, stop};

use plan::Plan;
use processes::{Process, Said};
use progress::{Progress, RoundResult};

/// Name of the command.
pub(crate) const NAME: &str = "demo";

const SITES: &str = "sites";
const ROUNDS: &str = "rounds";
const RELAYS: &str = "relays";
const SECURITY: &str = "security";
const SEED: &str = "seed";
const KILL_RELAY_AT: &str = "kill-relay-at";
const TARGET: &str = "target";
const OUTPUT: &str = "output";
const JSON: &str = "json";

/// After how long without a word of any process the demo gives up.
const SILENCE: Duration = Duration::from_secs(120);

/// How long the relay is away when it was killed.
const RELAY_AWAY: Duration = Duration::from_millis(500);

/// What is taken for granted after the last round: sites say that they have ended.
const FAREWELL: Duration = Duration::from_secs(10);

pub(crate) fn command() -> Command {
    let number = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("N").default_value(default).help(help)
    };
    Command::new(NAME)
        .about("Run a whole federation on this machine and train a model")
        .long_about(
            "Run a whole federation on this machine and train a model.\n\nMakes certificates in a temporary folder, starts \
             a server, relays and sites as processes that talk over TLS, and trains a network that reads handwritten \
             digits on their uneven shares of 1442 images. The first site reaches the server directly, the others through \
             relays. Leaves the model, the curve and the logs in the output folder. Ctrl-C ends everything.",
        )
        .arg(number(SITES, "4", "Sites").value_parser(value_parser!(u16).range(1..=50)))
        .arg(number(ROUNDS, "20", "Rounds").value_parser(value_parser!(u32).range(1..=1000)))
        .arg(number(RELAYS, "1", "Relays, each below the one before it").value_parser(value_parser!(u16).range(0..=4)))
        .arg(
            Arg::new(SECURITY)
                .long(SECURITY)
                .value_name("MODE")
                .value_parser(["mtls", "tls", "clear"])
                .default_value("mtls")
                .help("How connections are protected; registration is by certificate in all of them"),
        )
        .arg(number(SEED, "1", "What decides shares, weights and order").value_parser(value_parser!(u64)))
        .arg(
            Arg::new(KILL_RELAY_AT)
                .long(KILL_RELAY_AT)
                .value_name("ROUND")
                .value_parser(value_parser!(u32))
                .help("Kill the last relay in the middle of this round and start it again"),
        )
        .arg(
            Arg::new(TARGET)
                .long(TARGET)
                .value_name("ACCURACY")
                .value_parser(value_parser!(f64))
                .default_value("0.93")
                .help("Held-out accuracy that is to be reached; below it the exit code is 1"),
        )
        .arg(
            Arg::new(OUTPUT)
                .long(OUTPUT)
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .default_value("fedcell-demo")
                .help("Folder for the model, the picture and the logs"),
        )
        .arg(Arg::new(JSON).long(JSON).action(ArgAction::SetTrue).help("Print a JSON object a line"))
}

/// What is asked for.
struct Wanted {
    rounds: u32,
    target: f64,
    kill_relay_at: Option<u32>,
    is_json: bool,
    output: PathBuf,
}

/// Runs the demo.
///
/// # Errors
///
/// [`Failure`] if something does not start, or the accuracy is not reached.
pub(crate) async fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let wanted = Wanted {
        rounds: arguments.get_one(ROUNDS).copied().unwrap_or(20),
        target: arguments.get_one(TARGET).copied().unwrap_or(0.93),
        kill_relay_at: arguments.get_one(KILL_RELAY_AT).copied(),
        is_json: arguments.get_flag(JSON),
        output: arguments.get_one::<PathBuf>(OUTPUT).cloned().unwrap_or_default(),
    };
    let relays = arguments.get_one(RELAYS).copied().unwrap_or(1);
    if wanted.kill_relay_at.is_some() && relays == 0 {
        return Err(Failure::text(Kind::Usage, "--kill-relay-at needs a relay, and --relays is 0"));
    }
    if wanted.kill_relay_at.is_some_and(|round| round >= wanted.rounds) {
        let text = format!("--kill-relay-at: rounds are 0 to {}", wanted.rounds - 1);
        return Err(Failure::text(Kind::Usage, text));
    }
    let plan = Plan {
        sites: arguments.get_one(SITES).copied().unwrap_or(4),
        rounds: wanted.rounds,
        relays,
        security: arguments.get_one::<String>(SECURITY).cloned().unwrap_or_default(),
        seed: arguments.get_one(SEED).copied().unwrap_or(1),
    };
    std::fs::create_dir_all(&wanted.output)
        .map_err(|error| Failure::local(error).context(format!("cannot make {}", wanted.output.display())))?;
    let temporary = plan::Temporary::new().map_err(Failure::local)?;
    let (sender, mut said) = mpsc::channel(1024);
    let mut demo = Demo::start(&plan, wanted, temporary.path(), &sender).await?;
    let outcome = tokio::select! {
        outcome = demo.follow(&mut said) => outcome,
        reason = stop::interrupted() => match reason {
            Ok(reason) => Err(Failure::text(Kind::Local, format!("stopped by {reason}"))),
            Err(failure) => Err(failure),
        },
    };
    demo.end(outcome.is_ok(), &mut said).await;
    outcome?;
    demo.report(&plan)
}

/// The demo under way.
struct Demo {
    wanted: Wanted,
    /// The server first, sites last.
    processes: Vec<Process>,
    progress: Progress,
    curve: Curve,
    model: Option<PathBuf>,
    last: (Instant, u64),
    relay_is_due: bool,
}

impl Demo {
    /// Makes the kits and starts all processes.
    async fn start(plan: &Plan, wanted: Wanted, folder: &Path, sender: &mpsc::Sender<Said>) -> Result<Self, Failure> {
        let started =
            plan.prepare(folder).await.map_err(|error| Failure::local(error).context("cannot make the kits"))?;
        if !wanted.is_json {
            let through = if plan.relays > 0 { format!(", {} relays", plan.relays) } else { String::new() };
            print::line(&format!(
                "{} sites{through}, connections {}, {} rounds, seed {}",
                plan.sites, plan.security, plan.rounds, plan.seed
            ))?;
        }
        let mut processes = Vec::new();
        for (name, arguments) in started {
            let process = Process::start(&name, arguments, &wanted.output, sender.clone());
            processes.push(process.map_err(Failure::local)?);
        }
        let sites = (1..=plan.sites).map(|number| format!("site-{number}"));
        let progress = Progress::new(plan.rounds, sites, wanted.is_json);
        let title = format!("{} sites, {} relays, {}, seed {}", plan.sites, plan.relays, plan.security, plan.seed);
        let curve = Curve { title, accuracy: Vec::new(), target: Some(wanted.target) };
        let last = (Instant::now(), 0);
        Ok(Self { wanted, processes, progress, curve, model: None, last, relay_is_due: false })
    }

    /// Follows the processes until the model is there.
    async fn follow(&mut self, said: &mut mpsc::Receiver<Said>) -> Result<(), Failure> {
        loop {
            let next = timeout(SILENCE, said.recv()).await;
            match next {
                Ok(Some(Said::Line { name, line })) => {
                    if self.wanted.is_json {
                        print::json(&json!({"from": name, "said": line}))?;
                    }
                    if name == "server" {
                        self.server(&line)?;
                    } else {
                        self.progress.site(&name, &line);
                    }
                    self.progress.draw()?;
                    if self.relay_is_due {
                        self.relay_is_due = false;
                        self.kill_relay().await?;
                    }
                    if self.model.is_some() {
                        return Ok(());
                    }
                }
                Ok(Some(Said::Ended { name, generation })) => self.ended(&name, generation).await?,
                Ok(None) => return Err(Failure::text(Kind::Local, "all processes have ended")),
                Err(_) => {
                    let text = format!(
                        "no process has said anything for {} s, see the logs in {}",
                        SILENCE.as_secs(),
                        self.wanted.output.display()
                    );
                    return Err(Failure::text(Kind::Timeout, text));
                }
            }
        }
    }

    /// A line of the server.
    fn server(&mut self, line: &Value) -> Result<(), Failure> {
        let accuracy = line["accuracy"].as_f64();
        match line["event"].as_str().unwrap_or_default() {
            "ready" => self.curve.accuracy.extend(accuracy),
            "counted" => {
                let name = line["site"].as_str().unwrap_or_default();
                if let Some(site) = self.progress.sites.get_mut(name) {
                    site.counted += 1;
                }
                let round = line["round"].as_u64();
                let is_round = round.is_some() && round == self.wanted.kill_relay_at.map(u64::from);
                if is_round {
                    // Once, when the first result of the round is there and others are under way.
                    self.wanted.kill_relay_at = None;
                    self.relay_is_due = true;
                }
            }
            "round" => {
                self.curve.accuracy.extend(accuracy);
                let bytes = self.progress.bytes();
                let result = RoundResult {
                    round: line["round"].as_u64().unwrap_or_default(),
                    accuracy: accuracy.unwrap_or_default(),
                    loss: line["loss"].as_f64().unwrap_or_default(),
                    counted: line["counted"].as_u64().unwrap_or_default(),
                    bytes: bytes.saturating_sub(self.last.1),
                    seconds: self.last.0.elapsed().as_secs_f64(),
                };
                self.last = (Instant::now(), bytes);
                self.progress.results.push(result);
                if !self.wanted.is_json {
                    let text = format!(
                        "round {:>3}   held-out accuracy {:.4}   loss {:.4}",
                        result.round, result.accuracy, result.loss
                    );
                    self.progress.note(&text)?;
                }
            }
            "refused" if !self.wanted.is_json => {
                let word = |key: &str| line[key].as_str().unwrap_or("?").to_owned();
                self.progress.note(&format!("the result of {} does not count: {}", word("site"), word("reason")))?;
            }
            "model" => self.model = line["path"].as_str().map(PathBuf::from),
            _ => {}
        }
        Ok(())
    }

    async fn kill_relay(&mut self) -> Result<(), Failure> {
        let Some(relay) = self.processes.iter_mut().rev().find(|process| process.name.starts_with("relay-")) else {
            return Ok(());
        };
        relay.kill().await.map_err(Failure::local)?;
        let name = relay.name.clone();
        tokio::time::sleep(RELAY_AWAY).await;
        relay.restart().map_err(Failure::local)?;
        if self.wanted.is_json {
            return print::json(&json!({"event": "killed", "name": name}));
        }
        self.progress.note(&format!("{name} was killed and started again"))
    }

    /// A process has ended before the model was there.
    async fn ended(&mut self, name: &str, generation: u32) -> Result<(), Failure> {
        let Some(process) = self.processes.iter_mut().find(|process| process.name == name) else { return Ok(()) };
        // The one that was killed on purpose.
        if process.generation != generation {
            return Ok(());
        }
        let code = process.wait().await;
        // A site may have been told that it is over before the model is announced.
        if name.starts_with("site-") && code == Some(0) {
            return Ok(());
        }
        let how = code.map_or_else(|| "was killed".to_owned(), |code| format!("ended with code {code}"));
        let log = self.wanted.output.join(format!("{name}.log"));
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let last = text.lines().last().map(|line| format!(": {line}")).unwrap_or_default();
        Err(Failure::text(Kind::Local, format!("{name} {how}{last} ({})", log.display())))
    }

    /// Ends all processes: sites first, so that they can say goodbye.
    async fn end(&mut self, is_well: bool, said: &mut mpsc::Receiver<Said>) {
        if is_well {
            // Sites are told by the server that it is over, and leave by themselves.
            let all_done = async {
                while self.progress.sites.values().any(|site| site.state != "done") {
                    match said.recv().await {
                        Some(Said::Line { name, line }) => self.progress.site(&name, &line),
                        Some(Said::Ended { name, .. }) => {
                            if let Some(site) = self.progress.sites.get_mut(&name) {
                                site.state = "done".to_owned();
                            }
                        }
                        None => return,
                    }
                }
            };
            _ = timeout(FAREWELL, all_done).await;
            // What is shown is not worth a failure now.
            _ = self.progress.draw();
        }
        while let Some(process) = self.processes.pop() {
            let name = process.name.clone();
            let code = process.end().await;
            tracing::debug!(name, code, "process ended");
        }
    }

    /// Model, picture, table.
    fn report(&mut self, plan: &Plan) -> Result<(), Failure> {
        let model = self.wanted.output.join(final_model_file());
        let picture = self.wanted.output.join("accuracy.svg");
        let write = || -> anyhow::Result<()> {
            let from = self.model.as_deref().context("the server has not said where the model is")?;
            std::fs::copy(from, &model).with_context(|| format!("cannot copy {}", from.display()))?;
            std::fs::write(&picture, chart::svg(&self.curve)?)
                .with_context(|| format!("cannot write {}", picture.display()))
        };
        write().map_err(Failure::local)?;
        let reached = self.curve.accuracy.last().copied().unwrap_or_default();
        if self.wanted.is_json {
            let sites: Vec<Value> = self
                .progress
                .sites
                .iter()
                .map(|(name, site)| {
                    json!({
                        "name": name, "fqcn": site.fqcn, "images": site.images, "results": site.counted,
                        "bytes": site.bytes, "seconds": site.seconds,
                    })
                })
                .collect();
            print::json(&json!({
                "event": "result", "accuracy": reached, "curve": self.curve.accuracy, "sites": sites,
                "rounds": self.progress.results.len(), "seed": plan.seed, "model": model, "picture": picture,
            }))?;
        } else {
            self.table()?;
            print::line(&chart::terminal(&self.curve, 72, 14))?;
            print::line("")?;
            print::line(&format!("model    {}", model.display()))?;
            print::line(&format!("picture  {}", picture.display()))?;
        }
        if reached < self.wanted.target {
            let text = format!("the held-out accuracy is {reached:.4}, {} was to be reached", self.wanted.target);
            return Err(Failure::text(Kind::Local, text));
        }
        Ok(())
    }

    fn table(&self) -> Result<(), Failure> {
        let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let rows: Vec<_> = self
            .progress
            .results
            .iter()
            .map(|result| {
                vec![
                    result.round.to_string(),
                    format!("{:.4}", result.accuracy),
                    format!("{:.4}", result.loss),
                    result.counted.to_string(),
                    result.bytes.to_string(),
                    format!("{:.2}", result.seconds),
                ]
            })
            .collect();
        print::line("")?;
        print::line(&print::table(&texts(&["round", "accuracy", "loss", "results", "bytes", "seconds"]), &rows))?;
        let rows: Vec<_> = self
            .progress
            .sites
            .iter()
            .map(|(name, site)| {
                vec![
                    name.clone(),
                    site.fqcn.clone(),
                    site.images.to_string(),
                    site.counted.to_string(),
                    site.bytes.to_string(),
                    format!("{:.2}", site.seconds),
                ]
            })
            .collect();
        print::line("")?;
        print::line(&print::table(&texts(&["site", "address", "images", "results", "bytes", "training s"]), &rows))?;
        print::line("")
    }
}
