//! `fedcell learn`: the training of the demo in this process, without a network: what a federation of cells has to reach.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Arg, ArgMatches, Command, value_parser};
use fedcell_durable::Files;
use fedcell_fobs::typed::Shareable;
use fedcell_server::controller::{Step, Task};
use fedcell_server::run::final_model_file;
use fedcell_server::{Controller as _, Model, Run, RunConfig};
use serde_json::json;

use crate::chart::{self, Curve};
use crate::exit::{Failure, Kind};
use crate::learning::digits;
use crate::learning::network::{Evaluation, Network};
use crate::learning::shares::{Split, counts, split};
use crate::print;
use crate::role::train_site;

/// Name of the command.
pub(crate) const NAME: &str = "learn";

const SITES: &str = "sites";
const ROUNDS: &str = "rounds";
const SEED: &str = "seed";
const ALPHA: &str = "alpha";
const TARGET: &str = "target";
const OUTPUT: &str = "output";
const JSON: &str = "json";

pub(crate) fn command() -> Command {
    let number = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("N").default_value(default).help(help)
    };
    Command::new(NAME)
        .about("Train by federated averaging in this process, without a network")
        .long_about(
            "Train by federated averaging in this process, without a network.\n\nThe images of handwritten digits that \
             the program brings along are spread unevenly over sites; each round every site trains the common model on \
             its own images, and the coordinator averages. This is what the same training over cells must come to.",
        )
        .arg(number(SITES, "4", "Sites").value_parser(value_parser!(u16).range(1..=50)))
        .arg(number(ROUNDS, "20", "Rounds").value_parser(value_parser!(u32).range(1..=1000)))
        .arg(number(SEED, "1", "What decides shares, weights and order").value_parser(value_parser!(u64)))
        .arg(
            number(ALPHA, "0.3", "How alike the shares are: 0.1 is hardly, 100 is very")
                .value_parser(value_parser!(f64)),
        )
        .arg(
            Arg::new(TARGET)
                .long(TARGET)
                .value_name("ACCURACY")
                .value_parser(value_parser!(f64))
                .help("Fail with code 1 if the held-out accuracy at the end is lower"),
        )
        .arg(
            Arg::new(OUTPUT).long(OUTPUT).value_name("DIR").value_parser(value_parser!(PathBuf)).help(
                "Leave the model, the journal and a picture of the curve in this folder; go on if it has a journal",
            ),
        )
        .arg(Arg::new(JSON).long(JSON).action(clap::ArgAction::SetTrue).help("One JSON object a line"))
}

/// What is asked for.
struct Wanted {
    sites: u16,
    rounds: u32,
    seed: u64,
    alpha: f64,
    target: Option<f64>,
    is_json: bool,
}

/// Trains.
///
/// # Errors
///
/// [`Failure`] if the folder cannot be used, or the accuracy is not reached.
pub(crate) fn run(arguments: &ArgMatches) -> Result<(), Failure> {
    let wanted = Wanted {
        sites: arguments.get_one(SITES).copied().unwrap_or(4),
        rounds: arguments.get_one(ROUNDS).copied().unwrap_or(20),
        seed: arguments.get_one(SEED).copied().unwrap_or(1),
        alpha: arguments.get_one(ALPHA).copied().unwrap_or(0.3),
        target: arguments.get_one(TARGET).copied(),
        is_json: arguments.get_flag(JSON),
    };
    if !(wanted.alpha.is_finite() && wanted.alpha > 0.0) {
        return Err(Failure::text(Kind::Usage, format!("--alpha {}: expected a number above 0", wanted.alpha)));
    }
    let output = arguments.get_one::<PathBuf>(OUTPUT);
    let temporary;
    let folder = match output {
        Some(folder) => folder.as_path(),
        None => {
            temporary = Temporary::new()?;
            temporary.0.as_path()
        }
    };
    let curve = train(&wanted, folder)?;
    if output.is_some() {
        let picture = folder.join("accuracy.svg");
        let text = chart::svg(&curve).map_err(Failure::local)?;
        std::fs::write(&picture, text)
            .map_err(|error| Failure::local(error).context(format!("cannot write {}", picture.display())))?;
        if !wanted.is_json {
            print::line(&format!("model   {}", folder.join(final_model_file()).display()))?;
            print::line(&format!("picture {}", picture.display()))?;
        }
    }
    let reached = curve.accuracy.last().copied().unwrap_or_default();
    match wanted.target {
        Some(target) if reached < target => {
            let text = format!("the held-out accuracy is {reached:.4}, {target} was to be reached");
            Err(Failure::text(Kind::Local, text))
        }
        _ => Ok(()),
    }
}

