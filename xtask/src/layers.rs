//! `cargo xtask layers`: who may use whom, as data, held against what cargo says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Result, bail};
use clap::{ArgMatches, Command};
use serde_json::Value;

use crate::repo;

/// What one package may depend on, outside of its tests.
struct Layer {
    /// Folder below the root; its last part is the package's name behind `fedcell-`.
    folder: &'static str,
    package: &'static str,
    /// Packages of this workspace.
    inside: &'static [&'static str],
    /// Packages from elsewhere.
    outside: &'static [&'static str],
}

/// From the bottom up; a package may use what stands above its own line only.
const LAYERS: &[Layer] = &[
    Layer { folder: "crates/protocol-defs", package: "fedcell-protocol-defs", inside: &[], outside: &[] },
    Layer {
        folder: "crates/fobs",
        package: "fedcell-fobs",
        inside: &["fedcell-protocol-defs"],
        outside: &["bytes", "crc32fast", "rmp", "thiserror", "ndarray", "half", "safetensors", "serde"],
    },
    Layer {
        folder: "crates/auth",
        package: "fedcell-auth",
        inside: &["fedcell-protocol-defs"],
        outside: &[
            "rand_core",
            "subtle",
            "zeroize",
            "aws-lc-rs",
            "rustls-webpki",
            "rustls-pki-types",
            "x509-parser",
            "thiserror",
            "tracing",
        ],
    },
    Layer { folder: "crates/netsim", package: "fedcell-netsim", inside: &[], outside: &["rand_core"] },
    Layer {
        folder: "crates/cell-proto",
        package: "fedcell-cell-proto",
        inside: &["fedcell-protocol-defs", "fedcell-fobs", "fedcell-auth"],
        outside: &["bytes", "foldhash", "thiserror", "tracing", "xxhash-rust"],
    },
    Layer {
        folder: "crates/cell",
        package: "fedcell-cell",
        inside: &["fedcell-protocol-defs", "fedcell-fobs", "fedcell-auth", "fedcell-cell-proto"],
        outside: &[
            "tokio",
            "tokio-util",
            "futures",
            "bytes",
            "rustls",
            "tokio-rustls",
            "socket2",
            "tracing",
            "metrics",
            "tonic",
            "prost",
            "tokio-tungstenite",
            "thiserror",
        ],
    },
    Layer { folder: "crates/durable", package: "fedcell-durable", inside: &[], outside: &["bincode", "thiserror"] },
    Layer { folder: "crates/client", package: "fedcell-client", inside: ON_CELLS, outside: PROGRAMS },
    Layer { folder: "crates/server", package: "fedcell-server", inside: ON_CELLS, outside: PROGRAMS },
    Layer { folder: "crates/trainer", package: "fedcell-trainer", inside: ON_CELLS, outside: PROGRAMS },
    Layer {
        folder: "crates/cli",
        package: "fedcell",
        inside: &[
            "fedcell-protocol-defs",
            "fedcell-fobs",
            "fedcell-auth",
            "fedcell-cell-proto",
            "fedcell-cell",
            "fedcell-durable",
            "fedcell-client",
            "fedcell-server",
            "fedcell-trainer",
        ],
        outside: &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "httparse",
            "indicatif",
            "tokio",
            "tokio-util",
            "tracing",
            "tracing-subscriber",
            "metrics-exporter-prometheus",
            "toml",
            "anyhow",
            "plotters",
            "ratatui",
            "rcgen",
            "saphyr",
            "serde_json",
        ],
    },
    Layer {
        folder: "xtask",
        package: "xtask",
        inside: &["fedcell-protocol-defs"],
        outside: &["anyhow", "clap", "public-api", "serde_json"],
    },
];

/// What stands on cells may use all that is below, never its neighbours.
const ON_CELLS: &[&str] =
    &["fedcell-protocol-defs", "fedcell-fobs", "fedcell-auth", "fedcell-cell-proto", "fedcell-cell", "fedcell-durable"];

const PROGRAMS: &[&str] = &[
    "tokio",
    "tokio-util",
    "futures",
    "serde",
    "serde_json",
    "zstd",
    "lz4_flex",
    "bytes",
    "half",
    "tracing",
    "thiserror",
];

/// The package for everything that needs several crates; it may use any.
const TESTS: &str = "fedcell-tests";

/// The top level of the repo, but for dot-files.
const TOP: &[&str] = &[
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "crates",
    "docs",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "tests",
    "xtask",
];

pub(crate) fn command() -> Command {
    Command::new("layers").about("Check who depends on whom, and the shape of the workspace")
}

pub(crate) fn run(_: &ArgMatches) -> Result<()> {
    let packages = repo::packages()?;
    let mut problems = top_level()?;
    problems.extend(dependencies(&packages));
    problems.extend(manifests(&packages)?);
    for problem in &problems {
        println!("layers: {problem}");
    }
    if !problems.is_empty() {
        bail!("{} breaks of the layers", problems.len());
    }
    println!("layers: {} packages in their places", packages.len());
    Ok(())
}

/// Entries of the root that git tracks or would track and that the design does not name.
fn top_level() -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for entry in fs::read_dir(repo::root())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let ignored = name == "target" || repo::git(&["check-ignore", "--quiet", &name]).is_some();
        if !name.starts_with('.') && !ignored && !TOP.contains(&name.as_str()) {
            problems.push(format!("{name} does not belong to the top level, which is {}", TOP.join(" ")));
        }
    }
    Ok(problems)
}

fn dependencies(packages: &[Value]) -> Vec<String> {
    let layers: BTreeMap<&str, &Layer> = LAYERS.iter().map(|layer| (layer.package, layer)).collect();
    let workspace: BTreeSet<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut problems = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        if name == TESTS {
            continue;
        }
        let Some(layer) = layers.get(name) else {
            problems.push(format!("{name} has no layer: add it to xtask/src/layers.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            if dependency["kind"] == "dev" {
                // Tests may use what they like from elsewhere; inside, netsim and what is allowed anyway.
                if workspace.contains(used) && used != "fedcell-netsim" && !layer.inside.contains(&used) {
                    problems.push(format!("the tests of {name} use {used}: such tests belong to {TESTS}"));
                }
            } else if !layer.inside.contains(&used) && !layer.outside.contains(&used) {
                problems.push(format!("{name} may not use {used}"));
            }
        }
    }
    problems
}

/// Folder and package bear one name; fields, versions and lints come from the root.
fn manifests(packages: &[Value]) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let manifest = std::path::PathBuf::from(package["manifest_path"].as_str().unwrap_or_default());
        let folder = manifest.parent().map(repo::shown).unwrap_or_default();
        let expected = LAYERS.iter().find(|layer| layer.package == name).map_or("tests", |layer| layer.folder);
        if folder != expected {
            problems.push(format!("{name} is in {folder}, its place is {expected}"));
        }
        let text = repo::read(&manifest)?;
        for line in ["edition.workspace = true", "license.workspace = true", "rust-version.workspace = true"] {
            if !text.contains(line) {
                problems.push(format!("{folder}/Cargo.toml lacks `{line}`"));
            }
        }
        if !text.contains("[lints]\nworkspace = true") {
            problems.push(format!("{folder}/Cargo.toml does not take its lints from the root"));
        }
        if folder.starts_with("crates/") && !manifest.with_file_name("CHANGELOG.md").exists() {
            problems.push(format!("{folder} has no CHANGELOG.md"));
        }
    }
    Ok(problems)
}
