//! `cargo xtask nostd`: proof that the vocabulary needs neither `std` nor `alloc`.
//!
//! A static library with a panic handler of its own and no allocator is linked against the crate. Two controls show
//! that the proof can fail: the same library does not build once it pulls in `std`, or once it allocates.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use clap::ArgMatches;

use crate::{process, repo};

const MANIFEST: &str = r#"[package]
name = "nostd-probe"
version = "0.0.0"
edition = "2024"

[lib]
crate-type = ["staticlib"]

[dependencies]
fedcell-protocol-defs = { path = "DEFS" }

[profile.dev]
panic = "abort"

[workspace]
"#;

const PROBE: &str = r#"#![no_std]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }
#[unsafe(no_mangle)]
pub extern "C" fn entries() -> usize { fedcell_protocol_defs::registry().count() }
"#;

const WITH_STD: &str = "\nextern crate std;\n";

const WITH_ALLOC: &str = r#"
extern crate alloc;
#[unsafe(no_mangle)]
pub extern "C" fn allocates(n: usize) -> usize { alloc::vec![0_u8; n].len() }
"#;

pub(crate) fn command() -> clap::Command {
    clap::Command::new("nostd").about("Prove that protocol-defs pulls in neither std nor alloc nor another crate")
}

pub(crate) fn run(_: &ArgMatches) -> Result<()> {
    let folder = repo::target().join("nostd");
    ensure!(build(&folder, PROBE)?.is_ok(), "protocol-defs does not link without std: {:?}", build(&folder, PROBE)?);
    for (control, addition) in [("std", WITH_STD), ("alloc", WITH_ALLOC)] {
        let source = format!("{PROBE}{addition}");
        ensure!(build(&folder, &source)?.is_err(), "the control with {control} linked: this check proves nothing");
    }
    let tree = process::output(repo::cargo().args(["tree", "--locked", "--package", "fedcell-protocol-defs"]))?;
    ensure!(tree.trim().lines().count() == 1, "protocol-defs has dependencies:\n{tree}");
    println!("nostd: protocol-defs links without std and alloc, and depends on nothing");
    Ok(())
}

/// Builds the probe with this source; the inner result is the compiler's.
fn build(folder: &Path, source: &str) -> Result<Result<(), String>> {
    fs::create_dir_all(folder.join("src"))?;
    let defs = repo::root().join("crates/protocol-defs");
    fs::write(folder.join("Cargo.toml"), MANIFEST.replace("DEFS", &defs.display().to_string()))?;
    fs::write(folder.join("src/lib.rs"), source)?;
    let output = Command::new(repo::cargo().get_program())
        .current_dir(folder)
        .args(["build", "--quiet", "--offline", "--target-dir"])
        .arg(folder.join("target"))
        .env_remove("RUSTFLAGS")
        .output()?;
    Ok(if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) })
}
