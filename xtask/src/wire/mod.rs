//! `cargo xtask wire`: the frozen vocabulary, held against the committed registry, its history and the reference.

mod against;
mod check;
mod line;
#[cfg(test)]
mod mutation;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Arg, ArgAction, ArgMatches, Command};
use fedcell_protocol_defs::registry;

use crate::repo;
use line::{Line, Problem};

pub(crate) fn command() -> Command {
    Command::new("wire")
        .about("Compare the wire registry with wire.txt and its history: nothing may change or vanish")
        .arg(
            Arg::new("bless")
                .long("bless")
                .action(ArgAction::SetTrue)
                .help("Write wire.txt anew; additions only, a change is refused"),
        )
        .arg(
            Arg::new("against-reference")
                .long("against-reference")
                .action(ArgAction::SetTrue)
                .help("Compare every value with the installed reference package"),
        )
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let current: Vec<Line> = registry().map(|(group, entry)| Line::of(group, entry)).collect();
    let mut problems = check::history(&current, &blessed()?);
    problems.extend(check::unique(registry()));
    if arguments.get_flag("bless") {
        report(&problems)?;
        fs::write(path(), line::render(&current))?;
        println!("wire: wrote {} entries to {}", current.len(), repo::shown(&path()));
    } else {
        let committed = line::parse(&fs::read_to_string(path()).unwrap_or_default())?;
        problems.extend(check::committed(&current, &committed));
        report(&problems)?;
        println!("wire: {} entries, none changed, none vanished", current.len());
    }
    if arguments.get_flag("against-reference") {
        against::run()?;
    }
    Ok(())
}

fn report(problems: &[Problem]) -> Result<()> {
    for problem in problems {
        println!("wire: {problem}");
    }
    match problems.len() {
        0 => Ok(()),
        count => bail!("{count} breaks of the frozen vocabulary"),
    }
}

fn path() -> PathBuf {
    repo::root().join("crates/protocol-defs/wire.txt")
}

/// Every line that the default branch ever had, in its last form: all of its history counts, so that a line which one
/// commit loses is missed by the next one too.
fn blessed() -> Result<Vec<Line>> {
    const FILE: &str = "crates/protocol-defs/wire.txt";
    let branch = ["origin/HEAD", "origin/main", "main", "HEAD"]
        .into_iter()
        .find(|name| repo::git(&["rev-parse", "--verify", "--quiet", name]).is_some());
    let Some(branch) = branch else { return Ok(Vec::new()) };
    let commits = repo::git(&["log", "--format=%H", "--reverse", branch, "--", FILE]).unwrap_or_default();
    let mut lines = BTreeMap::new();
    for commit in commits.lines() {
        // A commit that deletes the file shows nothing; the lines before it still count.
        let text = repo::git(&["show", &format!("{commit}:{FILE}")]).unwrap_or_default();
        for line in line::parse(&text)? {
            lines.entry(line.key()).or_insert(line);
        }
    }
    Ok(lines.into_values().collect())
}
