//! `fedcell send` at a cell of the reference: a streamed request, a file, a download, and the bars on a terminal.

use core::time::Duration;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::interop::cell::process::{Kind, Maker, Process};
use crate::interop::stream::told_file;
use crate::{binary, reference};

const CHANNEL: &str = "aux_communication";
const SIZE: usize = 40 << 20;
/// A Python cell takes seconds to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a program with a terminal, which becomes what it says.
const WITH_TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// Streams, files and downloads of the command, with a cell of the reference at the other end.
pub(super) fn send() -> Result<()> {
    let (program, folder) = (binary::fedcell()?, tempfile::tempdir()?);
    let config = json!({"fqcn": "server", "root": "tcp://127.0.0.1:0", "security": "clear", "scratch": folder.path()});
    let mut server = Process::start_kind(Kind::Stream, Maker::Theirs, &config, &folder.path().join("server.log"))?;
    let started = server.event("started", PATIENCE)?;
    let url = started["root"][0].as_str().context("the server does not say where it is")?.to_owned();
    server.event("ready", PATIENCE)?;
    let arguments = |more: &[&str]| {
        let to = ["send", "--root-url", &url, "--security", "clear", "--target", "server"];
        to.iter().chain(more).map(ToString::to_string).collect::<Vec<_>>()
    };
    let said = |command: &mut Command| -> Result<String> {
        let output = command.stdin(Stdio::null()).output()?;
        let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{:?}: {}, {said}{errors}", command.get_args(), output.status);
        Ok(said.into_owned())
    };
    let plain = |more: &[&str]| said(Command::new(program).args(arguments(more)));
    let on_terminal = |more: &[&str]| {
        said(Command::new(reference::interpreter()).args(["-c", WITH_TERMINAL]).arg(program).args(arguments(more)))
    };

    server.call("answer", json!({"channel": CHANNEL, "topic": "echo", "kind": "echo"}))?;
    let echo = ["--channel", CHANNEL, "--topic", "echo", "--stream"];
    let answered = plain(&[&echo[..], &["--payload", "there and back"]].concat())?;
    ensure!(answered == "there and back", "the answer is {answered:?}");

    let content: Vec<u8> = (0..SIZE).map(|at| (at * 31 + at / 251).to_le_bytes()[0]).collect();
    let path = folder.path().join("source.bin");
    fs::write(&path, &content)?;
    let told = told_file(&path)?;
    let path = path.display().to_string();
    let file = ["--channel", CHANNEL, "--topic", "files", "--file", &path];
    server.call("take", json!({"kind": "stream", "channel": CHANNEL, "topic": "files"}))?;
    let sent: Value = serde_json::from_str(&plain(&[&file[..], &["--json"]].concat())?)?;
    ensure!(sent["bytes"] == SIZE, "the sender says {sent}");
    let shown = on_terminal(&file)?;
    ensure!(shown.contains("MiB/40.00 MiB"), "no bar was seen: {shown:?}");
    let taken = server.call("taken", json!({"channel": CHANNEL, "topic": "files", "count": 1}))?["taken"].take();
    let is_same = |taken: &Value| taken["len"] == told["len"] && taken["sha256"] == told["sha256"];
    ensure!(taken.as_array().is_some_and(|all| all.iter().all(is_same)), "what came is {taken}, sent was {told}");

    for watch in [false, true] {
        let offer = server.call("offer", json!({"kind": "file", "payload": {"random": SIZE}}))?;
        let output = folder.path().join("fetched.bin");
        let reference = offer["ref"].as_str().context("no reference")?;
        let download = ["--download", reference, "--output", &output.display().to_string()];
        let shown = if watch { on_terminal(&download)? } else { plain(&download)? };
        ensure!(!watch || shown.contains("B/s"), "no bar was seen: {shown:?}");
        let got = told_file(&output)?;
        ensure!(got == offer["sent"], "got {got}, offered {}", offer["sent"]);
        let outcome = server.call("outcome", json!({"ref": reference, "timeout": 20.0}))?;
        ensure!(outcome["outcome"] == "completed", "the offer ended as {outcome}");
    }
    Ok(())
}
