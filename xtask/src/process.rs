//! Running other programs: their output, their failure.

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Runs a program whose output the user sees; fails if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = named(command);
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    ensure!(status.success(), "{name} ended with {status}");
    Ok(())
}

/// Runs a program and returns what it printed; fails with its error output if it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = named(command);
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} ended with {}\n{}", output.status, error.trim_end());
    String::from_utf8(output.stdout).with_context(|| format!("{name} printed something that is not UTF-8"))
}

/// The first words of a command line, for messages.
fn named(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().take(4).map(|argument| argument.to_string_lossy().into_owned()));
    format!("`{}`", words.join(" "))
}
