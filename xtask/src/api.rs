//! `cargo xtask api`: the public surface of each frozen crate, held against its committed text.
//!
//! The text is made from the compiler's own description of the crate, which changes with the compiler: the check runs
//! with the release named by `rust-version` and is skipped, and says so, with another.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command};
use fedcell_protocol_defs::registry;
use serde_json::Value;

use crate::{process, repo};

pub(crate) fn command() -> Command {
    Command::new("api").about("Compare the public surface of each frozen crate with its api.txt").arg(
        Arg::new("bless").long("bless").action(ArgAction::SetTrue).help("Write the api.txt of each frozen crate anew"),
    )
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let packages = repo::packages()?;
    let frozen: Vec<&Value> =
        packages.iter().filter(|package| package["metadata"]["fedcell"]["frozen"] == true).collect();
    ensure!(!frozen.is_empty(), "no crate is marked frozen in its manifest");
    if let Some(wanted) = other_compiler(frozen[0])? {
        println!("api: skipped: the committed texts are of Rust {wanted}, this is another release");
        return Ok(());
    }
    let mut changed = 0;
    for package in frozen {
        let name = package["name"].as_str().unwrap_or_default();
        let surface = surface(name)?;
        if name == "fedcell-protocol-defs" {
            complete(&surface)?;
        }
        let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap_or_default());
        let path = manifest.with_file_name("api.txt");
        if arguments.get_flag("bless") {
            fs::write(&path, &surface)?;
            println!("api: wrote {}", repo::shown(&path));
        } else {
            changed += differences(&path, &surface);
        }
    }
    ensure!(changed == 0, "{changed} lines of public surface differ (`cargo xtask api --bless` accepts them)");
    println!("api: every frozen crate has the surface that it says it has");
    Ok(())
}

/// The release that the committed texts are of, if the running compiler is another.
fn other_compiler(package: &Value) -> Result<Option<String>> {
    let wanted = package["rust_version"].as_str().unwrap_or_default().to_owned();
    let running = process::output(std::process::Command::new("rustc").arg("--version"))?;
    let running = running.split_whitespace().nth(1).unwrap_or_default();
    Ok((!running.starts_with(&format!("{wanted}."))).then_some(wanted))
}

/// The public items of a crate, one a line.
fn surface(package: &str) -> Result<String> {
    let target = repo::target();
    process::run(
        repo::cargo()
            .args(["rustdoc", "--quiet", "--locked", "--lib", "--all-features", "--package", package, "--target-dir"])
            .arg(target.join("api"))
            // The description as JSON is unstable; only rustdoc is told so, or the dependencies would be built again.
            .env("RUSTDOC", wrapper(&target)?)
            .args(["--", "-Z", "unstable-options", "--output-format", "json"]),
    )?;
    let json = target.join("api/doc").join(package.replace('-', "_")).with_extension("json");
    let api = public_api::Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .with_context(|| format!("cannot read {}", json.display()))?;
    Ok(format!("{api}"))
}

/// A rustdoc that accepts unstable options.
fn wrapper(target: &Path) -> Result<PathBuf> {
    let path = target.join("rustdoc-json.sh");
    fs::create_dir_all(target)?;
    fs::write(&path, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n")?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(path)
}

/// The registry has every public constant of the vocabulary, and nothing else.
fn complete(surface: &str) -> Result<()> {
    let mut counts: BTreeMap<(String, String), i32> = BTreeMap::new();
    for line in surface.lines() {
        let Some((path, _)) = line.strip_prefix("pub const ").and_then(|rest| rest.split_once(": ")) else { continue };
        let mut parts = path.rsplit("::");
        let name = parts.next().unwrap_or_default();
        // A type over text carries its lifetime in the path of its constants.
        let type_name = parts.next().unwrap_or_default().split('<').next().unwrap_or_default();
        *counts.entry((type_name.to_owned(), name.to_owned())).or_default() += 1;
    }
    let constants: i32 = counts.values().sum();
    for (group, entry) in registry() {
        *counts.entry((group.type_name.to_owned(), entry.name.to_owned())).or_default() -= 1;
    }
    let wrong: Vec<_> = counts.iter().filter(|(_, count)| **count != 0).collect();
    for ((type_name, name), count) in &wrong {
        let where_it_is = if **count > 0 { "public but not in the registry" } else { "in the registry but not public" };
        println!("api: {type_name}::{name} is {where_it_is}");
    }
    if !wrong.is_empty() {
        bail!("the registry and the public constants of protocol-defs differ in {} places", wrong.len());
    }
    println!("api: the registry has all {constants} public constants of protocol-defs");
    Ok(())
}

fn differences(path: &Path, surface: &str) -> usize {
    let committed = fs::read_to_string(path).unwrap_or_default();
    let (old, new): (Vec<&str>, Vec<&str>) = (committed.lines().collect(), surface.lines().collect());
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
    let lines: Vec<String> = gone.chain(come).collect();
    for line in &lines {
        println!("api: {} {line}", repo::shown(path));
    }
    lines.len()
}