/// A folder that vanishes with this value.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("fedcell-learn-{}", std::process::id()));
        // One that is there is somebody else's.
        std::fs::create_dir(&path)
            .map_err(|error| Failure::local(error).context(format!("cannot make {}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Nobody is left who could do something about it.
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Trains in this folder, and reports each round.
fn train(wanted: &Wanted, folder: &Path) -> Result<Curve, Failure> {
    let Split { held_out, shares } = split(digits::all(), usize::from(wanted.sites), wanted.alpha, wanted.seed);
    report_shares(wanted, &shares)?;
    let sites: Vec<String> = (1..=shares.len()).map(|number| format!("site-{number}")).collect();
    let job = format!("learn-{}-{}-{}", wanted.seed, wanted.sites, wanted.alpha);
    let config = RunConfig::new(&job, sites.clone(), wanted.rounds);
    let initial = Network::new(wanted.seed).to_model().map_err(Failure::local)?;
    let storage = Files::at(folder).map_err(|error| Failure::new(Kind::Configuration, error))?;
    let now = Instant::now();
    let mut run = Run::open(config, initial, storage, now).map_err(|error| {
        Failure::new(Kind::Configuration, error).context(format!("cannot train in {}", folder.display()))
    })?;
    let title = format!("{} sites, {} rounds, seed {}", wanted.sites, wanted.rounds, wanted.seed);
    let mut curve = Curve { title, accuracy: Vec::new(), target: wanted.target };
    let evaluate = |model: &Model| Network::from_model(model).map(|network| network.evaluate(&held_out));
    curve.accuracy.push(evaluate(run.model()).map_err(Failure::local)?.accuracy);
    while let Some((round, _)) = run.round() {
        for (number, site) in sites.iter().enumerate() {
            if let Step::Task(task) = run.task_for(site, now).map_err(Failure::local)? {
                let share = shares.get(number).map_or(&[][..], Vec::as_slice);
                let result = executed(&task, share, wanted.seed, number).map_err(Failure::local)?;
                run.result(site, result, now).map_err(Failure::local)?;
            }
        }
        let evaluation = evaluate(run.model()).map_err(Failure::local)?;
        curve.accuracy.push(evaluation.accuracy);
        report_round(wanted, round, evaluation)?;
    }
    if !wanted.is_json {
        print::line("")?;
        print::line(&chart::terminal(&curve, 72, 16))?;
    }
    Ok(curve)
}

/// What a site answers to a task.
fn executed(task: &Task, share: &[digits::Image], seed: u64, site: usize) -> anyhow::Result<Shareable> {
    let mut result = train_site(&task.data, share, seed, site)?;
    if let Some(jar) = task.data.cookie_jar() {
        result.set_cookie_jar(jar.clone());
    }
    Ok(result)
}

fn report_shares(wanted: &Wanted, shares: &[Vec<digits::Image>]) -> Result<(), Failure> {
    if wanted.is_json {
        let digits: Vec<_> = shares.iter().map(|share| counts(share)).collect();
        return print::json(&json!({"event": "shares", "digits": digits}));
    }
    let mut headers = vec!["site".to_owned(), "images".to_owned()];
    headers.extend((0..digits::CLASSES).map(|digit| format!("of {digit}")));
    let rows = shares.iter().enumerate().map(|(number, share)| {
        let mut row = vec![format!("site-{}", number + 1), share.len().to_string()];
        row.extend(counts(share).iter().map(ToString::to_string));
        row
    });
    print::line(&print::table(&headers, &rows.collect::<Vec<_>>()))?;
    print::line("")
}

fn report_round(wanted: &Wanted, round: u32, evaluation: Evaluation) -> Result<(), Failure> {
    let Evaluation { accuracy, loss } = evaluation;
    if wanted.is_json {
        return print::json(&json!({"event": "round", "round": round, "accuracy": accuracy, "loss": loss}));
    }
    print::line(&format!("round {round:>3}   held-out accuracy {accuracy:.4}   loss {loss:.4}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the demo promises, without cells: four uneven sites, twenty rounds, whatever the seed.
    #[test]
    fn four_uneven_sites_learn_to_read() {
        for seed in 1..=2 {
            let folder = tempfile::tempdir().unwrap();
            let wanted = Wanted { sites: 4, rounds: 20, seed, alpha: 0.3, target: None, is_json: true };
            let curve = train(&wanted, folder.path()).unwrap();
            assert!(curve.accuracy[0] < 0.4 && curve.accuracy[20] >= 0.93, "seed {seed}: {:?}", curve.accuracy);
            assert!(folder.path().join(final_model_file()).exists());
        }
    }
}
