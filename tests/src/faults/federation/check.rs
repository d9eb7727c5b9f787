//! What must hold when a job is over.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use fedcell_durable::Files;
use serde_json::Value;

use super::kits::workspace;
use super::plan::Victim;
use super::{ROUNDS, SITES};

/// SHA-256 of the model, and how many results counted.
pub(super) fn all(folder: &Path, said: &BTreeMap<Victim, Vec<Value>>) -> Result<(String, usize)> {
    let server = workspace(folder, Victim::Server);
    let counted = counted_once(&server, said)?;
    nothing_left(folder, &server)?;
    no_process(folder)?;
    let model = fs::read(server.join("final_model.safetensors")).context("the model")?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &model);
    Ok((digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(), counted))
}

/// By the journal every site counts once in every round; and no life of the server has counted what another one had.
fn counted_once(server: &Path, said: &BTreeMap<Victim, Vec<Value>>) -> Result<usize> {
    let closings = fedcell_server::closings(Files::at(server)?)?;
    let rounds: Vec<u32> = closings.iter().map(|closing| closing.round).collect();
    ensure!(rounds == (0..ROUNDS).collect::<Vec<_>>(), "the journal has rounds {rounds:?}");
    let mut results = 0;
    for closing in &closings {
        let mut counted: Vec<&str> = closing.counted.iter().map(|(site, _)| site.as_str()).collect();
        counted.sort_unstable();
        ensure!(counted == SITES, "round {} counts {counted:?}", closing.round);
        results += counted.len();
    }
    let mut reported: BTreeMap<(u64, &str), usize> = BTreeMap::new();
    for (victim, line) in said.iter().flat_map(|(victim, lines)| lines.iter().map(move |line| (victim, line))) {
        match line["event"].as_str() {
            Some("counted") => {
                let key = (line["round"].as_u64().unwrap_or(u64::MAX), line["site"].as_str().unwrap_or_default());
                *reported.entry(key).or_default() += 1;
            }
            Some("refused" | "failed") => anyhow::bail!("{victim}: {line}"),
            _ => {}
        }
    }
    for ((round, site), times) in reported {
        ensure!(times == 1, "the server has counted {site} {times} times in round {round}");
    }
    Ok(results)
}

/// Files that stay are those that are meant to.
fn nothing_left(folder: &Path, server: &Path) -> Result<()> {
    for (number, site) in SITES.iter().enumerate() {
        // A site that made its workspace and has nothing in it takes it away again.
        let workspace = workspace(folder, Victim::Site(number));
        let left = if workspace.exists() { names(&workspace)? } else { Vec::new() };
        ensure!(left.is_empty(), "{site} leaves {left:?}");
    }
    let left = names(server)?;
    ensure!(left == ["final_model.safetensors", "journal", "members"], "the server leaves {left:?}");
    let left = names(&server.join("members"))?;
    ensure!(left == ["tokens"], "the server leaves {left:?} in its folder of members");
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}

/// No process has a workspace of this job any more.
fn no_process(folder: &Path) -> Result<()> {
    let folder = folder.display().to_string();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        // Most are no processes, or have ended meanwhile.
        let arguments = fs::read(path.join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments);
        ensure!(!arguments.contains(&folder), "a process is left: {arguments:?}");
    }
    Ok(())
}
