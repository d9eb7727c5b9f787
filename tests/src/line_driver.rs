//! A script of the reference that answers questions: JSON lines on its standard input and output.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::killed::Killed;
use crate::reference;

/// A running script; ends with this value.
#[derive(Debug)]
pub(crate) struct LineDriver {
    /// End of input ends it; this is for the case that it hangs.
    _child: Killed,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl LineDriver {
    /// Starts `tests/reference/SCRIPT`.
    pub(crate) fn start(script: &str) -> Result<Self> {
        let mut child = reference::script(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the reference's interpreter does not start")?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { _child: Killed(child), input, output })
    }

    /// Asks, and returns the answer.
    pub(crate) fn ask(&mut self, question: &Value) -> Result<Value> {
        writeln!(self.input, "{question}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("the reference said {line:?}"))
    }
}
